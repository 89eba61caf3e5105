// The steps of a clone as commands of their own, as scripts for pgcopydb run them.
#include <gmock/gmock.h>
#include <signal.h>

#include <filesystem>
#include <fstream>
#include <memory>

#include "pgsluice/error.h"
#include "tests/support/shop.h"
#include "tests/support/wait_until.h"
#include "tests/tools/steps_fixture.h"

namespace pgsluice::test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr const char* kTables = R"sql(
    CREATE TABLE parent (id int PRIMARY KEY, name text UNIQUE, at timestamp);
    CREATE TABLE child (id serial PRIMARY KEY, parent int REFERENCES parent, EXCLUDE USING gist (box(point(id, id), point(id, id)) WITH &&));
    CREATE INDEX child_parent ON child (parent);
    CREATE TABLE parted (id int, at date, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
    CREATE TABLE part PARTITION OF parted DEFAULT; CREATE INDEX parted_at ON parted (at); INSERT INTO parted VALUES (1, 'now');
    CREATE MATERIALIZED VIEW totals AS SELECT parent, count(*) FROM child GROUP BY 1;
    CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''too early''; END';
    INSERT INTO parent SELECT g, 'n' || g, now() FROM generate_series(1, 300) g;
    INSERT INTO child (parent) SELECT 1 + g % 300 FROM generate_series(1, 1000) g;
    CREATE TRIGGER note BEFORE INSERT ON child FOR EACH ROW EXECUTE FUNCTION note();
    SELECT lo_from_bytea(0, 'large'); GRANT SELECT ON parent TO PUBLIC; COMMENT ON TABLE parent IS 'a comment';
    REFRESH MATERIALIZED VIEW totals;
)sql";

TEST_F(StepsTest, InARowTheyMakeTheSameAsAClone) {
  make(kTables);
  expect_steps({"dump schema", "restore pre-data --resume --not-consistent", "copy table-data", "copy blobs",
                "copy sequences", "copy indexes"});
  EXPECT_TRUE(has_ledger());
  EXPECT_EQ(at_target("SELECT count(*) FROM pg_constraint WHERE contype IN ('p', 'u', 'x') AND connamespace = 2200"),
            "0");
  EXPECT_EQ(at_target("SELECT count(*) FROM pg_index WHERE indrelid::regclass::text ~ '^(parent|child)'"), "4");
  expect_steps({"copy constraints", "restore post-data"});
  EXPECT_FALSE(has_ledger());
  EXPECT_EQ(differences(), std::vector<std::string>{});
}

TEST_F(StepsTest, PostDataBuildsWhatNobodyHasBuilt) {
  make(kTables);
  expect_steps(
      {"dump schema", "restore pre-data", "copy table-data", "copy sequences", "copy blobs", "restore post-data"});
  EXPECT_EQ(differences(), std::vector<std::string>{});
}

TEST_F(StepsTest, SchemaAndDataAreTwoHalves) {
  make(kTables);
  expect_steps({"dump schema", "restore schema"});
  EXPECT_EQ(at_target("SELECT count(*) FROM child"), "0");
  EXPECT_FALSE(has_ledger());
  // The keys are there, so parents come before their children.
  expect_steps({"copy data --split-tables-larger-than 10kB"});
  EXPECT_EQ(differences(), std::vector<std::string>{});
  EXPECT_EQ(at_target("SELECT count(*) FROM child"), "1000");
}

TEST_F(StepsTest, ASnapshotIsSharedByAllThatHaveTheWorkDirectory) {
  make(kTables);
  const std::unique_ptr<Subprocess> snapshot = held_snapshot();
  const SubprocessResult second = step("snapshot");
  EXPECT_EQ(second.exit_code, 3) << second.errors;
  shared_source().sql("command", "DELETE FROM child WHERE id > 500; INSERT INTO parent VALUES (1000, 'late')");
  expect_steps(
      {"dump schema", "restore pre-data", "copy table-data", "copy blobs", "copy indexes", "copy constraints"});
  EXPECT_EQ(at_target("SELECT count(*) FROM child"), "1000");
  EXPECT_EQ(at_target("SELECT count(*) FROM parent"), "300");
  ::kill(snapshot->pid(), SIGTERM);
  EXPECT_EQ(snapshot->wait({}).exit_code, 0);
  EXPECT_FALSE(std::filesystem::exists(snapshot_file()));
}

