#include "migration/store.h"

#include <fmt/format.h>
#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <set>
#include <system_error>

#include "base/error.h"
#include "migration/document.h"
#include "migration/remedies.h"
#include "migration/store_folder.h"

namespace pgsluice::migration {

namespace {

constexpr const char* kFirstFormat = R"(
CREATE TABLE migration (id TEXT PRIMARY KEY, name TEXT NOT NULL, target TEXT NOT NULL, address TEXT NOT NULL,
                        system TEXT NOT NULL DEFAULT '', active INTEGER NOT NULL, deleted INTEGER NOT NULL DEFAULT 0,
                        claimed INTEGER NOT NULL DEFAULT 0, cancel INTEGER NOT NULL DEFAULT 0, created REAL NOT NULL,
                        waits_since REAL NOT NULL, document TEXT NOT NULL);
CREATE UNIQUE INDEX name_of_target ON migration (target COLLATE NOCASE, name COLLATE NOCASE) WHERE NOT deleted;
CREATE UNIQUE INDEX active_on_address ON migration (address COLLATE NOCASE) WHERE active;
CREATE UNIQUE INDEX active_on_system ON migration (system) WHERE active AND system <> '';
CREATE TABLE sample (migration TEXT NOT NULL, at REAL NOT NULL, copied INTEGER NOT NULL);
CREATE INDEX samples ON sample (migration, at);
PRAGMA user_version = 1;
)";

// What lists ask for without reading documents: the state, and when it was reached.
constexpr const char* kSecondFormat = R"(
ALTER TABLE migration ADD COLUMN state TEXT NOT NULL DEFAULT '';
ALTER TABLE migration ADD COLUMN ended REAL NOT NULL DEFAULT 0;
UPDATE migration SET state = coalesce(CASE WHEN json_valid(document) THEN
  json_extract(document, '$.properties.currentStatus.state') END, '');
CREATE INDEX newest ON migration (created DESC, id DESC);
CREATE INDEX ended_at ON migration (ended);
PRAGMA user_version = 2;
)";
// What the page's chart shows beside the bytes.
constexpr const char* kThirdFormat = R"(
ALTER TABLE sample ADD COLUMN fraction REAL NOT NULL DEFAULT 0;
ALTER TABLE sample ADD COLUMN phase TEXT NOT NULL DEFAULT '';
PRAGMA user_version = 3;
)";
constexpr std::int64_t kFormat = 3;

constexpr std::chrono::hours kWatchedFor{1};
constexpr std::chrono::hours kDeletedAreKept{24 * 30};

// A worker that is begun by somebody else (a container) has so long to come up.
constexpr std::chrono::minutes kPatience{10};

// Without the user: who migrates is nothing to the server.
std::string address_of(const Migration& migration) {
  return migration.target_server.substr(0, migration.target_server.find('@'));
}

// Nobody is there who could drop what the migration has made: each database says what became of it.
void end_canceled(Migration& migration, const std::string& reason) {
  migration.state = State::kCanceled;
  migration.substate = Substate::kCompleted;
  migration.error = reason;
  migration.time_left.reset();
  migration.ended = std::chrono::system_clock::now();
  for (DatabaseDetails& database : migration.details) {
    if (!database.ended) database.ended = migration.ended;
    database.state = DatabaseState::kCanceled;
    database.operation = "Ended";
    database.loading_tables = database.queued_tables = 0;
    database.message = !database.making.empty() && !database.made
                           ? fmt::format(
                                 "{}; it was being made: {} may be on the target, and the one that was there may "
                                 "be gone",
                                 reason, database.making)
                       : database.made && !database.kept_as.empty()
                           ? fmt::format(
                                 "{}; the database that was made is still on the target, and the one that was there "
                                 "is kept as {}: drop the one, and rename the other (ALLOW_CONNECTIONS true)",
                                 reason, database.kept_as)
                       : database.made
                           ? fmt::format("{}; the database that was made is still on the target: drop it there", reason)
                       : !database.kept_as.empty()
                           ? fmt::format("{}; the database that was there is kept as {}", reason, database.kept_as)
                           : fmt::format("{}; the target was not changed", reason);
  }
}

// Databases that have not come to an end do so with the migration.
void fail_open_databases(Migration& migration, const std::string& message) {
  for (DatabaseDetails& database : migration.details) {
    const bool open = database.state == DatabaseState::kInProgress || database.state == DatabaseState::kCanceling;
    if (open) database.end_unfinished(message);
  }
}

void mark_deleted(Migration& migration) {
  migration.state = State::kCanceled;
  migration.substate = Substate::kCompleted;
  migration.error = "deleted";
}

}  // namespace

Store::Store(std::filesystem::path folder) : folder_(std::move(folder)) {
  make_store_folders(folder_);
  file_ = std::make_unique<SqliteFile>(folder_ / "migrations.sqlite", SqliteFile::Open::kMakeMissing);
  file_->execute("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL");
  update_format();
}

