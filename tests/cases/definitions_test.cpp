// Definitions that are equal although two servers, or one server twice, print them in other words.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include "tests/cases/case_fixture.h"

namespace pgsluice::test {
namespace {

using ::testing::AnyOf;
using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr const char* kOrders =
    "CREATE TABLE o (id int PRIMARY KEY, st varchar(10) CHECK (st IN ('new','paid')));"
    "INSERT INTO o SELECT g, 'new' FROM generate_series(1, 20) g;";

// Each holds a list of varchar, or another expression that reads otherwise once it was printed and read back.
constexpr const char* kExpressions = R"sql(
  CREATE DOMAIN state AS varchar(10) DEFAULT 'new' CHECK (VALUE IN ('new', 'paid', 'sent'));
  CREATE TABLE t (
    id int PRIMARY KEY, st varchar(10) DEFAULT (CASE WHEN current_user::varchar IN ('a', 'b') THEN 'new' ELSE 'paid' END),
    code char(3) CHECK (code NOT IN ('abc', 'def')), d state, n numeric(8,2) CHECK (n BETWEEN 0 AND 1e5 AND n <> ALL ('{7,8}')),
    at timestamp CHECK (at > '2020-01-01' AND at + '1 day' > at), js jsonb CHECK (js ->> 'k' IN ('x', 'y') IS NOT FALSE),
    flag bool GENERATED ALWAYS AS (st IN ('new', 'paid')) STORED,
    CONSTRAINT both_states CHECK ((st, code) NOT IN (('new', 'xyz'), ('paid', 'zzz'))),
    CONSTRAINT alike CHECK (st LIKE ANY (ARRAY['n%', 'p%']::varchar[]) OR NOT st ~~* 'x%'),
    EXCLUDE USING btree (id WITH =) WHERE (st IN ('new', 'sent')));
  INSERT INTO t (id, st, code, d, n) SELECT g, 'new', 'xxx', 'paid', g + 10 FROM generate_series(1, 30) g;
  CREATE INDEX t_pred ON t (id) WHERE st IN ('new', 'paid') AND code <> 'q';
  CREATE INDEX t_expr ON t ((st IN ('new', 'paid')), (CASE WHEN code IN ('a', 'b') THEN 1 ELSE 2 END), lower(st));
  CREATE STATISTICS t_stat ON (st IN ('new', 'paid')), id FROM t;
  CREATE RULE t_rule AS ON UPDATE TO t WHERE NEW.st IN ('old', 'older') DO INSTEAD NOTHING;
  CREATE POLICY t_policy ON t USING (st IN ('new', 'paid')) WITH CHECK (st NOT IN ('bad', 'worse'));
  CREATE FUNCTION tg() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;
  CREATE TRIGGER t_trigger AFTER UPDATE ON t FOR EACH ROW
    WHEN (NEW.st IN ('new', 'paid') AND OLD.* IS DISTINCT FROM NEW.*) EXECUTE FUNCTION tg();
  CREATE VIEW t_view AS SELECT t.id, t.st FROM t WHERE t.st IN ('new', 'paid') AND t.n BETWEEN 1 AND 2;
  CREATE MATERIALIZED VIEW t_mat AS SELECT id FROM t WHERE st NOT IN ('new', 'paid') OR code = ANY ('{a,b}'::bpchar[]);
  CREATE TABLE part (k varchar(5), v int) PARTITION BY LIST (k);
  CREATE TABLE part_1 PARTITION OF part FOR VALUES IN ('a', 'b', NULL);
  CREATE TABLE part_2 PARTITION OF part DEFAULT PARTITION BY RANGE ((v * 2), lower(k));
  CREATE TABLE part_2_1 PARTITION OF part_2 FOR VALUES FROM (MINVALUE, MINVALUE) TO (10 + 5, 'm');
  INSERT INTO part VALUES ('a', 1), ('c', 2);
)sql";

constexpr const char* kExpressionsSince15 = R"sql(
  CREATE FUNCTION body(x varchar DEFAULT 'new'::varchar, y bool DEFAULT 'q'::varchar IN ('q', 'r')) RETURNS bigint
    LANGUAGE sql BEGIN ATOMIC SELECT count(*) FROM t WHERE t.st IN ('new', 'paid') AND t.st <> x; END;
  CREATE PUBLICATION part_of_t FOR TABLE t WHERE (id IN (1, 2) AND id BETWEEN 0 AND 100);
)sql";

