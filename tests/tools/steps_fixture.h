#pragma once

#include <gmock/gmock.h>
#include <signal.h>

#include <chrono>
#include <filesystem>
#include <memory>
#include <thread>

#include "base/subprocess.h"
#include "tests/support/database_comparison.h"
#include "tests/support/wait_until.h"
#include "tests/tools/command_fixture.h"

namespace pgsluice::test {

/// Commands in a row, as scripts run them.
class StepsTest : public CommandTest {
 protected:
  // As a script does: connection strings by variables, a work directory for all.
  SubprocessResult step(const std::string& command, const std::vector<std::string>& more = {}) {
    std::vector<std::string> arguments;
    for (std::size_t begin = 0; begin < command.size();) {
      const std::size_t end = std::min(command.find(' ', begin), command.size());
      arguments.push_back(command.substr(begin, end - begin));
      begin = end + 1;
    }
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run(arguments, {{"PGCOPYDB_SOURCE_PGURI", shared_source().conninfo("command")},
                           {"PGCOPYDB_TARGET_PGURI", shared_target().conninfo("command")}});
  }

  void expect_steps(const std::vector<std::string>& commands) {
    for (const std::string& command : commands) {
      const SubprocessResult result = step(command);
      EXPECT_EQ(result.exit_code, 0) << command << "\n" << result.errors;
      EXPECT_THAT(result.errors, ::testing::Not(::testing::HasSubstr("transaction in progress"))) << command;
    }
  }

  std::filesystem::path snapshot_file() const { return folder_.path() / "pgsluice" / "snapshot"; }

  // pgsluice snapshot, which holds one.
  std::unique_ptr<Subprocess> held_snapshot() {
    auto snapshot = std::make_unique<Subprocess>(
        SubprocessOptions{.command = {PGSLUICE_PROGRAM, "snapshot", "--source", shared_source().conninfo("command")},
                          .environment = {{"TMPDIR", folder_.path().string()}}});
    EXPECT_TRUE(wait_until([&] { return std::filesystem::exists(snapshot_file()); }));
    return snapshot;
  }

  static std::vector<std::string> differences() {
    return compare_databases(shared_source().conninfo("command"), shared_target().conninfo("command"), server_bindir());
  }
  static std::string at_target(const std::string& sql) { return shared_target().value("command", sql); }
  static bool has_ledger() { return at_target("SELECT to_regnamespace('pgsluice') IS NOT NULL") == "t"; }
};

}  // namespace pgsluice::test
