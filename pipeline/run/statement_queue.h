#pragma once

#include <deque>
#include <optional>
#include <vector>

#include "pg/query_pipeline.h"
#include "pipeline/run/run_context.h"

namespace pgsluice::pipeline {

/// True if an error of a task is listed in the summary and nothing is missing (OnError::kSkipped): of a user's
/// function, not of the server.
bool is_only_listed(const Task& task, const Error& error);

/// Tasks whose statements are on their way to the target's server, so that none waits for the answers to those before.
/// Used by one worker's thread; the references outlive it.
///
/// Definitions before the data follow one another here in the archive's order, as pg_restore would send them, also
/// where one needs another: the archive does not name every dependency (a user mapping's server), so none may overtake
/// another. All other tasks are given by the scheduler only when those that they need have succeeded.
class StatementQueue {
 public:
  StatementQueue(RunContext& context, std::string worker, pg::Connection& target)
      : context_(context),
        plan_(context.plan),
        scheduler_(context.scheduler),
        worker_(std::move(worker)),
        target_(target),
        pipeline_(target) {}
  StatementQueue(const StatementQueue&) = delete;
  StatementQueue& operator=(const StatementQueue&) = delete;

  void send(TaskId task, std::vector<pg::Statement> statements);
  bool empty() const { return in_flight_.empty(); }
  /// Returns the cost up to which another task may be sent after those in flight; nullopt if there is no room. A long
  /// one would keep the short ones after it from workers that could do them.
  std::optional<double> room() const;

  /// Waits for an answer, and tells the scheduler what became of the task when it was its last. A deadlock or a
  /// concurrent change of the same catalog row is tried again, but for definitions before the data, after which others
  /// have been sent. Throws, naming the task, for a lost connection; and for a cancellation.
  void take_answer();

 private:
  struct InFlight {
    TaskId task;
    std::vector<pg::Statement> statements;
    std::size_t unanswered = 0;
    int tries = 1;
    std::optional<Error> error = std::nullopt;
    /// Privileges that the server would not give or take: it warns of that, and succeeds.
    std::vector<std::string> privileges_kept = {};
    /// For privileges that are granted by the current user now: why not by the source's grantors.
    std::optional<Error> refused_to_others = std::nullopt;
    /// The owner gets CREATE in the schema for the length of the transaction that makes the object.
    bool create_is_granted = false;
    /// The object's owner is given at the end.
    bool without_owner = false;
    bool replaces = false;
    /// For a key to a partitioned table: why it is made NOT VALID after all.
    std::optional<Error> orphans = std::nullopt;
    /// For a key that an earlier run has left NOT VALID.
    bool validates = false;
    bool is_absent = false;
    /// For an index or key that is there already: what the server said, until it is known whether it is the one.
    std::optional<Error> duplicate = std::nullopt;
    /// For a build that is large enough for settings of its own.
    std::optional<index::BuildBudget::Share> share = std::nullopt;
    /// A validation that has failed: the rows that it has failed for are counted.
    bool counts = false;
    std::optional<std::int64_t> counted = std::nullopt;
  };

  void put(InFlight task);
  void give_share(InFlight& task);
  pg::Answer answer_for(const InFlight& oldest);
  bool may_be_tried_again(const InFlight& ended) const;
  void try_again(InFlight ended);
  bool may_retry_as_current_user(const InFlight& ended) const;
  void retry_as_current_user(InFlight ended);
  bool may_go_without_owner(const InFlight& ended) const;
  void leave_owner_for_later(InFlight ended);
  bool may_replace(const InFlight& ended) const;
  void replace(InFlight ended);
  void send_again(InFlight ended, pg::Statement statement);
  bool may_be_left_not_valid(const InFlight& ended) const;
  void leave_not_valid(InFlight ended);
  bool may_be_there(const InFlight& ended) const;
  void look_for_it(InFlight ended);
  bool may_be_validated(const InFlight& ended) const;
  void validate(InFlight ended);
  bool has_to_count(const InFlight& ended) const;
  void count(InFlight ended);
  void report(const InFlight& ended);
  Error error_of(const InFlight& ended) const;
  void begin_oldest();
  void end_oldest(const InFlight& ended);

  RunContext& context_;
  const Plan& plan_;
  Scheduler& scheduler_;
  const std::string worker_;
  pg::Connection& target_;
  pg::QueryPipeline pipeline_;
  std::deque<InFlight> in_flight_;
  double cost_ = 0;
  /// The server works on the oldest only.
  std::optional<Progress::Running> running_;
  SteadyClock::time_point oldest_since_;
};

}  // namespace pgsluice::pipeline
