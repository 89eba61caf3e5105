#include "tools/pgsluice/progress_display.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "base/wait.h"

namespace pgsluice::tools {

namespace {

using pipeline::ProgressSnapshot;

constexpr double kLeastFractionForEstimate = 0.02;

double seconds(std::chrono::nanoseconds duration) { return std::chrono::duration<double>(duration).count(); }

Bytes mean_rate(const ProgressSnapshot& progress) {
  const double elapsed = std::max(seconds(progress.elapsed), 0.001);
  return {
      static_cast<std::int64_t>(static_cast<double>(progress.copied.count - progress.copied_before.count) / elapsed)};
}

std::string time_left(const ProgressSnapshot& progress) {
  const bool is_over = progress.phase == "done";
  if (progress.left) return format_duration(*progress.left) + " left";
  if (is_over || progress.fraction < kLeastFractionForEstimate || progress.fraction >= 1) return "";
  const double left = seconds(progress.elapsed) * (1 - progress.fraction) / progress.fraction;
  const auto whole = static_cast<std::int64_t>(left) + 1;
  return whole < 60 ? fmt::format("{} s left", whole) : format_duration(std::chrono::seconds(whole)) + " left";
}

// The task that has run for longest is the one that a person waits for.
std::string current_work(const ProgressSnapshot& progress) {
  if (progress.paused_for) {
    std::string text = "paused for " + format_duration(*progress.paused_for);
    if (progress.snapshot_age) text += fmt::format("; the snapshot is {} old", format_duration(*progress.snapshot_age));
    return text;
  }
  if (progress.tasks_total == 0) return progress.phase;
  const auto longest = std::max_element(progress.running.begin(), progress.running.end(),
                                        [](const auto& a, const auto& b) { return a.since < b.since; });
  return longest == progress.running.end() ? progress.phase : longest->name;
}

// While indexes are built no rows arrive, which says nothing.
std::string numbers(const ProgressSnapshot& progress, std::optional<Bytes> rate) {
  std::string text = fmt::format("{:3.0f}%  {}/{} tables  {}", progress.fraction * 100, progress.tables_done,
                                 progress.tables_total, to_string(progress.copied));
  const bool rows_arrive = progress.tables_done < progress.tables_total || (rate && rate->count > 0);
  const bool is_over = progress.phase == "done";
  if (rows_arrive && !is_over && !progress.paused_for) {
    text += fmt::format("  {}/s", to_string(rate.value_or(mean_rate(progress))));
    if (progress.pace.max_rate.count > 0) text += fmt::format(" of {}", to_string(progress.pace.max_rate));
  }
  if (is_over) text += fmt::format("  {}/s", to_string(mean_rate(progress)));
  const std::string left = progress.paused_for ? "" : time_left(progress);
  if (!left.empty()) text += "  " + left;
  return text;
}

bool begins_character(char byte) { return (static_cast<unsigned char>(byte) & 0xC0U) != 0x80U; }

// To so many characters, the last of which says that there were more.
std::string cut_to(const std::string& text, std::size_t characters) {
  const auto count = static_cast<std::size_t>(std::count_if(text.begin(), text.end(), begins_character));
  if (count <= characters) return text;
  if (characters == 0) return "";
  std::size_t end = 0;
  for (std::size_t seen = 0; end < text.size(); ++end) {
    if (begins_character(text[end]) && seen++ == characters - 1) break;
  }
  return text.substr(0, end) + "…";
}

std::int64_t milliseconds(std::chrono::nanoseconds duration) {
  return std::chrono::round<std::chrono::milliseconds>(duration).count();
}

std::string json_line(const ProgressSnapshot& progress) {
  nlohmann::json document = {{"phase", progress.phase},
                             {"elapsed_ms", milliseconds(progress.elapsed)},
                             {"fraction", progress.fraction},
                             {"tables_done", progress.tables_done},
                             {"tables_total", progress.tables_total},
                             {"tasks_done", progress.tasks_done},
                             {"tasks_total", progress.tasks_total},
                             {"bytes", progress.copied.count},
                             {"max_rate", progress.pace.max_rate.count},
                             {"paused", progress.pace.paused},
                             {"running", nlohmann::json::array()}};
  if (progress.snapshot_age) document["snapshot_age_ms"] = milliseconds(*progress.snapshot_age);
  for (const ProgressSnapshot::Running& running : progress.running) {
    document["running"].push_back({{"name", running.name}, {"bytes", running.copied.count}});
  }
  return document.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

std::chrono::milliseconds interval(ProgressStyle style) {
  using std::chrono::milliseconds;
  if (style == ProgressStyle::kBar) return milliseconds(200);
  return style == ProgressStyle::kJson ? milliseconds(1000) : milliseconds(10000);
}

}  // namespace

ProgressStyle progress_style(const std::string& given, const LogOptions& log) {
  static const std::map<std::string, ProgressStyle> kStyles = {{"bar", ProgressStyle::kBar},
                                                               {"lines", ProgressStyle::kLines},
                                                               {"json", ProgressStyle::kJson},
                                                               {"none", ProgressStyle::kNone}};
  const auto named = kStyles.find(given);
  if (named != kStyles.end()) return named->second;
  if (log.quiet) return ProgressStyle::kNone;
  return Console::is_terminal() && !log.json ? ProgressStyle::kBar : ProgressStyle::kLines;
}

void RateMeter::add(const ProgressSnapshot& progress) {
  constexpr std::chrono::seconds kWindow{10};
  points_.push_back({progress.elapsed, progress.copied.count});
  // One that is older stays, as long as the others span less than the window.
  while (points_.size() > 2 && points_[1].at <= progress.elapsed - kWindow) points_.pop_front();
}

std::optional<Bytes> RateMeter::rate() const {
  if (points_.size() < 2) return std::nullopt;
  const double span = seconds(points_.back().at - points_.front().at);
  if (span <= 0) return std::nullopt;
  // A connection that was lost takes what was on its way.
  const std::int64_t bytes = std::max<std::int64_t>(points_.back().bytes - points_.front().bytes, 0);
  return Bytes{static_cast<std::int64_t>(static_cast<double>(bytes) / span)};
}

std::string progress_bar(const ProgressSnapshot& progress, std::optional<Bytes> rate, std::size_t width) {
  constexpr std::size_t kWide = 120;
  const std::size_t bar = width < kWide ? 10 : 20;
  const auto full = static_cast<std::size_t>(progress.fraction * static_cast<double>(bar));
  std::string text;
  if (progress.tasks_total > 0) {
    text = fmt::format("[{}{}] {}  ", std::string(full, '#'), std::string(bar - full, ' '), numbers(progress, rate));
  }
  text += current_work(progress);
  return cut_to(text, width > 1 ? width - 1 : 0);
}

ProgressDisplay::ProgressDisplay(Console& console, ProgressStyle style, std::function<ProgressSnapshot()> read)
    : console_(console), style_(style), read_(std::move(read)) {
  if (style_ == ProgressStyle::kNone) return;
  thread_ = std::thread([this] {
    while (wait_for({}, stop_.token(), interval(style_)) == WaitResult::kTimeout) show();
  });
}

ProgressDisplay::~ProgressDisplay() {
  stop_.cancel();
  if (thread_.joinable()) thread_.join();
  if (style_ == ProgressStyle::kBar) console_.set_status("");
  // The end, too: a short run has no other line.
  const bool has_lines = style_ == ProgressStyle::kLines || style_ == ProgressStyle::kJson;
  if (has_lines && read_().tasks_total > 0) show();
}

void ProgressDisplay::show() {
  const ProgressSnapshot progress = read_();
  rate_.add(progress);
  switch (style_) {
    case ProgressStyle::kNone:
      return;
    case ProgressStyle::kBar:
      console_.set_status(progress_bar(progress, rate_.rate(), Console::width()));
      return;
    case ProgressStyle::kLines:
      Log(console_).info(fmt::format("{}  {}", numbers(progress, rate_.rate()), current_work(progress)));
      return;
    case ProgressStyle::kJson:
      std::fputs(json_line(progress).c_str(), stderr);
  }
}

}  // namespace pgsluice::tools
