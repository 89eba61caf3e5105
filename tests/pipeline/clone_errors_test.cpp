// What a clone says when it cannot begin or not go on, and that the target is then as it was.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <set>
#include <thread>

#include "pgsluice/error.h"
#include "tests/pipeline/clone_fixture.h"
#include "tests/support/wait_until.h"

namespace pgsluice::pipeline {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class CloneErrors : public test::CloneFixture {
 protected:
  void SetUp() override { make("errors", "CREATE TABLE t AS SELECT generate_series(1, 100) AS i"); }

  void expect_target_unchanged() {
    EXPECT_FALSE(target_changed_);
    EXPECT_EQ(
        test::shared_target().value(
            "errors",
            "SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace WHERE nspname = 'public'"),
        "0");
  }
};

TEST_F(CloneErrors, NoSourceOrTargetGiven) {
  CloneOptions wanted = options("errors");
  wanted.source.clear();
  Error error = error_of(wanted);
  EXPECT_THAT(error.what(), HasSubstr("no source was given"));
  EXPECT_TRUE(error.has(Remedy::kNameServers));
  wanted = options("errors");
  wanted.target.clear();
  error = error_of(wanted);
  EXPECT_THAT(error.what(), HasSubstr("no target was given"));
  EXPECT_TRUE(error.has(Remedy::kNameServers));
}

TEST_F(CloneErrors, NoSuchHost) {
  CloneOptions wanted = options("errors");
  wanted.source = "postgresql://me:s3cr3t@no-such-host.invalid/shop";
  const Error error = error_of(wanted);
  EXPECT_EQ(error.side(), Side::kSource);
  EXPECT_THAT(error.describe(), HasSubstr("no-such-host.invalid"));
  EXPECT_THAT(error.describe(), Not(HasSubstr("s3cr3t")));
  expect_target_unchanged();
}

TEST_F(CloneErrors, WrongPassword) {
  CloneOptions wanted = options("errors");
  wanted.target = test::shared_target().tcp_conninfo("errors", "postgres") + " password=s3cr3t";
  const Error error = error_of(wanted);
  EXPECT_EQ(error.side(), Side::kTarget);
  EXPECT_EQ(error.sqlstate(), "28P01");
  EXPECT_THAT(error.describe(), Not(HasSubstr("s3cr3t")));
  EXPECT_THAT(sink_.text(), Not(HasSubstr("s3cr3t")));
  expect_target_unchanged();
}

TEST_F(CloneErrors, MissingDatabase) {
  CloneOptions wanted = options("errors");
  wanted.target = test::shared_target().conninfo("not_there");
  const Error error = error_of(wanted);
  EXPECT_EQ(error.side(), Side::kTarget);
  EXPECT_EQ(error.sqlstate(), "3D000");
  EXPECT_THAT(error.describe(), HasSubstr("CREATE DATABASE"));
}

TEST_F(CloneErrors, PgDumpMissingOrOlder) {
  const TemporaryFolder bin;
  CloneOptions wanted = options("errors");
  wanted.pg_bindir = bin.path();
  EXPECT_THAT(error_of(wanted).describe(), HasSubstr("no pg_dump in"));
  std::ofstream(bin.path() / "pg_dump") << "#!/bin/sh\necho 'pg_dump (PostgreSQL) 9.6.1'\n";
  std::filesystem::permissions(bin.path() / "pg_dump", std::filesystem::perms::owner_all);
  const Error error = error_of(wanted);
  EXPECT_EQ(error.kind(), ErrorKind::kConfig);
  EXPECT_THAT(error.describe(), HasSubstr("older than the source server"));
  expect_target_unchanged();
}

TEST_F(CloneErrors, ATargetThatIsNotEmpty) {
  const std::vector<std::pair<std::string, std::string>> contents = {
      {"CREATE TABLE t (x int); INSERT INTO t VALUES (42)", "relation public.t"},
      {"CREATE VIEW v AS SELECT 1", "relation public.v"},
      {"CREATE TYPE e AS ENUM ()", "type public.e"},
      {"CREATE FUNCTION f(int, text) RETURNS int LANGUAGE sql AS 'SELECT 1'", "function public.f(integer, text)"},
      {"SELECT lo_create(90000)", "large object 90000"}};
  test::shared_source().sql("errors",
                            "CREATE VIEW v AS SELECT 1; CREATE TYPE e AS ENUM (); SELECT lo_create(90000);"
                            "CREATE FUNCTION f(int, text) RETURNS int LANGUAGE sql AS 'SELECT 1'");
  for (const auto& [content, name] : contents) {
    test::shared_target().create_database("errors");
    test::shared_target().sql("errors", content);
    const Error error = error_of(options("errors"));
    EXPECT_EQ(error.kind(), ErrorKind::kState);
    EXPECT_EQ(error.side(), Side::kTarget);
    EXPECT_THAT(error.describe(), HasSubstr("not empty"));
    EXPECT_THAT(error.describe(), HasSubstr(name));
    EXPECT_FALSE(target_changed_);
  }
  // What the source has not is no blocker.
  test::shared_target().create_database("errors");
  test::shared_target().sql(
      "errors", "CREATE TABLE other (i int); CREATE FUNCTION f(int) RETURNS int LANGUAGE sql AS 'SELECT 1'");
  EXPECT_TRUE(clone("errors").complete());
}

TEST_F(CloneErrors, NoPermissionToReadATable) {
  test::shared_source().sql("errors",
                            "DO $$ BEGIN CREATE ROLE err_reader LOGIN; EXCEPTION WHEN duplicate_object THEN END $$;"
                            "CREATE TABLE closed (i int); GRANT SELECT ON t TO err_reader");
  CloneOptions wanted = options("errors");
  wanted.source = test::shared_source().conninfo("errors", "err_reader");
  const Error error = error_of(wanted);
  EXPECT_EQ(error.side(), Side::kSource);
  EXPECT_THAT(error.describe(), HasSubstr("may not read: public.closed"));
  expect_target_unchanged();
  test::shared_source().sql("errors", "GRANT SELECT ON closed TO err_reader; CREATE SEQUENCE shut");
  EXPECT_THAT(error_of(wanted).describe(), HasSubstr("may not read: sequence public.shut"));
  expect_target_unchanged();
}

TEST_F(CloneErrors, RowLevelSecurityThatWouldHideRows) {
  test::shared_source().sql("errors",
                            "DO $$ BEGIN CREATE ROLE err_reader LOGIN; EXCEPTION WHEN duplicate_object THEN END $$;"
                            "ALTER TABLE t ENABLE ROW LEVEL SECURITY; GRANT SELECT ON t TO err_reader;"
                            "CREATE POLICY half ON t USING (i <= 50)");
  CloneOptions wanted = options("errors");
  wanted.source = test::shared_source().conninfo("errors", "err_reader");
  const Error error = error_of(wanted);
  EXPECT_EQ(error.side(), Side::kSource);
  EXPECT_THAT(error.describe(), HasSubstr("row-level security"));
  EXPECT_THAT(error.describe(), HasSubstr("public.t"));
  expect_target_unchanged();
}

TEST_F(CloneErrors, NoPermissionToCreate) {
  test::shared_target().sql("errors",
                            "DO $$ BEGIN CREATE ROLE err_writer LOGIN; EXCEPTION WHEN duplicate_object THEN END $$");
  CloneOptions wanted = options("errors");
  wanted.target = test::shared_target().conninfo("errors", "err_writer");
  Error error = error_of(wanted);
  EXPECT_EQ(error.side(), Side::kTarget);
  EXPECT_EQ(error.sqlstate(), "42501");
  EXPECT_THAT(error.describe(), HasSubstr("GRANT CREATE ON SCHEMA \"public\""));
  expect_target_unchanged();
  test::shared_source().sql("errors", "CREATE SCHEMA more");
  error = error_of(wanted);
  EXPECT_THAT(error.describe(), HasSubstr("GRANT CREATE ON DATABASE \"errors\""));
  expect_target_unchanged();
}

TEST_F(CloneErrors, MissingRolesAreListedBeforeAnythingIsDone) {
  test::shared_source().sql("errors",
                            "CREATE ROLE err_only_here; CREATE ROLE err_granted; ALTER TABLE t OWNER TO err_only_here;"
                            "GRANT SELECT ON t TO err_granted");
  const Error error = error_of(options("errors"));
  EXPECT_EQ(error.side(), Side::kTarget);
  EXPECT_THAT(error.describe(), HasSubstr("err_granted, err_only_here"));
  EXPECT_TRUE(error.has(Remedy::kMakeRoles));
  EXPECT_TRUE(error.is_unchanged());
  expect_target_unchanged();
  test::shared_source().sql("errors", "DROP TABLE t; DROP ROLE err_only_here; DROP ROLE err_granted");
}

TEST_F(CloneErrors, TheSameDatabaseTwice) {
  CloneOptions wanted = options("errors");
  wanted.target = wanted.source;
  EXPECT_THAT(error_of(wanted).describe(), HasSubstr("the same database"));
}

TEST_F(CloneErrors, AWorkDirectoryInUse) {
  const FileLock other(folder_.path() / "lock", "");
  const Error error = error_of(options("errors"));
  EXPECT_EQ(error.kind(), ErrorKind::kState);
  EXPECT_EQ(error.side(), Side::kLocal);
  EXPECT_TRUE(error.has(Remedy::kOtherWorkFolder));
}

TEST_F(CloneErrors, AWorkDirectoryThatCannotBeMade) {
  CloneOptions wanted = options("errors");
  wanted.work_folder = "/proc/no/such";
  EXPECT_THAT(error_of(wanted).describe(), HasSubstr("/proc/no/such"));
}

// A superuser is held to no limit, so a user without that right copies a database of its own.
TEST_F(CloneErrors, AConnectionLimitThatNoCopyCanWorkWithIsSaidBefore) {
  for (const test::Cluster* server : {&test::shared_source(), &test::shared_target()}) {
    server->sql("postgres", "DROP ROLE IF EXISTS limited");
    server->sql("postgres", "CREATE ROLE limited LOGIN");
  }
  test::shared_source().create_database("limits", "OWNER limited TEMPLATE template0");
  test::shared_target().create_database("limits", "OWNER limited TEMPLATE template0");
  test::shared_source().sql("limits", "SET ROLE limited; CREATE TABLE t AS SELECT generate_series(1, 10) AS i");
  CloneOptions wanted = options("limits");
  wanted.source = test::shared_source().conninfo("limits", "limited");
  wanted.target = test::shared_target().conninfo("limits", "limited");
  const auto limit = [](const test::Cluster& server, const std::string& what) {
    server.sql("postgres", "ALTER " + what);
  };
  // The session that has made the table counts, too, as long as its server process has not ended.
  EXPECT_TRUE(test::wait_until([] {
    return test::shared_source().value("postgres", "SELECT count(*) FROM pg_stat_activity WHERE datname = 'limits'") ==
           "0";
  }));
  limit(test::shared_source(), "DATABASE limits CONNECTION LIMIT 1");
  Error error = error_of(wanted);
  EXPECT_EQ(error.side(), Side::kSource);
  EXPECT_THAT(error.describe(), HasSubstr("database limits: its CONNECTION LIMIT is 1, and a copy needs 3"));
  EXPECT_THAT(error.describe(), HasSubstr("ALTER DATABASE limits CONNECTION LIMIT 6"));
  EXPECT_FALSE(target_changed_);
  limit(test::shared_source(), "DATABASE limits CONNECTION LIMIT -1");
  limit(test::shared_target(), "ROLE limited CONNECTION LIMIT 2");
  error = error_of(wanted);
  EXPECT_EQ(error.side(), Side::kTarget);
  EXPECT_THAT(error.describe(), HasSubstr("role limited: its CONNECTION LIMIT is 2"));
  EXPECT_FALSE(target_changed_);
  // What may be enough is only warned of: three sessions are, with one job of each kind.
  limit(test::shared_target(), "ROLE limited CONNECTION LIMIT 3");
  limit(test::shared_source(), "ROLE limited CONNECTION LIMIT 3");
  wanted.table_jobs = wanted.index_jobs = 1;
  const CloneSummary summary = Clone(wanted, sink_).run();
  EXPECT_TRUE(summary.complete()) << failures(summary);
  test::shared_target().create_database("limits", "OWNER limited TEMPLATE template0");
  wanted.table_jobs = 8;
  (void)Clone(wanted, sink_).plan();
  EXPECT_THAT(sink_.text(),
              HasSubstr("role limited of the source: its CONNECTION LIMIT is 3, and the jobs may use 10"));
}

TEST_F(CloneErrors, JobsOutOfRange) {
  CloneOptions wanted = options("errors");
  wanted.table_jobs = 0;
  EXPECT_EQ(error_of(wanted).kind(), ErrorKind::kUsage);
  wanted.table_jobs = 4;
  wanted.index_jobs = 100000;
  EXPECT_THAT(error_of(wanted).what(), HasSubstr("the number of index jobs must be from 1 to 256, not 100000"));
}

TEST_F(CloneErrors, TheWorkDirectoryKeepsItsModeAndNoArchiveWithSecretsStaysThere) {
  using std::filesystem::perms;
  const perms mode = perms::owner_all | perms::group_read | perms::group_exec;
  std::filesystem::permissions(folder_.path(), mode);
  EXPECT_TRUE(clone("errors").complete());
  EXPECT_EQ(std::filesystem::status(folder_.path()).permissions(), mode);
  std::set<std::string> files;
  for (const auto& file : std::filesystem::directory_iterator(folder_.path())) files.insert(file.path().filename());
  EXPECT_EQ(files, (std::set<std::string>{"finished", "finished.json", "lock", "run", "state.sqlite"}));
}

TEST_F(CloneErrors, BytesThatTheTargetsEncodingDoesNotKnowAreAnErrorAndNotStored) {
  test::shared_source().create_database("errors", "TEMPLATE template0 ENCODING 'SQL_ASCII' LOCALE 'C'");
  test::shared_source().sql("errors",
                            "SET client_encoding = 'SQL_ASCII'; CREATE TABLE good AS SELECT E'\\303\\244'::text AS v;"
                            "CREATE TABLE bad AS SELECT E'\\344'::text AS v");
  const CloneSummary summary = clone("errors");
  ASSERT_EQ(summary.failed.size(), 1U) << failures(summary);
  EXPECT_EQ(summary.failed[0].name, "rows of table public.bad");
  EXPECT_EQ(summary.failed[0].error.sqlstate(), "22021");
  EXPECT_EQ(test::shared_target().value("errors", "SELECT v FROM good"), "ä");
}

TEST_F(CloneErrors, AnExtensionInAnotherSchemaIsFoundBefore) {
  test::shared_source().sql("errors", "CREATE SCHEMA s; CREATE EXTENSION hstore SCHEMA s");
  test::shared_target().sql("errors", "CREATE EXTENSION hstore");
  EXPECT_THAT(error_of(options("errors")).describe(), HasSubstr("ALTER EXTENSION \"hstore\" SET SCHEMA \"s\""));
  expect_target_unchanged();
}

TEST_F(CloneErrors, ARoleThatAPolicyNamesIsNeededWithoutOwnersAndGrantsToo) {
  test::shared_source().sql("errors", "CREATE ROLE err_policy; CREATE POLICY p ON t TO err_policy USING (true)");
  CloneOptions wanted = options("errors");
  wanted.restore.owners = false;
  wanted.restore.acls = false;
  EXPECT_THAT(error_of(wanted).describe(), HasSubstr("are missing: err_policy"));
  expect_target_unchanged();
  test::shared_source().sql("errors", "DROP POLICY p ON t; DROP ROLE err_policy");
}

TEST_F(CloneErrors, OtherObjectsOnTheTargetStayAndAreMentioned) {
  test::shared_target().sql("errors", "CREATE TABLE precious AS SELECT 1 AS i");
  const CloneSummary summary = clone("errors");
  EXPECT_TRUE(summary.complete()) << failures(summary);
  EXPECT_THAT(summary.warnings, ::testing::Contains(HasSubstr("become the source's (unless they are left out)")));
  EXPECT_EQ(test::shared_target().value("errors", "SELECT i FROM precious"), "1");
}

// A source and a target of the test's own, which it may kill.
class ServerGoesAway : public ::testing::TestWithParam<bool> {};

TEST_P(ServerGoesAway, EndsTheCloneWithTheSideNamed) {
  test::Cluster source;
  test::Cluster target;
  source.create_database("d");
  target.create_database("d");
  source.sql(
      "d",
      "CREATE TABLE t AS SELECT i, repeat('x', 1000) AS v FROM generate_series(1, 100000) i; CREATE INDEX ON t (v, i)");
  test::RecordingSink sink;
  const TemporaryFolder folder;
  CloneOptions options;
  options.source = source.conninfo("d");
  options.target = target.conninfo("d");
  options.work_folder = folder.path();
  options.retry_for = std::chrono::seconds(2);
  Clone clone(options, sink);
  std::thread killer([&] {
    while (clone.progress().copied.count < 1000000) std::this_thread::yield();
    (GetParam() ? source : target).kill();
  });
  try {
    clone.run();
    ADD_FAILURE() << "the clone did not notice";
  } catch (const Error& error) {
    EXPECT_EQ(error.side(), GetParam() ? Side::kSource : Side::kTarget) << error.describe();
    EXPECT_TRUE(error.poisons_connection());
  }
  killer.join();
  EXPECT_TRUE(clone.target_changed());
}

INSTANTIATE_TEST_SUITE_P(Side, ServerGoesAway, ::testing::Values(true, false));

// The locks are gone then, but each table is looked at after its COPY: nothing was done to it.
TEST(SnapshotHolder, ThatIsLostIsNoHarmAsLongAsNothingChanges) {
  test::Cluster& source = test::shared_source();
  source.create_database("holder");
  test::shared_target().create_database("holder");
  source.sql("holder", "CREATE TABLE t AS SELECT i, repeat('x', 1000) AS v FROM generate_series(1, 200000) i");
  test::RecordingSink sink;
  const TemporaryFolder folder;
  CloneOptions options;
  options.source = source.conninfo("holder");
  options.target = test::shared_target().conninfo("holder");
  options.work_folder = folder.path();
  Clone clone(options, sink);
  std::thread killer([&] {
    while (clone.progress().copied.count == 0) std::this_thread::yield();
    source.sql("postgres",
               "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'pgsluice: snapshot'");
  });
  const pipeline::CloneSummary summary = clone.run();
  killer.join();
  EXPECT_TRUE(summary.complete());
  EXPECT_EQ(summary.rows, 200000);
}

TEST_F(CloneErrors, ALostTargetNamesWhatItWasDoing) {
  make("lost",
       "CREATE MATERIALIZED VIEW deadly AS SELECT CASE WHEN current_setting('application_name') LIKE 'pgsluice: b%'"
       " THEN pg_terminate_backend(pg_backend_pid()) END AS t");
  const Error error = error_of(options("lost"));
  EXPECT_EQ(error.side(), Side::kTarget);
  EXPECT_EQ(error.sqlstate(), "57P01");
  EXPECT_NE(error.object().find("deadly"), std::string::npos) << error.describe();
}

TEST_F(CloneErrors, ALockTableThatIsTooSmallIsSaidWithTheNumberThatIsNeeded) {
  test::Cluster source({.settings = {"max_connections = 20", "max_locks_per_transaction = 10"}});
  source.create_database("many_locks");
  source.sql("many_locks",
             "DO $$ BEGIN FOR i IN 1..95 LOOP EXECUTE format('CREATE TABLE t%s AS SELECT g AS a, g AS b,"
             " repeat(''x'', 200) AS c FROM generate_series(1, 200) g', i); EXECUTE format('CREATE INDEX"
             " ON t%s (a)', i); EXECUTE format('CREATE INDEX ON t%s (b)', i); END LOOP; END $$");
  test::shared_target().create_database("many_locks");
  CloneOptions wanted = options("many_locks");
  wanted.source = source.conninfo("many_locks");
  wanted.split.when = copy::SplitOptions::When::kLarger;
  wanted.split.size = Bytes{20000};
  const Error error = error_of(wanted);
  EXPECT_THAT(error.describe(), HasSubstr("95 tables have to be locked"));
  EXPECT_FALSE(target_changed_);
  // With the number that it says, and no other change, it is enough.
  const std::string hint = error.hint();
  const std::string number = hint.substr(hint.find("to ") + 3, hint.find(" or more") - hint.find("to ") - 3);
  source.sql("postgres", "ALTER SYSTEM SET max_locks_per_transaction = " + number);
  source.stop_fast();
  source.start();
  const CloneSummary summary = Clone(wanted, sink_).run();
  EXPECT_TRUE(summary.complete()) << hint << "\n" << failures(summary);
}

// Sequences count on when a statement fails, so that each of these errors comes once.
TEST_F(CloneErrors, DefinitionsThatMetADeadlockOrAConcurrentChangeAreMadeAgain) {
  make("ddl_again",
       "CREATE TABLE t (i int PRIMARY KEY, j int); CREATE INDEX by_j ON t (j); GRANT SELECT ON t TO pg_monitor");
  test::shared_target().sql("ddl_again", R"sql(
    CREATE SCHEMA probe; CREATE SEQUENCE probe.indexes; CREATE SEQUENCE probe.grants;
    CREATE FUNCTION probe.fail_once() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN
      IF tg_tag = 'CREATE INDEX' AND nextval('probe.indexes') = 1 THEN
        RAISE EXCEPTION 'deadlock detected' USING ERRCODE = '40P01'; END IF;
      IF tg_tag = 'GRANT' AND nextval('probe.grants') = 1 THEN
        RAISE EXCEPTION 'tuple concurrently updated' USING ERRCODE = 'XX000'; END IF; END $$;
    CREATE EVENT TRIGGER fail_once ON ddl_command_start EXECUTE FUNCTION probe.fail_once();
  )sql");
  const CloneSummary summary = clone("ddl_again");
  EXPECT_TRUE(summary.complete()) << failures(summary);
  EXPECT_THAT(sink_.text(), HasSubstr("is tried again: deadlock detected"));
  EXPECT_THAT(sink_.text(), HasSubstr("is tried again: tuple concurrently updated"));
  EXPECT_EQ(test::shared_target().value("ddl_again",
                                        "SELECT to_regclass('public.by_j') IS NOT NULL AND"
                                        " has_table_privilege('pg_monitor', 'public.t', 'SELECT')"),
            "t");
}

TEST_F(CloneErrors, LargeObjectsThatMayNotBeReadAreFoundBeforeTheStart) {
  make("unreadable", "CREATE TABLE t (i int); GRANT SELECT ON t TO PUBLIC; SELECT lo_create(4711), lo_create(4712)");
  test::shared_source().sql("postgres", "DROP ROLE IF EXISTS lo_nobody; CREATE ROLE lo_nobody LOGIN");
  CloneOptions wanted = options("unreadable");
  wanted.source = test::shared_source().conninfo("unreadable", "lo_nobody");
  EXPECT_THAT(error_of(wanted).describe(), HasSubstr("lo_nobody may not read 2 large objects (one is 4711)"));
  EXPECT_FALSE(target_changed_);
  wanted.large_objects = false;
  EXPECT_TRUE(Clone(wanted, sink_).run().complete());
}

TEST_F(CloneErrors, NothingWasChangedIsNotSaidBehindWhatWasDropped) {
  make("dropped", "CREATE TABLE t AS SELECT 1 AS i");
  test::shared_target().sql("dropped", R"sql(
    CREATE TABLE t (i int); CREATE SCHEMA probe;
    CREATE FUNCTION probe.fail() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no schemas'; END $$;
    CREATE EVENT TRIGGER no_schemas ON ddl_command_start WHEN TAG IN ('CREATE SCHEMA') EXECUTE FUNCTION probe.fail();
  )sql");
  CloneOptions wanted = options("dropped");
  wanted.drop_if_exists = true;
  EXPECT_THAT(error_of(wanted).describe(), HasSubstr("no schemas"));
  EXPECT_TRUE(target_changed_);
  EXPECT_EQ(test::shared_target().value("dropped", "SELECT to_regclass('public.t') IS NULL"), "t");
}

}  // namespace
}  // namespace pgsluice::pipeline
