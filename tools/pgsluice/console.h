#pragma once

#include <spdlog/logger.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "tools/pgsluice/log_options.h"

namespace pgsluice::tools {

/// The terminal's standard error: log lines, and below them a status line that is drawn over again; and a log file
/// where one is wanted. Any thread.
///
/// A line of JSON has timestamp (RFC 3339, with milliseconds and zone), pid, error_level, error_severity, file_name,
/// file_line_num, the fields that set_field() has added, and message.
class Console : public LogSink {
 public:
  /// Throws Error(kConfig) for a file that cannot be written.
  explicit Console(const LogOptions& options);

  bool wants(LogLevel level) const override { return level >= least_; }
  std::string describe(const Error& error) const override { return describe_(error); }
  void write(LogLevel level, std::string_view message, const std::source_location& where) override;

  /// Adds a field to each line of JSON from now on: which migration a worker's line is of.
  void set_field(const std::string& name, const std::string& value);

  /// Shows a text of one line in place of the status line before; an empty one removes it.
  void set_status(const std::string& text);

  /// True if standard error is a terminal that can redraw a line.
  static bool is_terminal();
  /// Columns of the terminal; 80 where it does not say.
  static std::size_t width();

 private:
  struct Output {
    std::shared_ptr<spdlog::logger> logger;
    bool json = false;
  };
  void erase_status() REQUIRES(mutex_);

  const LogLevel least_;
  const std::string time_format_;
  std::string (*const describe_)(const Error& error);
  Mutex mutex_;
  std::vector<Output> outputs_ GUARDED_BY(mutex_);
  std::map<std::string, std::string> fields_ GUARDED_BY(mutex_);
  std::string status_ GUARDED_BY(mutex_);
};

}  // namespace pgsluice::tools
