#pragma once

#include <source_location>
#include <string>
#include <string_view>

namespace pgsluice {

class Error;

enum class LogLevel { kTrace, kDebug, kSql, kNotice, kInfo, kWarning, kError };

/// Where messages go. The embedder implements it; the library itself prints nothing.
/// write() is called from any thread, also from several at once.
class LogSink {
 public:
  virtual ~LogSink() = default;
  virtual bool wants(LogLevel level) const = 0;
  /// The text for an error. A sink that knows how its users start a run adds the error's remedies in their words.
  virtual std::string describe(const Error& error) const;
  virtual void write(LogLevel level, std::string_view message, const std::source_location& where) = 0;
};

/// A handle to a sink, passed by value; the sink outlives it. Messages are in lower case without a full stop.
/// A default Log drops everything.
class Log {
 public:
  Log() = default;
  explicit Log(LogSink& sink) : sink_(&sink) {}

  bool wants(LogLevel level) const { return sink_ != nullptr && sink_->wants(level); }

  void debug(std::string_view message, const std::source_location& where = std::source_location::current()) const {
    write(LogLevel::kDebug, message, where);
  }
  void sql(std::string_view message, const std::source_location& where = std::source_location::current()) const {
    write(LogLevel::kSql, message, where);
  }
  void notice(std::string_view message, const std::source_location& where = std::source_location::current()) const {
    write(LogLevel::kNotice, message, where);
  }
  void info(std::string_view message, const std::source_location& where = std::source_location::current()) const {
    write(LogLevel::kInfo, message, where);
  }
  void warning(std::string_view message, const std::source_location& where = std::source_location::current()) const {
    write(LogLevel::kWarning, message, where);
  }
  void error(std::string_view message, const std::source_location& where = std::source_location::current()) const {
    write(LogLevel::kError, message, where);
  }
  void warning(const Error& error, const std::source_location& where = std::source_location::current()) const {
    write(LogLevel::kWarning, describe(error), where);
  }
  void error(const Error& error, const std::source_location& where = std::source_location::current()) const {
    write(LogLevel::kError, describe(error), where);
  }

  /// The sink's text for an error; Error::describe() without a sink.
  std::string describe(const Error& error) const;

 private:
  void write(LogLevel level, std::string_view message, const std::source_location& where) const;

  LogSink* sink_ = nullptr;
};

/// "INFO", "WARNING", …
std::string_view to_string(LogLevel level);

}  // namespace pgsluice
