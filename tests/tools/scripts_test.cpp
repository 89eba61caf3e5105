// Scripts that were written for pgcopydb, run with this program (tests/scripts).
#include <gtest/gtest.h>

#include <fstream>

#include "tests/tools/command_fixture.h"

namespace pgsluice::test {
namespace {

std::filesystem::path scripts() { return std::filesystem::path(PGSLUICE_SOURCE_FOLDER) / "tests/scripts"; }

class ScriptsTest : public CommandTest {
 protected:
  void SetUp() override {
    drop_all();
    run_sql_file(shared_source().conninfo("postgres"), scripts() / "shop_roles.sql");
    shared_source().sql("postgres", "CREATE DATABASE shop TEMPLATE template0 OWNER shop_owner");
    run_sql_file(shared_source().conninfo("shop"), scripts() / "shop.sql");
    shared_target().create_database("shop");
  }
  void TearDown() override { drop_all(); }

  static void drop_all() {
    for (const Cluster* server : {&shared_source(), &shared_target()}) {
      server->sql("postgres", "DROP DATABASE IF EXISTS shop");
      for (const char* role : {"alice", "shop_writer", "shop_reader", "shop_owner"}) {
        server->sql("postgres", std::string("DROP ROLE IF EXISTS ") + role);
      }
    }
  }

  void expect_ok(const std::vector<std::string>& command, const std::string& user = "postgres") {
    std::vector<std::string> arguments = {"bash", (scripts() / command.front()).string()};
    arguments.insert(arguments.end(), command.begin() + 1, command.end());
    const SubprocessResult result =
        run_command({.command = arguments,
                     .environment = {{"PGCOPYDB", PGSLUICE_PROGRAM},
                                     {"TMPDIR", folder_.path().string()},
                                     {"PGCOPYDB_SOURCE_PGURI", shared_source().conninfo("shop", user)},
                                     {"PGCOPYDB_TARGET_PGURI", shared_target().conninfo("shop", user)},
                                     {"SOURCE_ADMIN_PGURI", shared_source().conninfo("shop")},
                                     {"TARGET_ADMIN_PGURI", shared_target().conninfo("shop")},
                                     {"TARGET_EMPTY", "bash " + (folder_.path() / "empty.sh").string()}}});
    EXPECT_EQ(result.exit_code, 0) << result.output << result.errors;
    EXPECT_TRUE(result.output.ends_with("OK\n")) << result.output;
  }
};

TEST_F(ScriptsTest, ASimpleClone) { expect_ok({"simple_clone.sh"}); }

TEST_F(ScriptsTest, StepsByASuperuserAndTheOwner) { expect_ok({"privileged_split.sh"}, "shop_owner"); }

TEST_F(ScriptsTest, FilteredClones) {
  run_sql_file(shared_target().conninfo("postgres"), scripts() / "shop_roles.sql");  // a policy names one
  std::ofstream(folder_.path() / "empty.sh")
      << "psql -XAtq -v ON_ERROR_STOP=1 -d \"" << shared_target().conninfo("postgres")
      << "\" -c 'DROP DATABASE IF EXISTS shop' -c 'CREATE DATABASE shop TEMPLATE template0'\n";
  shared_source().sql(
      "shop", "CREATE SCHEMA scratch; CREATE TABLE scratch.t (i int); CREATE VIEW scratch.v AS TABLE scratch.t");
  expect_ok({"filtered_clone.sh", "schemas", "tables", "data", "indexes", "serial", "only"});
}

}  // namespace
}  // namespace pgsluice::test
