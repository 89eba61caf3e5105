#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "pgsluice/bytes.h"
#include "pgsluice/pace.h"

namespace pgsluice::migration {

using Time = std::chrono::system_clock::time_point;

/// Since 1970, as databases and metrics have it.
inline double seconds_of(Time time) { return std::chrono::duration<double>(time.time_since_epoch()).count(); }
inline Time time_of(double seconds) {
  return Time(std::chrono::duration_cast<Time::duration>(std::chrono::duration<double>(seconds)));
}

/// The state of a whole migration; all but the first are its end.
enum class State { kInProgress, kValidationFailed, kCanceled, kFailed, kSucceeded };

/// The phase of a migration.
enum class Substate {
  kPerformingPreRequisiteSteps,
  kValidationInProgress,
  kMigratingData,
  kCompletingMigration,
  kCancelingRequestedDBMigrations,
  kCompleted,
  kFailed,
};

enum class DatabaseState {
  kInProgress,
  kCanceling,
  kCanceled,
  kFailed,
  kSucceeded,
  kNotStarted,  ///< the migration ended before its turn: nothing was done to it
};

enum class ValidationState { kSucceeded, kWarning, kFailed };

/// The parts of a migration that are carried out.
enum class MigrationOption { kValidate, kMigrate, kValidateAndMigrate };

/// The treatment of databases that exist on the target.
enum class Overwrite {
  kNo,    ///< the migration fails, and they stay
  kYes,   ///< they are dropped
  kKeep,  ///< they are renamed, and dropped when the new ones are verified
};

/// Names as the resource has them ("InProgress"); from_text() reads them whatever their case.
std::string_view to_string(State state);
std::string_view to_string(Substate substate);
std::string_view to_string(DatabaseState state);
std::string_view to_string(ValidationState state);
std::string_view to_string(MigrationOption option);
/// "False", "True", "Keep".
std::string_view to_string(Overwrite overwrite);
template <class Enum>
std::optional<Enum> from_text(std::string_view text);
template <>
std::optional<State> from_text(std::string_view text);
template <>
std::optional<Substate> from_text(std::string_view text);
template <>
std::optional<DatabaseState> from_text(std::string_view text);
template <>
std::optional<ValidationState> from_text(std::string_view text);
template <>
std::optional<MigrationOption> from_text(std::string_view text);
template <>
std::optional<Overwrite> from_text(std::string_view text);

struct Finding {
  ValidationState state = ValidationState::kSucceeded;
  std::string message;  ///< the object concerned, and what to do
};

/// One kind of validation, of the servers or of a database.
struct Validation {
  std::string type;
  std::vector<Finding> findings;

  /// That of the worst finding.
  ValidationState state() const;
};

struct DatabaseValidation {
  std::string database;
  Time started;
  std::optional<Time> ended;
  std::vector<Validation> validations;
};

struct ValidationDetails {
  std::optional<Time> started;
  std::optional<Time> ended;
  std::vector<Validation> server;
  std::vector<DatabaseValidation> databases;

  ValidationState state() const;
};

/// How far a database is.
struct DatabaseDetails {
  std::string name;
  DatabaseState state = DatabaseState::kInProgress;
  std::string operation = "Queued";
  std::optional<Time> started;
  std::optional<Time> ended;
  std::int64_t queued_tables = 0;
  std::int64_t loading_tables = 0;
  std::int64_t completed_tables = 0;
  std::int64_t errored_tables = 0;
  Bytes size;           ///< on the source, known from the beginning
  double fraction = 0;  ///< of all its work that is done: copying, indexes, keys, statistics, comparison
  Bytes pending;        ///< estimated by the tables' sizes
  Bytes copied;
  std::int64_t rows = 0;
  std::string message;
  /// "equal", or what differs between source and target; empty where it was not compared.
  std::string verification;
  /// True if this migration has made the target's database, or made it over; and the oid that it has there.
  bool made = false;
  std::uint32_t target_oid = 0;
  /// True if what was made cannot be continued: the next attempt makes the database again.
  bool anew = false;
  /// While the database is being made: the name that it has until it takes its place, and its oid. Recorded before
  /// anything is dropped, so that what a worker's death leaves is known.
  std::string making;
  std::uint32_t making_oid = 0;
  /// The database that was there of this name, for people: its size, owner and sessions; empty if there was none.
  std::string replaced;
  /// The name under which it is kept until the whole migration has Succeeded; empty if it is not kept, or no longer.
  std::string kept_as;
  /// The oid of the database that is kept; 0 if an earlier version of pgsluice has kept it.
  std::uint32_t kept_oid = 0;

  /// True if this migration has made or moved something on the target that may still be there.
  bool may_be_on_target() const { return made || !making.empty() || !kept_as.empty(); }

  /// Ends a database that is open when its migration fails: Failed with `reason`, or with the message that it has
  /// already; NotStarted if nothing was done to it and nothing is wrong with it.
  void end_unfinished(const std::string& reason);
};

/// A migration, as it is stored and shown. No secret is part of it.
struct Migration {
  std::string id;    ///< a UUID
  std::string name;  ///< unique for a target, whatever the case
  /// The target server, as the user calls it: "host:port" unless it was given a name.
  std::string target;
  MigrationOption option = MigrationOption::kValidateAndMigrate;
  std::string source_type = "OnPremises";
  std::string ssl_mode = "Prefer";
  std::string source_server;  ///< host:port@user
  std::string target_server;
  std::string source_version;
  std::string target_version;
  std::vector<std::string> databases;
  Overwrite overwrite = Overwrite::kYes;
  bool roles = false;
  /// The caller's own: subscription, resource group, location, tags.
  std::map<std::string, std::string> labels;
  Time created;
  std::optional<Time> started;
  std::optional<Time> ended;
  State state = State::kInProgress;
  Substate substate = Substate::kPerformingPreRequisiteSteps;
  std::string error;
  /// How long it will take from now on, estimated; nullopt while that cannot be told, and of one that has ended.
  std::optional<std::chrono::seconds> time_left;
  /// How fast its worker goes, and since when it has been paused.
  pipeline::Pace pace;
  std::optional<Time> paused_since;
  /// Since when the oldest snapshot of the source is held, which keeps VACUUM there from its work; nullopt if none is.
  std::optional<Time> snapshot_since;
  std::vector<DatabaseDetails> details;
  ValidationDetails validation;
  /// Tasks that are left for a person when all is done.
  std::vector<std::string> next_steps;

  bool active() const { return state == State::kInProgress; }
  /// To be called where no worker is at work on it: it is not paused then, and no snapshot is held.
  void leave_pace() {
    pace.paused = false;
    paused_since.reset();
    snapshot_since.reset();
  }
  /// Returns the bytes copied so far, summed over all databases.
  Bytes copied() const;
};

/// True if a migration may go from one state to another. An end is final, but for what a worker's death has left
/// after: a Failed one may be taken up again.
bool may_follow(State from, Substate from_substate, State to, Substate to_substate);

/// A new UUID (version 4).
std::string make_uuid();

}  // namespace pgsluice::migration
