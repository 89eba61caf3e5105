#include "pgsluice/console.h"

#include <spdlog/sinks/stdout_color_sinks.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

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

bool wants_colour() { return Console::is_terminal() && std::getenv("NO_COLOR") == nullptr; }

}  // namespace

Console::Console(LogLevel least) : least_(least) {
  const auto sink = std::make_shared<spdlog::sinks::stderr_color_sink_mt>(wants_colour() ? spdlog::color_mode::always
                                                                                         : spdlog::color_mode::never);
  logger_ = std::make_shared<spdlog::logger>("pgsluice", sink);
  logger_->set_level(spdlog::level::trace);
  logger_->set_pattern("%H:%M:%S %P %^%v%$");
}

void Console::write(LogLevel level, std::string_view message, const std::source_location& /*where*/) {
  const std::lock_guard lock(mutex_);
  erase_status();
  logger_->log(spdlog_level(level), "{:<7} {}", to_string(level), message);
  logger_->flush();
  if (!status_.empty()) std::fputs(status_.c_str(), stderr);
}

void Console::set_status(const std::string& text) {
  const std::lock_guard lock(mutex_);
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