TEST_F(StepsTest, ASnapshotWhoseHolderWasKilledIsNotReplacedByAnotherWithoutAWord) {
  make(kTables);
  const std::unique_ptr<Subprocess> snapshot = held_snapshot();
  ::kill(snapshot->pid(), SIGKILL);
  snapshot->wait({});
  EXPECT_TRUE(wait_until([] {
    return shared_source().value("postgres",
                                 "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pgsluice: snapshot'"
                                 " AND datname = 'command'") == "0";
  }));
  shared_source().sql("command", "INSERT INTO parent VALUES (1000, 'late')");
  const SubprocessResult refused = step("dump schema");
  EXPECT_EQ(refused.exit_code, 6);
  EXPECT_THAT(refused.errors, HasSubstr("is not held any more"));
  EXPECT_EQ(step("dump schema --resume --not-consistent").exit_code, 0);
}

TEST_F(StepsTest, RowsOfAnotherMomentAreRefused) {
  make(kTables);
  expect_steps({"dump schema", "restore pre-data", "copy table-data"});
  shared_source().sql("command", "SELECT lo_from_bytea(0, 'another')");
  const SubprocessResult refused = step("copy blobs");
  EXPECT_EQ(refused.exit_code, 6) << refused.errors;
  EXPECT_THAT(refused.errors, HasSubstr("large objects of the database were changed since"));
  EXPECT_EQ(step("copy blobs --resume --not-consistent").exit_code, 0);
  EXPECT_EQ(at_target("SELECT count(*) FROM pg_largeobject_metadata"), "2");
}

TEST_F(StepsTest, WhatIsMissingIsSaidBeforeAnythingIsChanged) {
  make(kTables);
  const SubprocessResult no_dump = step("restore pre-data");
  EXPECT_EQ(no_dump.exit_code, 3);
  EXPECT_THAT(no_dump.errors, HasSubstr("pgsluice dump schema"));
  const SubprocessResult no_tables = step("copy table-data");
  EXPECT_EQ(no_tables.exit_code, 7);
  EXPECT_THAT(no_tables.errors, AllOf(HasSubstr("public.child"), HasSubstr("public.parent"), HasSubstr("not there")));
  EXPECT_FALSE(has_ledger());
  shared_target().sql("command", "CREATE TABLE parent (id int, name text); CREATE TABLE child (id int, parent int)");
  EXPECT_THAT(step("copy data").errors, HasSubstr("column at of public.parent"));
}

TEST_F(StepsTest, RowsThatAreThereAreTruncatedOnlyWhereThatIsExpected) {
  make("CREATE TABLE t (i int); INSERT INTO t SELECT generate_series(1, 10)");
  shared_target().sql("command", "CREATE TABLE t (i int); INSERT INTO t VALUES (100)");
  const SubprocessResult refused = step("copy data");
  EXPECT_EQ(refused.exit_code, 7);
  EXPECT_THAT(refused.errors, AllOf(HasSubstr("public.t"), HasSubstr("--drop-if-exists")));
  EXPECT_EQ(at_target("SELECT count(*) FROM t"), "1");
  EXPECT_EQ(step("copy table-data").exit_code, 0);
  EXPECT_EQ(at_target("SELECT count(*) || '|' || sum(i) FROM t"), "10|55");
  // Once more: it is done, and is not done twice.
  const SubprocessResult again = step("copy table-data");
  EXPECT_EQ(again.exit_code, 0) << again.errors;
  EXPECT_EQ(at_target("SELECT count(*) FROM t"), "10");
  EXPECT_EQ(step("copy table-data --restart").exit_code, 0);
  EXPECT_EQ(at_target("SELECT count(*) FROM t"), "10");
  EXPECT_EQ(step("copy data --restart --drop-if-exists").exit_code, 0);
  EXPECT_EQ(at_target("SELECT count(*) FROM t"), "10");
}

TEST_F(StepsTest, ATargetOfTheUsersOwnMayHaveOtherTypes) {
  make(
      "CREATE TABLE t (i int, at timestamp, n text); INSERT INTO t SELECT g, 'now', 'x' FROM generate_series(1, 100) "
      "g");
  shared_target().sql("command",
                      "CREATE TABLE t (more text, at timestamp, i float8, n varchar(10)); CREATE TABLE other (i int)");
  const SubprocessResult result = step("copy data --use-copy-binary");
  EXPECT_EQ(result.exit_code, 0) << result.errors;
  EXPECT_EQ(at_target("SELECT count(*) || '|' || sum(i) FROM t"), "100|5050");
}

// pgcopydb's own suite looks for these words.
TEST_F(StepsTest, BinaryThatWasAskedForAndIsNotSafeIsSaid) {
  make("CREATE TABLE t (v tsvector); INSERT INTO t VALUES ('a b')");
  const SubprocessResult result = clone({"--use-copy-binary"});
  EXPECT_EQ(result.exit_code, 0) << result.errors;
  EXPECT_THAT(result.errors, HasSubstr("table public.t: not safe for COPY BINARY: "));
}

