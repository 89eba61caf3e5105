#include "tests/support/database_comparison.h"

#include <gtest/gtest.h>

#include "tests/support/cluster.h"

namespace pgsluice::test {
namespace {

constexpr const char* kMake = R"sql(
  CREATE TABLE t (i int PRIMARY KEY, v text, w text);
  INSERT INTO t SELECT i, 'v' || i, 'w' || i FROM generate_series(1, 100) i;
  CREATE TABLE named (t int, s int);  -- its columns are called like what a query would call the row
  INSERT INTO named VALUES (1, 1);
  CREATE TABLE empty (); INSERT INTO empty DEFAULT VALUES;
  CREATE SEQUENCE s; SELECT setval('s', 5);
  CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
  CREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION f();
  COMMENT ON COLUMN t.v IS 'comment';
  GRANT SELECT ON t TO PUBLIC;
  SELECT lo_from_bytea(70000, 'abc');
  CREATE INDEX x ON t (v);
  CREATE MATERIALIZED VIEW m AS SELECT 1;
)sql";

std::vector<std::string> differences_after(const std::string& change) {
  shared_target().create_database("comparison copy");
  shared_target().sql("comparison copy", kMake);
  if (!change.empty()) shared_target().sql("comparison copy", change);
  return compare_databases(shared_source().conninfo("comparison"), shared_target().conninfo("comparison copy"),
                           server_bindir());
}

TEST(DatabaseComparison, FindsEachKindOfDifference) {
  shared_source().create_database("comparison");
  shared_source().sql("comparison", kMake);
  EXPECT_EQ(differences_after(""), std::vector<std::string>{});
  for (const char* change : {
           "UPDATE t SET v = 'x' WHERE i = 50",
           "UPDATE t SET v = w, w = v WHERE i = 50",
           "UPDATE t a SET v = b.v FROM t b WHERE a.i IN (3, 4) AND b.i = 7 - a.i",
           "UPDATE named SET s = 2",
           "INSERT INTO empty DEFAULT VALUES",
           "DELETE FROM t WHERE i = 100",
           "INSERT INTO t VALUES (101, NULL, '')",
           "UPDATE t SET v = NULL WHERE i = 1",
           "DROP TRIGGER g ON t",
           "ALTER TABLE t DISABLE TRIGGER g",
           "COMMENT ON COLUMN t.v IS NULL",
           "REVOKE SELECT ON t FROM PUBLIC",
           "SELECT setval('s', 6)",
           "SELECT setval('s', 5, false)",
           "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'x'::regclass",
           "CREATE SCHEMA more",
           "SELECT lo_put(70000, 0, 'x')",
           "SELECT lo_unlink(70000)",
           "COMMENT ON LARGE OBJECT 70000 IS 'x'",
           "REFRESH MATERIALIZED VIEW m WITH NO DATA",
           "ALTER DATABASE \"comparison copy\" SET work_mem = '1MB'",
           "CREATE TABLE more (i int)",
       }) {
    EXPECT_FALSE(differences_after(change).empty()) << "not found: " << change;
  }
}

}  // namespace
}  // namespace pgsluice::test
