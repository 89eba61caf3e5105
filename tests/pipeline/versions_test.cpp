// Clones between servers of different versions. The pairs at the corners always; all with PGSLUICE_TEST_VERSIONS=all.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <map>
#include <set>

#include "base/file_descriptor.h"
#include "pgsluice/clone.h"
#include "pgsluice/data_comparison.h"
#include "tests/support/cluster.h"
#include "tests/support/downloads.h"
#include "tests/support/recording_sink.h"

namespace pgsluice::pipeline {
namespace {

using test::Cluster;

std::filesystem::path sql_folder() { return std::filesystem::path(PGSLUICE_SOURCE_FOLDER) / "tests/versions"; }

// A server of a version; empty where it was not fetched.
std::unique_ptr<Cluster> server_of(int version) {
  Cluster::Options options;
  options.bindir = test::server_programs(version);
  if (options.bindir.empty()) return nullptr;
  auto cluster = std::make_unique<Cluster>(std::move(options));
  cluster->sql("postgres", "CREATE ROLE versions_owner; CREATE ROLE versions_reader");
  return cluster;
}

// What the server knows of its definitions, a line each.
std::vector<std::string> describe(const Cluster& cluster) {
  std::ifstream file(sql_folder() / "describe.sql");
  const std::string sql{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  pg::Connection connection = cluster.connect("versions");
  connection.execute("SET search_path = ''; SET timezone = 'UTC'");
  std::vector<std::string> lines;
  for (const pg::Row row : connection.execute(sql)) lines.emplace_back(row.text(0));
  return lines;
}

std::vector<std::string> missing_in(const std::vector<std::string>& lines, const std::vector<std::string>& of) {
  const std::set<std::string> there(lines.begin(), lines.end());
  std::vector<std::string> missing;
  for (const std::string& line : of) {
    if (!there.contains(line)) missing.push_back(line);
  }
  return missing;
}

std::vector<std::pair<int, int>> pairs() {
  const char* wanted = std::getenv("PGSLUICE_TEST_VERSIONS");
  if (wanted == nullptr || std::string(wanted) != "all") return {{10, 12}, {10, 18}, {12, 15}, {15, 18}};
  std::vector<std::pair<int, int>> all;
  for (const int source : {10, 12, 14, 15}) {
    for (const int target : {12, 14, 15, 16, 17, 18}) {
      if (target >= source) all.emplace_back(source, target);
    }
  }
  return all;
}

TEST(Versions, ACloneIntoALaterVersionHasAllThatBothKnow) {
  std::map<int, std::unique_ptr<Cluster>> sources;
  for (const auto& [source_version, target_version] : pairs()) {
    SCOPED_TRACE(fmt::format("{} to {}", source_version, target_version));
    std::unique_ptr<Cluster>& source = sources[source_version];
    if (source == nullptr) {
      source = server_of(source_version);
      if (source == nullptr) GTEST_SKIP() << test::kNoDownloads;
      source->create_database("versions");
      for (const int since : {10, 11, 12, 14, 15}) {
        if (since > source_version) continue;
        test::run_sql_file(source->conninfo("versions"), sql_folder() / fmt::format("since_{}.sql", since));
      }
    }
    const std::unique_ptr<Cluster> target = server_of(target_version);
    if (target == nullptr) GTEST_SKIP() << test::kNoDownloads;
    target->create_database("versions");

    test::RecordingSink sink;
    const TemporaryFolder folder;
    CloneOptions options;
    options.source = source->conninfo("versions");
    options.target = target->conninfo("versions");
    options.work_folder = folder.path();
    options.verify = true;
    // Several parts of the largest tables, by whatever the version can.
    options.split.when = copy::SplitOptions::When::kLarger;
    options.split.size = Bytes{100'000};
    const CloneSummary summary = Clone(options, sink).run();
    for (const FailedObject& failed : summary.failed) ADD_FAILURE() << failed.error.describe();
    EXPECT_TRUE(summary.complete());
    const std::vector<std::string> at_source = describe(*source);
    const std::vector<std::string> at_target = describe(*target);
    for (const std::string& line : missing_in(at_target, at_source)) ADD_FAILURE() << "only on the source: " << line;
    for (const std::string& line : missing_in(at_source, at_target)) ADD_FAILURE() << "only on the target: " << line;
    const ComparedData compared = DataComparison({.source = options.source, .target = options.target}, sink).run();
    EXPECT_TRUE(compared.equal());
    for (const std::string& difference : compared.sequences) ADD_FAILURE() << difference;
    for (const std::string& difference : compared.large_objects) ADD_FAILURE() << difference;
  }
}

}  // namespace
}  // namespace pgsluice::pipeline
