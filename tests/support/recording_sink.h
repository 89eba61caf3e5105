#pragma once

#include <mutex>
#include <string>

#include "pgsluice/log.h"

namespace pgsluice::test {

/// Keeps all messages, for tests that look for something in them.
class RecordingSink : public LogSink {
 public:
  bool wants(LogLevel) const override { return true; }
  void write(LogLevel level, std::string_view message, const std::source_location&) override {
    const std::lock_guard lock(mutex_);
    text_ += std::string(to_string(level)) + " " + std::string(message) + "\n";
  }
  std::string text() const {
    const std::lock_guard lock(mutex_);
    return text_;
  }

 private:
  mutable std::mutex mutex_;
  std::string text_;
};

}  // namespace pgsluice::test
