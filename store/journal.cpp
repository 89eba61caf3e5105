#include "store/journal.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/bytes_as_utf8.h"
#include "pgsluice/error.h"
#include "store/manifest_json.h"

namespace pgsluice::store {

namespace {

using Json = nlohmann::ordered_json;

constexpr int kJournalFormat = 1;
// Enough for what is not written yet when the disk is full: lines of a second.
constexpr const char* kReserveFile = "pgsluice.journal.reserve";
constexpr std::size_t kReserve = 256 * 1024;
// A killed process loses no more than it has done in this time.
constexpr std::chrono::milliseconds kBetweenFlushes{1000};

std::string line_of(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n"; }

Json json_of(const std::optional<std::int64_t>& bound) { return bound ? Json(*bound) : Json(nullptr); }

std::optional<std::int64_t> bound_of(const Json& json) {
  return json.is_null() ? std::nullopt : std::optional(json.get<std::int64_t>());
}

Json to_json(const JournaledPart& part) {
  Json frames = Json::array();
  for (const Frame& frame : part.frames) {
    frames.push_back(Json::array({frame.stored, frame.content, frame.rows, frame.digest.hex()}));
  }
  return {{"table", part.table},           {"fileNode", part.file_node},          {"name", part.file},
          {"number", part.number},         {"by", bytes_as_utf8(part.bounds.by)}, {"from", json_of(part.bounds.from)},
          {"to", json_of(part.bounds.to)}, {"nulls", part.bounds.nulls},          {"rows", part.rows.rows},
          {"digest", part.rows.sum.hex()}, {"frames", std::move(frames)}};
}

JournaledPart part_of(const Json& json) {
  JournaledPart part{
      .table = json.at("table").get<schema::Oid>(),
      .file_node = json.at("fileNode").get<schema::Oid>(),
      .file = file_name_of(json),
      .number = json.at("number").get<std::size_t>(),
      .bounds = {.by = bytes_from_utf8(json.at("by").get<std::string>()),
                 .from = bound_of(json.at("from")),
                 .to = bound_of(json.at("to")),
                 .nulls = json.at("nulls").get<bool>()},
      .rows = {.rows = json.at("rows").get<std::int64_t>(), .sum = Digest::parse(json.at("digest").get<std::string>())},
      .frames = {}};
  for (const Json& frame : json.at("frames")) {
    part.frames.push_back({.stored = frame.at(0).get<std::uint32_t>(),
                           .content = frame.at(1).get<std::uint32_t>(),
                           .rows = frame.at(2).get<std::uint32_t>(),
                           .digest = Digest::parse(frame.at(3).get<std::string>())});
  }
  return part;
}

std::string first_line(const std::string& run) { return line_of({{"format", kJournalFormat}, {"run", run}}); }
std::string line_of_done(const JournaledPart& part) { return line_of({{"part", to_json(part)}}); }
std::string line_of_done(const JournaledTable& table) {
  return line_of({{"table", to_json(table.archived)}, {"oid", table.table}});
}
std::string line_of_done(const ArchivedLargeObject& object) { return line_of({{"object", to_json(object)}}); }

void take_line(const Json& json, JournalContents& contents) {
  if (json.contains("part")) {
    contents.parts.push_back(part_of(json.at("part")));
  } else if (json.contains("table")) {
    contents.tables.push_back({.table = json.at("oid").get<schema::Oid>(), .archived = table_of(json.at("table"))});
  } else if (json.contains("logOnDisk")) {
    contents.log_is_on_disk = json.at("logOnDisk").get<bool>();
  } else {
    contents.large_objects.push_back(large_object_of(json.at("object")));
  }
}

JournalContents read_lines(std::string_view text) {
  JournalContents contents;
  for (bool is_first = true;; is_first = false) {
    const std::size_t end = text.find('\n');
    if (end == std::string_view::npos) {
      if (is_first) throw Error(ErrorKind::kConfig, "it has no first line");
      return contents;
    }
    const Json json = Json::parse(text.substr(0, end));
    text.remove_prefix(end + 1);
    if (!is_first) {
      take_line(json, contents);
      continue;
    }
    if (json.at("format").get<int>() != kJournalFormat) {
      throw Error(ErrorKind::kConfig, fmt::format("it has format {}, and this version reads format {}",
                                                  json.at("format").dump(), kJournalFormat));
    }
    contents.run = json.at("run").get<std::string>();
  }
}

}  // namespace

std::string part_file_name(const std::string& file, std::size_t part) { return fmt::format("{}.part-{}", file, part); }

JournalContents parse_journal(std::string_view text, std::string_view file) {
  std::string why;
  try {
    return read_lines(text);
  } catch (const nlohmann::json::exception& error) {
    why = error.what();
  } catch (const Error& error) {
    why = error.what();
  }
  throw Error(ErrorKind::kConfig, fmt::format("{} cannot be read: {}", file, why))
      .hint("remove the archive's folder, and begin again");
}

std::optional<JournalContents> read_journal(const std::filesystem::path& folder) {
  const std::filesystem::path file = folder / kJournalFile;
  std::error_code failed;
  if (!std::filesystem::exists(file, failed)) return std::nullopt;
  return parse_journal(read_file(file), file.string());
}

Journal::Journal(std::filesystem::path folder, const JournalContents& done) : folder_(std::move(folder)) {
  std::string text = first_line(done.run);
  for (const JournaledPart& part : done.parts) text += line_of_done(part);
  for (const JournaledTable& table : done.tables) text += line_of_done(table);
  for (const ArchivedLargeObject& object : done.large_objects) text += line_of_done(object);
  const std::filesystem::path file = folder_ / kJournalFile;
  write_file(file, text);
  file_ = FileDescriptor(::open(file.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC | O_NOFOLLOW));
  if (!file_.valid()) throw system_error("cannot open " + file.string(), errno);
  write_file(folder_ / kReserveFile, std::string(kReserve, '\0'));
  const MutexLock writing(writing_);
  length_ = text.size();
  const MutexLock lock(mutex_);
  has_any_ = !done.empty();
}

void Journal::add(const JournaledPart& part) { add_line(line_of_done(part)); }
void Journal::add(const JournaledTable& table) { add_line(line_of_done(table)); }
void Journal::add(const ArchivedLargeObject& object) { add_line(line_of_done(object)); }

void Journal::add_log_is_on_disk() { add_line(line_of({{"logOnDisk", true}})); }

void Journal::add_line(const std::string& line) {
  {
    const MutexLock lock(mutex_);
    waiting_ += line;
    if (SteadyClock::now() - flushed_ < kBetweenFlushes) return;
    flushed_ = SteadyClock::now();
  }
  flush();
}

void Journal::flush() {
  const MutexLock writing(writing_);
  std::string lines;
  {
    const MutexLock lock(mutex_);
    lines = std::move(waiting_);
    waiting_.clear();
  }
  if (lines.empty()) return;
  sync_folder(folder_);
  try {
    write(lines);
  } catch (const Error&) {
    // The disk is full, say.
    std::error_code failed;
    if (!std::filesystem::remove(folder_ / kReserveFile, failed)) throw;
    write(lines);
  }
  const MutexLock lock(mutex_);
  has_any_ = true;
}

// A line that could not be written whole is cut off again: others may follow.
void Journal::write(std::string_view lines) {
  const std::string path = (folder_ / kJournalFile).string();
  try {
    write_whole(file_.get(), lines, path);
    if (::fdatasync(file_.get()) != 0) throw system_error("cannot write " + path, errno);
  } catch (const Error&) {
    [[maybe_unused]] const int result = ::ftruncate(file_.get(), static_cast<off_t>(length_));
    throw;
  }
  length_ += lines.size();
}

bool Journal::has_any() const {
  const MutexLock lock(mutex_);
  return has_any_;
}

}  // namespace pgsluice::store
