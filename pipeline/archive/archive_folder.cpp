#include "pipeline/archive/archive_folder.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <cerrno>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "pgsluice/error.h"
#include "store/data_file.h"
#include "store/manifest.h"

namespace pgsluice::pipeline {

namespace fs = std::filesystem;

namespace {

// The names of all files that are written into an archive's folder, whole or not.
bool is_of_archives(const std::string& name) {
  return name.starts_with("pgsluice.") || name.starts_with("toc.dat") || name.starts_with("blobs") ||
         name.starts_with(store::kRolesFile) || name.find(".dat") != std::string::npos;
}

}  // namespace

ArchiveFolder::ArchiveFolder(fs::path path) : path_(std::move(path)) {
  was_made_ = ::mkdir(path_.c_str(), S_IRWXU) == 0;
  if (!was_made_ && errno != EEXIST) {
    throw Error(ErrorKind::kState, system_error("cannot make " + path_.string(), errno).what());
  }
  std::error_code failed;
  fs::directory_iterator first(path_, failed);
  if (failed) throw Error(ErrorKind::kState, fmt::format("cannot read {}: {}", path_.string(), failed.message()));
  if (first != fs::directory_iterator()) {
    throw Error(ErrorKind::kState,
                fmt::format("{} is not empty: it holds {}", path_.string(), first->path().filename().string()))
        .hint("give a new folder; what a run left that was killed can be removed");
  }
  lock_ = std::make_unique<FileLock>(path_ / store::kLockFile, "another process makes an archive in " + path_.string());
  fs::permissions(path_, fs::perms::owner_all, failed);
}

ArchiveFolder::~ArchiveFolder() {
  if (is_kept_ || !lock_) return;
  std::error_code ignored;
  std::vector<fs::path> files;
  for (const fs::directory_entry& entry : fs::directory_iterator(path_, ignored)) {
    if (entry.is_regular_file(ignored) && is_of_archives(entry.path().filename().string()))
      files.push_back(entry.path());
  }
  for (const fs::path& file : files) fs::remove(file, ignored);
  if (was_made_) fs::remove(path_, ignored);  // unless others have put something there
}

void ArchiveFolder::keep() {
  std::error_code failed;
  fs::remove(path_ / store::kLockFile, failed);
  if (failed) {
    throw Error(ErrorKind::kSystem,
                fmt::format("cannot remove {} in {}: {}", store::kLockFile, path_.string(), failed.message()));
  }
  store::sync_folder(path_);
  is_kept_ = true;
}

}  // namespace pgsluice::pipeline
