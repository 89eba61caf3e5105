#include "pipeline/run/worker_sessions.h"

#include <fmt/format.h>

#include "base/sqlstate.h"
#include "copy/ledger.h"
#include "copy/server_rows.h"
#include "pg/snapshot.h"
#include "pipeline/prepare/sessions.h"
#include "schema/archive/ddl_restore.h"
#include "schema/catalog/expression_settings.h"
#include "store/archived_rows.h"

namespace pgsluice::pipeline {

void WorkerSessions::adopt_target(pg::Connection connection) {
  slot_ = context_.target_slots.take();
  target_ = std::move(connection);
}

pg::Connection& WorkerSessions::source() {
  session_failed_ = true;
  source_as_it_is();
  if (source_->idle()) import_snapshot();
  session_failed_ = false;
  return *source_;
}

pg::Connection& WorkerSessions::source_as_it_is() {
  if (!source_ || !source_->alive()) {
    relay_.reset();
    source_ = open_session(*context_.source, worker_, context_.encoding, context_.log, context_.cancel);
  }
  // A statement that failed has ended the transaction and with it the snapshot.
  if (source_->transaction_failed()) source_->execute("ROLLBACK");
  return *source_;
}

void WorkerSessions::leave_snapshot() {
  relay_.reset();
  try {
    source_->execute("COMMIT");
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::kCancelled) throw;
    source_.reset();
  }
}

void WorkerSessions::import_snapshot() {
  try {
    pg::import_snapshot(*source_, context_.record.mark.snapshot);
  } catch (const Error& error) {
    // It is not held any more: the run continues if a new one shows the same.
    if (error.sqlstate() != sqlstate::kInvalidParameterValue && error.sqlstate() != sqlstate::kUndefinedObject) throw;
    throw Error(ErrorKind::kConnection, fmt::format("the session that kept the snapshot was lost ({})", error.what()))
        .on(Side::kSource);
  }
}

pg::Connection& WorkerSessions::target() {
  session_failed_ = true;
  if (!target_ || !target_->alive()) {
    statements_.reset();
    relay_.reset();
    if (!slot_) slot_ = context_.target_slots.take();
    target_ = open_session(context_.target, worker_, context_.encoding, context_.log, context_.cancel);
    schema::apply_expression_settings(*target_, context_.plan.catalog.expression_settings);
    if (context_.options.ledger) context_.sessions.add(copy::register_session(*target_));
    if (lane_ == Lane::kCopy && !context_.plan.toast_compression.empty()) {
      target_->execute("SET default_toast_compression = " + context_.plan.toast_compression);
    }
  }
  session_failed_ = false;
  context_.target_changed.store(true, std::memory_order_relaxed);
  return *target_;
}

copy::RowSource& WorkerSessions::rows() {
  if (context_.archive != nullptr) {
    if (!rows_) rows_ = std::make_unique<store::ArchivedRows>(context_.archive->data, context_.archive->entries);
    return *rows_;
  }
  pg::Connection& from = source();
  target();
  rows_ = std::make_unique<copy::ServerRows>(from, relay(), context_.record.mark.read_before);
  return *rows_;
}

// From source() to target(), which have to be open: a session that is opened again takes the relay away.
copy::Relay& WorkerSessions::relay() {
  if (!relay_) relay_ = copy::make_relay(*source_, *target_, context_.options.transport);
  return *relay_;
}

StatementQueue& WorkerSessions::statements() {
  pg::Connection& connection = target();
  if (!statements_) {
    schema::begin_restore(connection, context_.plan.archive);
    statements_.emplace(context_, worker_, connection);
  }
  return *statements_;
}

StatementQueue* WorkerSessions::in_flight() { return statements_ && !statements_->empty() ? &*statements_ : nullptr; }

bool WorkerSessions::ends_the_run(const Error& error) const {
  // Without a session every task of this worker would fail. A recovery conflict of a standby source (40001) ends the
  // snapshot for good: imported again, it would show a part of the rows. So does its age (old_snapshot_threshold,
  // 72000).
  const bool snapshot_ended = error.side() == Side::kSource && (error.sqlstate() == sqlstate::kSerializationFailure ||
                                                                error.sqlstate() == sqlstate::kSnapshotTooOld);
  return error.poisons_connection() || session_failed_ || snapshot_ended;
}

void WorkerSessions::close_target() {
  rows_.reset();
  relay_.reset();
  statements_.reset();
  target_.reset();
  slot_.reset();
}

void WorkerSessions::close_all() {
  close_target();
  source_.reset();
}

}  // namespace pgsluice::pipeline
