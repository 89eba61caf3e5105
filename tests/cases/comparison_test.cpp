// What a comparison must not overlook, and what a hostile definition must not do to it.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <array>

#include "tests/cases/case_fixture.h"

namespace pgsluice::test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class Comparison : public CaseTest {
 protected:
  // The definition of a CHECK in other words, so that a scratch database is needed.
  static constexpr const char* kOtherWords = "CREATE TABLE words (w varchar(9) CHECK (w IN ('a', 'b')));";

  void TearDown() override {
    for (const Cluster* server : {&source(), &target()}) {
      server->sql("postgres", "ALTER DATABASE cases IS_TEMPLATE false");
      server->sql("postgres", "DROP DATABASE IF EXISTS cases");
      server->sql("postgres", "DROP ROLE IF EXISTS cmp_alice, cmp_bob, cmp_login, cmp_owner, cmp_hostile");
    }
  }
  void on_both(const std::string& sql, const char* database = kDatabase) const {
    for (const Cluster* server : {&source(), &target()}) server->sql(database, sql);
  }
  SubprocessResult compare_as(const std::string& user) const {
    return run({"compare", "schema", "--source", source().conninfo(kDatabase), "--target",
                target().conninfo(kDatabase, user)});
  }
  void expect_difference(const std::string& object, const SubprocessResult& compared) const {
    EXPECT_EQ(compared.exit_code, 21) << said(compared);
    EXPECT_THAT(said(compared), HasSubstr(object));
  }
  void expect_nothing_left() const {
    EXPECT_EQ(target().value("postgres", "SELECT count(*) FROM pg_database WHERE datname LIKE 'pgsluice%'"), "0");
  }
};

// Whoever may make a function would be superuser of the target.
TEST_F(Comparison, RunsNothingThatStandsInTheBodyOfAFunction) {
  make("");
  on_both(
      "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS $f$ SELECT 1 /*\n\n--\n-- Name: a; Type: TABLE; Schema: public;"
      " Owner: x\n--\n\nCREATE ROLE cmp_hostile;\n\n--\n-- Name: b; Type: TABLE; Schema: public; Owner: x\n--\n*/ $f$");
  source().sql(kDatabase, kOtherWords);
  target().sql(kDatabase, "CREATE TABLE words (w varchar(9) CHECK (w::text = ANY (ARRAY['a'::text, 'b'::text])));");
  const SubprocessResult compared = compare_schema();
  EXPECT_EQ(target().value("postgres", "SELECT count(*) FROM pg_roles WHERE rolname = 'cmp_hostile'"), "0");
  EXPECT_THAT(said(compared), Not(HasSubstr("function public.f()")));
  expect_nothing_left();
}

// A search path is stored as it was given, and a name in it needs no quotes to be kept.
TEST_F(Comparison, RunsNothingThatStandsInASearchPath) {
  make(
      "CREATE SCHEMA s; CREATE FUNCTION s.g() RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 1';"
      "CREATE FUNCTION s.f(int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN g() + $1; END';"
      "SET search_path = s; CREATE TABLE s.t (a int CHECK (s.f(a) > 0)); INSERT INTO s.t VALUES (1);"
      "CREATE MATERIALIZED VIEW s.m AS SELECT s.f(a) FROM s.t;"
      "SELECT set_config('search_path', 's;create/**/role/**/cmp_hostile', false);"
      "ALTER DATABASE cases SET search_path FROM CURRENT");
  const SubprocessResult cloned = clone({"--verify"});
  run({"list", "collations", "--source", source().conninfo(kDatabase)});
  for (const Cluster* server : {&source(), &target()}) {
    EXPECT_EQ(server->value("postgres", "SELECT count(*) FROM pg_roles WHERE rolname = 'cmp_hostile'"), "0")
        << said(cloned);
  }
}

