// All databases of a server, on servers of their own.
#include "pgsluice/server_clone.h"

#include <gmock/gmock.h>

#include <atomic>
#include <thread>

#include "pgsluice/server_archive.h"
#include "schema/catalog/databases.h"
#include "store/server_manifest.h"
#include "tests/pipeline/clone_fixture.h"
#include "tests/support/wait_until.h"

namespace pgsluice::pipeline {
namespace {

using test::Cluster;
using ::testing::HasSubstr;

class ServerCloneTest : public ::testing::Test {
 protected:
  void SetUp() override {
    source_.sql("postgres", "CREATE ROLE keeper LOGIN PASSWORD 'hidden'");
    source_.create_database("small", "TEMPLATE template0 OWNER keeper");
    source_.create_database("latin", "TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'");
    source_.create_database("Odd name/\"x\"", "TEMPLATE template0");
    source_.create_database("a_template", "TEMPLATE template0 IS_TEMPLATE true");
    source_.sql("small", R"sql(
      CREATE TABLE t (i int PRIMARY KEY, s text); INSERT INTO t SELECT g, repeat('x', 100) FROM generate_series(1, 20000) g;
      CREATE INDEX ON t (s); ALTER TABLE t OWNER TO keeper; ALTER DATABASE small SET work_mem = '7MB';
      COMMENT ON DATABASE small IS 'one of several'; SELECT lo_from_bytea(0, 'large'))sql");
    source_.sql("latin", "CREATE TABLE t AS SELECT 'caf' || chr(233) AS s; CREATE TABLE u (i serial)");
    source_.sql("Odd name/\"x\"", R"sql(
      DO $$ BEGIN FOR i IN 1..30 LOOP EXECUTE format('CREATE TABLE t%s (i int PRIMARY KEY)', i);
        EXECUTE format('INSERT INTO t%s SELECT generate_series(1, 500)', i); END LOOP; END $$)sql");
    source_.sql("postgres", "CREATE TABLE in_postgres AS SELECT 1 AS i");
  }

  CloneOptions options() const {
    CloneOptions result;
    result.source = source_.conninfo("postgres");
    result.target = target_.conninfo("postgres");
    result.work_folder = folder_.path();
    result.retry_for = std::chrono::seconds(1);
    result.roles = true;
    result.table_jobs = 2;
    result.index_jobs = 2;
    return result;
  }

  std::vector<std::string> differences(const std::string& database) const {
    return test::compare_databases(source_.conninfo(database), target_.conninfo(database), test::server_bindir());
  }

  static std::string failures(const ServerSummary& summary) {
    std::string text;
    for (const DatabaseResult& database : summary.databases) {
      if (database.error) text += database.name + ": " + database.error->describe() + "\n";
      for (const FailedObject& object : database.summary.failed) text += object.error.describe() + "\n";
    }
    return text;
  }

  static const DatabaseResult& result_of(const ServerSummary& summary, const std::string& name) {
    return *std::find_if(summary.databases.begin(), summary.databases.end(),
                         [&](const DatabaseResult& result) { return result.name == name; });
  }