TEST_F(StepsTest, DropIfExistsDropsWhatTheArchiveHoldsAndNothingElse) {
  make(kTables);
  ASSERT_EQ(clone().exit_code, 0);
  shared_target().sql("command", "CREATE TABLE mine (i int); INSERT INTO mine VALUES (1)");
  const SubprocessResult refused = clone();
  EXPECT_EQ(refused.exit_code, 7) << refused.errors;
  EXPECT_THAT(refused.errors, HasSubstr("--drop-if-exists"));
  const SubprocessResult again = clone({"--drop-if-exists"});
  EXPECT_EQ(again.exit_code, 0) << again.errors;
  EXPECT_EQ(at_target("SELECT count(*) FROM mine"), "1");
  shared_target().sql("command", "DROP TABLE mine");
  EXPECT_EQ(differences(), std::vector<std::string>{});
  // What depends on it and is not in the archive keeps all as it was.
  shared_target().sql("command", "CREATE VIEW mine AS SELECT * FROM parent");
  const SubprocessResult kept = clone({"--drop-if-exists"});
  EXPECT_NE(kept.exit_code, 0);
  EXPECT_THAT(kept.errors, HasSubstr("mine"));
  EXPECT_EQ(at_target("SELECT count(*) FROM mine"), "300");
}

TEST_F(StepsTest, AnInterruptedStepIsNotPassedOver) {
  make(
      "CREATE TABLE t (i int); INSERT INTO t SELECT 1 / (i - 500) FROM generate_series(501, 600) i;"
      "CREATE TABLE u (i int)");
  expect_steps({"dump schema", "restore pre-data"});
  shared_target().sql("command", "ALTER TABLE t ADD CHECK (i > 0) NOT VALID");
  EXPECT_EQ(step("copy table-data").exit_code, 22);
  const SubprocessResult refused = step("copy table-data");
  EXPECT_EQ(refused.exit_code, 3) << refused.errors;
  EXPECT_THAT(refused.errors, AllOf(HasSubstr("table-data"), HasSubstr("--resume")));
  shared_target().sql("command", "ALTER TABLE t DROP CONSTRAINT t_i_check");
  EXPECT_EQ(step("copy table-data --resume").exit_code, 0);
  EXPECT_EQ(at_target("SELECT count(*) FROM t"), "100");
}

TEST_F(StepsTest, FiltersOfTheFirstCommandHoldForAll) {
  make(kTables);
  std::ofstream(folder_.path() / "filter") << "[exclude-table]\npublic.child\n";
  const std::string filter = " --filters " + (folder_.path() / "filter").string();
  expect_steps({"dump schema" + filter, "restore pre-data" + filter, "copy table-data" + filter, "copy sequences",
                "copy indexes", "copy constraints", "restore post-data"});
  EXPECT_EQ(at_target("SELECT string_agg(relname, ' ' ORDER BY relname) FROM pg_class WHERE relnamespace = 2200"),
            "parent parent_name_key parent_pkey part part_at_idx part_pkey parted parted_at parted_pkey");
  std::ofstream(folder_.path() / "filter") << "[exclude-table]\npublic.parent\n";
  const SubprocessResult other = step("restore pre-data" + filter);
  EXPECT_EQ(other.exit_code, 3);
  EXPECT_THAT(other.errors, HasSubstr("another filter"));
}

// As with a superuser for what only he may, and the owner for the rest.
TEST_F(StepsTest, APrivilegedUserPreparesWhatTheOwnerThenCopies) {
  for (const Cluster* server : {&shared_source(), &shared_target()}) {
    server->sql("postgres", "DROP DATABASE IF EXISTS command");
    server->sql("postgres", "DROP ROLE IF EXISTS steps_owner; DROP ROLE IF EXISTS steps_reader");
  }
  shared_source().sql("postgres",
                      "CREATE ROLE steps_reader; CREATE ROLE steps_owner LOGIN PASSWORD 'x' IN ROLE steps_reader");
  make(
      "CREATE EXTENSION hstore; CREATE SCHEMA app AUTHORIZATION steps_owner; SET ROLE steps_owner;"
      "CREATE TABLE app.t (i int PRIMARY KEY, h hstore); GRANT SELECT ON app.t TO steps_reader;"
      "INSERT INTO app.t SELECT g, 'a=>1' FROM generate_series(1, 10) g");
  expect_steps({"copy roles", "copy extensions"});
  EXPECT_EQ(at_target("SELECT rolpassword LIKE 'SCRAM%' FROM pg_authid WHERE rolname = 'steps_owner'"), "t");
  EXPECT_EQ(at_target("SELECT count(*) FROM pg_extension WHERE extname = 'hstore'"), "1");
  shared_target().sql("command", "GRANT CREATE ON DATABASE command TO steps_owner");
  const std::vector<std::string> as_owner = {"--source", shared_source().conninfo("command") + " user=steps_owner",
                                             "--target", shared_target().conninfo("command") + " user=steps_owner",
                                             "--skip-extensions"};
  for (const char* command : {"dump schema", "restore pre-data", "copy table-data", "copy indexes", "copy constraints",
                              "restore post-data"}) {
    const SubprocessResult result = step(command, as_owner);
    EXPECT_EQ(result.exit_code, 0) << command << "\n" << result.errors;
  }
  shared_target().sql("command", "REVOKE CREATE ON DATABASE command FROM steps_owner");
  EXPECT_EQ(differences(), std::vector<std::string>{});
  for (const Cluster* server : {&shared_source(), &shared_target()}) {
    server->sql("postgres", "DROP DATABASE command");
    server->sql("postgres", "DROP ROLE steps_owner; DROP ROLE steps_reader");
  }
}