TEST_F(Comparison, SeesThatAnEventTriggerOrASubscriptionIsMissing) {
  make("");
  on_both("CREATE FUNCTION f() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END'");
  source().sql(kDatabase, "CREATE EVENT TRIGGER et ON ddl_command_end EXECUTE FUNCTION f()");
  expect_difference("event trigger et: missing", compare_schema());
  source().sql(kDatabase, "DROP EVENT TRIGGER et");
  source().sql(kDatabase, "CREATE SUBSCRIPTION sub CONNECTION 'dbname=x' PUBLICATION p WITH (connect = false)");
  const SubprocessResult compared = compare_schema();
  source().sql(kDatabase, "ALTER SUBSCRIPTION sub SET (slot_name = NONE); DROP SUBSCRIPTION sub");
  expect_difference("subscription sub: missing", compared);
}

TEST_F(Comparison, SeesPrivilegesOfTheUserWhoCompares) {
  make("");
  on_both("CREATE ROLE cmp_alice; CREATE ROLE cmp_bob LOGIN CREATEDB IN ROLE pg_read_all_data", "postgres");
  on_both(
      "CREATE TABLE t (i int); ALTER TABLE t OWNER TO cmp_alice; GRANT SELECT ON t TO PUBLIC;"
      "CREATE TABLE u (i int); ALTER TABLE u OWNER TO cmp_alice");
  source().sql(kDatabase, "GRANT INSERT, DELETE ON t TO cmp_bob; GRANT INSERT ON u TO cmp_bob");
  const SubprocessResult compared = compare_as("cmp_bob");
  expect_difference("acl on table public.t", compared);
  expect_difference("acl on table public.u", compared);
}

TEST_F(Comparison, SeesThatWhatUsersPutOnAnExtensionsTableWasChanged) {
  make("");
  on_both("CREATE TABLE et (i int, tenant name); ALTER EXTENSION plpgsql ADD TABLE et");
  source().sql(kDatabase,
               "CREATE POLICY p ON et USING (tenant = current_user); CREATE INDEX ei ON et (i);"
               "COMMENT ON TABLE et IS 'of the source'");
  target().sql(kDatabase,
               "CREATE POLICY p ON et USING (true); CREATE INDEX ei ON et (tenant);"
               "COMMENT ON TABLE et IS 'of the target'");
  const SubprocessResult compared = compare_schema();
  for (const char* object : {"policy p on table public.et", "index public.ei", "comment on table public.et"}) {
    expect_difference(object, compared);
  }
}

TEST_F(Comparison, SeesUntilWhenAPasswordIsValid) {
  make("");
  on_both("CREATE ROLE cmp_alice", "postgres");
  source().sql("postgres", "ALTER ROLE cmp_alice VALID UNTIL '2020-01-01'");
  expect_difference("role cmp_alice", run_on_both({"compare", "schema", "--roles"}));
  source().sql("postgres", "ALTER ROLE cmp_alice VALID UNTIL 'infinity'");
  const SubprocessResult compared = run_on_both({"compare", "schema", "--roles"});
  EXPECT_EQ(compared.exit_code, 0) << said(compared);
}

// initdb's role of one server may be an ordinary one of another.
TEST_F(Comparison, FindsARoleThatIsTheTargetsFirst) {
  const Cluster managed;
  managed.sql("postgres", "CREATE ROLE other SUPERUSER LOGIN");
  {
    pg::Connection other = pg::Connection::open(
        pg::ConnInfo::parse(managed.conninfo("postgres", "other"), Side::kSource), "test", Log(), CancelToken());
    other.execute(
        "ALTER ROLE postgres RENAME TO first; CREATE ROLE postgres SUPERUSER LOGIN CREATEDB CREATEROLE"
        " REPLICATION BYPASSRLS; CREATE ROLE cmp_owner; GRANT cmp_owner TO postgres;"
        "ALTER ROLE postgres SET work_mem = '7MB'");
  }
  managed.sql("postgres", "DROP ROLE other");
  managed.create_database(kDatabase);
  target().create_database(kDatabase);
  target().sql("postgres",
               "CREATE ROLE cmp_owner; GRANT cmp_owner TO postgres; ALTER ROLE postgres SET work_mem = '7MB'");
  const SubprocessResult compared = run({"compare", "schema", "--roles", "--source", managed.conninfo(kDatabase),
                                         "--target", target().conninfo(kDatabase)});
  target().sql("postgres", "REVOKE cmp_owner FROM postgres; ALTER ROLE postgres RESET work_mem");
  source().create_database(kDatabase);  // for TearDown()
  EXPECT_EQ(compared.exit_code, 0) << said(compared);
}

