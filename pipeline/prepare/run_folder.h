#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <utility>

#include "base/file_descriptor.h"
#include "pg/snapshot.h"
#include "pgsluice/estimate.h"

namespace pgsluice::pipeline {

/// Makes a folder, and those above it, with mode 0700. Throws Error(kState).
void make_work_folder(const std::filesystem::path& folder);
/// Makes it, and keeps other processes from the same as long as the lock lives. Throws Error(kState) where one has it.
FileLock lock_work_folder(const std::filesystem::path& folder, const char* lock_file = "lock");

/// The files of a work directory, about the run that used it last. Files, since they have to be there when everything
/// else is gone; the folder's lock keeps others away.
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
  /// True if it was a run between these databases (databases_mark()), whatever moment of the source it has shown.
  bool is_finished_of(const std::string& databases) const;
  bool is_finished(const std::string& what) const;

  /// The filter of the commands that this folder saw last between two databases (a text that tells them), for those
  /// that follow when the ledger is gone. Returns nullopt if there was none; an empty text forgets it.
  std::string filters(const std::string& databases) const;
  void keep_filters(const std::string& databases, const std::string& filters) const;

  /// The time that a run between two databases was expected to take (databases_mark()); nullopt if none was told.
  std::optional<ExpectedTime> expected_time(const std::string& databases) const;
  void keep_expected_time(const std::string& databases, const ExpectedTime& time) const;

  /// The snapshot that `pgsluice snapshot` holds for the other commands; nullopt if it holds none.
  std::optional<pg::SnapshotMark> shared_snapshot() const;
  void share_snapshot(const pg::SnapshotMark& mark) const;
  void unshare_snapshot() const;
  std::filesystem::path shared_snapshot_file() const;

  /// How far the run is (run_state.h).
  std::filesystem::path state_file() const { return folder_ / "state.sqlite"; }

  /// The archive that `pgsluice dump schema` has written.
  std::filesystem::path archive_file() const { return schema_folder() / "schema.dump"; }
  std::filesystem::path catalog_file() const { return schema_folder() / "catalog.msgpack"; }
  std::filesystem::path roles_file() const { return schema_folder() / "roles.sql"; }
  std::filesystem::path schema_folder() const { return folder_ / "schema"; }

 private:
  std::filesystem::path folder_;
};

}  // namespace pgsluice::pipeline