TEST_F(StepsTest, RolesMayCrossByAFile) {
  make("SELECT 1");
  shared_source().sql("postgres", "DROP ROLE IF EXISTS steps_filed; CREATE ROLE steps_filed LOGIN PASSWORD 'x'");
  shared_target().sql("postgres", "DROP ROLE IF EXISTS steps_filed");
  EXPECT_THAT(step("restore roles").errors, HasSubstr("pgsluice dump roles"));
  expect_steps({"dump roles --no-role-passwords", "restore roles"});
  EXPECT_EQ(shared_target().value(
                "postgres", "SELECT rolcanlogin AND rolpassword IS NULL FROM pg_authid WHERE rolname = 'steps_filed'"),
            "t");
  const auto file = folder_.path() / "pgsluice/schema/roles.sql";
  EXPECT_EQ(std::filesystem::status(file).permissions(),
            std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
  shared_source().sql("postgres", "DROP ROLE steps_filed");
  shared_target().sql("postgres", "DROP ROLE steps_filed");
}

TEST_F(StepsTest, VersionsOfExtensionsAreThoseThatAreRequired) {
  make("CREATE EXTENSION hstore; CREATE EXTENSION citext");
  std::ofstream(folder_.path() / "versions") << R"([{"name": "hstore", "version": "1.4"}])";
  const std::string requirements = (folder_.path() / "versions").string();
  expect_steps({"copy extensions --requirements " + requirements});
  EXPECT_EQ(at_target("SELECT extversion FROM pg_extension WHERE extname = 'hstore'"), "1.4");
  shared_target().create_database("command");
  EXPECT_EQ(clone({"--requirements", requirements}).exit_code, 0);
  EXPECT_EQ(at_target("SELECT extversion FROM pg_extension WHERE extname = 'hstore'"), "1.4");
  shared_target().create_database("command");
  std::ofstream(folder_.path() / "versions") << R"([{"name": "hstore", "version": "99"}])";
  EXPECT_THAT(clone({"--requirements", requirements}).errors, HasSubstr("hstore 99"));
  std::ofstream(folder_.path() / "versions") << "hstore";
  EXPECT_EQ(clone({"--requirements", requirements}).exit_code, 2);
}

TEST_F(StepsTest, ParseListShowsTheArchiveAsPgRestoreDoes) {
  make(kTables);
  expect_steps({"dump schema"});
  const std::string text = step("restore parse-list --no-comments").output;
  EXPECT_THAT(text, ::testing::ContainsRegex("\n[0-9]+; 1259 [0-9]+ TABLE public parent postgres\n"));
  EXPECT_THAT(text, ::testing::ContainsRegex("\n;[0-9]+; 0 0 COMMENT public TABLE parent postgres\n"));
  const std::string archive = (folder_.path() / "pgsluice/schema/schema.dump").string();
  EXPECT_EQ(step("restore parse-list " + archive + " --no-comments").output, text);
  // Of a list as pg_restore writes it: a comment's line is left out, and those of the filter.
  std::ofstream(folder_.path() / "filter") << "[exclude-table]\npublic.child\n";
  expect_steps({"dump schema --filters " + (folder_.path() / "filter").string()});
  const std::string list = (folder_.path() / "list").string();
  const SubprocessResult listed = run_command(
      {.command = {(server_bindir() / "pg_restore").string(), "--list", "--file=" + list, archive}, .environment = {}});
  ASSERT_EQ(listed.exit_code, 0) << listed.errors;
  const std::string marked = step("restore parse-list " + list + " --no-comments").output;
  EXPECT_THAT(marked, ::testing::ContainsRegex("\n[0-9]+; 1259 [0-9]+ TABLE public parent postgres\n"));
  EXPECT_THAT(marked, ::testing::ContainsRegex("\n;[0-9]+; 0 0 COMMENT public TABLE parent postgres\n"));
  EXPECT_EQ(step("restore parse-list /no/such").exit_code, 2);
}

}  // namespace
}  // namespace pgsluice::test
