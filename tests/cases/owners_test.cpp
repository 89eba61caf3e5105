// Owners that may not make anything in the schema of what they own, given by an administrator who is no superuser.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include "tests/cases/case_fixture.h"

namespace pgsluice::test {
namespace {

using ::testing::AllOf;
using ::testing::ContainsRegex;
using ::testing::HasSubstr;

class OwnersWithoutCreate : public CaseTest {
 protected:
  void make_roles() {
    drop_roles();
    for (const Cluster* server : {&source(), &target()}) {
      server->sql("postgres",
                  "CREATE ROLE c25_app; CREATE ROLE c25_boss; CREATE ROLE c25_admin LOGIN CREATEDB CREATEROLE;"
                  "GRANT c25_app, c25_boss TO c25_admin");
    }
    source().create_database(kDatabase);
    target().create_database(kDatabase, "OWNER c25_admin TEMPLATE template0");
  }
  void drop_roles() const {
    for (const Cluster* server : {&source(), &target()}) {
      server->sql("postgres", "DROP DATABASE IF EXISTS cases");
      server->sql("postgres", "DROP ROLE IF EXISTS c25_app, c25_boss, c25_admin");
    }
  }
  SubprocessResult as_administrator(const std::string& command) const {
    std::vector<std::string> arguments = {command, "--source", source().conninfo(kDatabase), "--target",
                                          target().conninfo(kDatabase, "c25_admin")};
    if (!pg_bindir().empty()) arguments.insert(arguments.end(), {"--pg-bindir", pg_bindir().string()});
    return run(arguments);
  }
  void expect_made() const {
    const SubprocessResult checked = as_administrator("check");
    EXPECT_THAT(said(checked), AllOf(HasSubstr("c25_app"), ContainsRegex("CREATE")))
        << "check has to say what is needed";
    const SubprocessResult cloned = as_administrator("clone");
    EXPECT_EQ(cloned.exit_code, 0) << said(cloned);
    expect_same_answer(
        "SELECT string_agg(concat_ws(' ', relnamespace::regnamespace, relname, relkind), ', ' ORDER BY relname)"
        " FROM pg_class WHERE relnamespace::regnamespace::text IN ('public', 's')");
  }
};

TEST_F(OwnersWithoutCreate, HaveTheirTablesMadeAndFilled) {
  for (const int to : {15, 16}) {
    SCOPED_TRACE(to);
    if (!between(12, to)) GTEST_SKIP() << kNoDownloads;
    make_roles();
    run_sql_file(source().conninfo(kDatabase), sql_file("owner-without-create.sql"));
    expect_made();
    for (const char* query : {"SELECT count(*) FROM t", "SELECT count(*) FROM s.u", "SELECT f()",
                              "SELECT count(*) FROM v", "SELECT last_value FROM s.u_id_seq"}) {
      expect_same_answer(query);
    }
    drop_roles();
  }
}

// Commands in a row: the privileges that an owner needs come with a later one than the object.
// Each is given the right for a moment, by several sessions at once: "tuple concurrently updated", before 12.21 and the
// other releases of November 2024.
TEST_F(OwnersWithoutCreate, HaveVeryManyTablesMadeBesideEachOther) {
  if (!between(10, 10)) GTEST_SKIP() << kNoDownloads;
  make_roles();
  source().sql(kDatabase,
               "CREATE SCHEMA s AUTHORIZATION c25_boss; DO $$ BEGIN FOR i IN 1..400 LOOP"
               " EXECUTE format('CREATE TABLE s.t%s (a serial, b text)', i);"
               " EXECUTE format('ALTER TABLE s.t%s OWNER TO c25_app', i); END LOOP; END $$");
  const SubprocessResult cloned = as_administrator("clone");
  EXPECT_EQ(cloned.exit_code, 0) << said(cloned);
  expect_same_answer(
      "SELECT relkind, count(*) FROM pg_class WHERE relowner = 'c25_app'::regrole AND relkind IN ('r', 'S')"
      " GROUP BY 1 ORDER BY 1");
  expect_same_answer("SELECT has_schema_privilege('c25_app', 's', 'CREATE')");
  drop_roles();
}

TEST_F(OwnersWithoutCreate, AreGivenWhatAnEarlierCommandHasMade) {
  make_roles();
  source().sql(kDatabase,
               "CREATE TABLE t (i int); INSERT INTO t VALUES (1); ALTER TABLE t OWNER TO c25_app;"
               "GRANT CREATE ON SCHEMA public TO c25_app");
  const std::string folder = (folder_.path() / "steps").string();
  const std::vector<std::vector<std::string>> commands = {
      {"dump", "schema"}, {"restore", "pre-data"}, {"copy", "table-data"}, {"restore", "post-data"}};
  for (std::size_t i = 0; i < commands.size(); ++i) {
    std::vector<std::string> arguments = commands[i];
    arguments.insert(arguments.end(), {"--dir", folder, "--source", source().conninfo(kDatabase)});
    if (i > 0) arguments.insert(arguments.end(), {"--resume", "--target", target().conninfo(kDatabase, "c25_admin")});
    const SubprocessResult step = run(arguments);
    EXPECT_EQ(step.exit_code, 0) << commands[i][1] << "\n" << said(step);
  }
  EXPECT_EQ(at_target("SELECT tableowner FROM pg_tables WHERE tablename = 't'"), "c25_app");
  drop_roles();
}

TEST_F(OwnersWithoutCreate, HaveObjectsOfOtherKindsMade) {
  make_roles();
  source().sql(kDatabase, R"sql(
    CREATE SCHEMA s AUTHORIZATION c25_boss;
    CREATE TYPE s.state AS ENUM ('on', 'off'); ALTER TYPE s.state OWNER TO c25_app;
    CREATE DOMAIN s.small AS int CHECK (VALUE < 10); ALTER DOMAIN s.small OWNER TO c25_app;
    CREATE TABLE s.p (i s.small, st s.state) PARTITION BY LIST (st); CREATE TABLE s.p1 PARTITION OF s.p FOR VALUES IN ('on');
    INSERT INTO s.p SELECT g, 'on' FROM generate_series(1, 9) g; CREATE INDEX ON s.p (i);
    ALTER TABLE s.p OWNER TO c25_app; ALTER TABLE s.p1 OWNER TO c25_app;
    CREATE MATERIALIZED VIEW s.m AS SELECT count(*) AS n FROM s.p; ALTER MATERIALIZED VIEW s.m OWNER TO c25_app;
    CREATE SEQUENCE s.q; SELECT nextval('s.q'); ALTER SEQUENCE s.q OWNER TO c25_app;
    CREATE PROCEDURE s.proc() LANGUAGE sql AS 'SELECT 1'; ALTER PROCEDURE s.proc OWNER TO c25_app;
    CREATE AGGREGATE s.total(int) (SFUNC = int4pl, STYPE = int); ALTER AGGREGATE s.total(int) OWNER TO c25_app;
    CREATE STATISTICS s.st ON i, st FROM s.p1; ALTER STATISTICS s.st OWNER TO c25_app;
  )sql");
  // The schema's reader, so that the materialized view can be filled.
  source().sql(kDatabase, "GRANT USAGE ON SCHEMA s TO c25_app");
  expect_made();
  for (const char* query :
       {"SELECT count(*) FROM s.p", "SELECT n FROM s.m", "SELECT last_value FROM s.q",
        "SELECT count(*) FROM pg_statistic_ext", "SELECT count(*) FROM pg_type WHERE typname IN ('state', 'small')",
        "SELECT string_agg(proname, ',' ORDER BY proname) FROM pg_proc WHERE pronamespace = 's'::regnamespace"}) {
    expect_same_answer(query);
  }
  drop_roles();
}

}  // namespace
}  // namespace pgsluice::test
