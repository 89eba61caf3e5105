#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>

#include "pg/snapshot.h"
#include "pgsluice/steps.h"
#include "schema/catalog/inventory.h"

namespace pgsluice::pipeline {

struct ResolvedOptions;

/// The record of a run: written into the ledger when it begins, compared when it continues.
struct RunRecord {
  /// Identifies this run; a run that resumes another has an id of its own.
  std::string id;
  /// The snapshot that the run reads.
  pg::SnapshotMark mark;
  /// The snapshot that the rows on the target show, if it is an older one: an earlier run had loaded all of them.
  std::optional<pg::SnapshotMark> mark_of_rows = std::nullopt;
  /// Options that must be the same when a run continues: option and value, for people.
  std::map<std::string, std::string> options;
  /// The target's objects before anything was changed.
  schema::TargetInventory inventory;
  /// True if the run is one command of a stepwise copy, which does some steps of a clone.
  bool stepwise = false;
  /// The ids of the steps that have begun, and of those among them that have not ended. A command that does some of the
  /// steps adds its own to those that earlier commands left.
  std::set<std::string> begun = {};
  std::set<std::string> unfinished = {};
  /// True if the run has tried everything, so that what is missing has failed; else it may not have been reached.
  bool was_all_tried = false;
  /// The filter's rules; a later command of a stepwise copy that names none takes these.
  std::string filters = {};

  bool has_begun(Step step) const { return begun.contains(std::string(id_of(step))); }

  /// The snapshot that the loaded rows show.
  const pg::SnapshotMark& shown() const { return mark_of_rows ? *mark_of_rows : mark; }

  std::string to_text() const;
  /// Throws Error(kState) for a text that this version does not understand.
  static RunRecord parse(const std::string& text);
};

/// True if these options are of a command that does only some steps. Never of an archive's: what it has is restored by
/// one command.
bool is_stepwise(const ResolvedOptions& options);

/// A new one, for these options.
RunRecord new_record(const ResolvedOptions& options);

/// Throws Error(kState) that names each option that is another one than when the run began.
void require_same_options(const RunRecord& record, const ResolvedOptions& options);

/// A mark as text, for a file; parse_mark() throws Error(kState) for a text that is damaged.
std::string mark_text(const pg::SnapshotMark& mark);
pg::SnapshotMark parse_mark(const std::string& text);

}  // namespace pgsluice::pipeline