TEST_F(Comparison, DoesNotCallEqualWhatItCannotTell) {
  make("");
  on_both("CREATE ROLE cmp_bob LOGIN IN ROLE pg_read_all_data", "postgres");
  source().sql(kDatabase, "CREATE TABLE t (id int); CREATE POLICY p ON t USING (id > 1 AND (id < 3 OR id > 7))");
  target().sql(kDatabase, "CREATE TABLE t (id int); CREATE POLICY p ON t USING ((id > 1 AND id < 3) OR id > 7)");
  const SubprocessResult compared = compare_as("cmp_bob");
  EXPECT_THAT(said(compared),
              AllOf(HasSubstr("cannot be told"), HasSubstr("CREATEDB"), Not(HasSubstr("the definitions are equal"))));
  expect_difference("policy public.t p", compare_schema());
}

TEST_F(Comparison, OfATemplateWorks) {
  make("");
  on_both("ALTER DATABASE cases IS_TEMPLATE true", "postgres");
  source().sql(kDatabase, kOtherWords);
  target().sql(kDatabase, "CREATE TABLE words (w varchar(9) CHECK (w IN ('a', 'c')));");
  expect_difference("table public.words", compare_schema());
}

// As managed services set up their administrators.
TEST_F(Comparison, ByALoginThatActsAsAnotherRoleLeavesNothing) {
  make("");
  on_both(
      "CREATE ROLE cmp_owner; CREATE ROLE cmp_login LOGIN CREATEDB IN ROLE cmp_owner, pg_read_all_data;"
      "ALTER ROLE cmp_login SET role = cmp_owner",
      "postgres");
  on_both(kOtherWords);
  target().sql(kDatabase,
               "DROP TABLE words; CREATE TABLE words (w varchar(9) CHECK (w::text = ANY (ARRAY['a'::varchar,"
               " 'b'::varchar]::text[])))");
  const SubprocessResult compared = compare_as("cmp_login");
  EXPECT_EQ(compared.exit_code, 0) << said(compared);
  EXPECT_THAT(said(compared), AllOf(Not(HasSubstr("is left on the target")), Not(HasSubstr("cannot be told"))));
  expect_nothing_left();
}

TEST_F(Comparison, OfAViewThatIsStaleOnTheSourceSeesAWrongOneOnTheTarget) {
  make("CREATE TABLE t (i int); INSERT INTO t SELECT generate_series(1, 100); CREATE MATERIALIZED VIEW m AS TABLE t");
  const SubprocessResult cloned = clone();
  EXPECT_EQ(cloned.exit_code, 0) << said(cloned);
  source().sql(kDatabase, "INSERT INTO t VALUES (101)");
  target().sql(kDatabase, "INSERT INTO t VALUES (101); REFRESH MATERIALIZED VIEW m");
  const SubprocessResult stale = compare_data();
  EXPECT_EQ(stale.exit_code, 0) << said(stale);
  EXPECT_THAT(said(stale), HasSubstr("REFRESH MATERIALIZED VIEW"));
  target().sql(kDatabase, "TRUNCATE t; REFRESH MATERIALIZED VIEW m; INSERT INTO t SELECT generate_series(1, 101)");
  EXPECT_EQ(compare_data().exit_code, 21);
}

// It was made at another time on each server, and neither holds what its query gives now.
TEST_F(Comparison, OfAViewOfTheTimeIsNoDifference) {
  make(
      "CREATE TABLE t (i int); INSERT INTO t VALUES (1); CREATE MATERIALIZED VIEW m AS SELECT i, now() AS made FROM t");
  const SubprocessResult cloned = clone();
  EXPECT_EQ(cloned.exit_code, 0) << said(cloned);
  const SubprocessResult compared = compare_data();
  EXPECT_EQ(compared.exit_code, 0) << said(compared);
  EXPECT_THAT(said(compared), HasSubstr("may change by itself"));
}