class Definitions : public CaseTest {
 protected:
  void expect_migration_to_succeed() const {
    const Migrated migrated = migrate();
    EXPECT_EQ(migrated.state, "Succeeded") << migrated.error << said(migrated.result);
    EXPECT_EQ(migrated.result.exit_code, 0);
    const SubprocessResult compared = compare_schema();
    EXPECT_EQ(compared.exit_code, 0) << said(compared);
  }
  // The target's definition is changed: now it has to be seen, under its name.
  void expect_seen(const std::string& change, const std::string& name) const {
    target().sql(kDatabase, change);
    const SubprocessResult compared = compare_schema();
    EXPECT_EQ(compared.exit_code, 21) << change << "\n" << said(compared);
    EXPECT_THAT(said(compared), HasSubstr(name)) << change;
  }
};

TEST_F(Definitions, ACheckOfAListIsEqualAfterAMigration) {
  if (!between(18, 18)) GTEST_SKIP() << kNoDownloads;
  make(kOrders);
  expect_migration_to_succeed();
}

TEST_F(Definitions, ACheckOfAListIsEqualAfterAClone) {
  make(kOrders);
  expect_clone_to_be_equal();
}

TEST_F(Definitions, ExpressionsOfAllKindsOfObjectsAreEqualAfterACopy) {
  for (const int version : {15, 18}) {
    SCOPED_TRACE(version);
    if (!between(version, version)) GTEST_SKIP() << kNoDownloads;
    make(std::string(kExpressions) + kExpressionsSince15);
    expect_clone_to_be_equal();
    expect_migration_to_succeed();
  }
}

// A copy of a copy, whose expressions were read back once more.
TEST_F(Definitions, ACopyOfACopyIsEqualToTheFirst) {
  make(std::string(kExpressions) + kExpressionsSince15);
  const SubprocessResult first = clone();
  ASSERT_EQ(first.exit_code, 0) << said(first);
  target().create_database("cases_3");
  const SubprocessResult second = run({"clone", "--progress", "none", "--source", target().conninfo(kDatabase),
                                       "--target", target().conninfo("cases_3")});
  ASSERT_EQ(second.exit_code, 0) << said(second);
  const SubprocessResult compared =
      run({"compare", "schema", "--source", source().conninfo(kDatabase), "--target", target().conninfo("cases_3")});
  EXPECT_EQ(compared.exit_code, 0) << said(compared);
  target().sql("postgres", "DROP DATABASE cases_3");
}

TEST_F(Definitions, ExpressionsThatDifferAreSeen) {
  make(std::string(kOrders) + kExpressions + kExpressionsSince15);
  const SubprocessResult cloned = clone();
  ASSERT_EQ(cloned.exit_code, 0) << said(cloned);
  expect_seen("ALTER TABLE o DROP CONSTRAINT o_st_check, ADD CONSTRAINT o_st_check CHECK (st IN ('new', 'paid', 'x'))",
              "o_st_check");
  expect_seen("ALTER TABLE t DROP CONSTRAINT both_states", "both_states");
  expect_seen("DROP INDEX t_pred; CREATE INDEX t_pred ON t (id) WHERE st IN ('new', 'paid') AND code <> 'r'", "t_pred");
  expect_seen("ALTER POLICY t_policy ON t USING (st IN ('new', 'pai'))", "t_policy");
  expect_seen("CREATE OR REPLACE VIEW t_view AS SELECT id, st FROM t WHERE st IN ('new', 'paid') AND n BETWEEN 1 AND 3",
              "t_view");
  expect_seen("ALTER TABLE t DISABLE TRIGGER t_trigger", "t_trigger");
  expect_seen(
      "CREATE OR REPLACE FUNCTION body(x varchar DEFAULT 'new'::varchar, y bool DEFAULT 'q'::varchar IN ('q', 's'))"
      " RETURNS bigint LANGUAGE sql BEGIN ATOMIC SELECT count(*) FROM t WHERE t.st IN ('new', 'paid'); END",
      "body");
  expect_seen("ALTER DOMAIN state SET DEFAULT 'paid'", "state");
  expect_seen(
      "ALTER TABLE part DETACH PARTITION part_1; ALTER TABLE part ATTACH PARTITION part_1 FOR VALUES IN ('a', 'b')",
      "part_1");
  expect_seen("ALTER PUBLICATION part_of_t SET TABLE t WHERE (id IN (1, 3))", "part_of_t");
}

