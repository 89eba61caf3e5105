// Which database is which is asked of the servers, not read from connection strings.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include "tests/cases/case_fixture.h"
#include "tests/cases/pooler.h"
#include "tests/support/fault_proxy.h"
#include "tests/support/wait_until.h"

namespace pgsluice::test {
namespace {

using ::testing::ContainsRegex;
using ::testing::HasSubstr;

constexpr const char* kRows = "SELECT string_agg(i::text, ',' ORDER BY i) FROM t";

class DatabaseIdentity : public CaseTest {
 protected:
  void SetUp() override {
    make("CREATE TABLE t (i int PRIMARY KEY); INSERT INTO t SELECT generate_series(1, 5); CREATE VIEW v AS TABLE t");
  }

  static std::vector<std::string> words(const std::string& command) {
    if (command == "copy schema") return {"copy", "schema"};
    return {command};
  }
  SubprocessResult run_between(const std::string& command, const std::string& source, const std::string& target,
                               std::vector<std::string> more = {}) const {
    std::vector<std::string> arguments = words(command);
    arguments.insert(arguments.end(), {"--source", source, "--target", target});
    if (command == "clone") arguments.insert(arguments.end(), {"--retry-for", "5", "--progress", "none"});
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run(arguments);
  }

  // The command has to say that both are one database, and to leave it as it is.
  void expect_refused(const std::string& command, const std::string& one, const std::string& other,
                      std::vector<std::string> more = {}) const {
    SCOPED_TRACE(command);
    const SubprocessResult refused = run_between(command, one, other, std::move(more));
    EXPECT_NE(refused.exit_code, 0);
    EXPECT_NE(refused.exit_code, 124) << "it was still running after the limit";
    EXPECT_THAT(said(refused), ContainsRegex("same database|one database|one and the same|itself"));
    EXPECT_EQ(at_source("SELECT to_regclass('t') IS NOT NULL AND to_regclass('v') IS NOT NULL"), "t");
    if (at_source("SELECT to_regclass('t') IS NOT NULL") == "t") {
      EXPECT_EQ(at_source(kRows), "1,2,3,4,5");
    }
    EXPECT_EQ(at_source("SELECT count(*) FROM pg_namespace WHERE nspname = 'pgsluice'"), "0");
  }
};

TEST_F(DatabaseIdentity, AnAliasOfTheSourceBehindAPoolerIsNoTarget) {
  if (!Pooler::is_installed()) GTEST_SKIP() << kNoPooler;
  const Pooler pooler(source(), Pooler::Mode::kSession, {{"prod", kDatabase}});
  const std::string direct = source().conninfo(kDatabase);
  expect_refused("check", direct, pooler.conninfo("prod"));
  expect_refused("clone", direct, pooler.conninfo("prod"));
  expect_refused("copy schema", direct, pooler.conninfo("prod"), {"--drop-if-exists"});
}

TEST_F(DatabaseIdentity, CloneWithDropIfExistsIntoAnAliasOfTheSourceEndsAtOnce) {
  if (!Pooler::is_installed()) GTEST_SKIP() << kNoPooler;
  const Pooler pooler(source(), Pooler::Mode::kSession, {{"prod", kDatabase}});
  expect_refused("clone", source().conninfo(kDatabase), pooler.conninfo("prod"), {"--drop-if-exists"});
}

TEST_F(DatabaseIdentity, TheSourceMayBeTheSideBehindThePooler) {
  if (!Pooler::is_installed()) GTEST_SKIP() << kNoPooler;
  const Pooler pooler(source(), Pooler::Mode::kSession, {{"prod", kDatabase}, {"copy_of_prod", kDatabase}});
  expect_refused("copy schema", pooler.conninfo("prod"), source().conninfo(kDatabase), {"--drop-if-exists"});
  SetUp();
  expect_refused("copy schema", pooler.conninfo("prod"), pooler.conninfo("copy_of_prod"), {"--drop-if-exists"});
}

TEST_F(DatabaseIdentity, AnotherPortOfTheSameServerIsTheSameDatabase) {
  const FaultProxy other_port(source());
  expect_refused("clone", source().conninfo(kDatabase), other_port.conninfo(kDatabase));
  expect_refused("copy schema", source().conninfo(kDatabase), other_port.conninfo(kDatabase), {"--drop-if-exists"});
}

TEST_F(DatabaseIdentity, AnAliasIsAnHonestTarget) {
  if (!Pooler::is_installed()) GTEST_SKIP() << kNoPooler;
  const Pooler pooler(target(), Pooler::Mode::kSession, {{"dst", kDatabase}});
  const SubprocessResult cloned =
      run_between("clone", source().conninfo(kDatabase), pooler.conninfo("dst"), {"--verify"});
  EXPECT_EQ(cloned.exit_code, 0) << said(cloned);
  expect_same_answer(kRows);
}

// Its settings, owner and comment are set by statements that name the database.
TEST_F(DatabaseIdentity, PropertiesOfADatabaseArriveThroughItsAlias) {
  if (!Pooler::is_installed()) GTEST_SKIP() << kNoPooler;
  source().sql(
      kDatabase,
      fmt::format("ALTER DATABASE {0} SET work_mem = '7MB'; COMMENT ON DATABASE {0} IS 'of the shop'", kDatabase));
  const Pooler pooler(target(), Pooler::Mode::kSession, {{"dst", kDatabase}});
  const SubprocessResult cloned = run_between("clone", source().conninfo(kDatabase), pooler.conninfo("dst"));
  EXPECT_EQ(cloned.exit_code, 0) << said(cloned);
  expect_same_answer("SELECT current_setting('work_mem')");
  expect_same_answer("SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = 'cases'");
}

TEST_F(DatabaseIdentity, AnAliasIsAnHonestSource) {
  if (!Pooler::is_installed()) GTEST_SKIP() << kNoPooler;
  const Pooler pooler(source(), Pooler::Mode::kSession, {{"src", kDatabase}});
  const SubprocessResult cloned =
      run_between("clone", pooler.conninfo("src"), target().conninfo(kDatabase), {"--verify"});
  EXPECT_EQ(cloned.exit_code, 0) << said(cloned);
  expect_same_answer(kRows);
}

TEST_F(DatabaseIdentity, AnotherDatabaseOfTheSourcesServerIsAnHonestTarget) {
  source().create_database("cases_2");
  const SubprocessResult cloned =
      run_between("clone", source().conninfo(kDatabase), source().conninfo("cases_2"), {"--verify"});
  EXPECT_EQ(cloned.exit_code, 0) << said(cloned);
  EXPECT_EQ(source().value("cases_2", kRows), "1,2,3,4,5");
  source().sql("postgres", "DROP DATABASE cases_2");
}

// Databases that are there already are dropped by a migration, which here would be the source's own.
TEST_F(DatabaseIdentity, AMigrationOntoItsOwnServerChangesNothing) {
  const FaultProxy other_port(source());
  const std::string conninfo = other_port.conninfo(kDatabase);
  const std::size_t port = conninfo.find("port=") + 5;
  const std::string place = fmt::format("127.0.0.1:{}@postgres", std::stoi(conninfo.substr(port)));
  const Migrated migrated = migrate({{"TargetDbServerResourceId", place}});
  EXPECT_NE(migrated.result.exit_code, 0) << said(migrated.result);
  EXPECT_NE(migrated.state, "Succeeded");
  EXPECT_EQ(at_source(kRows), "1,2,3,4,5");
}

// A standby of a server, which has all that its primary has now.
std::unique_ptr<Cluster> standby_of(const Cluster& primary) {
  auto standby = std::make_unique<Cluster>(Cluster::Options{.primary = &primary});
  const std::string now = primary.value("postgres", "SELECT pg_current_wal_lsn()");
  wait_until(
      [&] { return standby->value("postgres", fmt::format("SELECT pg_last_wal_replay_lsn() >= '{}'", now)) == "t"; });
  return standby;
}

// What is dropped on the target would be dropped on its standby too.
TEST_F(DatabaseIdentity, AStandbyOfTheTargetIsNoSource) {
  const std::unique_ptr<Cluster> standby = standby_of(source());
  const std::string from = standby->conninfo(kDatabase);
  const std::string into = source().conninfo(kDatabase);
  for (const char* command : {"check", "clone", "copy schema"}) {
    SCOPED_TRACE(command);
    const SubprocessResult refused = run_between(
        command, from, into,
        command == std::string("check") ? std::vector<std::string>{} : std::vector<std::string>{"--drop-if-exists"});
    EXPECT_NE(refused.exit_code, 0);
    EXPECT_THAT(said(refused), HasSubstr("is a standby of the target"));
    EXPECT_EQ(at_source(kRows), "1,2,3,4,5");
  }
  const Migrated migrated = migrate(
      {{"SourceDBServerResourceId", resource_id(*standby)}, {"TargetDbServerResourceId", resource_id(source())}});
  EXPECT_NE(migrated.state, "Succeeded");
  EXPECT_THAT(said(migrated.result), HasSubstr("is a standby of the target"));
  EXPECT_EQ(at_source(kRows), "1,2,3,4,5");
}

// Another database of the standby's primary has nothing to do with the one that is read.
TEST_F(DatabaseIdentity, AnotherDatabaseOfAStandbysPrimaryIsAnHonestTarget) {
  const std::unique_ptr<Cluster> standby = standby_of(source());
  source().create_database("cases_2");
  const SubprocessResult cloned =
      run_between("clone", standby->conninfo(kDatabase), source().conninfo("cases_2"), {"--verify"});
  EXPECT_EQ(cloned.exit_code, 0) << said(cloned);
  EXPECT_EQ(source().value("cases_2", kRows), "1,2,3,4,5");
  source().sql("postgres", "DROP DATABASE cases_2");
}

// It was a physical copy of the source's server, and goes its own way since.
TEST_F(DatabaseIdentity, AStandbyThatWasPromotedIsAnHonestTarget) {
  const std::unique_ptr<Cluster> reader = standby_of(source());
  const std::unique_ptr<Cluster> promoted = standby_of(source());
  promoted->sql("postgres", "SELECT pg_promote()");
  promoted->sql(kDatabase, "TRUNCATE t; INSERT INTO t VALUES (7)");
  for (const Cluster* from : {reader.get(), &source()}) {
    const SubprocessResult cloned = run_between("clone", from->conninfo(kDatabase), promoted->conninfo(kDatabase),
                                                {"--drop-if-exists", "--verify"});
    EXPECT_EQ(cloned.exit_code, 0) << said(cloned);
    EXPECT_EQ(promoted->value(kDatabase, kRows), "1,2,3,4,5");
  }
}

TEST_F(DatabaseIdentity, AStandbyIsNoTarget) {
  make("CREATE TABLE t (i int)");
  const std::unique_ptr<Cluster> standby = standby_of(target());
  for (const char* command : {"clone", "check"}) {
    const SubprocessResult refused =
        run({command, "--source", source().conninfo(kDatabase), "--target", standby->conninfo(kDatabase)});
    EXPECT_NE(refused.exit_code, 0) << command;
    EXPECT_THAT(said(refused), HasSubstr("is a standby"));
  }
}

}  // namespace
}  // namespace pgsluice::test
