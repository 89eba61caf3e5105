#pragma once

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "base/file_descriptor.h"
#include "pgsluice/clone.h"
#include "tests/support/cluster.h"
#include "tests/support/database_comparison.h"
#include "tests/support/recording_sink.h"
#include "tests/support/shop.h"

namespace pgsluice::test {

/// Clones databases from the shared source to the shared target.
class CloneFixture : public ::testing::Test {
 protected:
  /// Makes a database on both sides, filled on the source.
  void make(const std::string& database, const std::string& sql) {
    shared_source().create_database(database);
    shared_target().create_database(database);
    shared_source().sql(database, sql);
  }

  pipeline::CloneOptions options(const std::string& database) const {
    pipeline::CloneOptions result;
    result.source = shared_source().conninfo(database);
    result.target = shared_target().conninfo(database);
    result.work_folder = folder_.path();
    result.retry_for = std::chrono::seconds(1);
    return result;
  }

  pipeline::CloneSummary clone(const std::string& database,
                               const std::function<void(pipeline::CloneOptions&)>& change = {}) {
    pipeline::CloneOptions wanted = options(database);
    if (change) change(wanted);
    return pipeline::Clone(wanted, sink_).run();
  }

  /// The error that a clone ends with.
  Error error_of(const pipeline::CloneOptions& wanted) {
    pipeline::Clone clone(wanted, sink_);
    try {
      clone.run();
    } catch (const Error& error) {
      target_changed_ = clone.target_changed();
      return error;
    }
    return Error(ErrorKind::kInternal, "the clone did not fail");
  }

  static std::vector<std::string> differences(const std::string& database) {
    return compare_databases(shared_source().conninfo(database), shared_target().conninfo(database), server_bindir());
  }

  static std::string failures(const pipeline::CloneSummary& summary) {
    std::string text;
    for (const pipeline::FailedObject& object : summary.failed) text += object.error.describe() + "\n";
    for (const pipeline::LeftOutObject& object : summary.left_out) text += "left out: " + object.name + "\n";
    return text;
  }

  RecordingSink sink_;
  TemporaryFolder folder_;
  bool target_changed_ = false;
};

}  // namespace pgsluice::test
