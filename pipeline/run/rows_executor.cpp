#include "pipeline/run/rows_executor.h"

#include <fmt/format.h>

#include "base/sqlstate.h"
#include "pipeline/run/later_try.h"
#include "schema/catalog/expression_settings.h"
#include "schema/catalog/extension_tables.h"

namespace pgsluice::pipeline {

namespace {

constexpr int kTries = 3;  // of a table alone, after a deadlock

// Removes the rows that the extension's script inserted: the source's rows include them, possibly changed or deleted
// since. Extensions that existed before the run are not affected; their tables are only loaded when empty.
std::string clear_configuration(const TablePlan& table, pg::Connection& target) {
  if (!table.table->extension_condition) return "";
  std::string condition = *table.table->extension_condition;
  if (!table.table->is_extension_condition_known) {
    const auto owner = schema::find_owner_of_table(target, table.into->schema, table.into->name);
    if (!owner || !owner->condition) return "";
    condition = *owner->condition;
  }
  return fmt::format("DELETE FROM ONLY {} {};\n", table.into->quoted(), condition);
}

}  // namespace

// One transaction for all; if that fails, one for each but the table that it has failed for.
void RowsExecutor::copy(const std::vector<TaskId>& tasks) {
  copy::CopyTablesResult result = try_to_copy(tasks);
  const bool is_refused_again = result.error && tasks.size() == 1 && is_refused_by_check(*result.error) &&
                                context_.scheduler.earlier_failure(tasks[0]).has_value();
  if (is_refused_again) result = try_to_copy(tasks, CheckRows::kNone);
  for (int tries = 1; result.error && tasks.size() == 1 && tries < kTries && result.error->is_retryable(); ++tries) {
    if (sessions_.ends_the_run(*result.error)) break;
    context_.log.notice(fmt::format("{} is tried again: {}", context_.plan.graph[tasks[0]].name, result.error->what()));
    result = try_to_copy(tasks);
  }
  if (!result.error) return;
  if (sessions_.ends_the_run(*result.error)) throw Error(*result.error);
  const bool alone = tasks.size() == 1;
  if (alone) result.failed = 0;
  // A table that has met a deadlock, or found no room for a batch's locks, may succeed by itself.
  const bool passes = !alone && (result.error->is_retryable() || result.error->sqlstate() == sqlstate::kOutOfMemory);
  for (std::size_t i = 0; i < tasks.size(); ++i) {
    if (result.failed != i || passes) {
      copy({tasks[i]});
    } else {
      log_failure(context_, tasks[i], *result.error, context_.scheduler.failed(tasks[i], *result.error));
    }
  }
}

std::string RowsExecutor::settings_for(const TablePlan& table) const {
  const schema::Catalog& catalog = context_.plan.catalog;
  schema::CopiedText text = schema::CopiedText::kNone;
  if (table.format == copy::CopyFormat::kText) {
    // An archive holds amounts of money as its source wrote them.
    const bool has_money =
        context_.archive == nullptr && schema::may_hold_money(catalog.types, table.table->column_types);
    text = has_money ? schema::CopiedText::kWithMoney : schema::CopiedText::kPlain;
  }
  return schema::settings_for_copy(catalog.expression_settings, text);
}

// A table that was refused before comes in another way.
ChecksAfterRows RowsExecutor::how_to_retry(TaskId id, CheckRows rows) {
  const std::optional<EarlierFailure> earlier = context_.scheduler.earlier_failure(id);
  if (!earlier) return {};
  ChecksAfterRows way;
  // Constraints of tables that others have made stay as they are.
  const bool makes_tables = context_.options.steps.contains(Step::kPreData);
  if (makes_tables && is_refused_by_check(earlier->error))
    way = checks_after_rows(sessions_.target(), *context_.plan.graph[id].table->into, rows);
  if (earlier->name_not_found) way.before.insert(0, schema::search_path_sql(context_.plan.catalog.search_path));
  return way;
}

copy::CopyTablesResult RowsExecutor::try_to_copy(const std::vector<TaskId>& tasks, CheckRows rows) {
  const auto begin = SteadyClock::now();
  Progress::Running running(context_.progress, tasks, context_.plan.graph[tasks.front()].name);
  std::vector<copy::TableCopy> copies;
  std::vector<ChecksAfterRows> ways;
  for (std::size_t i = 0; i < tasks.size(); ++i) {
    const Task& task = context_.plan.graph[tasks[i]];
    const auto triggers = context_.plan.existing.triggers_off.find(task.table->into->oid);
    const TriggersOff off = triggers == context_.plan.existing.triggers_off.end() ? TriggersOff{} : triggers->second;
    ways.push_back(how_to_retry(tasks[i], rows));
    copies.push_back({.table = *task.table->table,
                      .into = *task.table->into,
                      .format = task.table->format,
                      .loading = task.table->loading,
                      .range = *task.range,
                      .flow = {running.bytes(i), &context_.pace.throttle()},
                      .in_ledger = context_.options.ledger,
                      .digested = context_.options.verify,
                      .before_generated = schema::search_path_sql(context_.plan.catalog.search_path),
                      .before = settings_for(*task.table) + ways[i].before + off.before +
                                clear_configuration(*task.table, sessions_.target()),
                      .after = off.after + ways[i].after});
  }
  copy::CopyTablesResult result;
  try {
    copy::RowSource& from = sessions_.rows();
    result = copy::copy_tables(from, sessions_.target(), copies);
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::kCancelled) {
      running.will_retry();  // a part of it is no table that is done
      throw;
    }
    result.error = error;
  }
  if (result.error) {
    running.will_retry();
    return result;
  }
  TraceSpan span{.worker = worker_, .begin = begin, .end = SteadyClock::now()};
  for (std::size_t i = 0; i < tasks.size(); ++i) {
    const copy::LoadedRows& loaded = result.copied[i].loaded;
    const TablePlan& table = *context_.plan.graph[tasks[i]].table;
    context_.progress.add_rows(tasks[i], loaded, result.copied[i].duration);
    context_.verification.add(*table.into, loaded);
    report_later_try(context_, tasks[i], ways[i], rows);
    span.rows += loaded.rows;
    span.bytes += loaded.bytes.count;
  }
  if (tasks.size() > 1) span.name = fmt::format("rows of {} tables", tasks.size());
  trace_task(context_, tasks.front(), std::move(span));
  for (const TaskId task : tasks) context_.scheduler.succeeded(task);
  return result;
}

}  // namespace pgsluice::pipeline
