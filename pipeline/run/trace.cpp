#include "pipeline/run/trace.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <nlohmann/json.hpp>

#include "pgsluice/error.h"

namespace pgsluice::pipeline {

namespace {

using nlohmann::json;

std::int64_t microseconds(std::chrono::nanoseconds duration) {
  return std::chrono::duration_cast<std::chrono::microseconds>(duration).count();
}

// Names come from the servers in whatever encoding these have: what is not UTF-8 is replaced.
std::string line(const json& event) { return event.dump(-1, ' ', false, json::error_handler_t::replace); }

json event_of(const TraceSpan& span, SteadyClock::time_point began, int thread) {
  json args = json::object();
  if (!span.waited_for.empty()) args["waited for"] = span.waited_for;
  if (span.bytes > 0) args["bytes"] = span.bytes;
  if (span.rows > 0) args["rows"] = span.rows;
  return {{"ph", "X"},
          {"pid", 1},
          {"tid", thread},
          {"name", span.name},
          {"cat", span.category},
          {"ts", microseconds(span.begin - began)},
          {"dur", microseconds(span.end - span.begin)},
          {"args", args}};
}

}  // namespace

void Trace::add(TraceSpan span) {
  const MutexLock lock(mutex_);
  spans_.push_back(std::move(span));
}

void Trace::write(const std::filesystem::path& file) const {
  const MutexLock lock(mutex_);
  std::ofstream out(file);
  out << "{\"traceEvents\":[\n"
      << line({{"ph", "M"}, {"pid", 1}, {"name", "process_name"}, {"args", {{"name", "pgsluice"}}}});
  std::map<std::string, int> threads;
  for (const TraceSpan& span : spans_) threads.emplace(span.worker, 0);
  int number = 0;
  for (auto& [worker, thread] : threads) {
    thread = ++number;
    out << ",\n"
        << line({{"ph", "M"}, {"pid", 1}, {"tid", thread}, {"name", "thread_name"}, {"args", {{"name", worker}}}});
  }
  auto began = SteadyClock::time_point::max();
  for (const TraceSpan& span : spans_) began = std::min(began, span.begin);
  for (const TraceSpan& span : spans_) out << ",\n" << line(event_of(span, began, threads[span.worker]));
  out << "\n]}\n";
  out.close();
  if (!out) throw system_error(fmt::format("cannot write the trace to {}", file.string()), errno);
}

}  // namespace pgsluice::pipeline
