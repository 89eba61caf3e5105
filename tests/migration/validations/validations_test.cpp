// Each validation on a real server that has the fault; where a finding names the statement that mends it, that is run,
// and the finding is gone.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <unistd.h>

#include <fstream>

#include "base/subprocess.h"
#include "tests/migration/validation_fixture.h"
#include "tests/support/downloads.h"
#include "tests/support/version_proxy.h"

namespace pgsluice::migration {
namespace {

// --- SourceVersionValidation

TEST_F(ValidationTest, ATargetThatIsOlderThanTheSource) {
  const std::filesystem::path programs = test::server_programs(12);
  if (programs.empty()) GTEST_SKIP() << test::kNoDownloads;
  const Cluster older({.bindir = programs});
  EXPECT_THAT(said(between(shared_source(), older), "SourceVersionValidation"),
              HasSubstr("Failed: the target is of version 12"));
  shared_target().sql("postgres", "DROP DATABASE validated");
  EXPECT_THAT(said(between(older, shared_target()), "SourceVersionValidation"), HasSubstr("Succeeded: source 12"));
}

TEST_F(ValidationTest, ASourceOfBefore10IsOlderThanAnyTargetAndAllIsValidated) {
  const std::filesystem::path programs = test::server_programs(10);
  if (programs.empty()) GTEST_SKIP() << test::kNoDownloads;
  const Cluster source({.bindir = programs});
  source.create_database(kDatabase);
  source.sql("postgres", fmt::format("ALTER ROLE postgres PASSWORD '{}'", kPassword));
  const test::VersionProxy old(source.socket_path(), "9.6.9");
  ValidationRequest wanted = between(source, shared_target());
  wanted.source = old.conninfo("postgres") + " password=" + kPassword;
  EXPECT_THAT(said(wanted, "SourceVersionValidation"), HasSubstr("Succeeded: source 9.6.9"));
  const test::VersionProxy too_old(source.socket_path(), "9.4.9");
  wanted.source = too_old.conninfo("postgres") + " password=" + kPassword;
  EXPECT_THAT(said(wanted, "SourceVersionValidation"), HasSubstr("9.5 is the oldest that can be migrated"));
}

TEST_F(ValidationTest, APgDumpThatIsNotThere) {
  ValidationRequest wanted = request();
  wanted.engine.pg_bindir = "/nonexistent";
  EXPECT_THAT(said(wanted, "SourceVersionValidation"), HasSubstr("Failed: there is no pg_dump in /nonexistent"));
}

// --- ServerParametersValidation

TEST_F(ValidationTest, ParametersThatDifferComeWithTheLineThatSetsThem) {
  for (const char* name : {"work_mem", "DateStyle"}) {
    shared_source().sql("postgres", fmt::format("ALTER SYSTEM SET {} = {}", name,
                                                name == std::string("work_mem") ? "'7MB'" : "sql, dmy"));
  }
  shared_source().sql("postgres", "SELECT pg_reload_conf()");
  const auto parameters = [&] { return said(request(), "ServerParametersValidation"); };
  std::string text;
  for (int tries = 0; tries < 50 && text.find("work_mem") == std::string::npos; ++tries) text = parameters();
  EXPECT_THAT(text, HasSubstr("Warning: DateStyle (changes what SQL does): SQL, DMY on the source"));
  EXPECT_THAT(text, HasSubstr("ALTER SYSTEM SET DateStyle = SQL, DMY;"));
  const std::string line = "ALTER SYSTEM SET work_mem = '7168';";
  EXPECT_THAT(text, HasSubstr("Warning: work_mem: 7.0 MB on the source, 4.0 MB on the target: " + line));
  shared_target().sql("postgres", line);
  shared_target().sql("postgres", "SELECT pg_reload_conf()");
  for (int tries = 0; tries < 50 && text.find("work_mem") != std::string::npos; ++tries) text = parameters();
  EXPECT_THAT(text, Not(HasSubstr("work_mem")));
  for (const Cluster* server : {&shared_source(), &shared_target()}) {
    server->sql("postgres", "ALTER SYSTEM RESET ALL");
    server->sql("postgres", "SELECT pg_reload_conf()");
  }
}

TEST_F(ValidationTest, AllowListPreloadedLibrariesAndSizesOfTheTarget) {
  Cluster source({.settings = {"shared_preload_libraries = 'pg_stat_statements, pg_prewarm'", "max_connections = 90"}});
  source.create_database(kDatabase);
  source.sql(kDatabase, "CREATE EXTENSION pg_stat_statements; CREATE EXTENSION pg_trgm; CREATE EXTENSION hstore");
  const Cluster target({.settings = {"azure.extensions = 'HSTORE, PG_STAT_STATEMENTS'"}});
  const std::string text = said(between(source, target), "ServerParametersValidation");
  EXPECT_THAT(text, HasSubstr("Failed: extension pg_trgm (in validated): not on the target's allow-list; add pg_trgm"));
  EXPECT_THAT(text, Not(HasSubstr("extension hstore")));
  EXPECT_THAT(text, HasSubstr("Warning: extension pg_stat_statements (in validated): its library is not preloaded"));
  EXPECT_THAT(text, HasSubstr("Warning: library pg_prewarm: preloaded on the source and not on the target"));
  EXPECT_THAT(text, HasSubstr("Warning: max_connections: 90 on the source, less on the target, 60"));
}

TEST_F(ValidationTest, WhoMayNotReadTheSettingsIsToldSo) {
  EXPECT_THAT(said(as_plain_user_of_target(), "ServerParametersValidation"),
              HasSubstr("Warning: shared_preload_libraries may not be read by the target's user: GRANT "
                        "pg_read_all_settings TO \"plain_user\""));
}

TEST_F(ValidationTest, SessionsAndLocksThatTheJobsNeed) {
  Cluster source({.settings = {"max_connections = 15", "max_locks_per_transaction = 10"}});
  source.create_database(kDatabase);
  source.sql(kDatabase, "DO $$ BEGIN FOR i IN 1..100 LOOP EXECUTE format('CREATE TABLE t%s ()', i); END LOOP; END $$");
  ValidationRequest wanted = between(source, shared_target());
  wanted.engine.table_jobs = 11;
  const std::string text = said(wanted, "ServerParametersValidation");
  EXPECT_THAT(text, HasSubstr("Failed: max_connections of the source: 13 sessions are needed for the jobs, and there "
                              "is room for 12"));
  EXPECT_THAT(text, Not(HasSubstr("max_connections of the target")));
  EXPECT_THAT(text,
              HasSubstr("Failed: database validated: 100 tables have to be locked, and the server's lock table is too "
                        "small for that (max_locks_per_transaction = 10); set max_locks_per_transaction to 13"));
}

TEST_F(ValidationTest, ASourceNearTheWraparound) {
  Cluster source({.settings = {"autovacuum_freeze_max_age = 2000000000", "max_prepared_transactions = 1"}});
  source.create_database(kDatabase);
  // Which autovacuum cannot get at.
  source.sql(kDatabase, "CREATE TABLE t (); BEGIN; LOCK TABLE t; PREPARE TRANSACTION 'keeps it'");
  const std::string data = (source.folder() / "data").string();
  const auto grow_old = [&](const std::string& transaction, const std::string& segment) {
    source.stop_fast();
    const std::string file = data + "/pg_xact/" + segment;
    std::ofstream(file) << std::string(256 * 1024, '\0');
    for (const std::vector<std::string>& command :
         {std::vector<std::string>{"chmod", "0666", file},
          test::as_server_user({(test::server_bindir() / "pg_resetwal").string(), "-x", transaction, data})}) {
      const SubprocessResult result = run_command({.command = command});
      ASSERT_EQ(result.exit_code, 0) << result.errors;
    }
    source.start();
  };
  grow_old("1600000000", "05F5");  // a segment has 2^20 transactions
  EXPECT_THAT(said(between(source, shared_target()), "ServerParametersValidation"),
              HasSubstr("Warning: database validated: its oldest transaction is 1599"));
  grow_old("2050000000", "07A3");
  EXPECT_THAT(said(between(source, shared_target()), "ServerParametersValidation"),
              HasSubstr("Failed: database validated: its oldest transaction is 2049"));
}

TEST_F(ValidationTest, ALimitOfConnectionsThatIsLessThanTheJobsNeed) {
  shared_source().sql("postgres",
                      "ALTER ROLE plain_user CONNECTION LIMIT 3; ALTER DATABASE validated CONNECTION LIMIT 4");
  ValidationRequest wanted = request();
  wanted.source = shared_source().conninfo("postgres", kPlainUser);
  const std::string text = said(wanted, "ServerParametersValidation");
  const std::string first = R"(ALTER ROLE plain_user CONNECTION LIMIT 6)";
  const std::string second = R"(ALTER DATABASE validated CONNECTION LIMIT 6)";
  EXPECT_THAT(text, HasSubstr("Failed: role plain_user of the source: its CONNECTION LIMIT of 3 is less than the 6 "
                              "sessions that the jobs need; " +
                              first));
  EXPECT_THAT(text, HasSubstr("Failed: database validated of the source: its CONNECTION LIMIT of 4"));
  shared_source().sql("postgres", first + ";" + second);
  EXPECT_THAT(said(wanted, "ServerParametersValidation"), Not(HasSubstr("CONNECTION LIMIT")));
  shared_source().sql("postgres", "ALTER DATABASE validated CONNECTION LIMIT -1");
}

TEST_F(ValidationTest, WhatADatabaseOrAUserHasSetIsNotTheServers) {
  shared_source().sql("postgres",
                      "ALTER DATABASE validated SET search_path = app, public;"
                      "ALTER DATABASE validated SET work_mem = '123MB'");
  EXPECT_THAT(said(request(), "ServerParametersValidation"), Not(HasSubstr("search_path")));
  EXPECT_THAT(said(request(), "ServerParametersValidation"), Not(HasSubstr("123 MB")));
}

// --- OverwriteValidation

TEST_F(ValidationTest, WhatHindersThatADatabaseIsMadeOver) {
  ValidationRequest wanted = request();
  wanted.overwrite = Overwrite::kYes;
  const auto is_only_foretold = ::testing::AllOf(HasSubstr("Warning: database validated: is on the target"),
                                                 HasSubstr("will be dropped"), Not(HasSubstr("Failed")));
  EXPECT_THAT(said(wanted, "OverwriteValidation"), is_only_foretold);
  shared_target().sql(kDatabase,
                      "CREATE SUBSCRIPTION feed CONNECTION 'host=/nowhere' PUBLICATION p WITH (connect = "
                      "false)");
  shared_target().sql("postgres", "ALTER DATABASE validated IS_TEMPLATE true");
  const std::string text = said(wanted, "OverwriteValidation");
  const std::string mend = R"(ALTER DATABASE "validated" IS_TEMPLATE false)";
  EXPECT_THAT(text, HasSubstr("Failed: database validated: is on the target and cannot be dropped, since it is a "
                              "template: " +
                              mend));
  EXPECT_THAT(text, HasSubstr("since the subscription feed is in it: DROP SUBSCRIPTION feed there"));
  shared_target().sql("postgres", mend);
  shared_target().sql(kDatabase, "ALTER SUBSCRIPTION feed SET (slot_name = NONE); DROP SUBSCRIPTION feed");
  EXPECT_THAT(said(wanted, "OverwriteValidation"), is_only_foretold);
  shared_target().sql(kDatabase, "SELECT pg_create_logical_replication_slot('reader', 'pgoutput')");
  EXPECT_THAT(said(wanted, "OverwriteValidation"),
              HasSubstr("Warning: database validated: its replication slot reader (pgoutput) is dropped with it"));
  shared_target().sql(kDatabase, "SELECT pg_drop_replication_slot('reader')");
}

TEST_F(ValidationTest, ATargetThatLetsItsUserIntoOtherDatabasesOnly) {
  const Cluster target;
  target.create_database(kDatabase);
  target.sql("postgres", "CREATE ROLE remote SUPERUSER LOGIN PASSWORD 'secret'");
  std::ofstream(target.folder() / "data/pg_hba.conf")
      << "local all all trust\nhost postgres all 127.0.0.1/32 scram-sha-256\n";
  target.sql("postgres", "SELECT pg_reload_conf()");
  ValidationRequest wanted = request();
  wanted.target = target.tcp_conninfo("postgres", "remote") + " password=secret";
  wanted.overwrite = Overwrite::kYes;
  std::string text;
  for (int tries = 0; tries < 50 && text.empty(); ++tries) text = said(wanted, "OverwriteValidation");
  EXPECT_THAT(text, HasSubstr("Failed: database validated: target at 127.0.0.1"));
  EXPECT_THAT(text, HasSubstr("pg_hba.conf"));
}

// --- SchemaValidation

TEST_F(ValidationTest, ATemplateIsNotMigrated) {
  shared_source().sql("postgres", "ALTER DATABASE validated IS_TEMPLATE true");
  const std::string mend = R"(ALTER DATABASE "validated" IS_TEMPLATE false)";
  EXPECT_THAT(said(request(), "SchemaValidation"), HasSubstr("Failed: database validated: a template, and templates "
                                                             "are not migrated; " +
                                                             mend));
  shared_source().sql("postgres", mend);
  EXPECT_EQ(said(request(), "SchemaValidation"), "");
}

TEST_F(ValidationTest, WhatAnybodyMakesIsNotTakenForWhatSuperusersMake) {
  shared_source().sql(kDatabase,
                      "CREATE TYPE span AS RANGE (subtype = numeric); CREATE AGGREGATE product(int) (sfunc = int4mul, "
                      "stype = int)");
  EXPECT_EQ(said(as_plain_user_of_target(), "SchemaValidation"), "");
  shared_source().sql(kDatabase,
                      "CREATE FUNCTION f() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';"
                      "CREATE EVENT TRIGGER watch ON ddl_command_end EXECUTE FUNCTION f();"
                      "CREATE PUBLICATION whole FOR ALL TABLES");
  const std::string text = said(as_plain_user_of_target(), "SchemaValidation");
  EXPECT_THAT(text, HasSubstr("Failed: event trigger watch: "));
  EXPECT_THAT(text, HasSubstr("Failed: publication whole: "));
}

TEST_F(ValidationTest, NamesOfAnyBytesAreNoObstacle) {
  shared_source().create_database(kDatabase, "TEMPLATE template0 ENCODING 'SQL_ASCII' LOCALE 'C'");
  shared_source().sql(kDatabase,
                      "SET client_encoding = SQL_ASCII; CREATE TABLE t (i int); CREATE INDEX \"caf\xe9\" ON t (i);"
                      "UPDATE pg_index SET indisvalid = false WHERE indrelid = 't'::regclass");
  EXPECT_THAT(said(request(), "SchemaValidation"), HasSubstr("Warning: index "));
}

TEST_F(ValidationTest, WhatAPlainUserOfTheTargetMayNotMake) {
  shared_source().sql(kDatabase,
                      "CREATE TYPE pair AS (a int, b int);"
                      "CREATE FUNCTION text_of(pair) RETURNS text LANGUAGE sql AS 'SELECT $1.a::text';"
                      "CREATE CAST (pair AS text) WITH FUNCTION text_of(pair);"
                      "CREATE CAST (bytea AS text) WITHOUT FUNCTION;"
                      "CREATE FUNCTION own_handler() RETURNS language_handler LANGUAGE c AS '$libdir/plpgsql', "
                      "'plpgsql_call_handler';"
                      "CREATE LANGUAGE own_language HANDLER own_handler;"
                      "GRANT SELECT (rolname) ON pg_catalog.pg_authid TO public");
  const std::string text = said(as_plain_user_of_target(), "SchemaValidation");
  EXPECT_THAT(text, HasSubstr("Failed: cast of bytea to text: the target's user is no superuser"));
  EXPECT_THAT(text, HasSubstr("DROP CAST (bytea AS text) on the source"));
  EXPECT_THAT(text, Not(HasSubstr("pair")));  // whoever owns the type may make that one
  EXPECT_THAT(text, HasSubstr("Failed: language own_language"));
  EXPECT_THAT(text, HasSubstr("Failed: function public.own_handler: in c"));
  EXPECT_THAT(text, HasSubstr("Failed: grants on pg_catalog.pg_authid"));
  EXPECT_EQ(said(request(), "SchemaValidation"), "");
}

TEST_F(ValidationTest, InvalidIndexesHashesOfEnumsAndObjectsInTheSystemsSchemas) {
  shared_source().sql(kDatabase,
                      "CREATE TABLE t (i int); CREATE INDEX t_i ON t (i);"
                      "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 't_i'::regclass;"
                      "CREATE TYPE mood AS ENUM ('good', 'bad');"
                      "CREATE TABLE moods (m mood) PARTITION BY HASH (m);"
                      "SET allow_system_table_mods = on; CREATE TABLE pg_catalog.hidden (i int);"
                      "CREATE TYPE pg_catalog.hidden_type AS ENUM ('a');"
                      "CREATE FUNCTION pg_catalog.hidden_function() RETURNS int LANGUAGE sql AS 'SELECT 1'");
  const std::string text = said(request(), "SchemaValidation");
  EXPECT_THAT(text, HasSubstr("Warning: index public.t_i: invalid, and left out; REINDEX INDEX CONCURRENTLY "));
  EXPECT_THAT(text, HasSubstr("Warning: table public.moods: partitioned by the hash of an enum"));
  EXPECT_THAT(text, HasSubstr("Failed: relation pg_catalog.hidden: in a schema of the system"));
  EXPECT_THAT(text, HasSubstr("Failed: function pg_catalog.hidden_function: in a schema of the system"));
  EXPECT_THAT(text, HasSubstr("Failed: type pg_catalog.hidden_type: in a schema of the system"));
}

TEST_F(ValidationTest, TablesWithOids) {
  const std::filesystem::path programs = test::server_programs(10);
  if (programs.empty()) GTEST_SKIP() << test::kNoDownloads;
  const Cluster older({.bindir = programs});
  older.create_database(kDatabase);
  older.sql(kDatabase, "CREATE TABLE old_style (i int) WITH OIDS; CREATE TABLE new_style (i int)");
  const std::string text = said(between(older, shared_target()), "SchemaValidation");
  EXPECT_THAT(text, HasSubstr("Failed: table public.old_style: WITH OIDS"));
  EXPECT_THAT(text, Not(HasSubstr("new_style")));
  const std::string mend = R"(ALTER TABLE "public"."old_style" SET WITHOUT OIDS)";
  ASSERT_THAT(text, HasSubstr(mend));
  older.sql(kDatabase, mend);
  EXPECT_EQ(said(between(older, shared_target()), "SchemaValidation"), "");
}

TEST_F(ValidationTest, TablespacesThatTheTargetHasNot) {
  shared_source().create_tablespace("space_of_source");
  shared_source().sql(kDatabase, "CREATE TABLE t (i int) TABLESPACE space_of_source");
  EXPECT_THAT(said(request(), "SchemaValidation"),
              HasSubstr("Failed: tablespace space_of_source: missing on the target; CREATE TABLESPACE"));
  ValidationRequest without = request();
  without.engine.restore.tablespaces = false;
  EXPECT_EQ(said(without, "SchemaValidation"), "");
  shared_source().create_database(kDatabase);
  shared_source().sql("postgres", "DROP TABLESPACE space_of_source");
}

// --- ExtensionsValidation

TEST_F(ValidationTest, AnExtensionThatOnlyASuperuserMayMake) {
  shared_source().sql(kDatabase, "CREATE EXTENSION pageinspect; CREATE EXTENSION hstore");
  const std::string text = said(as_plain_user_of_target(), "ExtensionsValidation");
  EXPECT_THAT(text, HasSubstr("Failed: extension pageinspect: only a superuser may make it"));
  EXPECT_THAT(text, Not(HasSubstr("hstore")));  // a trusted one
  ValidationRequest wanted = as_plain_user_of_target();
  wanted.existing_targets = {{kDatabase, kDatabase}};
  wanted.is_clone = true;
  wanted.target = shared_target().conninfo(kDatabase, kPlainUser);
  ASSERT_THAT(said(wanted, "ExtensionsValidation"),
              HasSubstr("CREATE EXTENSION \"pageinspect\" in the target's database"));
  shared_target().sql(kDatabase, "CREATE EXTENSION pageinspect");
  EXPECT_EQ(said(wanted, "ExtensionsValidation"), "");
}

TEST_F(ValidationTest, ExtensionsThatAreNotAvailableOrOfAnotherVersion) {
  shared_source().sql(kDatabase,
                      "CREATE SCHEMA tools; CREATE EXTENSION pg_trgm SCHEMA tools; CREATE EXTENSION hstore;"
                      "UPDATE pg_extension SET extname = 'absent' WHERE extname = 'pg_trgm';"
                      "UPDATE pg_extension SET extversion = '0.9' WHERE extname = 'hstore'");
  const std::string text = said(request(), "ExtensionsValidation");
  EXPECT_THAT(text, HasSubstr("Failed: extension absent (version 1.6, in schema tools): not available on the target"));
  EXPECT_THAT(text, HasSubstr("Warning: extension hstore: version 0.9 on the source, 1.8 will be made on the target"));
  ValidationRequest without = request();
  without.engine.extensions = false;
  EXPECT_THAT(said(without, "ExtensionsValidation"), HasSubstr("Succeeded: extensions are left out"));
}

// --- CollationsValidation

TEST_F(ValidationTest, CollationsThatAreMissingOrTheUsersOwn) {
  shared_source().sql("postgres", "CREATE COLLATION pg_catalog.of_this_machine (locale = 'C.UTF-8')");
  shared_source().sql(kDatabase,
                      "CREATE COLLATION pg_catalog.of_this_machine (locale = 'C.UTF-8');"
                      "CREATE TABLE t (s text COLLATE pg_catalog.of_this_machine);"
                      "CREATE COLLATION own (provider = icu, locale = 'de')");
  shared_target().sql("postgres", "CREATE ROLE azure_pg_admin");
  const std::string text = said(request(), "CollationsValidation");
  EXPECT_THAT(text, HasSubstr("Failed: collation of_this_machine: not on the target; install its locale"));
  EXPECT_THAT(text, HasSubstr("Failed: collation public.own: of your own, which the target's service does not take"));
  shared_target().sql("postgres", "DROP ROLE azure_pg_admin");
  EXPECT_THAT(said(request(), "CollationsValidation"), Not(HasSubstr("public.own")));
  shared_source().sql("postgres", "DROP COLLATION pg_catalog.of_this_machine");
}

TEST_F(ValidationTest, CollationsOfAnotherLibrary) {
  const std::filesystem::path programs = test::server_programs(18);
  if (programs.empty()) GTEST_SKIP() << test::kNoDownloads;
  const Cluster later({.bindir = programs});
  EXPECT_THAT(said(between(shared_source(), later), "CollationsValidation"), HasSubstr("Warning: collations of ICU: "));
}

// --- PermissionsValidation

TEST_F(ValidationTest, APartitionedTableHasToBeReadableAndAnExtensionsOwnTablesNeedNotBe) {
  shared_source().sql(kDatabase,
                      "CREATE TABLE whole (i int) PARTITION BY LIST (i); CREATE TABLE leaf PARTITION OF whole DEFAULT;"
                      "GRANT SELECT ON leaf TO plain_user; CREATE EXTENSION hstore; CREATE TABLE of_extension (i int);"
                      "ALTER EXTENSION hstore ADD TABLE of_extension");
  ValidationRequest wanted = request();
  wanted.source = shared_source().conninfo("postgres", kPlainUser);
  const std::string text = said(wanted, "PermissionsValidation");
  EXPECT_THAT(text, HasSubstr("Failed: table public.whole: may not be read by plain_user"));
  EXPECT_THAT(text, Not(HasSubstr("of_extension")));
}

TEST_F(ValidationTest, WhatTheSourcesUserMayNotRead) {
  shared_source().sql(kDatabase,
                      "CREATE SCHEMA apart; CREATE TABLE apart.t (i int); CREATE TABLE apart.open (i int);"
                      "GRANT SELECT ON apart.open TO plain_user; CREATE SEQUENCE numbers;"
                      "CREATE TABLE guarded (i int); ALTER TABLE guarded ENABLE ROW LEVEL SECURITY;"
                      "GRANT SELECT ON guarded TO plain_user; SELECT lo_create(4711)");
  ValidationRequest wanted = request();
  wanted.source = shared_source().conninfo("postgres", kPlainUser);
  const std::string text = said(wanted, "PermissionsValidation");
  EXPECT_THAT(text, HasSubstr("Failed: sequence public.numbers: may not be read by plain_user"));
  EXPECT_THAT(text, HasSubstr("Failed: table public.guarded: row-level security hides rows from plain_user"));
  EXPECT_THAT(text, HasSubstr("Failed: 1 large object (one is 4711): may not be read by plain_user"));
  const std::string usage = R"(GRANT USAGE ON SCHEMA "apart" TO "plain_user")";
  const std::string select = R"(GRANT SELECT ON "apart"."t" TO "plain_user")";
  ASSERT_THAT(text, HasSubstr("Failed: schema apart: what is in it may not be read by plain_user; " + usage));
  EXPECT_EQ(text.find(usage), text.rfind(usage)) << "once, however many tables there are";
  ASSERT_THAT(text, HasSubstr("Failed: table apart.t: may not be read by plain_user; " + select));
  EXPECT_THAT(text, Not(HasSubstr("table apart.open")));
  shared_source().sql(kDatabase,
                      fmt::format("{}; {}; GRANT SELECT ON numbers TO plain_user; GRANT SELECT ON LARGE OBJECT 4711 TO"
                                  " plain_user; ALTER ROLE plain_user BYPASSRLS",
                                  usage, select));
  EXPECT_EQ(said(wanted, "PermissionsValidation"), "");
}

TEST_F(ValidationTest, WhereTheTargetsUserMayNotCreate) {
  ValidationRequest wanted = as_plain_user_of_target();
  wanted.existing_targets = {{kDatabase, kDatabase}};
  wanted.is_clone = true;
  const std::string text = said(wanted, "PermissionsValidation");
  const std::string first = R"(GRANT CREATE ON DATABASE "validated" TO "plain_user")";
  const std::string second = R"(GRANT CREATE ON SCHEMA public TO "plain_user")";
  EXPECT_THAT(text, HasSubstr("Failed: plain_user may not make schemas in the target's database: " + first));
  EXPECT_THAT(text, HasSubstr("Failed: plain_user may not create in the target's schema public: " + second));
  shared_target().sql(kDatabase, first + ";" + second);
  EXPECT_EQ(said(wanted, "PermissionsValidation"), "");
}

// --- SpaceValidation

TEST_F(ValidationTest, ATargetWithoutRoomWhereItsDiskCanBeSeen) {
  EXPECT_THAT(said(request(), "SpaceValidation"), HasSubstr("Succeeded: "));
  const TemporaryFolder disk;
  const SubprocessResult mounted =
      run_command({.command = {"mount", "-t", "tmpfs", "-o", "mode=0777,size=120m", "pgsluice-test", disk.path()}});
  if (mounted.exit_code != 0) GTEST_SKIP() << "no file system of its own here: " << mounted.errors;
  shared_source().sql(kDatabase, "CREATE TABLE large AS SELECT repeat('x', 1000) FROM generate_series(1, 80000)");
  {
    const Cluster target({.parent = disk.path()});
    const std::string text = said(between(shared_source(), target), "SpaceValidation");
    EXPECT_THAT(text, HasSubstr("Failed: "));
    EXPECT_THAT(text, HasSubstr("make room before"));
  }
  EXPECT_EQ(run_command({.command = {"umount", disk.path()}}).exit_code, 0);
}

// --- a database that is not there

TEST_F(ValidationTest, ADatabaseThatTheSourceHasNot) {
  ValidationRequest wanted = request();
  wanted.databases = {"Nowhere"};
  EXPECT_THAT(said(wanted, "SchemaValidation"), HasSubstr("Failed: database \"Nowhere\": "));
}

// --- what the options leave out

TEST_F(ValidationTest, NothingHasToBeRightOfWhatIsLeftOut) {
  shared_source().sql(kDatabase, fmt::format(R"(
    CREATE SCHEMA apart; CREATE ROLE boss; CREATE TABLE apart.owned (i int); ALTER TABLE apart.owned OWNER TO boss;
    CREATE TABLE secret (i int); CREATE TABLE kept (i int); GRANT SELECT ON kept TO {0};
    CREATE TABLE hidden (i int); GRANT SELECT ON hidden TO {0}; ALTER TABLE hidden ENABLE ROW LEVEL SECURITY;
    CREATE EXTENSION pg_trgm; UPDATE pg_extension SET extname = 'absent' WHERE extname = 'pg_trgm')",
                                             kPlainUser));
  ValidationRequest wanted = request();
  wanted.source = shared_source().conninfo("postgres", kPlainUser);
  EXPECT_THAT(said(wanted, "RolesValidation"), HasSubstr("Failed: role boss (needed by validated)"));
  EXPECT_THAT(said(wanted, "ExtensionsValidation"), HasSubstr("Failed: extension absent"));
  const std::string before = said(wanted, "PermissionsValidation");
  EXPECT_THAT(before, HasSubstr("Failed: table public.secret: may not be read"));
  EXPECT_THAT(before, HasSubstr("Failed: table public.hidden: row-level security"));
  EXPECT_THAT(before, HasSubstr("schema apart"));

  wanted.engine.filters = schema::parse_filter_rules(
      "[exclude-schema]\napart\n[exclude-table]\npublic.secret\n[exclude-table-data]\npublic.hidden\n"
      "[exclude-extension]\nabsent\n",
      "the test");
  EXPECT_THAT(said(wanted, "RolesValidation"), Not(HasSubstr("boss")));
  EXPECT_EQ(said(wanted, "ExtensionsValidation"), "");
  EXPECT_EQ(said(wanted, "PermissionsValidation"), "");
  shared_source().sql(
      kDatabase, "DROP SCHEMA apart CASCADE; UPDATE pg_extension SET extname = 'pg_trgm' WHERE extname = 'absent'");
}

}  // namespace
}  // namespace pgsluice::migration
