// What cannot be copied as it is: check knows each beforehand, and a clone names it and says what to do.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include "tests/cases/case_fixture.h"

namespace pgsluice::test {
namespace {

using ::testing::AnyOf;
using ::testing::HasSubstr;

class Foreseen : public CaseTest {
 protected:
  // Both name it; what else there is, is copied.
  void expect_foreseen(const std::string& name) const {
    const SubprocessResult checked = check();
    EXPECT_THAT(checked.exit_code, AnyOf(0, 20)) << said(checked);
    EXPECT_THAT(said(checked), HasSubstr(name)) << "check";
    const SubprocessResult cloned = clone();
    EXPECT_THAT(cloned.exit_code, AnyOf(0, 22)) << said(cloned);
    EXPECT_THAT(said(cloned), HasSubstr(name)) << "clone";
    expect_same_answer("SELECT count(*) FROM plain");
  }
};

constexpr const char* kPlain = "CREATE TABLE plain (i int); INSERT INTO plain VALUES (1);";

// Before 16 a server cannot be asked by to_regprocedure() for a function of types that it does not have.
TEST_F(Foreseen, OperatorsOfTypesThat12HasNoMore) {
  if (!between(10, 15)) GTEST_SKIP() << kNoDownloads;
  make(std::string(kPlain) + "CREATE OPERATOR === (PROCEDURE = abstimeeq, LEFTARG = abstime, RIGHTARG = abstime)");
  expect_foreseen("abstimeeq");
}

// array_append() takes anycompatiblearray since 14.
TEST_F(Foreseen, AggregatesOverAnyarrayBefore14) {
  if (!between(12, 15)) GTEST_SKIP() << kNoDownloads;
  make(std::string(kPlain) +
       "CREATE AGGREGATE gathered(anyelement) (SFUNC = array_append, STYPE = anyarray, INITCOND = '{}')");
  expect_foreseen("gathered");
}

TEST_F(Foreseen, ColumnsOfTypesThat12HasNoMore) {
  if (!between(10, 12)) GTEST_SKIP() << kNoDownloads;
  make(std::string(kPlain) + "CREATE TABLE with_abstime (i int, at abstime); CREATE TABLE with_interval (r reltime)");
  EXPECT_THAT(said(check()), HasSubstr("with_interval"));
  expect_foreseen("with_abstime");
}

TEST_F(Foreseen, ViewsOfColumnsThatNewerSystemViewsLack) {
  if (!between(15, 18)) GTEST_SKIP() << kNoDownloads;
  make(std::string(kPlain) +
       "CREATE VIEW of_writer AS SELECT buffers_backend FROM pg_stat_bgwriter;"
       "CREATE VIEW over_it AS SELECT * FROM of_writer");
  expect_foreseen("of_writer");
}

TEST_F(Foreseen, FunctionsThat15HasNoMore) {
  if (!between(12, 15)) GTEST_SKIP() << kNoDownloads;
  make(std::string(kPlain) + "CREATE VIEW asks_for_a_backup AS SELECT pg_is_in_backup() AS is_so");
  expect_foreseen("asks_for_a_backup");
}

TEST_F(Foreseen, PostfixOperatorsThat14HasNoMore) {
  if (!between(12, 15)) GTEST_SKIP() << kNoDownloads;
  make(std::string(kPlain) +
       "CREATE FUNCTION doubled(int) RETURNS int LANGUAGE sql AS 'SELECT $1 * 2';"
       "CREATE OPERATOR #! (LEFTARG = int, PROCEDURE = doubled)");
  expect_foreseen("#!");
}

// Nothing fails, and the numbers are lost.
TEST_F(Foreseen, OidsOfRowsThat12HasNoMore) {
  if (!between(10, 12)) GTEST_SKIP() << kNoDownloads;
  make(std::string(kPlain) + "CREATE TABLE with_oids (i int) WITH OIDS; INSERT INTO with_oids VALUES (1)");
  expect_foreseen("with_oids");
}

TEST_F(Foreseen, ChildrenThatMayBeNullWhereTheirParentsMayNot) {
  if (!between(15, 18)) GTEST_SKIP() << kNoDownloads;
  make(std::string(kPlain) +
       "CREATE TABLE parent (a int NOT NULL); CREATE TABLE lax_child () INHERITS (parent);"
       "ALTER TABLE lax_child ALTER a DROP NOT NULL; INSERT INTO lax_child VALUES (NULL)");
  expect_foreseen("lax_child");
}

TEST_F(Foreseen, PrivilegesOfRolesThatAreNoMore) {
  source().sql("postgres", "DROP ROLE IF EXISTS c23_gone; CREATE ROLE c23_gone");
  make(std::string(kPlain) + "GRANT SELECT ON plain TO c23_gone; CREATE SCHEMA s; GRANT USAGE ON SCHEMA s TO c23_gone");
  const std::string oid = source().value("postgres", "SELECT oid FROM pg_roles WHERE rolname = 'c23_gone'");
  source().sql("postgres",
               "DELETE FROM pg_authid WHERE rolname = 'c23_gone'; DELETE FROM pg_shdepend WHERE refobjid = " + oid);
  expect_foreseen(oid);
  source().sql("postgres", "DROP DATABASE cases");
}

TEST_F(Foreseen, EventTriggersOfTheTargetThatRefuse) {
  make(std::string(kPlain) + "CREATE TABLE other (i int PRIMARY KEY)");
  target().sql(kDatabase,
               "CREATE FUNCTION refuse() RETURNS event_trigger LANGUAGE plpgsql AS"
               " $$ BEGIN RAISE EXCEPTION 'no definitions here'; END $$;"
               "CREATE EVENT TRIGGER guard ON ddl_command_start EXECUTE FUNCTION refuse()");
  const SubprocessResult checked = check();
  EXPECT_THAT(said(checked), HasSubstr("guard"));
  const SubprocessResult cloned = clone();
  EXPECT_NE(cloned.exit_code, 12) << said(cloned);
  EXPECT_THAT(said(cloned), HasSubstr("guard"));
}

TEST_F(Foreseen, BuiltInOperatorsThatAreGone) {
  if (!between(13, 17)) GTEST_SKIP() << kNoDownloads;
  make(std::string(kPlain) +
       "CREATE VIEW v AS SELECT !! 5 AS f; CREATE VIEW w AS SELECT box '(1,1),(0,0)' @ box"
       " '(1,1),(0,0)' AS x");
  EXPECT_THAT(said(check()), HasSubstr("!! bigint"));
  expect_foreseen("box @ box");
}

// ANALYZE would fail on the source, too: all that was there is there.
TEST_F(Foreseen, StatisticsThatCannotBeGatheredAreNoMissingObjects) {
  if (!between(18, 18)) GTEST_SKIP() << kNoDownloads;
  make(R"sql(
    CREATE SCHEMA app; ALTER DATABASE cases SET search_path = app;
    CREATE FUNCTION app.norm(t text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT lower(t)';
    CREATE FUNCTION app.g(t text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN norm(t); END';
    CREATE TABLE app.t (a text, b text); INSERT INTO app.t SELECT 'A' || i FROM generate_series(1, 50) i;
    CREATE STATISTICS app.s ON (app.g(a)), b FROM app.t)sql");
  const SubprocessResult cloned = clone();
  EXPECT_EQ(cloned.exit_code, 0) << said(cloned);
  EXPECT_THAT(cloned.output, HasSubstr("statistics of"));
  expect_same_answer("SELECT count(*) FROM app.t");
}

}  // namespace
}  // namespace pgsluice::test
