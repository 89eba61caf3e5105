#pragma once

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "base/file_descriptor.h"
#include "base/subprocess.h"
#include "tests/support/cluster.h"

namespace pgsluice::test {

/// Runs the command as a user does, on a database "command" of the two shared servers.
class CommandTest : public ::testing::Test {
 protected:
  SubprocessResult run(std::vector<std::string> arguments,
                       std::vector<std::pair<std::string, std::string>> environment = {}) {
    arguments.insert(arguments.begin(), PGSLUICE_PROGRAM);
    environment.emplace_back("TMPDIR", folder_.path().string());
    return run_command({.command = std::move(arguments), .environment = std::move(environment)});
  }

  void make(const std::string& sql) {
    shared_source().create_database("command");
    shared_target().create_database("command");
    shared_source().sql("command", sql);
  }

  std::vector<std::string> clone_arguments() {
    return {"clone", "--source", shared_source().conninfo("command"), "--target", shared_target().conninfo("command")};
  }

  SubprocessResult clone(std::vector<std::string> more = {}) {
    std::vector<std::string> arguments = clone_arguments();
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run(arguments);
  }

  TemporaryFolder folder_;
};

}  // namespace pgsluice::test