// libpq gives these of the environment to sessions as if their server had them.
TEST_F(Comparison, OfValuesDoesNotDependOnTheEnvironment) {
  make(
      "CREATE TABLE t (at timestamptz); INSERT INTO t VALUES ('2024-01-01 23:30+00');"
      "CREATE MATERIALIZED VIEW m AS SELECT at::date AS d, at::text AS t FROM t");
  const SubprocessResult cloned = run({"clone", "--progress", "none", "--source", source().conninfo(kDatabase),
                                       "--target", target().conninfo(kDatabase)},
                                      {{"PGTZ", "Asia/Tokyo"}, {"PGDATESTYLE", "German"}});
  EXPECT_EQ(cloned.exit_code, 0) << said(cloned);
  expect_same_answer("SELECT d || ' ' || t FROM m");
}

// What belongs to the database itself, and to large objects, stands in no definition.
TEST_F(Comparison, SeesTheDatabasesOwnPropertiesAndThoseOfLargeObjects) {
  on_both("CREATE ROLE cmp_alice; CREATE ROLE cmp_bob", "postgres");
  make(R"sql(
    CREATE TABLE t (a int); ALTER DATABASE cases OWNER TO cmp_alice; COMMENT ON DATABASE cases IS 'ours';
    ALTER DATABASE cases SET work_mem = '7MB'; ALTER ROLE cmp_bob IN DATABASE cases SET work_mem = '8MB';
    GRANT TEMPORARY ON DATABASE cases TO cmp_bob;
    SELECT lo_create(4242); ALTER LARGE OBJECT 4242 OWNER TO cmp_alice; GRANT SELECT ON LARGE OBJECT 4242 TO cmp_bob;
    COMMENT ON LARGE OBJECT 4242 IS 'a scan')sql");
  const SubprocessResult cloned = clone();
  ASSERT_EQ(cloned.exit_code, 0) << said(cloned);
  const SubprocessResult equal = compare_schema();
  EXPECT_EQ(equal.exit_code, 0) << said(equal);
  const std::vector<std::array<const char*, 3>> changes = {
      {"ALTER DATABASE cases OWNER TO cmp_bob", "ALTER DATABASE cases OWNER TO cmp_alice", "owner of the database"},
      {"COMMENT ON DATABASE cases IS NULL", "COMMENT ON DATABASE cases IS 'ours'", "comment on the database"},
      {"ALTER DATABASE cases RESET work_mem", "ALTER DATABASE cases SET work_mem = '7MB'", "setting work_mem of the"},
      {"ALTER ROLE cmp_bob IN DATABASE cases RESET work_mem",
       "ALTER ROLE cmp_bob IN DATABASE cases SET work_mem = '8MB'", "setting work_mem of role cmp_bob"},
      {"REVOKE TEMPORARY ON DATABASE cases FROM cmp_bob", "GRANT TEMPORARY ON DATABASE cases TO cmp_bob",
       "privileges on the database"},
      {"ALTER LARGE OBJECT 4242 OWNER TO cmp_bob", "ALTER LARGE OBJECT 4242 OWNER TO cmp_alice", "large object 4242"},
      {"REVOKE SELECT ON LARGE OBJECT 4242 FROM cmp_bob", "GRANT SELECT ON LARGE OBJECT 4242 TO cmp_bob",
       "large object 4242"},
      {"COMMENT ON LARGE OBJECT 4242 IS 'another'", "COMMENT ON LARGE OBJECT 4242 IS 'a scan'", "large object 4242"}};
  for (const auto& [change, back, named] : changes) {
    SCOPED_TRACE(change);
    target().sql(kDatabase, change);
    expect_difference(named, compare_schema());
    target().sql(kDatabase, back);
  }
  EXPECT_EQ(compare_schema().exit_code, 0);
  // A maintenance window's freeze comes along, and is lifted before applications use the new database.
  source().sql("postgres", "ALTER DATABASE cases SET default_transaction_read_only = on");
  EXPECT_EQ(compare_schema().exit_code, 0);
}

