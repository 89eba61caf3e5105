#pragma once

#include <filesystem>
#include <memory>

#include "base/file_descriptor.h"

namespace pgsluice::pipeline {

/// The folder of an archive while it is made. Unless it is to be kept, the destructor removes the archive's files, and
/// the folder too if it was made here: half an archive is of no use. Other files that have come meanwhile stay.
class ArchiveFolder {
 public:
  /// Makes the folder, with mode 0700, or takes one that is empty. Throws Error(kState) where it holds anything, or
  /// another process makes an archive in it.
  explicit ArchiveFolder(std::filesystem::path path);
  ArchiveFolder(const ArchiveFolder&) = delete;
  ArchiveFolder& operator=(const ArchiveFolder&) = delete;
  ~ArchiveFolder();

  /// The archive is complete, and on disk.
  void keep();

 private:
  std::filesystem::path path_;
  bool was_made_ = false;
  bool is_kept_ = false;
  std::unique_ptr<FileLock> lock_;
};

}  // namespace pgsluice::pipeline
