#pragma once

#include <string>
#include <string_view>

#include "pg/quote.h"
#include "pgsluice/log.h"

namespace pgsluice::pipeline {

/// Begins each message with the name of the database that it is about, where several are at work. The sink that it
/// hands them to outlives it. Threads: as that one.
class DatabaseSink : public LogSink {
 public:
  DatabaseSink(const std::string& database, LogSink& sink)
      : prefix_(pg::display_name("", database) + ": "), sink_(sink) {}

  bool wants(LogLevel level) const override { return sink_.wants(level); }
  void write(LogLevel level, std::string_view message, const std::source_location& where) override {
    sink_.write(level, prefix_ + std::string(message), where);
  }

 private:
  const std::string prefix_;
  LogSink& sink_;
};

}  // namespace pgsluice::pipeline
