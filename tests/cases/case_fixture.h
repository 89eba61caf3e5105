#pragma once

#include <gmock/gmock.h>

#include <chrono>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/file_descriptor.h"
#include "base/subprocess.h"
#include "tests/support/cluster.h"
#include "tests/support/downloads.h"

namespace pgsluice::test {

/// Two servers that all tests of the program share. Of version 15 they are shared_source() and shared_target().
struct ServerPair {
  Cluster* source = nullptr;
  Cluster* target = nullptr;
};

/// Runs the command as a user does, between a database "cases" of a source and one of a target.
class CaseTest : public ::testing::Test {
 protected:
  static constexpr const char* kDatabase = "cases";
  static constexpr int kMachineVersion = 15;
  static constexpr std::chrono::seconds kLimit{60};

  /// Moves the test to servers of these versions. False where one of them was not downloaded: the test is skipped then.
  bool between(int source_version, int target_version);

  Cluster& source() const { return *servers_.source; }
  Cluster& target() const { return *servers_.target; }
  /// The folder of a pg_dump that can read both servers. It is passed to each command of a test that has called
  /// between().
  const std::filesystem::path& pg_bindir() const { return pg_bindir_; }
  void use_pg_bindir(std::filesystem::path folder) { pg_bindir_ = std::move(folder); }

  /// Makes the database on both servers, and fills the source's.
  void make(const std::string& sql, const std::string& options = "TEMPLATE template0") const;
  void make_from_file(const std::string& name, const std::string& options = "TEMPLATE template0") const;
  static std::filesystem::path sql_file(const std::string& name);

  /// Runs "pgsluice …". A command that takes longer than kLimit is ended, and its exit code is 124.
  SubprocessResult run(std::vector<std::string> arguments,
                       std::vector<std::pair<std::string, std::string>> environment = {}) const;
  /// Runs a command with the database of both servers.
  SubprocessResult run_on_both(std::vector<std::string> command, std::vector<std::string> more = {}) const;
  SubprocessResult clone(std::vector<std::string> more = {}) const;
  SubprocessResult check(std::vector<std::string> more = {}) const { return run_on_both({"check"}, std::move(more)); }
  SubprocessResult compare_schema() const { return run_on_both({"compare", "schema"}); }
  SubprocessResult compare_data() const;

  struct Migrated {
    SubprocessResult result;
    std::string state;
    std::string error;
  };
  /// Runs "migration create" of a database, by default "cases". `properties` is merged into those of the body.
  Migrated migrate(const nlohmann::json& properties = nlohmann::json::object(),
                   const std::string& option = "ValidateAndMigrate") const;
  /// A server as a properties file names it: by the folder of its socket.
  static std::string resource_id(const Cluster& cluster);

  /// Expects a clone with --verify that ends with 0, and then equal definitions and rows.
  void expect_clone_to_be_equal(std::vector<std::string> more = {}) const;
  /// Expects that both databases answer alike. Sessions have the settings that the servers give them.
  void expect_same_answer(const std::string& query) const;
  std::string at_source(const std::string& query) const { return source().value(kDatabase, query); }
  /// Returns the target's answer, which may be that it has no such table.
  std::string at_target(const std::string& query) const;

  /// All that a command has said.
  static std::string said(const SubprocessResult& result) { return result.output + result.errors; }

  TemporaryFolder folder_;

 private:
  ServerPair servers_{&shared_source(), &shared_target()};
  std::filesystem::path pg_bindir_;
};

/// A server of a version that the tests share, as the source or the target; nullptr where it was not downloaded.
Cluster* shared_server(int version, Side side);

}  // namespace pgsluice::test
