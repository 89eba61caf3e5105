#include "pgsluice/migration/store.h"

#include <fmt/format.h>
#include <pwd.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <random>
#include <set>
#include <system_error>

#include "pgsluice/base/error.h"
#include "pgsluice/migration/document.h"
#include "pgsluice/pipeline/run_folder.h"

namespace pgsluice::migration {

namespace {

constexpr const char* kSchema = R"(
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

// Of a migration; then every second one goes, and the rest tells the same.
constexpr std::int64_t kMostSamples = 600;

// A worker that is begun by somebody else (a container) has so long to come up.
constexpr std::chrono::minutes kPatience{10};

double seconds_of(Time time) { return std::chrono::duration<double>(time.time_since_epoch()).count(); }

Time time_of(double seconds) {
  return Time(std::chrono::duration_cast<Time::duration>(std::chrono::duration<double>(seconds)));
}

// Without the user: who migrates is nothing to the server.
std::string address_of(const Migration& migration) {
  return migration.target_server.substr(0, migration.target_server.find('@'));
}

void make_folder(const std::filesystem::path& folder) {
  try {
    pipeline::make_work_folder(folder);
  } catch (Error& error) {
    throw error.hint("choose another place for the store with --store or PGSLUICE_STORE");
  }
}

// Nobody is there who could drop what the migration has made: each database says what became of it.
void end_canceled(Migration& migration, const std::string& reason) {
  migration.state = State::kCanceled;
  migration.substate = Substate::kCompleted;
  migration.error = reason;
  migration.ended = std::chrono::system_clock::now();
  for (DatabaseDetails& database : migration.details) {
    if (!database.ended) database.ended = migration.ended;
    database.state = DatabaseState::kCanceled;
    database.operation = "Ended";
    database.loading_tables = database.queued_tables = 0;
    database.message = database.made
                           ? fmt::format("{}; the database that was made is still on the target: drop it there", reason)
                           : fmt::format("{}; the target was not changed", reason);
  }
}

// Databases that have not come to an end do so with the migration.
void fail_open_databases(Migration& migration, const std::string& message) {
  for (DatabaseDetails& database : migration.details) {
    const bool open = database.state == DatabaseState::kInProgress || database.state == DatabaseState::kCanceling;
    if (!open) continue;
    database.state = DatabaseState::kFailed;
    database.operation = "Ended";
    database.message = message;
    database.loading_tables = 0;
    database.ended = std::chrono::system_clock::now();
  }
}

}  // namespace

Store::Store(std::filesystem::path folder) : folder_(std::move(folder)) {
  for (const char* below : {"", "workers", "work", "logs"}) make_folder(folder_ / below);
  file_ = std::make_unique<SqliteFile>(folder_ / "migrations.sqlite", SqliteFile::Open::kMakeMissing);
  file_->execute("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL");
  std::int64_t version = 0;
  const auto read_version = [&] {
    file_->execute("PRAGMA user_version", {}, [&](const SqliteFile::Row& row) { version = row.integer(0); });
  };
  read_version();
  if (version == 0) {
    SqliteFile::Transaction transaction(*file_);
    read_version();
    if (version == 0) file_->execute(kSchema);
    transaction.commit();
    version = 1;
  }
  if (version != 1) {
    throw Error(ErrorKind::kState, fmt::format("the store {} is of a later version of pgsluice", folder_.string()))
        .hint("use that version, or another store (--store)");
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
  throw Error(ErrorKind::kUsage, "where migrations are kept is not known").hint("give --store, or set PGSLUICE_STORE");
}

std::vector<Migration> Store::select(const std::string& where, const std::vector<SqliteFile::Value>& values) {
  std::vector<Migration> found;
  const std::string sql =
      "SELECT document, deleted FROM migration WHERE " + where + " ORDER BY created DESC, rowid DESC";
  file_->execute(sql.c_str(), values, [&](const SqliteFile::Row& row) {
    Migration migration = from_document(row.text(0));
    if (row.integer(1) != 0) {
      migration.state = State::kCanceled;
      migration.substate = Substate::kCompleted;
      migration.error = "deleted";
    }
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
        .hint(
            "choose another name; 'pgsluice migration list --filter All' shows all, 'migration delete' frees a name, "
            "and 'migration create --resume' takes up one that has failed");
  }
  const std::vector<Migration> active = select("active AND address = ? COLLATE NOCASE", {address_of(migration)});
  if (!active.empty()) {
    throw Error(ErrorKind::kState,
                fmt::format("the migration {} is active on the target {}", active.front().name, address_of(migration)))
        .hint(fmt::format("wait for its end ('pgsluice migration show --name {0} --watch'), or cancel it ('pgsluice "
                          "migration update --name {0} --cancel')",
                          active.front().name));
  }
  file_->execute(
      "INSERT INTO migration (id, name, target, address, active, created, waits_since, document)"
      " VALUES (?, ?, ?, ?, 1, ?, ?, ?)",
      {migration.id, migration.name, migration.target, address_of(migration), seconds_of(migration.created),
       seconds_of(migration.created), to_text(migration)});
  transaction.commit();
}

bool Store::name_available(const std::string& name, const std::string& target) {
  return select("NOT deleted AND name = ? COLLATE NOCASE AND target = ? COLLATE NOCASE", {name, target}).empty();
}

std::vector<Migration> Store::list(Filter filter, const std::optional<std::string>& target) {
  find_dead_workers();
  std::string where = filter == Filter::kActive ? "active" : filter == Filter::kKept ? "NOT deleted" : "true";
  std::vector<SqliteFile::Value> values;
  if (target) {
    where += " AND target = ? COLLATE NOCASE";
    values.emplace_back(*target);
  }
  return select(where, values);
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
        .hint("'pgsluice migration list --filter All' shows those that there are");
  }
  if (found.size() > 1) {
    throw Error(ErrorKind::kState, fmt::format("several targets have a migration named {}", name))
        .hint(fmt::format("name the target too: --target {}, or --name {} --migration-name {}", found.front().target,
                          found.front().target, name));
  }
  return std::move(found.front());
}

std::optional<Migration> Store::find_id(const std::string& id) {
  std::vector<Migration> found = select("id = ?", {id});
  if (found.empty()) return std::nullopt;
  return std::move(found.front());
}

void Store::request_cancel(const Migration& migration) {
  SqliteFile::Transaction transaction(*file_);
  const std::vector<Migration> now = select("id = ? AND NOT deleted", {migration.id});
  if (now.empty() || !now.front().active()) {
    throw Error(ErrorKind::kState, fmt::format("the migration {} has come to its end: {}", migration.name,
                                               now.empty() ? "deleted" : std::string(to_string(now.front().state))))
        .hint("databases that it has made stay on the target: --resume continues there, and dropping them is yours");
  }
  file_->execute("UPDATE migration SET cancel = 1 WHERE id = ? AND claimed", {migration.id});
  if (file_->changes() == 0) {
    Migration canceled = now.front();
    end_canceled(canceled, "canceled while no worker was at work");
    file_->execute("UPDATE migration SET active = 0, document = ? WHERE id = ?", {to_text(canceled), migration.id});
  }
  transaction.commit();
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

Migration Store::reopen(const Migration& migration) {
  find_dead_workers();
  SqliteFile::Transaction transaction(*file_);
  const std::vector<Migration> now = select("id = ? AND NOT deleted", {migration.id});
  const bool may_go_on =
      !now.empty() && (now.front().state == State::kFailed || now.front().state == State::kValidationFailed);
  if (!may_go_on) {
    const std::string state = now.empty() ? "deleted" : std::string(to_string(now.front().state));
    throw Error(ErrorKind::kState, fmt::format("the migration {} is {}: only one that has failed can be taken up again",
                                               migration.name, state))
        .hint("'pgsluice migration delete' frees its name");
  }
  Migration again = now.front();
  again.state = State::kInProgress;
  again.substate = Substate::kPerformingPreRequisiteSteps;
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
  file_->execute("UPDATE migration SET active = 1, claimed = 0, cancel = 0, waits_since = ?, document = ? WHERE id = ?",
                 {since, to_text(again), again.id});
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
      .hint(fmt::format("wait for its end ('pgsluice migration show --name {0} --watch'), or cancel it ('pgsluice "
                        "migration update --name {0} --cancel')",
                        others.front().name));
}

void Store::give_up(const Migration& migration, const std::string& reason) {
  SqliteFile::Transaction transaction(*file_);
  const std::vector<Migration> now = select("id = ? AND active AND NOT claimed", {migration.id});
  if (!now.empty()) end_dead(now.front(), reason);
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
      if (suspect.cancel) {
        end_canceled(*migration, "canceled, and its worker has ended before it was through with that");
        file_->execute("UPDATE migration SET active = 0, document = ? WHERE id = ? AND active",
                       {to_text(*migration), suspect.id});
        continue;
      }
      end_dead(*migration, suspect.claimed
                               ? "the worker has ended without a word: it was killed, or its machine went down"
                               : "no worker has taken it up");
    } catch (const Error&) {
      // It lives.
    }
  }
}

void Store::end_dead(const Migration& migration, const std::string& reason) {
  Migration failed = migration;
  failed.state = State::kFailed;
  failed.substate = Substate::kFailed;
  failed.error = fmt::format("{}; 'pgsluice migration create --resume' goes on where it was", reason);
  failed.ended = std::chrono::system_clock::now();
  fail_open_databases(failed, reason);
  file_->execute("UPDATE migration SET active = 0, document = ? WHERE id = ? AND active",
                 {to_text(failed), migration.id});
}

std::vector<Sample> Store::samples(const std::string& id) {
  std::vector<Sample> samples;
  file_->execute("SELECT at, copied FROM sample WHERE migration = ? ORDER BY at", {id},
                 [&](const SqliteFile::Row& row) {
                   samples.push_back({time_of(row.real(0)), {row.integer(1)}});
                 });
  return samples;
}

Claim::Claim(std::filesystem::path folder, std::string id, std::unique_ptr<FileLock> lock, const Migration& migration)
    : store_(std::move(folder)),
      id_(std::move(id)),
      lock_(std::move(lock)),
      state_(migration.state),
      substate_(migration.substate) {}

bool Claim::write(const Migration& migration, Bytes copied) {
  const bool stays = migration.state == state_ && migration.substate == substate_;
  if (!stays && !may_follow(state_, substate_, migration.state, migration.substate)) {
    throw Error(ErrorKind::kInternal,
                fmt::format("a migration does not go from {}/{} to {}/{}", to_string(state_), to_string(substate_),
                            to_string(migration.state), to_string(migration.substate)));
  }
  SqliteFile& file = *store_.file_;
  SqliteFile::Transaction transaction(file);
  file.execute("UPDATE migration SET document = ?, active = ? WHERE id = ? AND active",
               {to_text(migration), std::int64_t{migration.active() ? 1 : 0}, id_});
  if (file.changes() == 0) return false;
  const double now = seconds_of(std::chrono::system_clock::now());
  file.execute("INSERT INTO sample VALUES (?, ?, ?)", {id_, now, copied.count});
  file.execute(
      "DELETE FROM sample WHERE migration = ?1 AND rowid IN (SELECT rowid FROM (SELECT rowid, row_number() OVER (ORDER "
      "BY at) AS n, count(*) OVER () AS total FROM sample WHERE migration = ?1) WHERE total > ?2 AND n % 2 = 0)",
      {id_, kMostSamples});
  transaction.commit();
  state_ = migration.state;
  substate_ = migration.substate;
  return true;
}

void Claim::set_target_system(const std::string& identifier) {
  SqliteFile& file = *store_.file_;
  SqliteFile::Transaction transaction(file);
  store_.require_no_other(*store_.find_id(id_), identifier);
  file.execute("UPDATE migration SET system = ? WHERE id = ?", {identifier, id_});
  transaction.commit();
}

bool Claim::cancel_requested() {
  bool requested = false;
  store_.file_->execute("SELECT cancel FROM migration WHERE id = ?", {id_},
                        [&](const SqliteFile::Row& row) { requested = row.integer(0) != 0; });
  return requested;
}

std::string make_uuid() {
  std::random_device random;
  std::array<std::uint8_t, 16> bytes{};
  for (std::uint8_t& byte : bytes) byte = static_cast<std::uint8_t>(random());
  bytes[6] = static_cast<std::uint8_t>((bytes[6] & 0x0F) | 0x40);  // version 4
  bytes[8] = static_cast<std::uint8_t>((bytes[8] & 0x3F) | 0x80);  // variant of RFC 4122
  std::string text;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) text += '-';
    text += fmt::format("{:02x}", bytes[i]);
  }
  return text;
}

}  // namespace pgsluice::migration
