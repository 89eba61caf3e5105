#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "pg/connection.h"
#include "pgsluice/cancel.h"
#include "pipeline/run/run_context.h"

namespace pgsluice::pipeline {

/// A session of a run that does not get on, as its server sees it.
struct StalledSession {
  struct Blocker {
    int pid = 0;  ///< 0: a prepared transaction
    std::string user;
    std::string application;
    std::string state;
    std::chrono::seconds in_transaction{};
  };
  int pid = 0;
  std::string application;
  std::string wait;     ///< "Lock: relation"; empty where it waits for nothing
  std::string command;  ///< "CREATE INDEX"
  std::chrono::seconds since{};
  std::vector<Blocker> blockers;

  /// True if it waits for anything but us, the disk or the CPU: a lock, or a synchronous standby.
  bool waits_for_others() const;
};

/// The sessions of pgsluice in this database that have a statement running, and whom they wait for.
/// Throws Error. Source: PostgreSQL's documentation, "The Cumulative Statistics System", pg_blocking_pids() (9.6).
std::vector<StalledSession> find_stalled_sessions(pg::Connection& connection);
/// For people, in one line.
std::string describe(const StalledSession& session, Side side);

/// How far a server is from running out of transaction ids, in transactions.
struct TransactionAges {
  std::int64_t snapshot = 0;  ///< of the oldest snapshot that a session of pgsluice keeps in this database
  std::int64_t database = 0;  ///< of its oldest row that is not frozen
  std::int64_t autovacuum_freeze_max_age = 0;
};
TransactionAges read_transaction_ages(pg::Connection& connection);
/// Returns what a person should know of them; empty as long as all is well.
std::optional<std::string> age_warning(const TransactionAges& ages, Side side);

/// Looks after the servers while workers run. When nothing has moved for CloneOptions::stalled_after, it asks both what
/// the run waits for, and for whom, and logs it; then again after twice that time, and so on. While the run is paused,
/// it logs for how long, and how old the snapshot is. Now and then it looks at
/// the age of the snapshot, which keeps VACUUM on the source from its work. What it cannot find out is no error.
///
/// A look takes a session of its own for a moment, never more than the run may have: on the target it is left out when
/// there is no slot. Lifecycle: its thread runs as long as the object; the context outlives it.
class ServerWatch {
 public:
  explicit ServerWatch(const RunContext& context);
  ServerWatch(const ServerWatch&) = delete;
  ServerWatch& operator=(const ServerWatch&) = delete;
  ~ServerWatch();

 private:
  void run();
  bool has_moved();
  void report_stall();
  void report_pause();
  void report_stalled_sessions(Side side);
  void report_ages();
  std::optional<pg::Connection> open(Side side);

  const RunContext& context_;
  CancelSource stop_;
  std::int64_t bytes_ = -1;
  std::size_t tasks_ = 0;
  SteadyClock::time_point moved_at_;
  const std::chrono::milliseconds period_;
  std::chrono::milliseconds patience_;
  std::optional<SessionSlots::Slot> slot_;
  std::string warned_of_source_;
  std::string warned_of_target_;
  std::jthread thread_;
};

}  // namespace pgsluice::pipeline
