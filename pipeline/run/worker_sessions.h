#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "copy/relay.h"
#include "copy/row_source.h"
#include "pg/connection.h"
#include "pipeline/run/run_context.h"
#include "pipeline/run/session_slots.h"
#include "pipeline/run/statement_queue.h"

namespace pgsluice::pipeline {

/// The sessions of one worker and what it has on them. Opened when something needs them, and again when one was lost.
/// Used by the worker's thread only; the context outlives it. All functions that return a session throw as
/// pg::Connection::open() does.
class WorkerSessions {
 public:
  WorkerSessions(RunContext& context, Lane lane, std::string worker)
      : context_(context), lane_(lane), worker_(std::move(worker)) {}

  /// Sessions that are open already, and in the ledger.
  void adopt_source(pg::Connection connection) { source_ = std::move(connection); }
  void adopt_target(pg::Connection connection);

  /// In the snapshot.
  pg::Connection& source();
  /// Perhaps in the snapshot; for what no snapshot holds still.
  pg::Connection& source_as_it_is();
  bool holds_snapshot() const { return source_ && !source_->idle(); }
  /// Ends the transaction that sees the snapshot. Throws Error(kCancelled) only: a session that was lost is in none.
  void leave_snapshot();
  pg::Connection& target();
  /// The rows of the source, server or archive, for target(). Valid until one of the sessions is opened again.
  copy::RowSource& rows();
  /// On target(), which is ready for definitions then.
  StatementQueue& statements();
  /// The queue while statements are on their way, else nullptr.
  StatementQueue* in_flight();

  /// True if an error ends the run: every other task of this worker would fail, too.
  bool ends_the_run(const Error& error) const;

  void close_all();
  /// All but the source's session, which may be the last one to see the snapshot.
  void close_target();
  std::optional<pg::Connection> give_up_source() { return std::exchange(source_, std::nullopt); }

 private:
  void import_snapshot();
  copy::Relay& relay();

  RunContext& context_;
  const Lane lane_;
  const std::string worker_;
  std::optional<pg::Connection> source_;
  /// For target_, from the first time that it is open.
  std::optional<SessionSlots::Slot> slot_;
  std::optional<pg::Connection> target_;
  std::unique_ptr<copy::Relay> relay_;
  std::unique_ptr<copy::RowSource> rows_;
  std::optional<StatementQueue> statements_;
  /// A session could not be opened or brought into the snapshot.
  bool session_failed_ = false;
};

}  // namespace pgsluice::pipeline
