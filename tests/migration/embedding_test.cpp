// A program of somebody else's, built with what is installed, runs a migration and cancels one.
#include <gmock/gmock.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "base/file_descriptor.h"
#include "base/subprocess.h"
#include "tests/support/cluster.h"
#include "tests/support/database_comparison.h"

namespace pgsluice::migration {
namespace {

using test::Cluster;
using ::testing::HasSubstr;

class EmbeddingTest : public ::testing::Test {
 protected:
  std::string path(const std::string& name) const { return (folder_.path() / name).string(); }

  static void run_well(std::vector<std::string> command) {
    const SubprocessResult result = run_command({.command = std::move(command)});
    ASSERT_EQ(result.exit_code, 0) << result.output << result.errors;
  }

  SubprocessResult migrate(std::vector<std::string> more = {}) const {
    std::vector<std::string> command = {path("build/consumer"), path("body.json"), path("store")};
    command.insert(command.end(), more.begin(), more.end());
    return run_command({.command = command});
  }

  TemporaryFolder folder_;
  Cluster source_;
  Cluster target_;
};

TEST_F(EmbeddingTest, AProgramBuiltWithTheInstalledLibraryMigratesAndCancels) {
  run_well({"cmake", "--install", PGSLUICE_BUILD_FOLDER, "--prefix", path("prefix")});
  run_well({"cmake", "-S", std::string(PGSLUICE_SOURCE_FOLDER) + "/tests/consumer", "-B", path("build"),
            "-DCMAKE_PREFIX_PATH=" + path("prefix")});
  run_well({"cmake", "--build", path("build")});

  source_.create_database("shop");
  source_.sql("shop", "CREATE TABLE t AS SELECT g, repeat('x', 400) AS s FROM generate_series(1, 600000) g");
  const auto server = [](const Cluster& cluster) {
    return cluster.folder().string() + ":" + std::to_string(cluster.port()) + "@postgres";
  };
  std::ofstream(path("body.json")) << nlohmann::json{{"properties",
                                                      {{"SourceDBServerResourceId", server(source_)},
                                                       {"TargetDbServerResourceId", server(target_)},
                                                       {"DBsToMigrate", {"shop"}}}}};
  const SubprocessResult cancelled = migrate({"0"});
  EXPECT_EQ(cancelled.exit_code, 2) << cancelled.errors;
  EXPECT_THAT(cancelled.output, HasSubstr("Canceled"));
  EXPECT_EQ(target_.value("postgres", "SELECT count(*) FROM pg_database WHERE datname = 'shop'"), "0");

  const SubprocessResult whole = migrate();
  EXPECT_EQ(whole.exit_code, 0) << whole.output << whole.errors;
  EXPECT_THAT(whole.output, HasSubstr("shop: 600000 rows"));
  EXPECT_EQ(test::compare_databases(source_.conninfo("shop"), target_.conninfo("shop"), test::server_bindir()),
            std::vector<std::string>{});

  const auto clone = [&](std::vector<std::string> more) {
    std::vector<std::string> command = {path("build/clone"), source_.conninfo("shop"), target_.conninfo("copy"),
                                        path("work")};
    command.insert(command.end(), more.begin(), more.end());
    return run_command({.command = command});
  };
  target_.create_database("copy");
  EXPECT_EQ(clone({"1000000"}).exit_code, 3) << "it was cancelled";
  const SubprocessResult resumed = clone({});
  EXPECT_EQ(resumed.exit_code, 0) << resumed.output << resumed.errors;
  EXPECT_THAT(resumed.output, HasSubstr("600000 rows"));
  EXPECT_EQ(test::compare_databases(source_.conninfo("shop"), target_.conninfo("copy"), test::server_bindir()),
            std::vector<std::string>{});

  const SubprocessResult refused = run_command({.command = {path("build/consumer"), path("no such"), path("store")}});
  EXPECT_EQ(refused.exit_code, 1);
  EXPECT_THAT(refused.errors, HasSubstr("cannot read"));
}

}  // namespace
}  // namespace pgsluice::migration