  Cluster source_;
  Cluster target_;
  test::RecordingSink sink_;
  TemporaryFolder folder_;
};

TEST_F(ServerCloneTest, AllComeOutEqualAndAreMadeWhereTheyAreMissing) {
  target_.create_database("latin", "TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'");
  ServerClone clone(options(), sink_);
  const std::vector<PlannedDatabase> planned = ServerClone(options(), sink_).plan();
  ASSERT_EQ(planned.size(), 4U);
  EXPECT_EQ(planned[0].database.name, "small");
  EXPECT_THAT(planned[0].create_sql, HasSubstr("ENCODING 'UTF8' LOCALE_PROVIDER libc LC_COLLATE 'C.UTF-8'"));
  const ServerSummary summary = clone.run();
  EXPECT_TRUE(summary.complete()) << failures(summary);
  EXPECT_TRUE(result_of(summary, "small").made);
  EXPECT_FALSE(result_of(summary, "latin").made);
  EXPECT_EQ(result_of(summary, "small").summary.rows, 20000);
  for (const char* name : {"small", "latin", "Odd name/\"x\"", "postgres"}) {
    EXPECT_EQ(differences(name), std::vector<std::string>{}) << name;
  }
  const std::string properties =
      "SELECT concat_ws(' ', encoding, datcollate, pg_get_userbyid(datdba), shobj_description(oid, 'pg_database'),"
      " (SELECT setconfig FROM pg_db_role_setting WHERE setdatabase = d.oid)) FROM pg_database d WHERE datname = "
      "'small'";
  EXPECT_EQ(source_.value("postgres", properties), target_.value("postgres", properties));
  EXPECT_EQ(target_.value("postgres", "SELECT count(*) FROM pg_database WHERE datname = 'a_template'"), "0");
  EXPECT_EQ(clone.progress().fraction, 1);
  EXPECT_THAT(sink_.text(), HasSubstr("small: all rows are read"));
}

// The same by way of the disk.
TEST_F(ServerCloneTest, ArchivesOfAllAreRestoredAndEqual) {
  ArchiveOptions wanted{.source = source_.conninfo("postgres"), .folder = folder_.path() / "archives", .roles = true};
  ServerArchiveCreation creation(wanted, sink_);
  const ServerArchiveSummary made = creation.run();
  EXPECT_TRUE(made.complete());
  EXPECT_EQ(made.databases.size(), 4U);
  EXPECT_EQ(creation.progress().fraction, 1);
  EXPECT_THAT(sink_.text(), HasSubstr("small: table public.t: 20000 rows"));

  CloneOptions restoring = options();
  restoring.source.clear();
  restoring.archive = wanted.folder;
  restoring.verify = true;
  const std::vector<PlannedDatabase> planned = ServerClone(restoring, sink_).plan();
  ASSERT_EQ(planned.size(), 4U);
  EXPECT_EQ(planned[0].database.name, "small");
  const ServerSummary summary = ServerClone(restoring, sink_).run();
  EXPECT_TRUE(summary.complete()) << failures(summary);
  for (const char* name : {"small", "latin", "Odd name/\"x\"", "postgres"}) {
    EXPECT_EQ(differences(name), std::vector<std::string>{}) << name;
  }
  // Each is an archive by itself, which becomes a database of any name, made as the source's was.
  ServerCloneOptions care;
  care.databases = {"renamed"};
  restoring.archive = made.databases.back().folder;
  restoring.work_folder = folder_.path() / "again";
  const std::string& last = made.databases.back().database;
  EXPECT_TRUE(ServerClone(restoring, sink_, care).run().complete());
  EXPECT_EQ(test::compare_databases(source_.conninfo(last), target_.conninfo("renamed"), test::server_bindir()),
            std::vector<std::string>{});
  // The folder of all is no archive of one.
  restoring.archive = wanted.folder;
  restoring.database = "renamed";
  try {
    Clone(restoring, sink_).run();
    ADD_FAILURE() << "restored";
  } catch (const Error& error) {
    EXPECT_THAT(error.describe(), HasSubstr("holds archives of 4 databases"));
  }
}

TEST_F(ServerCloneTest, ArchivesOfAllGoOnWhereOneHasFailed) {
  source_.sql("postgres",
              "CREATE ROLE archiver LOGIN IN ROLE pg_read_all_data; REVOKE CONNECT ON DATABASE latin FROM PUBLIC");
  ArchiveOptions wanted{.source = source_.conninfo("postgres", "archiver"), .folder = folder_.path() / "archives"};
  wanted.large_objects = false;  // which are another's
  const ServerArchiveSummary first = ServerArchiveCreation(wanted, sink_).run();
  EXPECT_FALSE(first.complete());
  EXPECT_FALSE(store::holds_databases(wanted.folder));
  source_.sql("postgres", "GRANT CONNECT ON DATABASE latin TO archiver");
  EXPECT_THROW(ServerArchiveCreation(wanted, sink_).run(), Error);  // it is not empty
  wanted.resume = true;
  const ServerArchiveSummary second = ServerArchiveCreation(wanted, sink_).run();
  EXPECT_TRUE(second.complete());
  EXPECT_TRUE(store::holds_databases(wanted.folder));
  EXPECT_THAT(sink_.text(), HasSubstr("is complete already"));
  // Those of another server are not taken for these.
  wanted.source = target_.conninfo("postgres");
  target_.sql("postgres", "CREATE DATABASE small");
  EXPECT_FALSE(ServerArchiveCreation(wanted, sink_).run().complete());
  EXPECT_THAT(sink_.text(), HasSubstr("holds the archive of another database"));
}

// A name may be another database's by then.
TEST_F(ServerCloneTest, AnArchiveIsOfADatabaseAndNotOfAName) {
  source_.sql("postgres", "ALTER DATABASE latin ALLOW_CONNECTIONS false");
  ArchiveOptions wanted{.source = source_.conninfo("postgres"), .folder = folder_.path() / "archives"};
  const ServerArchiveSummary first = ServerArchiveCreation(wanted, sink_, {}, {"postgres"}).run();
  EXPECT_TRUE(first.complete());
  EXPECT_EQ(first.databases.size(), 2U);
  EXPECT_THAT(first.warnings,
              ::testing::Contains(HasSubstr("database latin: left out, since it takes no connections")));
  source_.sql("postgres", "ALTER DATABASE small RENAME TO small_before");
  source_.sql("postgres", "CREATE DATABASE small");
  wanted.resume = true;
  const ServerArchiveSummary second = ServerArchiveCreation(wanted, sink_, {}, {"postgres", "small_before"}).run();
  EXPECT_FALSE(second.complete());
  EXPECT_THAT(sink_.text(), HasSubstr("holds the archive of another database"));
}

TEST_F(ServerCloneTest, SessionsStayWithinTheDocumentedBounds) {
  std::atomic<bool> done{false};
  std::atomic<int> most_of_source{0};
  std::atomic<int> most_of_target{0};
  std::jthread watch([&] {
    pg::Connection source = source_.connect("postgres");
    pg::Connection target = target_.connect("postgres");
    const std::string count =
        "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()";
    while (!done) {
      most_of_source = std::max(most_of_source.load(), static_cast<int>(source.execute(count)[0].integer(0)));
      most_of_target = std::max(most_of_target.load(), static_cast<int>(target.execute(count)[0].integer(0)));
    }
  });
  const ServerSummary summary = ServerClone(options(), sink_).run();
  done = true;
  EXPECT_TRUE(summary.complete()) << failures(summary);
  const int databases = 4;
  EXPECT_LE(most_of_source, 2 + 2 + databases);
  EXPECT_LE(most_of_target, 2 + 2 + databases);
  EXPECT_GT(most_of_target, 1);
}

TEST_F(ServerCloneTest, OneThatFailsLeavesTheOthersAloneAndIsTriedAgain) {
  target_.create_database("small");
  target_.sql("small", "CREATE TABLE t (i int)");
  CloneOptions wanted = options();
  const ServerSummary summary = ServerClone(wanted, sink_).run();
  EXPECT_FALSE(summary.complete());
  ASSERT_TRUE(result_of(summary, "small").error);
  EXPECT_THAT(result_of(summary, "small").error->what(), HasSubstr("not empty"));
  EXPECT_TRUE(result_of(summary, "latin").complete());
  EXPECT_EQ(differences("latin"), std::vector<std::string>{});
  target_.sql("small", "DROP TABLE t");
  wanted.earlier_run = EarlierRun::kResume;
  const ServerSummary again = ServerClone(wanted, sink_).run();
  EXPECT_TRUE(again.complete()) << failures(again);
  EXPECT_EQ(differences("small"), std::vector<std::string>{});
}

TEST_F(ServerCloneTest, TheFirstFailureMayEndAll) {
  target_.create_database("small");
  target_.sql("small", "CREATE TABLE t (i int)");
  CloneOptions wanted = options();
  wanted.on_failure = FailurePolicy::kStopAtFirst;
  const ServerSummary summary = ServerClone(wanted, sink_).run();
  EXPECT_FALSE(summary.cancelled);
  for (const DatabaseResult& database : summary.databases) EXPECT_TRUE(database.error) << database.name;
}

TEST_F(ServerCloneTest, ACancellationLeavesWhatAResumeGoesOnWith) {
  source_.sql(
      "small",
      "CREATE FUNCTION slow(i int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS"
      " 'BEGIN IF i % 5000 = 0 THEN PERFORM pg_sleep(0.5); END IF; RETURN i; END'; CREATE INDEX ON t (slow(i))");
  ServerClone clone(options(), sink_);
  std::jthread user([&] {
    const auto runs = [&] {
      const ProgressSnapshot now = clone.progress();
      return std::any_of(now.running.begin(), now.running.end(),
                         [](const auto& running) { return running.name.rfind("small: index", 0) == 0; });
    };
    while (!runs() && clone.progress().fraction < 1) std::this_thread::sleep_for(std::chrono::milliseconds(10));
    clone.cancel();
  });
  const ServerSummary summary = clone.run();
  EXPECT_TRUE(summary.cancelled);
  EXPECT_FALSE(summary.complete());
  // A backend takes a moment to see that its client is gone.
  const std::string left =
      "SELECT count(*) FROM pg_stat_activity WHERE application_name ~ '^pgsluice' AND pid <> pg_backend_pid()";
  EXPECT_TRUE(test::wait_until([&] { return target_.value("postgres", left) == "0"; }));
  CloneOptions wanted = options();
  wanted.earlier_run = EarlierRun::kResume;
  const ServerSummary again = ServerClone(wanted, sink_).run();
  EXPECT_TRUE(again.complete()) << failures(again);
  for (const char* name : {"small", "latin", "Odd name/\"x\"", "postgres"}) {
    EXPECT_EQ(differences(name), std::vector<std::string>{}) << name;
  }
}

TEST_F(ServerCloneTest, WhatTakesNoConnectionsIsNamed) {
  source_.sql("postgres", "ALTER DATABASE latin ALLOW_CONNECTIONS false");
  const ServerSummary summary = ServerClone(options(), sink_).run();
  ASSERT_TRUE(result_of(summary, "latin").error);
  EXPECT_THAT(result_of(summary, "latin").error->describe(), HasSubstr("ALLOW_CONNECTIONS"));
  EXPECT_EQ(target_.value("postgres", "SELECT count(*) FROM pg_database WHERE datname = 'latin'"), "0");
}

TEST_F(ServerCloneTest, WhatADropWasInterruptedOfIsLeftOutWithAWarning) {
  source_.sql("postgres", "UPDATE pg_database SET datconnlimit = -2 WHERE datname = 'latin'");
  const ServerSummary summary = ServerClone(options(), sink_).run();
  EXPECT_TRUE(summary.complete()) << failures(summary);
  EXPECT_EQ(summary.databases.size(), 3U);
  EXPECT_THAT(summary.warnings, ::testing::Contains(HasSubstr("database latin: left out")));
  EXPECT_EQ(target_.value("postgres", "SELECT count(*) FROM pg_database WHERE datname = 'latin'"), "0");
}

TEST_F(ServerCloneTest, ARefusedSettingOfARoleIsAFailureAmongOthers) {
  // A parameter of a module that only the target has loaded, and knows no such parameter of.
  source_.sql("postgres", "ALTER ROLE keeper SET plpgsql.nonsense = 'on'");
  target_.sql("postgres", "ALTER SYSTEM SET session_preload_libraries = 'plpgsql'");
  target_.sql("postgres", "SELECT pg_reload_conf(), pg_sleep(0.5)");
  const ServerSummary summary = ServerClone(options(), sink_).run();
  EXPECT_FALSE(summary.complete());
  ASSERT_EQ(summary.roles_failed.size(), 1U);
  EXPECT_THAT(summary.roles_failed.front().describe(), HasSubstr("plpgsql.nonsense"));
  for (const DatabaseResult& database : summary.databases) EXPECT_TRUE(database.complete()) << database.name;
}

TEST_F(ServerCloneTest, ALocaleThatTheTargetHasNotIsAnErrorWithWhatToDo) {
  const schema::Database database{.name = "x", .encoding = "UTF8", .collate = "no_NO.such", .ctype = "C"};
  EXPECT_THAT(schema::create_sql(database, 150000, true), HasSubstr("LC_COLLATE 'no_NO.such' LC_CTYPE 'C'"));
  EXPECT_EQ(schema::create_sql(database, 140000, true),
            "CREATE DATABASE \"x\" TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'no_NO.such' LC_CTYPE 'C'");
  const schema::Database icu{.name = "x",
                             .encoding = "UTF8",
                             .locale_provider = 'i',
                             .collate = "C",
                             .ctype = "C",
                             .locale = "und",
                             .tablespace = "fast"};
  EXPECT_THAT(schema::create_sql(icu, 170000, true), HasSubstr("icu LC_COLLATE 'C' LC_CTYPE 'C' ICU_LOCALE 'und'"));
  EXPECT_THAT(schema::create_sql(icu, 170000, true), HasSubstr("TABLESPACE \"fast\""));
  EXPECT_THAT(schema::create_sql(icu, 170000, false), ::testing::Not(HasSubstr("fast")));
  EXPECT_THROW(target_.sql("postgres", schema::create_sql(database, 150000, true)), Error);
}

TEST_F(ServerCloneTest, WhatIsOfOneDatabaseIsRefused) {
  CloneOptions wanted = options();
  wanted.snapshot = "00000003-00000001-1";
  EXPECT_THROW(ServerClone(wanted, sink_), Error);
  wanted = options();
  wanted.target = wanted.source;
  EXPECT_THROW(ServerClone(wanted, sink_).run(), Error);
}

}  // namespace
}  // namespace pgsluice::pipeline