// A release before 17 knows no MAINTAIN, and GRANT ALL means what the pg_dump that wrote it takes for all.
TEST_F(Comparison, OfAllPrivilegesDoesNotDependOnWhichPgDumpHasCopiedThem) {
  if (!between(15, 18)) GTEST_SKIP() << kNoDownloads;
  on_both("CREATE ROLE cmp_bob", "postgres");
  make(R"sql(
    CREATE TABLE t (a int); GRANT ALL ON t TO cmp_bob WITH GRANT OPTION; CREATE TABLE u (a int);
    REVOKE ALL ON u FROM postgres; ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO cmp_bob)sql");
  const SubprocessResult cloned =
      run({"clone", "--progress", "none", "--pg-bindir", server_bindir().string(), "--source",
           source().conninfo(kDatabase), "--target", target().conninfo(kDatabase)});
  ASSERT_EQ(cloned.exit_code, 0) << said(cloned);
  const SubprocessResult equal = compare_schema();
  EXPECT_EQ(equal.exit_code, 0) << said(equal);
  target().sql(kDatabase, "REVOKE INSERT ON t FROM cmp_bob");
  expect_difference("acl on table public.t", compare_schema());
}

// Bodies are not looked at when definitions are restored to be printed: what they name comes later.
TEST_F(Comparison, OfAViewThatCallsASqlFunctionIsEqualAcrossReleases) {
  if (!between(15, 18)) GTEST_SKIP() << kNoDownloads;
  make(R"sql(
    CREATE TABLE t (a int); INSERT INTO t VALUES (1), (2);
    CREATE FUNCTION nmv() RETURNS bigint LANGUAGE sql STABLE AS $$ SELECT count(*) FROM public.t $$;
    CREATE VIEW v AS SELECT t.a, nmv() FROM t WHERE t.a > 1;
    CREATE VIEW w AS SELECT t.a, x.n FROM t, LATERAL (SELECT nmv() AS n) x WHERE t.a > 1;
    CREATE MATERIALIZED VIEW m AS SELECT t.a FROM t WHERE t.a < nmv())sql");
  expect_clone_to_be_equal();
  const Migrated migrated = migrate();
  EXPECT_EQ(migrated.state, "Succeeded") << migrated.error;
}

// What the target's administrator may not make a second time is told from what differs.
TEST_F(Comparison, OfAViewOfAnExtensionThatCannotBeMadeIsUndecided) {
  if (!between(15, 18)) GTEST_SKIP() << kNoDownloads;
  on_both("CREATE ROLE cmp_login LOGIN CREATEDB", "postgres");
  make(
      "CREATE EXTENSION dblink; CREATE VIEW v AS SELECT x.a FROM dblink('x', 'SELECT 1') x(a int) WHERE x.a > 1;"
      "ALTER VIEW v OWNER TO cmp_login; GRANT ALL ON SCHEMA public TO cmp_login");
  target().sql(kDatabase, "CREATE EXTENSION dblink");
  ASSERT_EQ(clone().exit_code, 0);
  const SubprocessResult compared =
      run({"compare", "schema", "--pg-bindir", pg_bindir().string(), "--source", source().conninfo(kDatabase),
           "--target", target().conninfo(kDatabase, "cmp_login")});
  EXPECT_EQ(compared.exit_code, 0) << said(compared);
  EXPECT_THAT(said(compared), HasSubstr("view public.v: printed in other words"));
}

TEST_F(Comparison, BlamesTheServerThatRefuses) {
  on_both("CREATE ROLE cmp_login LOGIN", "postgres");
  make("CREATE TABLE t (a int)");
  ASSERT_EQ(clone().exit_code, 0);
  const SubprocessResult compared = compare_as("cmp_login");
  EXPECT_EQ(compared.exit_code, 7) << said(compared);
  EXPECT_THAT(said(compared), AllOf(HasSubstr("target: "), Not(HasSubstr("source: pg_dump"))));
}

}  // namespace
}  // namespace pgsluice::test