constexpr const char* kViews = R"sql(
  CREATE TABLE o (id int PRIMARY KEY, st varchar(10) CHECK (st IN ('new','paid')), n numeric);
  INSERT INTO o SELECT g, 'new', g FROM generate_series(1, 20) g;
  CREATE VIEW v AS SELECT o.id, o.st FROM o WHERE o.id > 1;
  CREATE VIEW grouped AS SELECT o.st, sum(o.n) AS s FROM o GROUP BY o.st HAVING count(o.id) > 1 ORDER BY o.st;
  CREATE VIEW joined AS SELECT a.id, b.st FROM o a JOIN o b USING (id) LEFT JOIN LATERAL (SELECT o.n FROM o WHERE o.id = a.id) c ON true;
  CREATE VIEW windowed AS SELECT o.id, rank() OVER (PARTITION BY o.st ORDER BY o.n) FROM o;
  CREATE VIEW nested AS WITH w AS (SELECT o.id FROM o) SELECT w.id, EXISTS (SELECT 1 FROM o WHERE o.id = w.id) FROM w UNION SELECT o.id, true FROM o;
  CREATE MATERIALIZED VIEW m AS SELECT o.id, v.st FROM o NATURAL JOIN v;
  CREATE VIEW over_one AS SELECT v.* FROM v WHERE v.st IN ('new', 'paid');
  CREATE RULE r AS ON INSERT TO v DO INSTEAD INSERT INTO o (id, st) SELECT NEW.id, NEW.st FROM o WHERE o.id = NEW.id;
  CREATE VIEW cast_and_trim AS SELECT trim(both 'x' from o.st) AS t, substring(o.st from 1 for 2) AS u, o.n::int AS i,
    extract(year FROM now()) AS y, now() AT TIME ZONE 'UTC' AS z FROM o;
)sql";

class DefinitionsAcrossMajors : public Definitions {};

TEST_F(DefinitionsAcrossMajors, AViewIsEqualAfterAMigration) {
  if (!between(15, 18)) GTEST_SKIP() << kNoDownloads;
  make(std::string(kOrders) + "CREATE VIEW v AS SELECT o.id, o.st FROM o WHERE o.id > 1");
  expect_migration_to_succeed();
}

TEST_F(DefinitionsAcrossMajors, ViewsRulesAndBodiesAreEqualAfterACopy) {
  for (const auto& [from, to] : std::vector<std::pair<int, int>>{{15, 18}, {13, 18}, {12, 15}}) {
    SCOPED_TRACE(fmt::format("{} to {}", from, to));
    if (!between(from, to)) GTEST_SKIP() << kNoDownloads;
    make(std::string(kViews) + (from >= 15 ? kExpressions : "") + (from >= 15 ? kExpressionsSince15 : ""));
    expect_clone_to_be_equal();
  }
}

TEST_F(DefinitionsAcrossMajors, AViewThatDiffersIsSeen) {
  if (!between(15, 18)) GTEST_SKIP() << kNoDownloads;
  make(kViews);
  const SubprocessResult cloned = clone();
  ASSERT_EQ(cloned.exit_code, 0) << said(cloned);
  expect_seen("CREATE OR REPLACE VIEW v AS SELECT o.id, o.st FROM o WHERE o.id > 2", "v");
  expect_seen("CREATE OR REPLACE RULE r AS ON INSERT TO v DO INSTEAD NOTHING", "r");
  expect_seen("ALTER TABLE o ALTER n SET DEFAULT 7", "o");
}

