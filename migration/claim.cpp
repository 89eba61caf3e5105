// A worker's hold on its migration.
#include <fmt/format.h>

#include <filesystem>
#include <optional>
#include <system_error>

#include "base/file_descriptor.h"
#include "base/sqlite.h"
#include "migration/pace_change.h"
#include "migration/progress_estimate.h"
#include "pgsluice/error.h"
#include "pgsluice/migration/store.h"

namespace pgsluice::migration {

namespace {
// Once a migration has more, every second one goes, and the others still show its course.
constexpr std::int64_t kMaxSamples = 600;
}  // namespace

Claim::Claim(Claim&&) noexcept = default;
Claim::~Claim() = default;

Claim::Claim(std::filesystem::path folder, std::string id, std::unique_ptr<FileLock> lock, const Migration& migration)
    : store_(std::move(folder)),
      id_(std::move(id)),
      lock_(std::move(lock)),
      state_(migration.state),
      substate_(migration.substate) {
  // Written, not only sized: a hole would take its room when it is filled.
  constexpr std::size_t kReserve = 256U << 10U;
  try {
    write_file(store_.reserve_file(id_), std::string(kReserve, '\0'));
  } catch (const Error&) {
    // The disk is full already: the work may still succeed.
  }
}

WrittenEnd Claim::write_end(const Migration& migration) {
  bool is_written = false;
  std::optional<Error> failure;
  const auto write_unless_cancelled = [&]() -> std::optional<WrittenEnd> {
    SqliteFile::Transaction transaction(*store_.file_);
    // One that has failed carries its cancellation out when it is resumed.
    const bool ignores_it = migration.state != State::kCanceled && migration.state != State::kFailed;
    if (ignores_it && cancel_requested()) return WrittenEnd::kCancelRequested;
    is_written = write_in_transaction(migration);
    transaction.commit();
    return std::nullopt;
  };
  try {
    if (const auto refused = write_unless_cancelled()) return *refused;
  } catch (const Error& error) {
    failure = error;
  }
  std::error_code ignored;
  std::filesystem::remove(store_.reserve_file(id_), ignored);
  if (failure) {
    if (failure->kind() == ErrorKind::kInternal) throw Error(*failure);
    if (const auto refused = write_unless_cancelled()) return *refused;
  }
  return is_written ? WrittenEnd::kWritten : WrittenEnd::kLost;
}

bool Claim::write(const Migration& migration) {
  SqliteFile::Transaction transaction(*store_.file_);
  const bool is_written = write_in_transaction(migration);
  transaction.commit();
  return is_written;
}

bool Claim::write_in_transaction(const Migration& migration) {
  const bool stays = migration.state == state_ && migration.substate == substate_;
  if (!stays && !may_follow(state_, substate_, migration.state, migration.substate)) {
    throw Error(ErrorKind::kInternal,
                fmt::format("a migration does not go from {}/{} to {}/{}", to_string(state_), to_string(substate_),
                            to_string(migration.state), to_string(migration.substate)));
  }
  SqliteFile& file = *store_.file_;
  if (!store_.put(id_, migration)) return false;
  const double now = seconds_of(std::chrono::system_clock::now());
  file.execute("INSERT INTO sample (migration, at, copied, fraction, phase) VALUES (?, ?, ?, ?, ?)",
               {id_, now, migration.copied().count, fraction_done(migration), std::string(phase_of(migration))});
  file.execute(
      "DELETE FROM sample WHERE migration = ?1 AND rowid IN (SELECT rowid FROM (SELECT rowid, row_number() OVER (ORDER "
      "BY at) AS n, count(*) OVER () AS total FROM sample WHERE migration = ?1) WHERE total > ?2 AND n % 2 = 0)",
      {id_, kMaxSamples});
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

std::string Claim::target_system() {
  std::string system;
  store_.file_->execute("SELECT system FROM migration WHERE id = ?", {id_},
                        [&](const SqliteFile::Row& row) { system = row.text(0); });
  return system;
}

pipeline::PaceChange Claim::requested_pace() {
  std::string changes = "{}";
  store_.file_->execute("SELECT pace FROM migration WHERE id = ?", {id_},
                        [&](const SqliteFile::Row& row) { changes = row.text(0); });
  return pace_change_from(changes);
}

bool Claim::cancel_requested() {
  bool requested = false;
  store_.file_->execute("SELECT cancel FROM migration WHERE id = ?", {id_},
                        [&](const SqliteFile::Row& row) { requested = row.integer(0) != 0; });
  return requested;
}

}  // namespace pgsluice::migration
