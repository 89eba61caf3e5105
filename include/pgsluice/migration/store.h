#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "pgsluice/error.h"
#include "pgsluice/migration/migration.h"

namespace pgsluice {
class FileLock;
class SqliteFile;
}  // namespace pgsluice

namespace pgsluice::migration {

/// Which migrations a list holds.
enum class Filter {
  kActive,
  kWatched,  ///< those that are active or have ended within the last hour
  kKept,     ///< without those that were deleted
  kAll,
};

/// A part of a list.
struct Page {
  std::size_t size = 1000;
  /// The id of the last migration of the part before; empty for the first part.
  std::string after = {};
};

/// How far a migration was at a moment.
struct Sample {
  Time at;
  Bytes copied;         ///< of all databases
  double fraction = 0;  ///< fraction_done()
  std::string phase;    ///< phase_of(); empty if an earlier version of pgsluice took the sample
};

class Claim;

/// The error for a name that several targets have a migration of.
Error ambiguous_name(const std::vector<Migration>& found);

/// The migrations that a folder knows, in a SQLite file that a crash leaves whole:
///
///     migrations.sqlite      each migration's document, and what is asked of its worker
///     workers/ID.lock        locked as long as its worker lives
///     workers/ID.reserve     room for its end, on a disk that is full by then
///     work/ID/               what the engine keeps of the copy (its ledger is on the target)
///     logs/ID.log            what a detached worker has said
///
/// Other processes may use the folder at the same time. A migration is written by its worker alone, which holds a
/// Claim; others ask it to cancel, and find out that it has died. One thread.
class Store {
 public:
  /// Made, with mode 0700, where it is missing. Throws Error(kState).
  explicit Store(std::filesystem::path folder);
  Store(Store&&) noexcept;
  ~Store();

  /// --store, else $PGSLUICE_STORE, else $XDG_STATE_HOME/pgsluice, else ~/.local/state/pgsluice.
  static std::filesystem::path default_folder();

  /// Adds one that waits for its worker. Throws Error(kState) where the target has a migration of that name, or an
  /// active one.
  void add(const Migration& migration);

  /// True if a migration of this target, or of any, may have this name.
  bool name_available(const std::string& name, const std::optional<std::string>& target = std::nullopt);

  /// Newest first. Of one target, where it is given. A document that this version cannot read is shown as a Failed
  /// migration whose error says so: the others are listed all the same.
  std::vector<Migration> list(Filter filter, const std::optional<std::string>& target, const Page& page = {});
  /// How many migrations there are in each state, without those that were deleted.
  std::map<State, std::int64_t> count_by_state();
  /// A number that changes with each change that another process or connection makes to the store.
  std::int64_t version();

  /// Returns the migrations of that name, of one target if it is given.
  std::vector<Migration> named(const std::string& name, const std::optional<std::string>& target);
  /// The one. Throws Error(kState) where there is none, or where several targets have one and none is given.
  Migration find(const std::string& name, const std::optional<std::string>& target);
  std::optional<Migration> find_id(const std::string& id);
  /// Returns a migration as it is now, Failed if its worker has died; nullopt if it is not known any more. A migration
  /// that was found by its name has to be followed by this: the name may be given to another one meanwhile.
  std::optional<Migration> refreshed(const Migration& migration);

  /// Asks the worker to cancel; one that no worker has taken up yet is Canceled at once. Throws Error(kState) for one
  /// that has come to its end, or that is completing: all its databases are verified then, and those that were there
  /// before may be gone.
  void request_cancel(const Migration& migration);
  /// Like request_cancel(), before the migration is removed. Does nothing for one that is completing: its end has to be
  /// waited for.
  void cancel_to_remove(const Migration& migration);

  /// Asks the worker to go on at another pace, which it takes over within a second or so, or when it takes the
  /// migration up. Throws Error(kState) for one that has come to its end, Error(kUsage) for a pace that cannot be
  /// meant.
  void request_pace(const Migration& migration, const pipeline::PaceChange& change);

