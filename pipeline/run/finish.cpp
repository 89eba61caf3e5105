#include "pipeline/run/finish.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <optional>
#include <string>

#include "copy/ledger.h"
#include "pg/transaction.h"
#include "pipeline/prepare/continuation.h"
#include "pipeline/prepare/run_folder.h"
#include "pipeline/run/completion.h"

namespace pgsluice::pipeline {

namespace {

// Commits are asynchronous during the run. The log is flushed in its order, so one synchronous commit that has written
// something brings all before it to disk.
void flush_with_commit(pg::Connection& target) {
  target.execute(
      "SET LOCAL synchronous_commit = on; SELECT pg_catalog.pg_logical_emit_message(true, 'pgsluice', 'end of the "
      "copy')");
}

}  // namespace

void release_snapshot(RunContext& context, pg::Connection& target) {
  // Rows that a crash of the target undoes can be copied again only while the snapshot is held.
  {
    pg::Transaction transaction(target);
    flush_with_commit(target);
    transaction.commit();
  }
  try {
    if (context.holder) context.holder->execute("COMMIT");
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::kCancelled) throw;
    // Its locks were to keep the tables as they are; that they were so was looked at after each COPY besides.
    context.log.notice(fmt::format("the session that kept the snapshot was lost: {}", error.describe()));
  }
  context.holder.reset();
  context.progress.release_snapshot();
  if (reads_rows(context.options.steps)) context.log.info("all rows are read: the snapshot is released");
}

void finish(RunContext& context, pg::Connection& target) {
  give_owners(context, target);
  complete_extension_tables(context, target);
  const bool ledger = context.options.ledger;
  const bool rows_are_there = compare_counts(context);
  const bool all_is_there = validate_checks(context, target) && rows_are_there && context.scheduler.nothing_failed();
  RunRecord record = context.record;
  for (const std::string& step : ids_of(context.options.steps)) record.unfinished.erase(step);
  std::optional<Error> defect;
  if (all_is_there && context.plan.is_final_command) defect = find_invalid_indexes(context, target);
  const bool ends = ledger && all_is_there && !defect && context.plan.is_final_command && record.unfinished.empty();
  {
    pg::Transaction transaction(target);
    flush_with_commit(target);
    if (ends) {
      if (!is_stepwise(context.options)) {
        mark_finished(context, target);
      }
      copy::drop_ledger(target);
    }
    transaction.commit();
  }
  if (ledger && (defect || !all_is_there)) record_that_all_was_tried(context, target);
  if (defect) throw Error(*defect);
  if (!ledger) return;
  if (!all_is_there) {
    context.log.info("the ledger (schema pgsluice) stays on the target: resuming tries again what has failed");
  } else if (!ends) {
    // It stays for the next commands of the stepwise copy.
    copy::update_ledger(target, record.to_text());
    if (!context.plan.is_final_command) return;
    throw Error(ErrorKind::kState,
                fmt::format("earlier commands have not finished: {}", fmt::join(record.unfinished, ", ")))
        .object("the copy as a whole")
        .hint("finish them, then repeat this one")
        .remedy(Remedy::kResume);
  }
}

}  // namespace pgsluice::pipeline
