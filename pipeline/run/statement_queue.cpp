#include "pipeline/run/statement_queue.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/counted.h"
#include "base/sqlstate.h"
#include "base/wait.h"
#include "index/foreign_key.h"
#include "pg/advisory_lock.h"
#include "pg/quote.h"
#include "pg/version.h"
#include "pipeline/plan/options.h"
#include "pipeline/plan/tasks_done.h"
#include "pipeline/plan/work.h"
#include "pipeline/run/later_try.h"
#include "schema/archive/acl.h"
#include "schema/archive/ddl_restore.h"

namespace pgsluice::pipeline {

namespace {

using schema::EntryKind;

constexpr int kTries = 5;
constexpr std::chrono::milliseconds kPauseOfStatement{50};  // before a try, doubled with each

// Classes 53, 57 and 58: no room, an operator's intervention, the system.
bool is_out_of_resources(std::string_view sqlstate) {
  return sqlstate.starts_with("53") || sqlstate.starts_with("57") || sqlstate.starts_with("58");
}

// duplicate_table, duplicate_object, duplicate_function, duplicate_schema, and a second primary key
bool is_duplicate(std::string_view sqlstate) {
  return sqlstate == sqlstate::kDuplicateTable || sqlstate == sqlstate::kDuplicateObject ||
         sqlstate == sqlstate::kDuplicateFunction || sqlstate == sqlstate::kDuplicateSchema ||
         sqlstate == sqlstate::kInvalidTableDefinition;
}

// The tag of a constraint's entry begins with its table: "orders orders_pkey".
std::string index_name_of(const schema::TocEntry& entry) {
  const std::size_t blank = entry.kind == EntryKind::kConstraint ? entry.tag.rfind(' ') : std::string::npos;
  return blank == std::string::npos ? entry.tag : entry.tag.substr(blank + 1);
}

}  // namespace

bool is_only_listed(const Task& task, const Error& error) {
  const bool is_of_users_function = error.kind() == ErrorKind::kServer && !is_out_of_resources(error.sqlstate());
  return task.traits().on_error == OnError::kSkipped && is_of_users_function;
}

std::optional<double> StatementQueue::room() const {
  if (cost_ >= kMaxCostTogether) return std::nullopt;
  return kMaxCostTogether - cost_;
}

void StatementQueue::send(TaskId task, std::vector<pg::Statement> statements) {
  cost_ += plan_.graph[task].cost;
  InFlight sent{.task = task, .statements = std::move(statements)};
  give_share(sent);
  put(std::move(sent));
}

// A build that takes longer than a moment gets its part of the target's memory and cores.
void StatementQueue::give_share(InFlight& sent) {
  const Task& task = plan_.graph[sent.task];
  if (!task.traits().sorts || task.cost < kMaxCostTogether) return;
  sent.share =
      context_.builds.take(scheduler_.count_ready(Lane::kBuild, kMaxCostTogether, context_.options.index_jobs));
  constexpr std::int64_t kMost = 2147483647;  // of the setting, in kB
  std::string settings = fmt::format("SET LOCAL maintenance_work_mem = '{}kB';\n",
                                     std::clamp<std::int64_t>(sent.share->memory().count / 1024, 1024, kMost));
  if (target_.server_version() >= pg::since::kParallelIndexBuilds) {
    settings += fmt::format("SET LOCAL max_parallel_maintenance_workers = {};\n", sent.share->parallel_workers());
  }
  sent.statements.front().sql.insert(0, settings);
}

void StatementQueue::put(InFlight task) {
  task.privileges_kept.clear();
  for (const pg::Statement& statement : task.statements) pipeline_.send(statement);
  task.unanswered = task.statements.size();
  in_flight_.push_back(std::move(task));
  if (in_flight_.size() == 1) begin_oldest();
}

void StatementQueue::begin_oldest() {
  const TaskId task = in_flight_.front().task;
  running_.emplace(context_.progress, std::vector{task}, plan_.graph[task].name);
  oldest_since_ = SteadyClock::now();
}

void StatementQueue::end_oldest(const InFlight& ended) {
  running_.reset();
  trace_task(context_, ended.task, {.worker = worker_, .begin = oldest_since_, .end = SteadyClock::now()});
  if (!in_flight_.empty()) begin_oldest();
}

void StatementQueue::take_answer() {
  InFlight& oldest = in_flight_.front();
  const pg::Answer answer = answer_for(oldest);
  if (oldest.counts) {
    if (!answer.error) oldest.counted = answer.rows();
  } else if (answer.error && !oldest.error) {
    oldest.error = answer.error;
  }
  for (const pg::ServerMessage& warning : answer.warnings) {
    if (warning.sqlstate == sqlstate::kPrivilegeNotRevoked || warning.sqlstate == sqlstate::kPrivilegeNotGranted) {
      oldest.privileges_kept.push_back(warning.text);
    }
  }
  if (--oldest.unanswered > 0) return;

  InFlight ended = std::move(oldest);
  in_flight_.pop_front();
  // A partition that came since an earlier run has got its parent's index, or key, when it was attached.
  if (ended.duplicate && ended.error) ended.error = ended.duplicate;
  if (ended.orphans && !ended.counts) {
    // There is the key now, NOT VALID, or none: the rows are counted in the first case.
    if (ended.error) ended.counts = true;
    ended.error = ended.orphans;
    ended.is_absent = ended.counts;
  }
  const bool again = may_be_tried_again(ended);
  const bool as_one = !again && may_retry_as_current_user(ended);
  const bool no_owner = !again && may_go_without_owner(ended);
  const bool replaces = !again && may_replace(ended);
  const bool not_valid = !again && may_be_left_not_valid(ended);
  const bool validates = !again && may_be_validated(ended);
  const bool is_there = !again && may_be_there(ended);
  const bool goes_on =
      again || as_one || no_owner || replaces || not_valid || is_there || validates || has_to_count(ended);
  if (goes_on) running_->will_retry();
  end_oldest(ended);
  if (as_one) return retry_as_current_user(std::move(ended));
  if (no_owner) return leave_owner_for_later(std::move(ended));
  if (replaces) return replace(std::move(ended));
  if (not_valid) return leave_not_valid(std::move(ended));
  if (is_there) return look_for_it(std::move(ended));
  if (validates) return validate(std::move(ended));
  if (goes_on) return again ? try_again(std::move(ended)) : count(std::move(ended));
  ended.share.reset();
  cost_ -= plan_.graph[ended.task].cost;
  report(ended);
}

pg::Answer StatementQueue::answer_for(const InFlight& oldest) {
  try {
    return pipeline_.take();
  } catch (Error& error) {
    error.object(plan_.graph[oldest.task].name);
    throw;
  }
}

bool StatementQueue::may_be_tried_again(const InFlight& ended) const {
  // Others that need it may have found another object of its name.
  if (plan_.graph.has_followers_in_order(ended.task)) return false;
  return ended.error && ended.tries < kTries && ended.error->is_retryable();
}

void StatementQueue::try_again(InFlight ended) {
  target_.log().notice(fmt::format("{} is tried again: {}", plan_.graph[ended.task].name, ended.error->what()));
  // With others in flight their time is pause enough.
  if (in_flight_.empty()) pause(target_.cancel_token(), kPauseOfStatement * (1 << ended.tries));
  ended.error.reset();
  ++ended.tries;
  put(std::move(ended));
}

// A role in whose name privileges are given may not see the schema, for example.
bool StatementQueue::may_retry_as_current_user(const InFlight& ended) const {
  const Task& task = plan_.graph[ended.task];
  return task.traits().gives_privileges && !ended.refused_to_others && ended.error &&
         ended.error->sqlstate() == sqlstate::kInsufficientPrivilege &&
         schema::acl_as_current_user(*task.entry) != definition_of(plan_, task);
}

void StatementQueue::retry_as_current_user(InFlight ended) {
  const schema::TocEntry& entry = *plan_.graph[ended.task].entry;
  ended.refused_to_others = std::exchange(ended.error, std::nullopt);
  ended.statements = {schema::entry_statement(plan_.archive, entry, plan_.restore, schema::acl_as_current_user(entry))};
  put(std::move(ended));
}

// An owner needs CREATE in the schema, for which a superuser who gave it the object on the source did not ask: it is
// granted for a moment. Where that is refused, too, the object is the target user's until its owner can be given
// (give_owners()).
bool StatementQueue::may_go_without_owner(const InFlight& ended) const {
  const Task& task = plan_.graph[ended.task];
  const bool gives_owner = task.entry != nullptr && !task.traits().gives_privileges && plan_.restore.owners &&
                           !plan_.restore.out_of_reach.contains(task.entry->owner) &&
                           !schema::owner_sql(*task.entry).empty();
  return gives_owner && !ended.without_owner && ended.error &&
         ended.error->sqlstate() == sqlstate::kInsufficientPrivilege;
}

void StatementQueue::leave_owner_for_later(InFlight ended) {
  const schema::TocEntry& entry = *plan_.graph[ended.task].entry;
  if (!ended.create_is_granted && !entry.schema.value_or("").empty()) {
    ended.create_is_granted = true;
    pg::Statement statement =
        schema::entry_statement(plan_.archive, entry, plan_.restore, definition_of(plan_, plan_.graph[ended.task]));
    const std::string privilege = "CREATE ON SCHEMA " + pg::quote_identifier(*entry.schema);
    const std::string owner = pg::quote_identifier(entry.owner);
    // Two sessions cannot change the privileges of one schema at once.
    statement.sql.insert(0, fmt::format("{};\nGRANT {} TO {};\n", pg::lock_in_transaction_sql(pg::AdvisoryLock::kGrant),
                                        privilege, owner));
    statement.sql += fmt::format("REVOKE {} FROM {};\n", privilege, owner);
    return send_again(std::move(ended), std::move(statement));
  }
  ended.without_owner = true;
  schema::RestoreOptions without_owner = plan_.restore;
  without_owner.owners = false;
  send_again(std::move(ended), schema::entry_statement(plan_.archive, entry, without_owner,
                                                       definition_of(plan_, plan_.graph[ended.task])));
}

// Objects that an earlier run has made, and that the source has changed since.
bool StatementQueue::may_replace(const InFlight& ended) const {
  const Task& task = plan_.graph[ended.task];
  return context_.continues && !ended.replaces && ended.error &&
         ended.error->sqlstate() == sqlstate::kDuplicateFunction && task.entry != nullptr &&
         schema::replacing_definition(task.entry->definition).has_value();
}

void StatementQueue::replace(InFlight ended) {
  ended.replaces = true;
  const schema::TocEntry& entry = *plan_.graph[ended.task].entry;
  send_again(std::move(ended), schema::entry_statement(plan_.archive, entry, plan_.restore,
                                                       *schema::replacing_definition(entry.definition)));
}

void StatementQueue::send_again(InFlight ended, pg::Statement statement) {
  const std::string& mark = plan_.task_marks[ended.task];
  if (context_.options.ledger && !mark.empty()) statement.sql.insert(0, copy::task_done_sql(mark));
  if (context_.options.ledger && ended.without_owner) {
    // An earlier run may have made it without its owner, too.
    const std::string of_owner = mark_of_owner(*plan_.graph[ended.task].entry);
    statement.sql.insert(0, copy::forget_task_sql(of_owner) + copy::task_done_sql(of_owner));
  }
  ended.error.reset();
  ended.statements = {std::move(statement)};
  put(std::move(ended));
}

// A key to a partitioned table whose rows have no parent.
bool StatementQueue::may_be_left_not_valid(const InFlight& ended) const {
  const Task& task = plan_.graph[ended.task];
  return !task.sql_that_validates.empty() && !ended.orphans && !ended.validates && !ended.counts && ended.error &&
         ended.error->sqlstate() == sqlstate::kForeignKeyViolation;
}

void StatementQueue::leave_not_valid(InFlight ended) {
  const schema::TocEntry& entry = *plan_.graph[ended.task].entry;
  ended.orphans = std::exchange(ended.error, std::nullopt);
  ended.statements = {
      definition_statement(plan_, entry, index::not_valid_statement(entry.definition).value_or(entry.definition))};
  put(std::move(ended));
}

bool StatementQueue::may_be_there(const InFlight& ended) const {
  const schema::TocEntry* entry = plan_.graph[ended.task].entry;
  return context_.continues && !ended.duplicate && ended.error && is_duplicate(ended.error->sqlstate()) &&
         entry != nullptr && (entry->kind.is_one_of({EntryKind::kIndex, EntryKind::kConstraint}));
}

void StatementQueue::look_for_it(InFlight ended) {
  const schema::TocEntry& entry = *plan_.graph[ended.task].entry;
  ended.duplicate = ended.error;
  // An error if there is no index of that name which is attached to the index of a partitioned table.
  send_again(std::move(ended),
             {fmt::format("SELECT 1 / (SELECT count(*) FROM pg_catalog.pg_index i"
                          " JOIN pg_catalog.pg_inherits h ON h.inhrelid = i.indexrelid"
                          " WHERE i.indexrelid = pg_catalog.to_regclass({}) AND i.indisvalid);\n",
                          pg::quote_literal(pg::quote_qualified(entry.schema.value_or(""), index_name_of(entry))))});
}

// An earlier run has left such a key NOT VALID.
bool StatementQueue::may_be_validated(const InFlight& ended) const {
  const Task& task = plan_.graph[ended.task];
  return context_.continues && !task.sql_that_validates.empty() && !ended.validates && ended.error &&
         ended.error->sqlstate() == sqlstate::kDuplicateObject;
}

void StatementQueue::validate(InFlight ended) {
  ended.validates = true;
  const std::string sql = plan_.graph[ended.task].sql_that_validates;
  send_again(std::move(ended), {sql + ";\n"});
}

bool StatementQueue::has_to_count(const InFlight& ended) const {
  return !ended.counts && ended.error && ended.error->sqlstate() == sqlstate::kForeignKeyViolation &&
         !plan_.graph[ended.task].sql_that_counts.empty();
}

void StatementQueue::count(InFlight ended) {
  ended.counts = true;
  ended.statements = {{fmt::format("SELECT FROM ({}) orphans", plan_.graph[ended.task].sql_that_counts)}};
  put(std::move(ended));
}

Error StatementQueue::error_of(const InFlight& ended) const {
  const Task& task = plan_.graph[ended.task];
  Error error = *ended.error;
  if (ended.counts) {
    const std::string rows = ended.counted ? counted(*ended.counted, "row has", "rows have") : "some rows have";
    const char* state = ended.is_absent ? "the key was not made" : "the key is there, but NOT VALID";
    return Error(ErrorKind::kServer, fmt::format("{} no parent: {} ({})", rows, state, error.what()))
        .on(Side::kTarget)
        .sqlstate(error.sqlstate())
        .object(task.entry->describe())
        .hint(fmt::format(
            "this query shows them: {}; after they are mended on the target (by a parent's row, or by deleting them), "
            "resume, or validate the key by: {}; if they are mended on the source, both tables are copied again",
            task.sql_that_counts, task.sql_that_validates.empty() ? task.sql : task.sql_that_validates))
        .remedy(Remedy::kResume)
        .remedy(Remedy::kResumeInconsistent);
  }
  if (task.entry != nullptr) {
    schema::explain(error, *task.entry, definition_of(plan_, task));
  } else {
    error.object(task.name);
  }
  // Making these calls no function.
  const bool calls_nothing =
      task.entry != nullptr &&
      (task.traits().gives_privileges || task.entry->kind.is_one_of({EntryKind::kComment, EntryKind::kSecurityLabel,
                                                                     EntryKind::kView, EntryKind::kRule}));
  if (is_name_not_found(error) && !calls_nothing) {
    error.remedy(Remedy::kResumeInconsistent)
        .hint(fmt::format(
            "a function that this calls names something without its schema, which is found neither with an empty "
            "search_path nor with the source database's{}; ALTER FUNCTION … SET search_path = … on the source",
            task.traits().is_maintenance && target_.server_version() >= pg::since::kRestrictedSearchPath
                ? " (from 17 on, indexes and materialized views are made with search_path = pg_catalog, pg_temp)"
                : ""));
  }
  if (context_.continues && task.entry != nullptr && is_duplicate(error.sqlstate())) {
    const bool is_table = task.entry->kind == EntryKind::kTable;
    std::string drop = task.entry->drop_statement;
    while (!drop.empty() && (drop.back() == '\n' || drop.back() == ';')) drop.pop_back();
    error.remedy(Remedy::kResumeInconsistent)
        .hint(fmt::format("an earlier run has made it, and it has changed on the source since: {} on the target",
                          is_table || drop.empty() ? "alter it in the same way" : drop));
  }
  const NeededRight missing =
      error.sqlstate() == sqlstate::kInsufficientPrivilege ? task.traits().needed_right : NeededRight::kNone;
  if (missing == NeededRight::kOwnersMembership && task.entry != nullptr && !task.entry->owner.empty()) {
    error.remedy(Remedy::kResume)
        .hint(fmt::format("GRANT {} TO {} on the target", pg::quote_identifier(task.entry->owner),
                          pg::quote_identifier(target_.user())));
  }
  if (missing == NeededRight::kSuperuser) {
    error.hint("a superuser may set them").remedy(Remedy::kOmitProperties);
  }
  return error;
}

void StatementQueue::report(const InFlight& ended) {
  if (!ended.error) {
    if (ended.refused_to_others) {
      context_.progress.add_warning(
          fmt::format("{}: the target's user has granted all of it, since it may not be done "
                      "in the names of those who have on the source: {}",
                      plan_.graph[ended.task].name, ended.refused_to_others->what()));
    }
    if (!ended.privileges_kept.empty()) {
      context_.progress.add_skipped(fmt::format("{}: {} may not change these privileges: {}",
                                                plan_.graph[ended.task].name, target_.user(),
                                                fmt::join(ended.privileges_kept, "; ")));
    }
    if (ended.without_owner) context_.owners.add(*plan_.graph[ended.task].entry);
    if (const auto earlier = scheduler_.earlier_failure(ended.task)) {
      context_.progress.add_warning(later_try_text(plan_.graph[ended.task].name, *earlier));
    }
    scheduler_.succeeded(ended.task);
    return;
  }
  const Error error = error_of(ended);
  if (is_only_listed(plan_.graph[ended.task], error)) {
    context_.progress.add_skipped(fmt::format("{}; {}", target_.log().describe(error), plan_.graph[ended.task].sql));
    target_.log().warning(error);
    scheduler_.succeeded(ended.task);
    return;
  }
  // A key of a partitioned table is not there then, since there is no NOT VALID for it before 18.
  if (ended.error->sqlstate() == sqlstate::kForeignKeyViolation && context_.options.allow_orphans) {
    context_.progress.add_warning(target_.log().describe(error));
    target_.log().warning(error);
    scheduler_.succeeded(ended.task);
  } else {
    log_failure(context_, ended.task, error, scheduler_.failed(ended.task, error));
  }
}

}  // namespace pgsluice::pipeline
