// Databases and roles in states that others have left: half dropped, frozen for a maintenance window, SET role.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <filesystem>

#include "tests/cases/case_fixture.h"

namespace pgsluice::test {
namespace {

using ::testing::ContainsRegex;
using ::testing::HasSubstr;

class HalfDroppedDatabases : public CaseTest {
 protected:
  void SetUp() override {
    make("CREATE TABLE t (i int); INSERT INTO t VALUES (1), (2)");
    for (Cluster* server : {&source(), &target()}) half_drop(*server);
  }
  void TearDown() override {
    for (Cluster* server : {&source(), &target()}) server->sql("postgres", "DROP DATABASE IF EXISTS half_dropped");
  }
  // As a DROP DATABASE leaves it that was interrupted after its first files.
  static void half_drop(Cluster& server) {
    server.create_database("half_dropped");
    const std::string oid = server.value("postgres", "SELECT oid FROM pg_database WHERE datname = 'half_dropped'");
    server.sql("postgres", "UPDATE pg_database SET datconnlimit = -2 WHERE datname = 'half_dropped'; CHECKPOINT");
    std::filesystem::remove_all(server.folder() / "data/base" / oid);
  }
  static std::string server_of(const Cluster& cluster) { return cluster.conninfo("postgres"); }
};

TEST_F(HalfDroppedDatabases, AreListedBesideTheOthers) {
  const SubprocessResult listed = run({"list", "databases", "--source", server_of(source())});
  EXPECT_EQ(listed.exit_code, 0) << said(listed);
  EXPECT_THAT(listed.output, HasSubstr(kDatabase));
  const SubprocessResult as_json = run({"list", "databases", "--json", "--source", server_of(source())});
  EXPECT_EQ(as_json.exit_code, 0) << said(as_json);
}

TEST_F(HalfDroppedDatabases, AreNotClonedWithTheOthers) {
  const SubprocessResult cloned = run({"clone", "--all-databases", "--progress", "none", "--retry-for", "5", "--source",
                                       server_of(source()), "--target", server_of(target())});
  EXPECT_EQ(cloned.exit_code, 0) << said(cloned);
  EXPECT_EQ(at_target("SELECT count(*) FROM t"), "2");
  EXPECT_THAT(said(cloned), HasSubstr("half_dropped"));
}

TEST_F(HalfDroppedDatabases, DoNotHinderTheMigrationOfOthers) {
  const Migrated migrated = migrate();
  EXPECT_EQ(migrated.state, "Succeeded") << migrated.error << said(migrated.result);
  EXPECT_EQ(at_target("SELECT count(*) FROM t"), "2");
}

class RolesThatSetARole : public CaseTest {
 protected:
  void SetUp() override {
    TearDown();
    for (const Cluster* server : {&source(), &target()}) {
      server->sql("postgres", "CREATE ROLE c8_owner; CREATE ROLE c8_login LOGIN IN ROLE c8_owner");
      server->create_database(kDatabase, "OWNER c8_owner TEMPLATE template0");
      server->sql(kDatabase, "ALTER SCHEMA public OWNER TO c8_owner");
    }
    source().sql(
        kDatabase,
        "SET ROLE c8_owner; CREATE TABLE t (i serial PRIMARY KEY, s text);"
        "INSERT INTO t (s) SELECT 'x' FROM generate_series(1, 100); CREATE VIEW v AS TABLE t;"
        "CREATE SCHEMA s; CREATE TABLE s.u (i int); INSERT INTO s.u VALUES (1); SELECT lo_from_bytea(77, 'large')");
  }
  void TearDown() override {
    for (const Cluster* server : {&source(), &target()}) {
      server->sql("postgres", "DROP DATABASE IF EXISTS cases");
      server->sql("postgres", "DROP ROLE IF EXISTS c8_login, c8_owner, c8_less");
    }
  }
  void expect_all_copied(const std::string& source_user, const std::string& target_user,
                         const std::vector<std::string>& more = {}) const {
    const std::vector<std::string> both = {"--source", source().conninfo(kDatabase, source_user), "--target",
                                           target().conninfo(kDatabase, target_user)};
    for (const char* word : {"check", "clone"}) {
      std::vector<std::string> arguments = {word};
      arguments.insert(arguments.end(), both.begin(), both.end());
      arguments.insert(arguments.end(), more.begin(), more.end());
      const SubprocessResult result = run(arguments);
      EXPECT_EQ(result.exit_code, 0) << word << "\n" << said(result);
    }
    expect_same_answer("SELECT count(*) FROM t");
    expect_same_answer("SELECT count(*) FROM s.u");
    expect_same_answer("SELECT convert_from(lo_get(77), 'UTF8')");
    expect_same_answer(
        "SELECT string_agg(relname || ' ' || relowner::regrole, ',' ORDER BY relname) FROM pg_class"
        " WHERE relnamespace IN ('public'::regnamespace, 's'::regnamespace)");
  }
};

TEST_F(RolesThatSetARole, AreTakenOnTheTarget) {
  target().sql("postgres", "ALTER ROLE c8_login SET role = c8_owner");
  expect_all_copied("postgres", "c8_login");
}

TEST_F(RolesThatSetARole, AreTakenOnTheSource) {
  source().sql("postgres", "ALTER ROLE c8_login SET role = c8_owner");
  expect_all_copied("c8_login", "postgres");
}

TEST_F(RolesThatSetARole, AreTakenOnBothSidesInOneDatabaseOnly) {
  for (const Cluster* server : {&source(), &target()}) {
    server->sql("postgres", "ALTER ROLE c8_login IN DATABASE cases SET role = c8_owner");
  }
  // Settings of roles are a superuser's to copy.
  expect_all_copied("c8_login", "c8_login", {"--skip-db-properties"});
}

// The role that is set may less than the one that logs in.
TEST_F(RolesThatSetARole, MayReadWhatTheLoginMay) {
  source().sql("postgres",
               "CREATE ROLE c8_less; GRANT c8_less TO c8_login; GRANT pg_read_all_data TO c8_login;"
               "ALTER ROLE c8_login SET role = c8_less");
  const SubprocessResult cloned =
      run({"clone", "--skip-large-objects", "--source", source().conninfo(kDatabase, "c8_login"), "--target",
           target().conninfo(kDatabase)});
  EXPECT_EQ(cloned.exit_code, 0) << said(cloned);
  expect_same_answer("SELECT count(*) FROM t");
  source().sql("postgres", "ALTER ROLE c8_login RESET role; DROP ROLE c8_less");
}

struct Freeze {
  std::string name;
  std::string sql;
  std::string frozen;  ///< whether the database is, as the server says it
  std::string remedy;  ///< the statement that has to be named
};

void PrintTo(const Freeze& freeze, std::ostream* out) { *out << freeze.name; }

const std::vector<Freeze>& freezes() {
  static const std::vector<Freeze> all = {
      {"ReadOnly", "ALTER DATABASE cases SET default_transaction_read_only = on",
       "SELECT current_setting('default_transaction_read_only') = 'on'",
       "ALTER DATABASE [\\\\\"]*cases[\\\\\"]* (RE)?SET default_transaction_read_only"},
      {"NoConnections", "ALTER DATABASE cases CONNECTION LIMIT 0",
       "SELECT datconnlimit = 0 FROM pg_database WHERE datname = 'cases'",
       "ALTER DATABASE [\\\\\"]*cases[\\\\\"]* (WITH )?CONNECTION LIMIT"},
      {"NoPrivilege", "REVOKE CONNECT ON DATABASE cases FROM PUBLIC",
       "SELECT NOT has_database_privilege('c14_app', 'cases', 'CONNECT')", "GRANT CONNECT ON DATABASE"},
      {"ReadOnlyForARole", "ALTER ROLE c14_app IN DATABASE cases SET default_transaction_read_only = on",
       "SELECT EXISTS (SELECT FROM pg_db_role_setting WHERE setconfig::text ~ 'default_transaction_read_only=on')",
       "ALTER ROLE [\\\\\"]*c14_app[\\\\\"]* IN DATABASE [\\\\\"]*cases[\\\\\"]* (RE)?SET "
       "default_transaction_read_only"},
  };
  return all;
}

class FreezeOfTheWindow : public CaseTest, public ::testing::WithParamInterface<Freeze> {
 protected:
  void SetUp() override {
    TearDown();
    for (const Cluster* server : {&source(), &target()}) server->sql("postgres", "CREATE ROLE c14_app LOGIN");
    make("CREATE TABLE t (i int); INSERT INTO t VALUES (1)");
    source().sql("postgres", GetParam().sql);
  }
  void TearDown() override {
    for (const Cluster* server : {&source(), &target()}) {
      server->sql("postgres", "DROP DATABASE IF EXISTS cases");
      server->sql("postgres", "DROP ROLE IF EXISTS c14_app");
    }
  }
  // Either the new database takes its applications, or its owner was told how to let them in.
  void expect_taken_or_told(const std::string& output) const {
    if (at_target(GetParam().frozen) == "t") {
      EXPECT_THAT(output, ContainsRegex(GetParam().remedy));
    }
    EXPECT_EQ(at_target("SELECT count(*) FROM t"), "1");
  }
};

TEST_P(FreezeOfTheWindow, DoesNotComeAlongInAClone) {
  const SubprocessResult cloned = clone();
  EXPECT_EQ(cloned.exit_code, 0) << said(cloned);
  expect_taken_or_told(said(cloned));
}

class FreezeInAMigration : public FreezeOfTheWindow {};

TEST_P(FreezeInAMigration, DoesNotComeAlong) {
  const Migrated migrated = migrate();
  EXPECT_EQ(migrated.state, "Succeeded") << migrated.error;
  expect_taken_or_told(said(migrated.result));
}

INSTANTIATE_TEST_SUITE_P(Of, FreezeOfTheWindow, ::testing::ValuesIn(freezes()),
                         [](const auto& test) { return test.param.name; });
INSTANTIATE_TEST_SUITE_P(Of, FreezeInAMigration, ::testing::Values(freezes()[0], freezes()[1]),
                         [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace pgsluice::test
