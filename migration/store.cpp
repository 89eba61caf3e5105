#include "pgsluice/migration/store.h"

#include <fmt/format.h>
#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <set>
#include <system_error>

#include "base/file_descriptor.h"
#include "base/sqlite.h"
#include "migration/document.h"
#include "migration/pace_change.h"
#include "migration/remedies.h"
#include "migration/store_folder.h"
#include "migration/unattended_end.h"
#include "pgsluice/error.h"

namespace pgsluice::migration {

namespace {

constexpr std::chrono::hours kWatchedFor{1};
constexpr std::chrono::hours kDeletedAreKept{24 * 30};

// The time that a worker which is started elsewhere (in a container) has to come up.
constexpr std::chrono::minutes kPatience{10};

// Without the user: who migrates is nothing to the server.
std::string address_of(const Migration& migration) {
  return migration.target_server.substr(0, migration.target_server.find('@'));
}

void mark_deleted(Migration& migration) {
  migration.state = State::kCanceled;
  migration.substate = Substate::kCompleted;
  migration.error = "deleted";
}

// The columns that read_migration() reads.
constexpr const char* kColumns = "id, name, target, created, deleted, document";

// A document that this version cannot read is shown as a Failed migration whose error says so.
Migration read_migration(const SqliteFile::Row& row) {
  Migration migration{.id = row.text(0), .name = row.text(1), .target = row.text(2), .created = time_of(row.real(3))};
  try {
    migration = from_document(row.text(5));
  } catch (const Error& error) {
    migration.state = State::kFailed;
    migration.substate = Substate::kFailed;
    migration.error = describe(error) + "; delete it, and create another one";
  }
  if (row.integer(4) != 0) mark_deleted(migration);
  return migration;
}

std::vector<Migration> select(SqliteFile& file, const std::string& where,
                              const std::vector<SqliteFile::Value>& values) {
  std::vector<Migration> found;
  const std::string sql =
      fmt::format("SELECT {} FROM migration WHERE {} ORDER BY created DESC, id DESC", kColumns, where);
  file.execute(sql.c_str(), values, [&](const SqliteFile::Row& row) { found.push_back(read_migration(row)); });
  return found;
}

bool is_any(SqliteFile& file, const std::string& where, const std::vector<SqliteFile::Value>& values) {
  bool found = false;
  const std::string sql = fmt::format("SELECT 1 FROM migration WHERE {} LIMIT 1", where);
  file.execute(sql.c_str(), values, [&](const SqliteFile::Row&) { found = true; });
  return found;
}

// A new file in the mode of a write-ahead log, as SQLite makes it: of several that change the mode of one file at once,
// all but one would find it locked, whatever their patience.
std::string new_file_with_log() {
  const TemporaryFolder folder;
  const std::filesystem::path file = folder.path() / "new.sqlite";
  SqliteFile(file, SqliteFile::Open::kMakeMissing).execute("PRAGMA journal_mode = WAL");
  return read_file(file);
}

}  // namespace

Store::Store(Store&&) noexcept = default;
Store::~Store() = default;

Store::Store(std::filesystem::path folder) : folder_(std::move(folder)) {
  make_store_folders(folder_);
  const std::filesystem::path file = folder_ / "migrations.sqlite";
  // Before SQLite makes it, for whose files the umask decides; those that it makes beside it get the same mode. One
  // that SQLite has open must never be opened here: closing it would end this process's locks on it, SQLite's among
  // them, and another process would remove the log of a store that it takes to be unused.
  if (!std::filesystem::exists(file)) write_new_file(file, new_file_with_log());
  file_ = std::make_unique<SqliteFile>(file, SqliteFile::Open::kMakeMissing);
  // Each request of a server has a store of its own: a cache of 256 kB is enough.
  file_->execute("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cache_size = -256");
  update_format();
}

std::filesystem::path Store::default_folder() {
  for (const auto& [variable, below] :
       {std::pair{"PGSLUICE_STORE", ""}, {"XDG_STATE_HOME", "pgsluice"}, {"HOME", ".local/state/pgsluice"}}) {
    const char* value = std::getenv(variable);
    if (value != nullptr && *value != '\0') return std::filesystem::path(value) / below;
  }
  const passwd* user = ::getpwuid(::geteuid());
  if (user != nullptr && user->pw_dir != nullptr) return std::filesystem::path(user->pw_dir) / ".local/state/pgsluice";
  throw Error(ErrorKind::kUsage, "where migrations are kept is not known").hint("name a folder, or set PGSLUICE_STORE");
}

void Store::add(const Migration& migration) {
  find_dead_workers();
  SqliteFile::Transaction transaction(*file_);
  if (!name_available(migration.name, migration.target)) {
    throw Error(ErrorKind::kState,
                fmt::format("the target {} has a migration named {} already", migration.target, migration.name))
        .hint("choose another name; deleting a migration frees its name, and one that has failed can be resumed");
  }
  const std::vector<Migration> active =
      select(*file_, "active AND address = ? COLLATE NOCASE", {address_of(migration)});
  if (!active.empty()) {
    throw Error(ErrorKind::kState,
                fmt::format("the migration {} is active on the target {}", active.front().name, address_of(migration)))
        .hint(fmt::format("wait for the end of {}, or cancel it", active.front().name));
  }
  file_->execute(
      "INSERT INTO migration (id, name, target, address, active, created, waits_since, state, document)"
      " VALUES (?, ?, ?, ?, 1, ?, ?, ?, ?)",
      {migration.id, migration.name, migration.target, address_of(migration), seconds_of(migration.created),
       seconds_of(migration.created), std::string(to_string(migration.state)), to_text(migration)});
  forget_deleted();
  transaction.commit();
}

bool Store::name_available(const std::string& name, const std::optional<std::string>& target) {
  if (!target) return !is_any(*file_, "NOT deleted AND name = ? COLLATE NOCASE", {name});
  return !is_any(*file_, "NOT deleted AND name = ? COLLATE NOCASE AND target = ? COLLATE NOCASE", {name, *target});
}

std::vector<Migration> Store::list(Filter filter, const std::optional<std::string>& target, const Page& page) {
  find_dead_workers();
  std::string where;
  std::vector<SqliteFile::Value> values;
  switch (filter) {
    case Filter::kActive:
      where = "active";
      break;
    case Filter::kWatched:
      where = "(active OR (NOT deleted AND ended > ?))";
      values.emplace_back(seconds_of(std::chrono::system_clock::now() - kWatchedFor));
      break;
    case Filter::kKept:
      where = "NOT deleted";
      break;
    case Filter::kAll:
      where = "true";
      break;
  }
  if (target) {
    where += " AND target = ? COLLATE NOCASE";
    values.emplace_back(*target);
  }
  if (!page.after.empty()) {
    where += " AND (created, id) < (SELECT created, id FROM migration WHERE id = ?)";
    values.emplace_back(page.after);
  }
  values.emplace_back(static_cast<std::int64_t>(page.size));
  std::vector<Migration> found;
  const std::string sql =
      fmt::format("SELECT {} FROM migration WHERE {} ORDER BY created DESC, id DESC LIMIT ?", kColumns, where);
  file_->execute(sql.c_str(), values, [&](const SqliteFile::Row& row) { found.push_back(read_migration(row)); });
  return found;
}

std::map<State, std::int64_t> Store::count_by_state() {
  std::map<State, std::int64_t> counts;
  file_->execute("SELECT state, count(*) FROM migration WHERE NOT deleted GROUP BY state", {},
                 [&](const SqliteFile::Row& row) {
                   counts[from_text<State>(row.text(0)).value_or(State::kFailed)] += row.integer(1);
                 });
  return counts;
}

std::int64_t Store::version() {
  std::int64_t version = 0;
  file_->execute("PRAGMA data_version", {}, [&](const SqliteFile::Row& row) { version = row.integer(0); });
  return version;
}

std::vector<Migration> Store::named(const std::string& name, const std::optional<std::string>& target) {
  find_dead_workers();
  std::string where = "NOT deleted AND name = ? COLLATE NOCASE";
  std::vector<SqliteFile::Value> values = {name};
  if (target) {
    where += " AND target = ? COLLATE NOCASE";
    values.emplace_back(*target);
  }
  return select(*file_, where, values);
}

Migration Store::find(const std::string& name, const std::optional<std::string>& target) {
  std::vector<Migration> found = named(name, target);
  if (found.empty()) {
    throw Error(ErrorKind::kState, fmt::format("there is no migration named {}{}", name,
                                               target ? fmt::format(" on the target {}", *target) : ""))
        .hint("the list of all migrations, not only of the active ones, shows those that there are");
  }
  if (found.size() > 1) throw ambiguous_name(found);
  return std::move(found.front());
}

Error ambiguous_name(const std::vector<Migration>& found) {
  const Migration& first = found.front();
  return Error(ErrorKind::kState, fmt::format("several targets have a migration named {}", first.name))
      .hint(fmt::format("name the target too, such as {}", first.target));
}

std::optional<Migration> Store::find_id(const std::string& id) {
  std::vector<Migration> found = select(*file_, "id = ?", {id});
  if (found.empty()) return std::nullopt;
  return std::move(found.front());
}

std::optional<Migration> Store::refreshed(const Migration& migration) {
  find_dead_workers();
  return find_id(migration.id);
}

void Store::request_cancel(const Migration& migration) {
  if (try_to_cancel(migration, WhenEnded::kRefuse)) return;
  throw Error(ErrorKind::kState,
              fmt::format("the migration {} is completing: it cannot be canceled any more", migration.name))
      .hint("all its databases are there and verified; to be rid of them, drop them on the target");
}

void Store::request_pace(const Migration& migration, const pipeline::PaceChange& change) {
  pipeline::check_pace(change.of({}));
  SqliteFile::Transaction transaction(*file_);
  std::string before;
  file_->execute("SELECT pace FROM migration WHERE id = ? AND active AND NOT deleted", {migration.id},
                 [&](const SqliteFile::Row& row) { before = row.text(0); });
  if (before.empty()) {
    throw Error(ErrorKind::kState, fmt::format("the migration {} has come to its end: it has no pace", migration.name));
  }
  file_->execute("UPDATE migration SET pace = ? WHERE id = ?",
                 {to_text(pace_change_from(before).then(change)), migration.id});
  transaction.commit();
}

bool Store::is_cancellation_left(const Migration& migration) {
  const std::string failed(to_string(State::kFailed));
  return is_any(*file_, "id = ? AND NOT active AND cancel AND state = ?", {migration.id, failed});
}

void Store::cancel_to_remove(const Migration& migration) { try_to_cancel(migration, WhenEnded::kIgnore); }

bool Store::try_to_cancel(const Migration& migration, WhenEnded when_ended) {
  SqliteFile::Transaction transaction(*file_);
  const std::vector<Migration> now = select(*file_, "id = ? AND NOT deleted", {migration.id});
  if (now.empty() || !now.front().active()) {
    if (when_ended == WhenEnded::kIgnore) return true;
    throw Error(ErrorKind::kState, fmt::format("the migration {} has come to its end: {}", migration.name,
                                               now.empty() ? "deleted" : std::string(to_string(now.front().state))))
        .hint("databases that it has made stay on the target; resume it to continue, or drop them yourself");
  }
  // Also one that was resumed after its worker had died meanwhile: kept databases may be gone.
  const std::vector<DatabaseDetails>& details = now.front().details;
  const bool is_all_done =
      !details.empty() && std::all_of(details.begin(), details.end(), [](const DatabaseDetails& database) {
        return database.state == DatabaseState::kSucceeded;
      });
  if (is_all_done || now.front().substate == Substate::kCompletingMigration) return false;
  file_->execute("UPDATE migration SET cancel = 1 WHERE id = ? AND claimed", {migration.id});
  if (file_->changes() == 0) {
    Migration canceled = now.front();
    end_canceled(canceled, "canceled while no worker was at work");
    put(canceled.id, canceled);
  }
  transaction.commit();
  return true;
}

bool Store::put(const std::string& id, const Migration& migration) {
  const Time ended = migration.ended.value_or(std::chrono::system_clock::now());
  file_->execute("UPDATE migration SET document = ?, active = ?, state = ?, ended = ? WHERE id = ? AND active",
                 {to_text(migration), std::int64_t{migration.active() ? 1 : 0}, std::string(to_string(migration.state)),
                  migration.active() ? 0.0 : seconds_of(ended), id});
  return file_->changes() > 0;
}

void Store::forget_deleted() {
  file_->execute("DELETE FROM migration WHERE deleted AND NOT active AND ended < ? AND created < ?",
                 std::vector<SqliteFile::Value>(2, seconds_of(std::chrono::system_clock::now() - kDeletedAreKept)));
}

void Store::remove(const Migration& migration) {
  {
    SqliteFile::Transaction transaction(*file_);
    file_->execute("UPDATE migration SET deleted = 1 WHERE id = ? AND NOT active", {migration.id});
    if (file_->changes() == 0) {
      throw Error(ErrorKind::kState, fmt::format("the migration {} is active", migration.name))
          .hint("cancel it before");
    }
    file_->execute("DELETE FROM sample WHERE migration = ?", {migration.id});
    transaction.commit();
  }
  std::error_code ignored;  // a file that cannot be removed does no harm
  std::filesystem::remove_all(work_folder(migration.id), ignored);
  std::filesystem::remove(log_file(migration.id), ignored);
  std::filesystem::remove(lock_file(migration.id), ignored);
  std::filesystem::remove(reserve_file(migration.id), ignored);
}

Claim Store::claim(const std::string& id) {
  auto lock = std::make_unique<FileLock>(lock_file(id), "the migration has its worker already");
  SqliteFile::Transaction transaction(*file_);
  file_->execute("UPDATE migration SET claimed = 1 WHERE id = ? AND active AND NOT claimed", {id});
  if (file_->changes() == 0)
    throw Error(ErrorKind::kState, "the migration is not there, or is not to be begun any more");
  const Migration migration = *find_id(id);
  transaction.commit();
  return {folder_, id, std::move(lock), migration};
}

Migration Store::requeue(const Migration& migration, const Migration& read) {
  find_dead_workers();
  SqliteFile::Transaction transaction(*file_);
  const std::vector<Migration> now = select(*file_, "id = ? AND NOT deleted", {migration.id});
  const bool may_go_on =
      !now.empty() && (now.front().state == State::kFailed || now.front().state == State::kValidationFailed);
  if (!may_go_on) {
    const std::string state = now.empty() ? "deleted" : std::string(to_string(now.front().state));
    throw Error(ErrorKind::kState, fmt::format("the migration {} is {}: only one that has failed can be taken up again",
                                               migration.name, state))
        .hint("delete it to free its name");
  }
  if (to_text(now.front()) != to_text(read)) {
    throw Error(ErrorKind::kState, fmt::format("the migration {} has come to its end at this moment", migration.name))
        .hint("look at how it has ended, and resume it then");
  }
  Migration again = now.front();
  again.state = State::kInProgress;
  again.substate = Substate::kPerformingPreRequisiteSteps;
  again.target = migration.target;
  again.source_type = migration.source_type;
  again.ssl_mode = migration.ssl_mode;
  const bool is_other_server = address_of(again) != address_of(migration);
  again.source_server = migration.source_server;
  again.target_server = migration.target_server;
  if (now.front().target != again.target && !name_available(again.name, again.target)) {
    throw Error(ErrorKind::kState,
                fmt::format("the target {} has a migration named {} already", again.target, again.name))
        .hint("create another migration for this server, with a name of its own");
  }
  again.databases = migration.databases;
  again.details = migration.details;
  again.option = migration.option;
  again.roles = migration.roles;
  again.overwrite = migration.overwrite;
  again.error.clear();
  again.ended.reset();
  again.leave_pace();
  again.validation = {};
  for (DatabaseDetails& database : again.details) {
    if (database.state == DatabaseState::kSucceeded) continue;
    // The counters stay: a run that finds nothing left counts nothing.
    database.state = DatabaseState::kInProgress;
    database.operation = "Queued";
    database.message.clear();
    database.verification.clear();
    database.ended.reset();
  }
  std::string system;
  if (!is_other_server) {
    file_->execute("SELECT system FROM migration WHERE id = ?", {again.id},
                   [&](const SqliteFile::Row& row) { system = row.text(0); });
  }
  require_no_other(again, system);
  const double since = seconds_of(std::chrono::system_clock::now());
  // A cancellation that was accepted is still to be carried out.
  file_->execute(
      "UPDATE migration SET active = 1, claimed = 0, pace = '{}', waits_since = ?, address = ?, target = ?, system = ? "
      "WHERE id = ?",
      {since, address_of(again), again.target, system, again.id});
  put(again.id, again);
  transaction.commit();
  return again;
}

void Store::require_no_other(const Migration& migration, const std::string& system) {
  const std::vector<Migration> others =
      select(*file_, "active AND id <> ? AND (address = ? COLLATE NOCASE OR (system = ? AND system <> ''))",
             {migration.id, address_of(migration), system});
  if (others.empty()) return;
  throw Error(ErrorKind::kState, fmt::format("the migration {} is active on the same target server, as {}",
                                             others.front().name, others.front().target_server))
      .hint(fmt::format("wait for the end of {}, or cancel it", others.front().name));
}

void Store::fail_unclaimed(const Migration& migration, const std::string& reason) {
  SqliteFile::Transaction transaction(*file_);
  const std::vector<Migration> now = select(*file_, "id = ? AND active AND NOT claimed", {migration.id});
  if (!now.empty()) fail_lost_worker(now.front(), reason);
  transaction.commit();
}

void Store::find_dead_workers() {
  struct Suspect {
    std::string id;
    bool claimed;
    bool cancel;
    Time waits_since;
  };
  std::vector<Suspect> suspects;
  file_->execute("SELECT id, claimed, cancel, waits_since FROM migration WHERE active", {},
                 [&](const SqliteFile::Row& row) {
                   suspects.push_back({row.text(0), row.integer(1) != 0, row.integer(2) != 0, time_of(row.real(3))});
                 });
  for (const Suspect& suspect : suspects) {
    if (!suspect.claimed && std::chrono::system_clock::now() - suspect.waits_since < kPatience) continue;
    try {
      const FileLock lock(lock_file(suspect.id), "it lives");
      std::optional<Migration> migration = find_id(suspect.id);
      const std::int64_t claimed = suspect.claimed ? 1 : 0;
      if (!migration || !is_any(*file_, "id = ? AND active AND claimed = ?", {suspect.id, claimed})) continue;
      if (!migration->active()) {
        // Its document cannot be read: it would keep its target from being migrated to for ever.
        file_->execute(
            "UPDATE migration SET active = 0, state = ?, ended = ? WHERE id = ?",
            {std::string(to_string(State::kFailed)), seconds_of(std::chrono::system_clock::now()), suspect.id});
        continue;
      }
      const bool is_something_left =
          std::any_of(migration->details.begin(), migration->details.end(),
                      [](const DatabaseDetails& database) { return database.may_be_on_target(); });
      if (suspect.cancel && is_something_left) {
        fail_lost_worker(*migration,
                         "it was canceled, and its worker ended before it had dropped what it had made on the target",
                         "drops that");
        continue;
      }
      if (suspect.cancel) {
        end_canceled(*migration, "canceled, and its worker has ended before it was through with that");
        put(migration->id, *migration);
        continue;
      }
      fail_lost_worker(*migration,
                       suspect.claimed
                           ? "the worker has ended without recording why: it was killed, its machine went down, "
                             "or it could not write to the store"
                           : "no worker has taken it up");
    } catch (const Error&) {
      // It lives.
    }
  }
}

void Store::fail_lost_worker(const Migration& migration, const std::string& reason, std::string_view what_resume_does) {
  Migration failed = migration;
  failed.state = State::kFailed;
  failed.substate = Substate::kFailed;
  failed.error = fmt::format("{}; resume the migration: it {}", reason, what_resume_does);
  failed.time_left.reset();
  failed.leave_pace();
  failed.ended = std::chrono::system_clock::now();
  fail_open_databases(failed, reason);
  put(failed.id, failed);
}

std::vector<Sample> Store::samples(const std::string& id) {
  std::vector<Sample> samples;
  file_->execute("SELECT at, copied, fraction, phase FROM sample WHERE migration = ? ORDER BY at", {id},
                 [&](const SqliteFile::Row& row) {
                   samples.push_back({time_of(row.real(0)), {row.integer(1)}, row.real(2), row.text(3)});
                 });
  return samples;
}

}  // namespace pgsluice::migration