void Store::update_format() {
  std::int64_t format = 0;
  const auto read_format = [&] {
    file_->execute("PRAGMA user_version", {}, [&](const SqliteFile::Row& row) { format = row.integer(0); });
  };
  read_format();
  if (format < kFormat) {
    SqliteFile::Transaction transaction(*file_);
    read_format();
    if (format < 1) file_->execute(kFirstFormat);
    if (format < 2) file_->execute(kSecondFormat);
    if (format < 3) file_->execute(kThirdFormat);
    transaction.commit();
    read_format();
  }
  if (format != kFormat) {
    throw Error(ErrorKind::kState, fmt::format("the store {} is of a later version of pgsluice", folder_.string()))
        .hint("use that version, or another store");
  }
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

std::vector<Migration> Store::select(const std::string& where, const std::vector<SqliteFile::Value>& values) {
  std::vector<Migration> found;
  const std::string sql = "SELECT document, deleted FROM migration WHERE " + where + " ORDER BY created DESC, id DESC";
  file_->execute(sql.c_str(), values, [&](const SqliteFile::Row& row) {
    Migration migration = from_document(row.text(0));
    if (row.integer(1) != 0) mark_deleted(migration);
    found.push_back(std::move(migration));
  });
  return found;
}

void Store::add(const Migration& migration) {
  find_dead_workers();
  SqliteFile::Transaction transaction(*file_);
  if (!name_available(migration.name, migration.target)) {
    throw Error(ErrorKind::kState,
                fmt::format("the target {} has a migration named {} already", migration.target, migration.name))
        .hint("choose another name; deleting a migration frees its name, and one that has failed can be resumed");
  }
  const std::vector<Migration> active = select("active AND address = ? COLLATE NOCASE", {address_of(migration)});
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

bool Store::name_available(const std::string& name, const std::string& target) {
  return select("NOT deleted AND name = ? COLLATE NOCASE AND target = ? COLLATE NOCASE", {name, target}).empty();
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
  const std::string sql = "SELECT id, name, target, created, deleted, document FROM migration WHERE " + where +
                          " ORDER BY created DESC, id DESC LIMIT ?";
  file_->execute(sql.c_str(), values, [&](const SqliteFile::Row& row) {
    Migration migration{.id = row.text(0), .name = row.text(1), .target = row.text(2), .created = time_of(row.real(3))};
    try {
      migration = from_document(row.text(5));
    } catch (const Error& error) {
      migration.state = State::kFailed;
      migration.substate = Substate::kFailed;
      migration.error = describe(error);
    }
    if (row.integer(4) != 0) mark_deleted(migration);
    found.push_back(std::move(migration));
  });
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
  return select(where, values);
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
  std::vector<Migration> found = select("id = ?", {id});
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

void Store::cancel_to_remove(const Migration& migration) { try_to_cancel(migration, WhenEnded::kIgnore); }

bool Store::try_to_cancel(const Migration& migration, WhenEnded when_ended) {
  SqliteFile::Transaction transaction(*file_);
  const std::vector<Migration> now = select("id = ? AND NOT deleted", {migration.id});
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
  std::error_code ignored;  // what cannot be removed is in nobody's way
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

Migration Store::requeue(const Migration& migration) {
  find_dead_workers();
  SqliteFile::Transaction transaction(*file_);
  const std::vector<Migration> now = select("id = ? AND NOT deleted", {migration.id});
  const bool may_go_on =
      !now.empty() && (now.front().state == State::kFailed || now.front().state == State::kValidationFailed);
  if (!may_go_on) {
    const std::string state = now.empty() ? "deleted" : std::string(to_string(now.front().state));
    throw Error(ErrorKind::kState, fmt::format("the migration {} is {}: only one that has failed can be taken up again",
                                               migration.name, state))
        .hint("delete it to free its name");
  }
  Migration again = now.front();
  again.state = State::kInProgress;
  again.substate = Substate::kPerformingPreRequisiteSteps;
  again.source_server = migration.source_server;
  again.target_server = migration.target_server;
  again.databases = migration.databases;
  again.details = migration.details;
  again.option = migration.option;
  again.roles = migration.roles;
  again.overwrite = migration.overwrite;
  again.error.clear();
  again.ended.reset();
  again.validation = {};
  for (DatabaseDetails& database : again.details) {
    if (database.state == DatabaseState::kSucceeded) continue;
    // What was counted stays: a run that finds nothing left counts nothing.
    database.state = DatabaseState::kInProgress;
    database.operation = "Queued";
    database.message.clear();
    database.verification.clear();
    database.ended.reset();
  }
  std::string system;
  file_->execute("SELECT system FROM migration WHERE id = ?", {again.id},
                 [&](const SqliteFile::Row& row) { system = row.text(0); });
  require_no_other(again, system);
  const double since = seconds_of(std::chrono::system_clock::now());
  // A cancellation that was accepted is still to be carried out.
  file_->execute("UPDATE migration SET active = 1, claimed = 0, waits_since = ?, address = ? WHERE id = ?",
                 {since, address_of(again), again.id});
  put(again.id, again);
  transaction.commit();
  return again;
}

void Store::require_no_other(const Migration& migration, const std::string& system) {
  const std::vector<Migration> others =
      select("active AND id <> ? AND (address = ? COLLATE NOCASE OR (system = ? AND system <> ''))",
             {migration.id, address_of(migration), system});
  if (others.empty()) return;
  throw Error(ErrorKind::kState, fmt::format("the migration {} is active on the same target server, as {}",
                                             others.front().name, others.front().target_server))
      .hint(fmt::format("wait for the end of {}, or cancel it", others.front().name));
}

void Store::fail_unclaimed(const Migration& migration, const std::string& reason) {
  SqliteFile::Transaction transaction(*file_);
  const std::vector<Migration> now = select("id = ? AND active AND NOT claimed", {migration.id});
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
      if (!migration || !migration->active()) continue;
      const bool is_something_left =
          std::any_of(migration->details.begin(), migration->details.end(), [](const DatabaseDetails& database) {
            return database.made || !database.making.empty() || !database.kept_as.empty();
          });
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
