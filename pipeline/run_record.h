#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>

#include "pgsluice/pg/snapshot.h"
#include "pgsluice/schema/inventory.h"

namespace pgsluice::pipeline {

struct CloneOptions;

/// What a run is: written into the ledger when it begins, compared when it goes on.
struct RunRecord {
  /// Tells this run from all others; one that goes on with another has its own.
  std::string id;
  pg::SnapshotMark mark;
  /// What has to be the same for what is left to fit to what is done: option and value, for people.
  std::map<std::string, std::string> options;
  /// What the target had before anything was changed.
  schema::TargetInventory inventory;

  std::string to_text() const;
  /// Throws Error(kState) for a text that this version does not understand.
  static RunRecord parse(const std::string& text);
};

/// A new one, for these options.
RunRecord new_record(const CloneOptions& options);

/// Throws Error(kState) that names each option that is another one than when the run began.
void require_same_options(const RunRecord& record, const CloneOptions& options);

/// What the work directory knows of the run that used it last. Files, since they have to be there when everything else
/// is gone; the folder's lock keeps others away.
class RunFolder {
 public:
  explicit RunFolder(std::filesystem::path folder) : folder_(std::move(folder)) {}

  /// The id of the run that was begun here; empty where none was.
  std::string run_id() const;
  void begin(const std::string& run_id) const;

  /// Where a run ends well: to be called, with a text that tells both databases and what was copied from all others,
  /// before the ledger is dropped. A run that finds no ledger knows then that nothing was left to do. An empty text
  /// proves nothing.
  void mark_finished(const std::string& what) const;
  bool is_finished(const std::string& what) const;

 private:
  std::filesystem::path folder_;
};

}  // namespace pgsluice::pipeline
