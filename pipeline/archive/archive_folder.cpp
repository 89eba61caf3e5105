#include "pipeline/archive/archive_folder.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <set>
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

void remove_files(const fs::path& folder, const std::set<std::string>& but) {
  std::error_code ignored;
  std::vector<fs::path> files;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, ignored)) {
    const std::string name = entry.path().filename().string();
    if (entry.is_regular_file(ignored) && is_of_archives(name) && !but.contains(name)) files.push_back(entry.path());
  }
  for (const fs::path& file : files) fs::remove(file, ignored);
}

// The files that a journal names, and those that stand for the folder's state.
std::set<std::string> files_of(const store::JournalContents& journal) {
  std::set<std::string> files = {store::kJournalFile, store::kLockFile};
  const auto add = [&](const store::ArchivedFile& file) {
    files.insert(file.name);
    files.insert(store::index_file_of(file.name).string());
  };
  for (const store::JournaledPart& part : journal.parts) files.insert(store::part_file_name(part.file, part.number));
  for (const store::ArchivedTable& table : journal.tables) add(table.file);
  for (const store::ArchivedLargeObject& object : journal.large_objects) add(object.file);
  return files;
}

// A process that was killed before it had begun has left its lock, and maybe a journal that it was writing.
std::optional<std::string> first_file_of_others(const fs::path& folder) {
  std::error_code failed;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, failed)) {
    const std::string name = entry.path().filename().string();
    if (name != store::kLockFile && !name.starts_with(store::kJournalFile)) return name;
  }
  if (failed) throw Error(ErrorKind::kState, fmt::format("cannot read {}: {}", folder.string(), failed.message()));
  return std::nullopt;
}

std::optional<std::uintmax_t> size_of(const fs::path& file) {
  std::error_code failed;
  const std::uintmax_t size = fs::file_size(file, failed);
  return failed ? std::nullopt : std::optional(size);
}

// A process that died while it joined parts has appended to the first of them.
bool has_whole_part(const fs::path& folder, const store::JournaledPart& part) {
  std::uintmax_t stored = 0;
  for (const store::Frame& frame : part.frames) stored += frame.stored;
  const fs::path file = folder / store::part_file_name(part.file, part.number);
  const std::optional<std::uintmax_t> size = size_of(file);
  if (!size || *size < stored) return false;
  std::error_code failed;
  if (*size > stored) fs::resize_file(file, stored, failed);
  return !failed;
}

}  // namespace

ArchiveFolder::ArchiveFolder(fs::path path, bool resume) : path_(std::move(path)) {
  was_made_ = ::mkdir(path_.c_str(), S_IRWXU) == 0;
  if (!was_made_ && errno != EEXIST) {
    throw Error(ErrorKind::kState, system_error("cannot make " + path_.string(), errno).what());
  }
  std::error_code failed;
  const bool is_begun = fs::exists(path_ / store::kJournalFile, failed);
  const std::optional<std::string> held = first_file_of_others(path_);
  if (is_begun && !resume) {
    throw Error(ErrorKind::kState, fmt::format("{} holds an archive that was not completed", path_.string()))
        .hint("or remove the folder")
        .remedy(Remedy::kResume);
  }
  if (held && !is_begun) {
    throw Error(ErrorKind::kState, fmt::format("{} is not empty: it holds {}", path_.string(), *held))
        .hint("give a new folder");
  }
  lock_ = std::make_unique<FileLock>(path_ / store::kLockFile, "another process makes an archive in " + path_.string());
  // Others may not read it, nor is it theirs to remove when this one fails before it has done anything.
  stays_ = is_begun;
  fs::permissions(path_, fs::perms::owner_all, failed);
  if (is_begun) begun_ = store::read_journal(path_);
}

ArchiveFolder::~ArchiveFolder() {
  if (stays_ || !lock_) return;
  std::error_code ignored;
  remove_files(path_, {});
  if (was_made_) fs::remove(path_, ignored);  // unless others have put something there
}

void ArchiveFolder::tidy() {
  if (!begun_) return;
  const auto is_gone = [&](const auto& archived) { return size_of(path_ / archived.file.name) != archived.file.size; };
  std::erase_if(begun_->tables, is_gone);
  std::erase_if(begun_->large_objects, is_gone);
  std::erase_if(begun_->parts, [&](const store::JournaledPart& part) {
    const auto& tables = begun_->tables;
    return std::any_of(tables.begin(), tables.end(), [&](const auto& table) { return table.file.name == part.file; }) ||
           !has_whole_part(path_, part);
  });
  remove_files(path_, files_of(*begun_));
}

void ArchiveFolder::keep() {
  std::error_code failed;
  fs::remove(path_ / store::kJournalFile, failed);
  if (!failed) fs::remove(path_ / store::kLockFile, failed);
  if (failed) {
    throw Error(ErrorKind::kSystem,
                fmt::format("cannot remove {} in {}: {}", store::kLockFile, path_.string(), failed.message()));
  }
  store::sync_folder(path_);
  stays_ = true;
}

void ArchiveFolder::leave() {
  stays_ = true;
  begun_ = store::read_journal(path_);
  tidy();
}

}  // namespace pgsluice::pipeline
