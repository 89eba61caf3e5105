#include "pipeline/archive/archive_folder.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <map>
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

bool is_number(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

// True for "3021.dat", "blob_16405.dat", with the suffixes of compression, index and part: ".zst.part-2".
bool is_data_file(std::string_view name) {
  if (name.starts_with("blob_")) name.remove_prefix(std::string_view("blob_").size());
  const std::size_t end = name.find(".dat");
  if (end == std::string_view::npos || !is_number(name.substr(0, end))) return false;
  name.remove_prefix(end + std::string_view(".dat").size());
  for (const std::string_view suffix : {".zst", ".gz", ".frames"}) {
    if (name.starts_with(suffix)) name.remove_prefix(suffix.size());
  }
  constexpr std::string_view kPart = ".part-";
  return name.empty() || (name.starts_with(kPart) && is_number(name.substr(kPart.size())));
}

// The names of all files that are written into an archive's folder, whole or not (".new").
bool is_of_archives(std::string_view name) {
  if (name.ends_with(".new")) name.remove_suffix(std::string_view(".new").size());
  if (is_data_file(name)) return true;
  if (name.starts_with("blobs") && name.ends_with(".toc")) {
    const std::string_view between = name.substr(5, name.size() - 9);
    return between.empty() || (between.front() == '_' && is_number(between.substr(1)));
  }
  const std::array<std::string_view, 7> own = {store::kTocFile,           store::kRolesFile,   store::kCatalogFile,
                                               store::kManifestFile,      store::kJournalFile, store::kLockFile,
                                               "pgsluice.journal.reserve"};
  return std::find(own.begin(), own.end(), name) != own.end();
}

void remove_files(const fs::path& folder, const std::set<std::string>& but) {
  std::error_code ignored;
  std::vector<fs::path> files;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, ignored)) {
    const std::string name = entry.path().filename().string();
    const bool is_file = entry.is_regular_file(ignored) && !entry.is_symlink(ignored);
    if (is_file && is_of_archives(name) && !but.contains(name)) files.push_back(entry.path());
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
  for (const store::JournaledTable& table : journal.tables) add(table.archived.file);
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

std::uintmax_t stored_size(const store::JournaledPart& part) {
  std::uintmax_t stored = 0;
  for (const store::Frame& frame : part.frames) stored += frame.stored;
  return stored;
}

// The last of several lines about the same, and only what is in its files. A process that died while it joined
// parts has appended to the first of them.
store::JournalContents in_files(const fs::path& folder, const store::JournalContents& journal) {
  store::JournalContents there{
      .run = journal.run, .log_is_on_disk = journal.log_is_on_disk, .parts = {}, .tables = {}, .large_objects = {}};
  std::map<schema::Oid, store::JournaledTable> tables;
  for (const store::JournaledTable& table : journal.tables) tables[table.table] = table;
  for (auto& [oid, table] : tables) {
    if (size_of(folder / table.archived.file.name) == table.archived.file.size) there.tables.push_back(table);
  }
  std::map<std::pair<schema::Oid, std::size_t>, store::JournaledPart> parts;
  for (const store::JournaledPart& part : journal.parts) parts[{part.table, part.number}] = part;
  std::set<schema::Oid> whole;
  for (const store::JournaledTable& table : there.tables) whole.insert(table.table);
  for (auto& [number, part] : parts) {
    const auto size = size_of(folder / store::part_file_name(part.file, part.number));
    const bool is_there = size && (*size == stored_size(part) || (part.number == 0 && *size > stored_size(part)));
    if (is_there && !whole.contains(part.table)) there.parts.push_back(std::move(part));
  }
  std::map<schema::Oid, store::ArchivedLargeObject> objects;
  for (const store::ArchivedLargeObject& object : journal.large_objects) objects[object.oid] = object;
  for (auto& [oid, object] : objects) {
    if (size_of(folder / object.file.name) == object.file.size) there.large_objects.push_back(std::move(object));
  }
  return there;
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
  if (!is_begun) return;
  begun_ = store::read_journal(path_);
  if (begun_) begun_ = in_files(path_, *begun_);
}

ArchiveFolder::~ArchiveFolder() {
  if (stays_ || !lock_) return;
  std::error_code ignored;
  remove_files(path_, {});
  if (was_made_) fs::remove(path_, ignored);  // unless others have put something there
}

void ArchiveFolder::tidy(const store::JournalContents& done) {
  remove_files(path_, files_of(done));
  for (const store::JournaledPart& part : done.parts) {
    const fs::path file = path_ / store::part_file_name(part.file, part.number);
    if (size_of(file) == stored_size(part)) continue;
    std::error_code failed;
    fs::resize_file(file, stored_size(part), failed);
    if (failed) {
      throw Error(ErrorKind::kSystem, fmt::format("cannot shorten {}: {}", file.string(), failed.message()));
    }
  }
}

void ArchiveFolder::keep() {
  std::error_code failed;
  for (const std::string& file : {std::string(store::kJournalFile) + ".reserve", std::string(store::kJournalFile),
                                  std::string(store::kLockFile)}) {
    if (!failed) fs::remove(path_ / file, failed);
  }
  if (failed) {
    throw Error(ErrorKind::kSystem,
                fmt::format("cannot remove {} in {}: {}", store::kLockFile, path_.string(), failed.message()));
  }
  store::sync_folder(path_);
  stays_ = true;
}

void ArchiveFolder::leave() {
  stays_ = true;
  if (const auto journal = store::read_journal(path_)) tidy(in_files(path_, *journal));
}

}  // namespace pgsluice::pipeline
