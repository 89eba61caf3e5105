// Inheritance children whose columns stand in an order of their own.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include "tests/cases/case_fixture.h"

namespace pgsluice::test {
namespace {

constexpr const char* kColumns = R"sql(
  SELECT string_agg(format('%s: %s', c, columns), '; ' ORDER BY c)
  FROM (SELECT attrelid::regclass::text AS c,
               string_agg(concat_ws(' ', attname, format_type(atttypid, atttypmod), attnotnull, attislocal, attinhcount,
                                    pg_get_expr(adbin, adrelid)), ', ' ORDER BY attnum) AS columns
        FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid
             LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
        WHERE relkind IN ('r', 'p') AND relnamespace = 'public'::regnamespace AND attnum > 0 AND NOT attisdropped
        GROUP BY 1) each)sql";
// Without NOT NULL, which is the column's; 18 has names for it besides, and a child that is made by itself its own.
constexpr const char* kConstraints = R"sql(
  SELECT string_agg(concat_ws(' ', conrelid::regclass, conname, contype, conislocal, coninhcount, connoinherit), ', '
                    ORDER BY conrelid::regclass::text, conname)
  FROM pg_constraint WHERE connamespace = 'public'::regnamespace AND contype <> 'n')sql";
constexpr const char* kParents =
    "SELECT string_agg(concat_ws(' ', inhrelid::regclass, inhparent::regclass, inhseqno), ', ' ORDER BY"
    " inhrelid::regclass::text, inhseqno) FROM pg_inherits";

class InheritanceChildren : public CaseTest {
 protected:
  void expect_same_tables() const {
    for (const char* query : {kColumns, kConstraints, kParents}) expect_same_answer(query);
  }
};

constexpr const char* kChild =
    "CREATE TABLE par (a int); CREATE TABLE ch (b int, a int); ALTER TABLE ch INHERIT par;"
    "INSERT INTO ch VALUES (1, 2), (3, 4); INSERT INTO par VALUES (5);";

TEST_F(InheritanceChildren, KeepTheirOwnOrderOfColumns) {
  make(kChild);
  expect_clone_to_be_equal();
  expect_same_tables();
  expect_same_answer("SELECT string_agg(ch::text, ',' ORDER BY ch) FROM ch");
  target().sql(kDatabase, "INSERT INTO ch VALUES (7, 8)");
  EXPECT_EQ(at_target("SELECT a FROM ch WHERE b = 7"), "8");
}

TEST_F(InheritanceChildren, KeepTheirOwnOrderInAMigration) {
  if (!between(15, 18)) GTEST_SKIP() << kNoDownloads;
  make(kChild);
  const Migrated migrated = migrate();
  EXPECT_EQ(migrated.state, "Succeeded") << migrated.error << said(migrated.result);
  expect_same_answer("SELECT string_agg(ch::text, ',' ORDER BY ch) FROM ch");
}

// Two parents, grandchildren, columns that came later, defaults and constraints of both, dropped columns.
TEST_F(InheritanceChildren, KeepTheirOrderInATreeThatHasGrown) {
  for (const int version : {15, 18}) {
    if (!between(version, version)) GTEST_SKIP() << kNoDownloads;
    make(R"sql(
      CREATE TABLE one (a int NOT NULL DEFAULT 1, s text, CONSTRAINT a_is_positive CHECK (a > 0));
      CREATE TABLE two (c date, s text COLLATE "C");
      ALTER TABLE two ALTER s TYPE text COLLATE "default";
      CREATE TABLE child (own int, gone int, s text DEFAULT 'of the child', c date, a int NOT NULL DEFAULT 2,
                          CONSTRAINT a_is_positive CHECK (a > 0), CONSTRAINT own_is_not_a CHECK (own <> a) NO INHERIT);
      ALTER TABLE child DROP gone; ALTER TABLE child INHERIT two; ALTER TABLE child INHERIT one;
      CREATE TABLE grandchild (z int GENERATED ALWAYS AS (a * 2) STORED, c date, a int NOT NULL, own int, s text,
                               CONSTRAINT a_is_positive CHECK (a > 0), PRIMARY KEY (own));
      ALTER TABLE grandchild INHERIT child;
      CREATE TABLE plain (more text) INHERITS (child);
      ALTER TABLE one ADD later int DEFAULT 5; ALTER TABLE two ADD COLUMN latest text;
      CREATE INDEX ON child (s, own); COMMENT ON COLUMN child.c IS 'a date'; ALTER TABLE child ALTER c SET STATISTICS 7;
      INSERT INTO child (own, s, c, a) VALUES (10, 'x', '2024-01-01', 3); INSERT INTO grandchild (c, a, own) VALUES (NULL, 4, 5);
      INSERT INTO plain VALUES (1); INSERT INTO one VALUES (9, 'y');
    )sql");
    expect_clone_to_be_equal();
    expect_same_tables();
    for (const char* table : {"child", "grandchild", "plain", "one", "two"}) {
      expect_same_answer(fmt::format("SELECT string_agg(x::text, ',' ORDER BY x::text) FROM ONLY {} x", table));
    }
    expect_same_answer(
        "SELECT col_description('child'::regclass, attnum) FROM pg_attribute WHERE attrelid ="
        " 'child'::regclass AND attname = 'c'");
  }
}

