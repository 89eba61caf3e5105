#include "pipeline/prepare/source_snapshot.h"

#include <fmt/format.h>

#include <utility>

#include "pgsluice/error.h"
#include "pipeline/prepare/run_folder.h"

namespace pgsluice::pipeline {

namespace {

std::optional<pg::SnapshotIdentity> try_to_import(pg::Connection& holder, const pg::SnapshotIdentity& snapshot) {
  try {
    pg::import_snapshot(holder, snapshot);
    return snapshot;
  } catch (const Error& error) {
    if (error.poisons_connection()) throw;
    if (!holder.idle()) holder.execute("ROLLBACK");
  }
  return std::nullopt;
}

// That of `pgsluice snapshot`. Nothing where the file is of another database, or may be passed over.
std::optional<pg::SnapshotMark> take_shared_snapshot(pg::Connection& holder, const pg::SnapshotMark& shared,
                                                     const ResolvedOptions& options, const Log& log) {
  const std::string file = RunFolder(options.work_folder).shared_snapshot_file().string();
  if (try_to_import(holder, shared.snapshot)) {
    log.info(fmt::format("snapshot {} taken over from {}", shared.snapshot.name, file));
    pg::SnapshotMark mark = shared;
    mark.snapshot = pg::export_again(holder, shared.snapshot);
    return mark;
  }
  const pg::SnapshotMark now = pg::mark_snapshot(holder, pg::export_snapshot(holder));
  holder.execute("ROLLBACK");
  if (!pg::of_one_database(shared, now)) {
    log.notice(fmt::format("{} names a snapshot of another database", file));
    return std::nullopt;
  }
  if (!pg::why_not_the_same(shared, now, true)) {
    log.info(fmt::format("snapshot {} is not held any more, and nothing has changed on the source since",
                         shared.snapshot.name));
    return std::nullopt;
  }
  if (options.not_consistent) {
    log.warning(
        fmt::format("snapshot {} is no longer held: a new one is taken, as was asked for", shared.snapshot.name));
    return std::nullopt;
  }
  throw Error(ErrorKind::kState, fmt::format("the snapshot {} is not held any more", shared.snapshot.name))
      .on(Side::kSource)
      .hint(fmt::format("the process that held it was killed: remove {}", file))
      .remedy(Remedy::kKeepSnapshot)
      .remedy(Remedy::kResumeInconsistent);
}

}  // namespace

pg::SnapshotMark hold_snapshot(pg::Connection& holder, const ResolvedOptions& options,
                               const std::optional<Continuation>& continuation, const Log& log) {
  if (!options.snapshot.empty()) {
    const pg::SnapshotIdentity given = pg::import_snapshot(holder, options.snapshot);
    log.info(fmt::format("snapshot {} taken over", given.name));
    const pg::SnapshotMark mark = pg::begin_mark(holder, pg::export_again(holder, given));
    if (!mark.read_before.empty()) {
      throw Error(ErrorKind::kState, "how old the snapshot is cannot be told, and old_snapshot_threshold is set")
          .on(Side::kSource)
          .hint("set it to -1 (which takes a restart of the server)")
          .remedy(Remedy::kOwnSnapshot);
    }
    return mark;
  }
  if (const auto shared = RunFolder(options.work_folder).shared_snapshot()) {
    if (auto mark = take_shared_snapshot(holder, *shared, options, log)) return *mark;
  }
  if (continuation && !continuation->record.mark.snapshot.name.empty()) {
    if (const auto earlier = try_to_import(holder, continuation->record.mark.snapshot)) {
      log.info(fmt::format("snapshot {} of the earlier run is still held", earlier->name));
      pg::SnapshotMark mark = continuation->record.mark;
      mark.snapshot = pg::export_again(holder, *earlier);
      return mark;
    }
  }
  const pg::SnapshotIdentity exported = pg::export_snapshot(holder);
  log.info(fmt::format("snapshot {} exported", exported.name));
  return pg::begin_mark(holder, exported);
}

std::future<pg::SnapshotMark> complete_beside(pg::Connection& holder, pg::SnapshotMark mark) {
  return std::async(std::launch::async, [&holder, mark = std::move(mark)]() mutable {
    pg::complete_mark(holder, mark);
    return std::move(mark);
  });
}

}  // namespace pgsluice::pipeline
