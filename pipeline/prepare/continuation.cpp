#include "pipeline/prepare/continuation.h"

#include <fmt/format.h>

#include "pgsluice/error.h"
#include "pipeline/prepare/source_changes.h"

namespace pgsluice::pipeline {

namespace {

// True if both are one snapshot, which some session has held all the time: nothing has to be compared. A standby names
// it as it was; on a primary it is exported again under other names, with the mark that it was given first.
bool is_one_snapshot(const pg::SnapshotMark& a, const pg::SnapshotMark& b) {
  const bool same_name = a.snapshot.name == b.snapshot.name;
  const bool same_mark = !a.log_position.empty() && a.log_position == b.log_position;
  return a.snapshot.text == b.snapshot.text && a.snapshot.server_started == b.snapshot.server_started &&
         (same_name || same_mark);
}

}  // namespace

void require_same_source(const pg::SnapshotMark& earlier, const pg::SnapshotMark& now) {
  const auto differ = [](const std::string& a, const std::string& b) { return !a.empty() && !b.empty() && a != b; };
  if (!differ(earlier.snapshot.system_identifier, now.snapshot.system_identifier) &&
      !differ(earlier.database, now.database)) {
    return;
  }
  throw Error(ErrorKind::kState, "what was begun into this target is of another source")
      .on(Side::kSource)
      .remedy(Remedy::kCheckServers)
      .remedy(Remedy::kOtherWorkFolder)
      .remedy(Remedy::kForgetRun);
}

void check_same_rows(Continuation& continuation, RunRecord& now, pg::Connection& source, const schema::Catalog& catalog,
                     const ResolvedOptions& options, const Log& log) {
  const pg::SnapshotMark& earlier = continuation.record.shown();
  if (is_one_snapshot(earlier, now.mark)) return;
  std::optional<std::string> difference = pg::why_not_comparable(earlier, now.mark, catalog.has_unlogged_tables());
  if (!difference && !pg::show_the_same(earlier, now.mark)) {
    const bool loaded = options.steps.contains(Step::kTableData) &&
                        everything_is_loaded(continuation.ledger, catalog, options.large_objects);
    if (loaded && !earlier.definitions.empty() && earlier.definitions == now.mark.definitions) {
      log.info(
          "transactions ran on the source's server since: all rows had been copied before, and the definitions are the "
          "same");
      now.mark_of_rows = earlier;
      // Some of them may be wanted as they are now.
      continuation.inconsistent = options.not_consistent;
      return;
    }
    difference = find_change(source, earlier, now.mark, catalog, continuation.ledger, log);
  }
  if (!difference) {
    if (earlier.snapshot.name != now.mark.snapshot.name)
      log.info("nothing has changed on the source since the run began: the snapshot of now shows the same");
    return;
  }
  if (!options.not_consistent) {
    throw Error(ErrorKind::kState, fmt::format("the run cannot go on as it began: {}", *difference))
        .on(Side::kSource)
        .remedy(Remedy::kResumeInconsistent)
        .remedy(Remedy::kStartOver);
  }
  continuation.inconsistent = true;
  log.warning(
      fmt::format("{}: tables that are whole stay as they were when the run began, as was asked for", *difference));
}

std::string databases_mark(const pg::SnapshotMark& source, pg::Connection& target) {
  const pg::SnapshotMark there = pg::identity_of(target);
  if (there.snapshot.system_identifier.empty() || source.snapshot.system_identifier.empty()) return "";
  return fmt::format("{} {} from {} {}", there.snapshot.system_identifier, there.database,
                     source.snapshot.system_identifier, source.database);
}

std::string finished_mark(const RunRecord& record, pg::Connection& target) {
  const std::string databases = databases_mark(record.mark, target);
  return databases.empty() ? "" : fmt::format("{} at {}", databases, record.shown().snapshot.text);
}

}  // namespace pgsluice::pipeline
