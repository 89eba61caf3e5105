#include "pipeline/prepare/run_folder.h"

#include <fmt/format.h>

#include <cstdint>
#include <sstream>
#include <system_error>

#include "pgsluice/error.h"
#include "pipeline/prepare/finished_run.h"
#include "pipeline/prepare/run_record.h"

namespace pgsluice::pipeline {

namespace {

constexpr const char* kRunFile = "run";
constexpr const char* kFinishedFile = "finished";
constexpr const char* kSnapshotFile = "snapshot";
constexpr const char* kFiltersFile = "filters";
constexpr const char* kExpectedFile = "expected";

// Empty where there is none.
std::string read_if_there(const std::filesystem::path& file) {
  return std::filesystem::exists(file) ? read_file(file) : "";
}

void keep(const std::filesystem::path& file, const std::string& text) {
  try {
    write_file(file, text);
  } catch (Error& error) {
    throw Error(ErrorKind::kState, error.what())
        .hint("the work directory must be writable and have some space")
        .remedy(Remedy::kOtherWorkFolder);
  }
}

}  // namespace

void make_work_folder(const std::filesystem::path& folder) {
  std::error_code error;
  // The mode of a folder that is there already is its owner's business.
  if (std::filesystem::create_directories(folder, error)) {
    std::filesystem::permissions(folder, std::filesystem::perms::owner_all, error);
  }
  if (error) {
    throw Error(ErrorKind::kState,
                fmt::format("cannot make the work directory {}: {}", folder.string(), error.message()))
        .remedy(Remedy::kOtherWorkFolder);
  }
}

FileLock lock_work_folder(const std::filesystem::path& folder, const char* lock_file) {
  make_work_folder(folder);
  try {
    return FileLock(folder / lock_file, fmt::format("another run is using {}", folder.string()));
  } catch (Error& error) {
    if (error.kind() == ErrorKind::kState) error.hint("wait for its end");
    error.remedy(Remedy::kOtherWorkFolder);
    throw;
  }
}

std::filesystem::path RunFolder::shared_snapshot_file() const { return folder_ / kSnapshotFile; }

std::optional<pg::SnapshotMark> RunFolder::shared_snapshot() const {
  const std::string text = read_if_there(shared_snapshot_file());
  if (text.empty()) return std::nullopt;
  try {
    return parse_mark(text);
  } catch (const Error&) {
    throw Error(ErrorKind::kState, fmt::format("{} is damaged", shared_snapshot_file().string()))
        .hint("remove the file")
        .remedy(Remedy::kKeepSnapshot);
  }
}

void RunFolder::share_snapshot(const pg::SnapshotMark& mark) const { keep(shared_snapshot_file(), mark_text(mark)); }

void RunFolder::unshare_snapshot() const {
  std::error_code ignored;  // a file that is not there is what was wanted
  std::filesystem::remove(shared_snapshot_file(), ignored);
}

std::string RunFolder::filters(const std::string& databases) const {
  const std::string text = read_if_there(folder_ / kFiltersFile);
  const std::string first_line = databases + "\n";
  return !databases.empty() && text.starts_with(first_line) ? text.substr(first_line.size()) : "";
}

void RunFolder::keep_filters(const std::string& databases, const std::string& filters) const {
  std::error_code ignored;  // a file that is not there is what was wanted
  std::filesystem::remove(folder_ / kFiltersFile, ignored);
  if (!databases.empty() && !filters.empty()) keep(folder_ / kFiltersFile, databases + "\n" + filters);
}

std::optional<ExpectedTime> RunFolder::expected_time(const std::string& databases) const {
  std::istringstream text(read_if_there(folder_ / kExpectedFile));
  std::string of;
  std::int64_t least = 0;
  std::int64_t most = 0;
  if (databases.empty() || !std::getline(text, of) || of != databases || !(text >> least >> most)) return std::nullopt;
  return ExpectedTime{.least = std::chrono::seconds(least), .most = std::chrono::seconds(most)};
}

void RunFolder::keep_expected_time(const std::string& databases, const ExpectedTime& time) const {
  keep(folder_ / kExpectedFile, fmt::format("{}\n{} {}\n", databases, time.least.count(), time.most.count()));
}

std::string RunFolder::run_id() const { return read_if_there(folder_ / kRunFile); }

void RunFolder::begin(const std::string& run_id) const {
  std::error_code ignored;
  std::filesystem::remove(folder_ / kFinishedFile, ignored);
  forget_finished_run(folder_);
  keep(folder_ / kRunFile, run_id);
}

void RunFolder::mark_finished(const std::string& what) const { keep(folder_ / kFinishedFile, what); }

bool RunFolder::is_finished_of(const std::string& databases) const {
  return !databases.empty() && read_if_there(folder_ / kFinishedFile).starts_with(databases + " ");
}

bool RunFolder::is_finished(const std::string& what) const {
  return !what.empty() && read_if_there(folder_ / kFinishedFile) == what;
}

}  // namespace pgsluice::pipeline
