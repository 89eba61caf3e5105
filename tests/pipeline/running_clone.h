#pragma once

#include <fmt/format.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <thread>

#include "base/wait.h"
#include "pgsluice/clone.h"
#include "tests/support/cluster.h"
#include "tests/support/wait_until.h"

namespace pgsluice::test {

/// Asked elsewhere than in the database that is cloned, which may have settings and limits.
inline bool is_true(const Cluster& server, const std::string& condition) {
  return server.value("postgres", fmt::format("SELECT {}", condition)) == "t";
}

/// A function for a CHECK or an index, which waits for a gate at the row 5000. On the source nobody closes one.
inline constexpr const char* kPassFunction = R"(
CREATE FUNCTION pass(id int, gate int) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
  IF id = 5000 THEN PERFORM pg_catalog.pg_advisory_xact_lock_shared(gate); END IF;
  RETURN true;
END $$;
)";

/// An advisory lock of a database of the shared target, closed until open() or the end of the object.
class Gate {
 public:
  Gate(const std::string& database, int number) : session_(shared_target().connect(database)), number_(number) {
    session_.execute(fmt::format("SELECT pg_advisory_lock({})", number));
  }
  void open() { session_.execute("SELECT pg_advisory_unlock_all()"); }
  /// True if the clone has come to it.
  bool is_reached() const {
    return is_true(shared_target(), fmt::format("EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT"
                                                " granted AND objid = {})",
                                                number_));
  }
  /// The session that keeps it closed.
  std::string pid() { return std::string(session_.execute("SELECT pg_backend_pid()")[0].text(0)); }

 private:
  pg::Connection session_;
  int number_;
};

/// A clone on a thread of its own; cancelled with the object if it has not ended.
class RunningClone {
 public:
  RunningClone(const pipeline::CloneOptions& wanted, LogSink& sink)
      : clone_(wanted, sink), thread_([this] { run(); }) {}
  ~RunningClone() { clone_.cancel(); }

  /// True if the condition is met while the clone runs.
  bool meets(const std::function<bool()>& condition) {
    bool met = false;
    wait_until([&] {
      const bool over = ended_;  // looked at before, since a condition that lasts may be met by the end
      return (met = condition()) || over;
    });
    return met;
  }
  void cancel() { clone_.cancel(); }
  pipeline::ProgressSnapshot progress() const { return clone_.progress(); }
  /// All that went wrong, when the clone has ended. One that hangs is cancelled after a minute.
  std::string outcome() {
    const bool hangs = !wait_until([&] { return ended_.load(); });
    if (hangs) clone_.cancel();
    ended_.wait(false);
    return (hangs ? "hung, and was cancelled; " : "") + outcome_;
  }
  const std::optional<Error>& error() const { return error_; }

 private:
  void run() {
    try {
      const pipeline::CloneSummary summary = clone_.run();
      for (const auto& object : summary.failed) outcome_ += "failed: " + object.error.describe() + "\n";
      for (const auto& object : summary.left_out) outcome_ += "left out: " + object.name + "\n";
    } catch (const Error& error) {
      error_ = error;
      outcome_ = "ended: " + error.describe();
    }
    ended_ = true;
    ended_.notify_all();
  }

  pipeline::Clone clone_;
  std::string outcome_;
  std::optional<Error> error_;
  std::atomic<bool> ended_{false};
  std::jthread thread_;
};

}  // namespace pgsluice::test
