#pragma once

#include <filesystem>
#include <memory>
#include <optional>

#include "base/file_descriptor.h"
#include "store/journal.h"

namespace pgsluice::pipeline {

/// The folder of an archive while it is made. Unless it is to be kept, the destructor removes the archive's files, and
/// the folder too if it was made here. Other files that have come meanwhile stay.
class ArchiveFolder {
 public:
  /// Makes the folder, with mode 0700, or takes one that is empty; to resume, also one in which an archive was begun.
  /// Throws Error(kState) where it holds anything else, or another process makes an archive in it.
  ArchiveFolder(std::filesystem::path path, bool resume);
  ArchiveFolder(const ArchiveFolder&) = delete;
  ArchiveFolder& operator=(const ArchiveFolder&) = delete;
  ~ArchiveFolder();

  /// Returns what another process has begun here, as far as its files are there.
  const std::optional<store::JournalContents>& begun() const { return begun_; }
  /// Removes the files of the archive but for those of what is done, and what a process that died has added to these.
  void tidy(const store::JournalContents& done);

  /// The archive is complete, and on disk.
  void keep();
  /// The archive is not complete: what its journal names stays.
  void leave();

 private:
  std::filesystem::path path_;
  bool was_made_ = false;
  bool stays_ = false;
  std::optional<store::JournalContents> begun_;
  std::unique_ptr<FileLock> lock_;
};

}  // namespace pgsluice::pipeline
