// How a migration makes its databases on the target, in the place of those that are there, and what it records before.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "migration/remedies.h"
#include "migration/runner_implementation.h"
#include "pg/quote.h"
#include "pgsluice/clone.h"
#include "pgsluice/error.h"
#include "store/verification.h"

namespace pgsluice::migration {

// Before the first database is replaced, a copy of each one that is not made yet is prepared, with all its checks, into
// an empty database of the same kind: also of those that replace none, because the migration fails with any of them.
void Runner::Implementation::check_before_anything_is_replaced(const pipeline::CloneOptions& options) {
  if (request.overwrite == Overwrite::kNo) return;
  SourceDatabases source = read_source_databases(request, log, work.token());
  const std::map<std::string, DatabaseId> on_target = [&] {
    pg::Connection there = connect(Side::kTarget, work.token());
    return databases_of(there);
  }();
  std::vector<pipeline::ArchivedDatabase> unmade;
  bool is_any_replaced = false;
  for (pipeline::ArchivedDatabase& from : source.databases) {
    const schema::Database& database = from.database;
    const auto& names = request.databases;
    const bool is_wanted = std::find(names.begin(), names.end(), database.name) != names.end();
    if (!is_wanted || is_made(database.name)) continue;
    is_any_replaced = is_any_replaced || on_target.contains(database.name);
    if (request.overwrite == Overwrite::kKeep && on_target.contains(database.name)) {
      require_free_kept_name(database.name, on_target);
    }
    unmade.push_back(std::move(from));
  }
  if (!is_any_replaced) return;
  for (const pipeline::ArchivedDatabase& from : unmade) {
    const std::string& database = from.database.name;
    change([&](Migration& of) { details_of(of, database).operation = "CheckingBeforeReplacing"; });
    try {
      // A server can be asked for a row again, but what a damaged archive had is nowhere else.
      if (!from.archive.empty() && request.overwrite == Overwrite::kYes) {
        store::require_undamaged(store::ArchiveData(from.archive), options.table_jobs, work.token());
      }
      prepare_into_a_temporary(from, options);
    } catch (Error& error) {
      if (error.kind() == ErrorKind::kCancelled) throw;
      change([&](Migration& of) { details_of(of, database).message = describe(error); });
      throw error.hint("no database of the target was dropped");
    }
  }
}

// The name under which a database will be kept may be that of one that an earlier migration has left.
void Runner::Implementation::require_free_kept_name(const std::string& database,
                                                    const std::map<std::string, DatabaseId>& on_target) {
  const std::string kept = kept_name(database);
  const auto taken = on_target.find(kept);
  if (taken == on_target.end()) return;
  Migration now = snapshot();
  if (details_of(now, database).kept_oid == taken->second) return;  // an earlier attempt has kept it
  throw Error(ErrorKind::kState, fmt::format("a database is kept as {} from an earlier migration of {}", kept,
                                             pg::display_name("", database)))
      .on(Side::kTarget)
      .hint("rename or drop it; no database of the target was dropped");
}

void Runner::Implementation::prepare_into_a_temporary(const pipeline::ArchivedDatabase& from,
                                                      pipeline::CloneOptions options) {
  const schema::Database& database = from.database;
  record_temporary(database.name);
  const std::string temporary = target.make_temporary(database, work.token());
  try {
    if (from.archive.empty()) options.source = request.conninfo(Side::kSource, database.name);
    options.archive = from.archive;
    options.target = request.conninfo(Side::kTarget, temporary);
    options.work_folder = store.work_folder(id) / "check";
    options.earlier_run = pipeline::EarlierRun::kRefuse;
    pipeline::Clone(std::move(options), sink, work.token()).plan();
  } catch (...) {
    try {
      target.drop_own(temporary, {});
    } catch (const Error& error) {
      log.warning(fmt::format("the database {} of the check is left on the target until the next attempt: {}",
                              temporary, describe(error)));
    }
    throw;
  }
  target.drop_own(temporary, {});
  change([&](Migration& of) { details_of(of, database.name).making.clear(); });
}

// Records the temporary database, which stays on the target if the worker dies from now on.
void Runner::Implementation::record_temporary(const std::string& database) {
  const MutexLock lock(mutex);
  details_of(migration, database).making = temporary_name(database);
  if (!claim.write(migration)) throw Error(ErrorKind::kState, "another process has ended this migration");
}

// Before a database of the target is dropped or renamed it has to be known what for: a store that cannot be written
// ends the migration here.
void Runner::Implementation::record(const std::string& database, const TargetServer::Making& making) {
  const MutexLock lock(mutex);
  DatabaseDetails& details = details_of(migration, database);
  const DatabaseDetails before = details;
  details.making = making.temporary;
  details.making_oid = making.id;
  // An earlier attempt may have replaced one, which is not forgotten when its successor is made again.
  if (!making.replaced.empty()) {
    details.replaced = making.replaced;
    details.kept_as = making.kept_as;
    details.kept_oid = making.kept_id;
  }
  try {
    if (!claim.write(migration)) throw Error(ErrorKind::kState, "another process has ended this migration");
  } catch (const Error&) {
    details = before;  // nothing is replaced
    throw;
  }
  if (making.replaced.empty()) return;
  log.warning(fmt::format("the database {} of the target ({}) is {}", pg::display_name("", database), making.replaced,
                          making.kept_as.empty() ? "to be dropped now" : "to be renamed to " + making.kept_as));
}

void Runner::Implementation::prepare(const pipeline::PlannedDatabase& planned) {
  const std::string& database = planned.database.name;
  bool is_ours = false;
  bool anew = false;
  DatabaseId ours = 0;
  DatabaseId checked = 0;
  {
    const MutexLock lock(mutex);
    const auto seen = seen_on_target.find(database);
    if (seen != seen_on_target.end()) checked = seen->second;
  }
  change([&](Migration& of) {
    DatabaseDetails& details = details_of(of, database);
    is_ours = details.made;
    anew = details.anew;
    ours = details.made ? details.target_oid : 0;
    details.operation = "MakingDatabase";
    if (!details.started) details.started = now();
  });
  heed_a_cancellation();
  // One that an earlier attempt has made holds what that one has copied.
  target.lock(work.token());
  const bool is_made = !is_ours || anew;
  if (is_made) record_temporary(database);
  const auto before_replacing = [&](const TargetServer::Making& making) { record(database, making); };
  const DatabaseId made = is_made ? target.create_or_replace(planned.database, request.overwrite, ours, checked,
                                                             before_replacing, work.token())
                                  : 0;
  change([&](Migration& of) {
    DatabaseDetails& details = details_of(of, database);
    if (is_made) details.target_oid = made;
    details.made = true;
    details.making.clear();
    details.making_oid = 0;
    details.anew = false;
    details.operation = "MigratingData";
  });
}

// All new ones are verified: those that were there are not needed any more. Until then a cancellation gives them back,
// and from here on none is accepted, which the store has to know before the first one is dropped.
void Runner::Implementation::drop_kept() {
  {
    const MutexLock lock(mutex);
    const bool is_any_kept = std::any_of(migration.details.begin(), migration.details.end(),
                                         [](const DatabaseDetails& database) { return !database.kept_as.empty(); });
    if (!is_any_kept) return;
    if (!claim.write(migration)) throw Error(ErrorKind::kState, "another process has ended this migration");
  }
  heed_a_cancellation();
  const Migration completing = snapshot();
  for (const std::string& database : completing.databases) {
    std::string kept_as;
    DatabaseId kept_id = 0;
    {
      const MutexLock lock(mutex);
      const DatabaseDetails& details = details_of(migration, database);
      kept_as = details.kept_as;
      kept_id = details.kept_oid;
    }
    if (kept_as.empty()) continue;
    try {
      if (target.drop_kept(kept_as, kept_id, {}) == TargetServer::Dropped::kAnother) {
        log.notice(fmt::format("the database that was kept as {} is not there any more", kept_as));
      }
      change([&](Migration& of) { details_of(of, database).kept_as.clear(); });
    } catch (const Error& error) {
      const std::string left = fmt::format("the database that was there before {} is still there as {}: {}",
                                           pg::display_name("", database), kept_as, describe(error));
      log.warning(left);
      change([&](Migration& of) { of.next_steps.push_back(left); });
    }
  }
}

}  // namespace pgsluice::migration