class OldPgDump : public Definitions {
 protected:
  // The machine has no newer one, as most have that were set up beside the source.
  void use_old_pg_dump() { use_pg_bindir(server_bindir()); }
};

TEST_F(OldPgDump, OfTheSourcesVersionIsEnoughForAMigrationOrIsRefusedBeforeAnythingIsDropped) {
  for (const int to : {16, 18}) {
    SCOPED_TRACE(to);
    if (!between(15, to)) GTEST_SKIP() << kNoDownloads;
    use_old_pg_dump();
    make(std::string(kOrders) + "CREATE VIEW v AS SELECT o.id, o.st FROM o WHERE o.id > 1");
    target().sql(kDatabase, "CREATE TABLE of_before (i int)");
    const Migrated migrated = migrate();
    EXPECT_THAT(migrated.state, AnyOf("Succeeded", "ValidationFailed")) << migrated.error;
    EXPECT_THAT(said(migrated.result), Not(ContainsRegex("older than the source server's 1[68]")));
    if (migrated.state != "Succeeded") {
      EXPECT_EQ(at_target("SELECT to_regclass('of_before') IS NOT NULL"), "t") << migrated.error;
      EXPECT_THAT(said(migrated.result), HasSubstr("pg_dump"));
    } else {
      expect_same_answer("SELECT count(*) FROM o");
    }
  }
}

TEST_F(OldPgDump, OfTheSourcesVersionIsEnoughForACloneAndAComparisonOrIsCalledOlderThanTheTarget) {
  if (!between(15, 18)) GTEST_SKIP() << kNoDownloads;
  use_old_pg_dump();
  make(kViews);
  const SubprocessResult cloned = clone({"--verify"});
  EXPECT_EQ(cloned.exit_code, 0) << said(cloned);
  const SubprocessResult compared = compare_schema();
  EXPECT_THAT(compared.exit_code, AnyOf(0, 2)) << said(compared);
  EXPECT_THAT(said(compared), Not(HasSubstr("source server's 18")));
  if (compared.exit_code == 2) {
    EXPECT_THAT(said(compared), HasSubstr("target"));
  }
}

class PoliciesOfRoles : public Definitions {
 protected:
  void SetUp() override {
    TearDown();
    source().sql("postgres", "CREATE ROLE c4_pa; CREATE ROLE c4_pb; CREATE ROLE c4_pc");
    target().sql("postgres", "CREATE ROLE c4_pc; CREATE ROLE c4_pb; CREATE ROLE c4_pa");
    make(
        "CREATE TABLE t (i int); INSERT INTO t VALUES (1); CREATE POLICY p ON t TO c4_pb, c4_pa;"
        "CREATE POLICY q ON t FOR SELECT TO c4_pc, c4_pa, c4_pb USING (i > 0); CREATE POLICY everybody ON t;"
        "GRANT SELECT ON t TO c4_pc, c4_pa; GRANT INSERT (i) ON t TO c4_pb, c4_pa;"
        "ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO c4_pb, c4_pa");
  }
  void TearDown() override {
    for (const Cluster* server : {&source(), &target()}) {
      server->sql("postgres", "DROP DATABASE IF EXISTS cases");
      server->sql("postgres", "DROP ROLE IF EXISTS c4_pa, c4_pb, c4_pc");
    }
  }
};

TEST_F(PoliciesOfRoles, AreEqualWhereTheRolesWereMadeInAnotherOrder) {
  expect_clone_to_be_equal();
  expect_migration_to_succeed();
}

TEST_F(PoliciesOfRoles, AreSeenWhereARoleIsMissing) {
  const SubprocessResult cloned = clone();
  ASSERT_EQ(cloned.exit_code, 0) << said(cloned);
  expect_seen("ALTER POLICY q ON t TO c4_pc, c4_pa", "q");
  expect_seen("ALTER POLICY everybody ON t TO c4_pa", "everybody");
}

}  // namespace
}  // namespace pgsluice::test
