#include "pipeline/run/pace_file.h"

#include <fmt/format.h>
#include <unistd.h>

#include <map>
#include <nlohmann/json.hpp>
#include <random>
#include <system_error>
#include <utility>

#include "base/file_descriptor.h"
#include "base/wait.h"
#include "pgsluice/error.h"

namespace pgsluice::pipeline {

namespace {

using Json = nlohmann::json;
using SystemClock = std::chrono::system_clock;

// Between looks for a request, and for its answer.
constexpr std::chrono::milliseconds kPeriod{200};
// A run answers within a period; one that does not is stopped (SIGSTOP), or its disk is.
constexpr std::chrono::seconds kAnswerLimit{15};

std::filesystem::path request_file(const std::filesystem::path& folder) { return folder / "pace.request"; }
std::filesystem::path answer_file(const std::filesystem::path& folder) { return folder / "pace.json"; }

// Absolute times: the file is read later than it is written. Rounded, so that the same time is the same text.
std::int64_t seconds_since_epoch(std::chrono::nanoseconds ago) {
  const auto at = SystemClock::now() - std::chrono::duration_cast<SystemClock::duration>(ago);
  return std::chrono::round<std::chrono::seconds>(at.time_since_epoch()).count();
}

std::optional<std::chrono::nanoseconds> age_of(const Json& document, const char* key) {
  const auto found = document.find(key);
  if (found == document.end()) return std::nullopt;
  const SystemClock::time_point at{std::chrono::seconds(found->get<std::int64_t>())};
  return std::max(std::chrono::nanoseconds(0), std::chrono::nanoseconds(SystemClock::now() - at));
}

struct Answer {
  /// The last requests, with why they were refused; empty if they were carried out.
  std::map<std::string, std::string> requests;
  CurrentPace current;
};

// Returns nullopt before the run has written one.
std::optional<Answer> read_answer(const std::filesystem::path& folder) {
  std::error_code failed;
  if (!std::filesystem::exists(answer_file(folder), failed)) return std::nullopt;
  try {
    const Json document = Json::parse(read_file(answer_file(folder)));
    return Answer{.requests = document.at("requests"),
                  .current = {.pace = {.max_rate = {document.at("max_rate").get<std::int64_t>()},
                                       .max_source_sessions = document.at("max_source_sessions"),
                                       .paused = document.at("paused")},
                              .paused_for = age_of(document, "paused_since"),
                              .snapshot_age = age_of(document, "snapshot_since")}};
  } catch (const Json::exception& error) {
    throw Error(ErrorKind::kState, fmt::format("cannot read {}: {}", answer_file(folder).string(), error.what()));
  }
}

std::string text_of(const PaceChange& change, const std::string& id) {
  Json document = {{"id", id}};
  if (change.max_rate) document["max_rate"] = change.max_rate->count;
  if (change.max_source_sessions) document["max_source_sessions"] = *change.max_source_sessions;
  if (change.paused) document["paused"] = *change.paused;
  return document.dump();
}

PaceChange change_of(const Json& document) {
  PaceChange change;
  if (document.contains("max_rate")) change.max_rate = Bytes{document["max_rate"].get<std::int64_t>()};
  if (document.contains("max_source_sessions")) change.max_source_sessions = document["max_source_sessions"].get<int>();
  if (document.contains("paused")) change.paused = document["paused"].get<bool>();
  return change;
}

std::string make_id() {
  std::random_device random;
  return fmt::format("{}-{:08x}{:08x}", ::getpid(), random(), random());
}

Error no_run(const std::filesystem::path& folder) {
  return Error(ErrorKind::kState, fmt::format("no copy is at work with the work directory {}", folder.string()))
      .hint("give the work directory of the copy itself; one that has ended, or is yet to begin, has no pace");
}

void require_run(const std::filesystem::path& folder) {
  if (!FileLock::is_held(folder / "lock")) throw no_run(folder);
}

// A request that is taken back with its end, unless it was answered.
class Request {
 public:
  explicit Request(std::filesystem::path file) : file_(std::move(file)) {}
  Request(const Request&) = delete;
  Request& operator=(const Request&) = delete;
  ~Request() {
    std::error_code ignored;
    if (is_waiting_ && is_there()) std::filesystem::remove(file_, ignored);
  }

  // Does nothing while another one waits for its answer.
  void try_to_make(const std::string& text) {
    if (is_made_) return;
    text_ = text;
    is_made_ = is_waiting_ = write_new_file(file_, text);
  }
  void answered() { is_waiting_ = false; }

