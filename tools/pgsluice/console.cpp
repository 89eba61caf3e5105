#include "tools/pgsluice/console.h"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/printable.h"
#include "pgsluice/error.h"

namespace pgsluice::tools {

namespace {

spdlog::level::level_enum spdlog_level(LogLevel level) {
  switch (level) {
    case LogLevel::kTrace:
      return spdlog::level::trace;
    case LogLevel::kDebug:
    case LogLevel::kSql:
      return spdlog::level::debug;
    case LogLevel::kNotice:
    case LogLevel::kInfo:
      return spdlog::level::info;
    case LogLevel::kWarning:
      return spdlog::level::warn;
    case LogLevel::kError:
      return spdlog::level::err;
  }
  return spdlog::level::info;
}

std::string now_as(const std::string& format) {
  const std::time_t now = std::time(nullptr);
  std::tm local{};
  ::localtime_r(&now, &local);
  char text[256];
  return {text, std::strftime(text, sizeof text, format.c_str(), &local)};
}

std::string text_line(const std::string& time, LogLevel level, std::string_view message) {
  return fmt::format("{} {} {:<7} {}", time, ::getpid(), to_string(level), printable(message, LineEnds::kKept));
}

// "2026-11-29T08:15:30.123+01:00" (RFC 3339)
std::string timestamp() {
  const auto now = std::chrono::system_clock::now();
  const auto milliseconds =
      std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch()).count() % 1000;
  const std::time_t seconds = std::chrono::system_clock::to_time_t(now);
  std::tm local{};
  ::localtime_r(&seconds, &local);
  const long offset = local.tm_gmtoff / 60;
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}{}{:02}:{:02}", local, milliseconds, offset < 0 ? '-' : '+',
                     std::abs(offset) / 60, std::abs(offset) % 60);
}

std::string json_line(LogLevel level, std::string_view message, const std::source_location& where,
                      const std::map<std::string, std::string>& fields) {
  nlohmann::ordered_json line;
  line["timestamp"] = timestamp();
  line["pid"] = ::getpid();
  line["error_level"] = static_cast<int>(level);
  line["error_severity"] = to_string(level);
  line["file_name"] = std::filesystem::path(where.file_name()).filename().string();
  line["file_line_num"] = where.line();
  for (const auto& [name, value] : fields) line[name] = value;
  line["message"] = message;
  // A server's message may be in any encoding.
  return line.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

bool wants_colour() { return Console::is_terminal() && std::getenv("NO_COLOR") == nullptr; }

}  // namespace

LogLevel LogOptions::level() const {
  if (trace || verbosity >= 4) return LogLevel::kTrace;
  if (debug || verbosity == 3) return LogLevel::kDebug;
  if (verbosity == 2) return LogLevel::kSql;
  if (notice || verbosity == 1) return LogLevel::kNotice;
  return quiet ? LogLevel::kWarning : LogLevel::kInfo;
}

Console::Console(const LogOptions& options)
    : least_(options.level()), time_format_(options.time_format), describe_(options.describe) {
  const spdlog::color_mode colour =
      wants_colour() && !options.json ? spdlog::color_mode::always : spdlog::color_mode::never;
  spdlog::sink_ptr terminal;
  if (options.on_output) {
    terminal = std::make_shared<spdlog::sinks::stdout_color_sink_mt>(colour);
  } else {
    terminal = std::make_shared<spdlog::sinks::stderr_color_sink_mt>(colour);
  }
  terminal->set_pattern("%^%v%$");
  outputs_.push_back({std::make_shared<spdlog::logger>("pgsluice", terminal), options.json});
  outputs_.back().logger->set_level(spdlog::level::trace);
  if (options.file.empty()) return;
  try {
    const auto file = std::make_shared<spdlog::sinks::basic_file_sink_mt>(options.file);
    file->set_pattern("%v");
    outputs_.push_back({std::make_shared<spdlog::logger>("file", file), options.file_json});
    outputs_.back().logger->set_level(spdlog::level::trace);
  } catch (const spdlog::spdlog_ex& error) {
    throw Error(ErrorKind::kConfig, fmt::format("cannot write the log file {}: {}", options.file, error.what()))
        .hint("it is named by PGSLUICE_LOG_FILENAME or PGCOPYDB_LOG_FILENAME");
  }
}

void Console::write(LogLevel level, std::string_view message, const std::source_location& where) {
  const MutexLock lock(mutex_);
  erase_status();
  for (const Output& output : outputs_) {
    output.logger->log(spdlog_level(level), output.json ? json_line(level, message, where, fields_)
                                                        : text_line(now_as(time_format_), level, message));
    output.logger->flush();
  }
  if (!status_.empty()) std::fputs(status_.c_str(), stderr);
}

void Console::set_field(const std::string& name, const std::string& value) {
  const MutexLock lock(mutex_);
  fields_[name] = value;
}

void Console::set_status(const std::string& text) {
  const MutexLock lock(mutex_);
  erase_status();
  status_ = text;
  std::fputs(status_.c_str(), stderr);
  std::fflush(stderr);
}

void Console::erase_status() {
  if (!status_.empty()) std::fputs("\r\x1b[K", stderr);
}

bool Console::is_terminal() {
  const char* terminal = std::getenv("TERM");
  return ::isatty(STDERR_FILENO) == 1 && terminal != nullptr && std::string_view(terminal) != "dumb";
}

std::size_t Console::width() {
  constexpr std::size_t kUsual = 80;
  winsize size{};
  if (::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return kUsual;
  return size.ws_col;
}

}  // namespace pgsluice::tools
