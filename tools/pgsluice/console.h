#pragma once

#include <spdlog/logger.h>

#include <memory>
#include <mutex>
#include <string>

#include "pgsluice/base/log.h"

namespace pgsluice::tools {

/// The terminal's standard error: log lines, and below them a status line that is drawn over again. Any thread.
class Console : public LogSink {
 public:
  /// Messages of this level and above are shown.
  explicit Console(LogLevel least);

  bool wants(LogLevel level) const override { return level >= least_; }
  void write(LogLevel level, std::string_view message, const std::source_location& where) override;

  /// Shows a text of one line in place of the status line before; an empty one removes it.
  void set_status(const std::string& text);

  /// Whether standard error is a terminal that can redraw a line.
  static bool is_terminal();
  /// Columns of the terminal; 80 where it does not say.
  static std::size_t width();

 private:
  void erase_status();

  const LogLevel least_;
  std::mutex mutex_;
  std::shared_ptr<spdlog::logger> logger_;
  std::string status_;
};

}  // namespace pgsluice::tools
