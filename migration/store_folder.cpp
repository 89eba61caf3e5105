#include "migration/store_folder.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <vector>

#include "pgsluice/error.h"
#include "pipeline/prepare/run_folder.h"

namespace pgsluice::migration {

namespace {

void make_folder(const std::filesystem::path& folder) {
  try {
    pipeline::make_work_folder(folder);
  } catch (Error& error) {
    throw error.hint("choose another place for the store with --store or PGSLUICE_STORE");
  }
}

bool is_own_group(gid_t group) {
  if (group == ::getegid()) return true;
  std::vector<gid_t> groups(static_cast<std::size_t>(std::max(::getgroups(0, nullptr), 0)));
  const int count = ::getgroups(static_cast<int>(groups.size()), groups.data());
  groups.resize(static_cast<std::size_t>(std::max(count, 0)));
  return std::find(groups.begin(), groups.end(), group) != groups.end();
}

void require_private(const std::filesystem::path& folder) {
  struct stat status {};
  if (::stat(folder.c_str(), &status) != 0) return;  // opening the database in it says why
  if ((status.st_mode & S_IWOTH) != 0) {
    throw Error(ErrorKind::kState, fmt::format("any user of this machine may write to the store {}", folder.string()))
        .hint(fmt::format("chmod o-w '{}', or choose another store with --store or PGSLUICE_STORE", folder.string()));
  }
  // A group of this user's own (a volume's, say) is meant to; another one is not.
  if ((status.st_mode & S_IWGRP) != 0 && !is_own_group(status.st_gid)) {
    throw Error(ErrorKind::kState, fmt::format("another group may write to the store {}", folder.string()))
        .hint(fmt::format("chmod g-w '{}', or choose another store with --store or PGSLUICE_STORE", folder.string()));
  }
  const uid_t user = ::geteuid();
  if (status.st_uid != 0 && user != 0 && status.st_uid != user) {
    throw Error(ErrorKind::kState, fmt::format("the store {} belongs to another user", folder.string()))
        .hint("run the command as that user, or choose another store with --store or PGSLUICE_STORE");
  }
}

}  // namespace

void make_store_folders(const std::filesystem::path& folder) {
  make_folder(folder);
  require_private(folder);
  for (const char* below : {"workers", "work", "logs"}) make_folder(folder / below);
}

}  // namespace pgsluice::migration
