#pragma once

#include <optional>
#include <string_view>

#include "pgsluice/steps.h"

namespace pgsluice::pipeline {

/// In the order in which they are shown.
enum class TaskKind {
  kBarrier,  ///< nothing to do: stands for the end of many tasks
  kPreData,
  kTableData,
  kLargeObjects,
  kSequences,
  kReleaseSnapshot,
  kIndexBuild,
  kPostData,
  kCarriedStatistics,
  kStatistics,
  kValidation,    ///< of a foreign key
  kVerification,  ///< of rows
  kAcl,
  kMaterializedView,
  kEventTrigger,
  kDatabaseProperty,
  kDurability,  ///< waits until the target has everything on disk
};

/// How many tasks a worker takes at once.
enum class Batching {
  kAlone,
  kSmallTogether,  ///< those of little cost share a transaction, for which they are held back at times
  kTogether,       ///< those that are ready share a transaction
};

/// When a task that has failed is tried again, where others may help it to succeed.
enum class Retry {
  kWhenQuiet,  ///< when nothing else can run
  kInOrder,    ///< as soon as nothing else of this sort runs: they are sent in their order, each after those before it
};

/// How a run that continues treats a task.
enum class Repeating {
  kByLedger,  ///< it is done if the ledger has its row, which commits with what the task does
  kAlways,    ///< it cannot be in a transaction with its row, has a record of its own, or is cheap and changes nothing
              ///< when it is repeated
};

/// The option that says how many tasks run at once.
enum class Jobs { kOne, kTableJobs, kIndexJobs };

/// How a run treats the failure of a task of statements.
enum class OnError {
  kFailed,
  kSkipped,  ///< an error of a user's function is only listed: nothing is missing on the target
};

/// The right that a task needs, where the target's user lacks it.
enum class NeededRight {
  kNone,
  kOwnersMembership,  ///< a member of the object's owner
  kSuperuser,
};

/// All that the mechanisms (scheduler, statement queue, ledger, progress, state file) have to know of a kind of task.
/// They read these properties and never compare kinds.
struct KindTraits {
  TaskKind kind = TaskKind::kBarrier;
  /// A stable word: ledgers, state files and JSON documents contain it, so it never changes.
  std::string_view id;
  /// For people.
  std::string_view label;
  /// Which command carries such tasks out; nullopt for what each run does by itself. A constraint belongs to
  /// Step::kConstraints, though (step_of() in steps_of_others.cpp).
  std::optional<Step> step = std::nullopt;
  Jobs jobs = Jobs::kOne;
  Batching batching = Batching::kAlone;
  Retry retry = Retry::kWhenQuiet;
  Repeating repeating = Repeating::kByLedger;
  OnError on_error = OnError::kFailed;
  NeededRight needed_right = NeededRight::kNone;
  /// True if it reads what only the snapshot shows.
  bool needs_snapshot = false;
  /// True if it uses a connection to the source, too.
  bool reads_source = false;
  /// True if it sorts or looks up many rows, so that it gets a part of the target's memory and cores.
  bool sorts = false;
  /// True if the target runs users' functions meanwhile under the search path of maintenance commands (from 17 on).
  bool is_maintenance = false;
  /// True if it keeps what the rows of tables were when it ran, so that rows that come later make it stale.
  bool stores_rows_of_other_tables = false;
  /// True if its statements are GRANT and REVOKE.
  bool gives_privileges = false;
  /// True if the state file has a line for each, which 'list progress' prints.
  bool is_listed = false;
};

const KindTraits& traits_of(TaskKind kind);

inline std::string_view id_of(TaskKind kind) { return traits_of(kind).id; }
inline std::string_view label_of(TaskKind kind) { return traits_of(kind).label; }
/// The kind with this id; nullopt if there is none.
std::optional<TaskKind> task_kind_of(std::string_view id);

}  // namespace pgsluice::pipeline
