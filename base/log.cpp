#include "pgsluice/log.h"

#include "pgsluice/error.h"

namespace pgsluice {

void Log::write(LogLevel level, std::string_view message, const std::source_location& where) const {
  if (wants(level)) sink_->write(level, message, where);
}

std::string LogSink::describe(const Error& error) const { return error.describe(); }

std::string Log::describe(const Error& error) const {
  return sink_ == nullptr ? error.describe() : sink_->describe(error);
}

std::string_view to_string(LogLevel level) {
  switch (level) {
    case LogLevel::kTrace:
      return "TRACE";
    case LogLevel::kDebug:
      return "DEBUG";
    case LogLevel::kSql:
      return "SQL";
    case LogLevel::kNotice:
      return "NOTICE";
    case LogLevel::kInfo:
      return "INFO";
    case LogLevel::kWarning:
      return "WARNING";
    case LogLevel::kError:
      return "ERROR";
  }
  return "";
}

}  // namespace pgsluice