  /// True if it was canceled and has failed before that was carried out: what it has made may be on the target.
  bool is_cancellation_left(const Migration& migration);

  /// Forgets one that has come to its end: it is listed as Canceled for thirty days, and its name is free. Throws
  /// Error(kState).
  void remove(const Migration& migration);

  /// Takes up a migration that waits for its worker. Throws Error(kState) where another one has done so.
  Claim claim(const std::string& id);
  /// Ends one that no worker has taken up as Failed; nothing where one has.
  void fail_unclaimed(const Migration& migration, const std::string& reason);
  /// Has one that has failed, or whose validation has, wait for a worker again, with the servers, databases, roles and
  /// overwriting that are asked for now. Throws Error(kState) for others, and if it is not as it was `read` any more:
  /// what it has made would be forgotten.
  Migration requeue(const Migration& migration, const Migration& read);

  std::vector<Sample> samples(const std::string& id);

  std::filesystem::path work_folder(const std::string& id) const { return folder_ / "work" / id; }
  std::filesystem::path log_file(const std::string& id) const { return folder_ / "logs" / (id + ".log"); }
  const std::filesystem::path& folder() const { return folder_; }

 private:
  friend class Claim;

  std::filesystem::path lock_file(const std::string& id) const { return folder_ / "workers" / (id + ".lock"); }
  std::filesystem::path reserve_file(const std::string& id) const { return folder_ / "workers" / (id + ".reserve"); }
  void update_format();
  /// Writes an active migration's document. Returns false if it is not active any more.
  bool put(const std::string& id, const Migration& migration);
  /// Returns false, and does nothing, for one that is completing.
  enum class WhenEnded { kRefuse, kIgnore };
  bool try_to_cancel(const Migration& migration, WhenEnded when_ended);
  void forget_deleted();
  void find_dead_workers();
  void require_no_other(const Migration& migration, const std::string& system);
  void fail_lost_worker(const Migration& migration, const std::string& reason,
                        std::string_view what_resume_does = "continues where it was");

  std::filesystem::path folder_;
  std::unique_ptr<SqliteFile> file_;
};

/// The outcome of an attempt to write a migration's end.
enum class WrittenEnd {
  kWritten,
  kLost,             ///< others have taken this worker for dead: nothing was written
  kCancelRequested,  ///< nothing was written: the cancellation has to be carried out first
};

/// A worker's hold on its migration; the migration is found Failed when it goes without having written an end.
/// One thread.
class Claim {
 public:
  Claim(Claim&&) noexcept;
  ~Claim();

  /// Writes the migration, and a sample of how far it is. Returns false if others have taken this worker for dead: then
  /// nothing is written, and the work has to end. Throws Error(kInternal) for a transition that the state machine does
  /// not have.
  bool write(const Migration& migration);

  /// Writes the end, unless a cancellation was accepted that it would ignore. Gives up the room that was reserved for
  /// it if the disk is full.
  WrittenEnd write_end(const Migration& migration);
  /// The substate that was written last.
  Substate substate() const { return substate_; }

  /// Records the target server's own identifier, whatever the server is called. Throws Error(kState) where another
  /// migration is active on it.
  void set_target_system(const std::string& identifier);
  /// The identifier that was recorded; empty if there is none.
  std::string target_system();

  bool cancel_requested();
  /// The changes that others have asked for since the migration was created or resumed, as one.
  pipeline::PaceChange requested_pace();

 private:
  friend class Store;
  bool write_in_transaction(const Migration& migration);

  Claim(std::filesystem::path folder, std::string id, std::unique_ptr<FileLock> lock, const Migration& migration);

  Store store_;
  std::string id_;
  std::unique_ptr<FileLock> lock_;
  State state_;
  Substate substate_;
};

}  // namespace pgsluice::migration