// One that differs is seen, since "INSERT INTO ch VALUES (…)" means something else then.
// Its copies below were validated when they were made with their tables, and are not the children's own.
TEST_F(InheritanceChildren, TakeAConstraintThatIsNotValidAboveFromThere) {
  make(
      "CREATE TABLE par (a int); INSERT INTO par VALUES (-1);"
      "ALTER TABLE par ADD CONSTRAINT positive CHECK (a > 0) NOT VALID;"
      "CREATE TABLE ch (x int) INHERITS (par); CREATE TABLE gch (y int) INHERITS (ch); ALTER TABLE par ADD b int");
  const SubprocessResult cloned = clone();
  EXPECT_EQ(cloned.exit_code, 0) << said(cloned);
  expect_same_tables();
}

TEST_F(InheritanceChildren, AreSeenToDifferWhereTheOrderWasLost) {
  make(kChild);
  target().sql(kDatabase,
               "CREATE TABLE par (a int); CREATE TABLE ch (b int) INHERITS (par);"
               "INSERT INTO ch (b, a) VALUES (1, 2), (3, 4); INSERT INTO par VALUES (5)");
  const SubprocessResult compared = compare_schema();
  EXPECT_EQ(compared.exit_code, 21) << said(compared);
}

// From 18 on they are constraints, with names, and a key on an index would make an inherited one the child's own.
TEST_F(InheritanceChildren, KeepTheNamesAndTheInheritanceOfNotNulls) {
  if (!between(18, 18)) GTEST_SKIP() << kNoDownloads;
  make(R"sql(
    CREATE TABLE p (id int NOT NULL PRIMARY KEY); CREATE TABLE c (x int) INHERITS (p); ALTER TABLE c ADD PRIMARY KEY (id);
    CREATE TABLE q (id int NOT NULL, n text CONSTRAINT keep_n NOT NULL); CREATE TABLE d (x int) INHERITS (q);
    ALTER TABLE q ADD late int CONSTRAINT late_nn NOT NULL DEFAULT 1; COMMENT ON CONSTRAINT keep_n ON d IS 'kept';
    CREATE TABLE own (late int CONSTRAINT own_late NOT NULL, x int, id int NOT NULL, n text NOT NULL);
    ALTER TABLE own INHERIT q;
    CREATE TABLE tree (id int NOT NULL PRIMARY KEY, x int) PARTITION BY RANGE (id);
    CREATE TABLE leaf PARTITION OF tree FOR VALUES FROM (0) TO (10))sql");
  expect_clone_to_be_equal();
  expect_same_answer(
      "SELECT string_agg(concat_ws(' ', conrelid::regclass, conname, contype, conislocal, coninhcount,"
      " obj_description(oid, 'pg_constraint')), ', ' ORDER BY conrelid::regclass::text, conname)"
      " FROM pg_constraint WHERE connamespace = 'public'::regnamespace");
  const Migrated migrated = migrate();
  EXPECT_EQ(migrated.state, "Succeeded") << migrated.error << said(migrated.result);
}

// The key of a child whose NOT NULL is its parent's, into a release that has constraints for it.
TEST_F(InheritanceChildren, WithKeysOfTheirOwnAreEqualInALaterRelease) {
  if (!between(15, 18)) GTEST_SKIP() << kNoDownloads;
  make(
      "CREATE TABLE p (id int NOT NULL PRIMARY KEY); CREATE TABLE c (x int) INHERITS (p); ALTER TABLE c ADD PRIMARY "
      "KEY (id)");
  expect_clone_to_be_equal();
}

}  // namespace
}  // namespace pgsluice::test