 private:
  // False where it was taken, and another one may have come.
  bool is_there() const {
    try {
      return read_file(file_) == text_;
    } catch (const Error&) {
      return false;
    }
  }

  const std::filesystem::path file_;
  std::string text_;
  bool is_made_ = false;
  bool is_waiting_ = false;
};

}  // namespace

PaceFile::PaceFile(std::filesystem::path folder, PaceControl& control, std::function<ProgressSnapshot()> read, Log log)
    : folder_(std::move(folder)), control_(control), read_(std::move(read)), log_(log) {
  std::error_code ignored;  // of an earlier run
  std::filesystem::remove(request_file(folder_), ignored);
  std::filesystem::remove(answer_file(folder_), ignored);
  thread_ = std::thread([this] { run(); });
}

PaceFile::~PaceFile() {
  stop_.cancel();
  thread_.join();
  std::error_code ignored;
  std::filesystem::remove(answer_file(folder_), ignored);
}

void PaceFile::run() {
  do {
    try {
      look_for_request();
      write_news();
    } catch (const Error& error) {
      // The disk is full, say. A copy that is paused has to be told to go on when there is room again.
      if (!std::exchange(has_warned_, true)) {
        log_.warning(fmt::format("others cannot be told how fast this copy goes: {}", error.what()));
      }
    }
  } while (wait_for({}, stop_.token(), kPeriod) == WaitResult::kTimeout);
}

void PaceFile::look_for_request() {
  std::error_code failed;
  if (!std::filesystem::exists(request_file(folder_), failed)) return;
  std::string text;
  try {
    text = read_file(request_file(folder_));
  } catch (const Error&) {
    return;  // taken back meanwhile
  }
  std::filesystem::remove(request_file(folder_), failed);
  std::string id;
  std::string refused;
  try {
    const Json document = Json::parse(text);
    id = document.at("id");
    control_.set(change_of(document).of(control_.pace()));
    log_.info(fmt::format("asked to go on in another way: {}", describe(control_.pace())));
  } catch (const Json::exception& error) {
    refused = "it cannot be read";
    log_.warning(fmt::format("a request for another pace cannot be read: {}", error.what()));
  } catch (const Error& error) {
    refused = error.what();
  }
  constexpr std::size_t kKept = 32;
  answers_.emplace_back(id, refused);
  if (answers_.size() > kKept) answers_.pop_front();
}

void PaceFile::write_news() {
  const ProgressSnapshot now = read_();
  Json document = {{"requests", std::map<std::string, std::string>(answers_.begin(), answers_.end())},
                   {"max_rate", now.pace.max_rate.count},
                   {"max_source_sessions", now.pace.max_source_sessions},
                   {"paused", now.pace.paused}};
  if (now.paused_for) document["paused_since"] = seconds_since_epoch(*now.paused_for);
  if (now.snapshot_age) document["snapshot_since"] = seconds_since_epoch(*now.snapshot_age);
  const std::string text = document.dump();
  if (text == written_) return;
  write_file(answer_file(folder_), text);
  written_ = text;
}

CurrentPace read_pace(const std::filesystem::path& work_folder) {
  require_run(work_folder);
  const std::optional<Answer> answer = read_answer(work_folder);
  if (!answer) throw no_run(work_folder);
  return answer->current;
}

CurrentPace change_pace(const std::filesystem::path& work_folder, const PaceChange& change, const CancelToken& cancel) {
  require_run(work_folder);
  const std::string id = make_id();
  Request request(request_file(work_folder));
  const auto limit = SteadyClock::now() + kAnswerLimit;
  for (; SteadyClock::now() < limit; pause(cancel, kPeriod / 4)) {
    require_run(work_folder);
    request.try_to_make(text_of(change, id));
    const std::optional<Answer> answer = read_answer(work_folder);
    if (!answer || !answer->requests.contains(id)) continue;
    request.answered();
    if (const std::string& refused = answer->requests.at(id); !refused.empty()) throw Error(ErrorKind::kUsage, refused);
    return answer->current;
  }
  throw Error(ErrorKind::kState,
              fmt::format("the copy of {} does not answer: its pace is as it was", work_folder.string()))
      .hint("its process is stopped, its disk is full, or it is not of this version of pgsluice: see its log");
}

}  // namespace pgsluice::pipeline
