// Generated columns and routing whose functions read another table.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include "tests/cases/case_fixture.h"

namespace pgsluice::test {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class GeneratedColumns : public CaseTest {
 protected:
  void expect_same_rows(const std::string& table) const {
    expect_same_answer(
        fmt::format("SELECT count(*) || ' ' || md5(string_agg(x::text, ',' ORDER BY x::text)) FROM {} x", table));
  }
};

// The rows of visits were computed under the time zone of one session, which nothing of the database tells.
TEST_F(GeneratedColumns, ThatReadATableAreFilledAndThoseThatCannotBeEqualAreSeen) {
  make_from_file("generated-columns.sql");
  const SubprocessResult cloned = clone({"--verify"});
  expect_same_rows("bills");
  EXPECT_EQ(at_target("SELECT count(*) FROM bills WHERE eur IS NULL"), "0");
  EXPECT_EQ(cloned.exit_code, 21) << said(cloned);
  EXPECT_THAT(cloned.errors, HasSubstr("visits"));
  const SubprocessResult compared = compare_data();
  EXPECT_EQ(compared.exit_code, 21) << said(compared);
  EXPECT_THAT(said(compared), HasSubstr("public.visits"));
}

TEST_F(GeneratedColumns, ThatReadATableAreEqualAfterAMigration) {
  make_from_file("generated-columns.sql");
  source().sql(kDatabase, "DROP TABLE visits");
  const Migrated migrated = migrate();
  EXPECT_EQ(migrated.state, "Succeeded") << migrated.error << said(migrated.result);
  expect_same_rows("bills");
}

TEST_F(GeneratedColumns, OfAChainOfTablesAreEqualWhateverTheirNamesAndSizes) {
  make(R"sql(
    CREATE TABLE z_base (k int PRIMARY KEY, v int); INSERT INTO z_base SELECT g, g * 3 FROM generate_series(1, 20) g;
    CREATE FUNCTION base_of(k int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS
      $$ BEGIN RETURN (SELECT v FROM public.z_base b WHERE b.k = $1); END $$;
    CREATE TABLE m_middle (k int PRIMARY KEY, v int GENERATED ALWAYS AS (base_of(k)) STORED);
    INSERT INTO m_middle SELECT generate_series(1, 20);
    CREATE FUNCTION middle_of(k int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT v FROM public.m_middle m WHERE m.k = $1';
    CREATE TABLE a_top (k int, v int GENERATED ALWAYS AS (middle_of(k % 20 + 1)) STORED, pad text);
    INSERT INTO a_top (k, pad) SELECT g, repeat('x', 50) FROM generate_series(1, 5000) g;
  )sql");
  for (const std::vector<std::string>& more :
       std::vector<std::vector<std::string>>{{}, {"--split-at", "64 kB", "--table-jobs", "8"}, {"--table-jobs", "1"}}) {
    target().create_database(kDatabase);
    expect_clone_to_be_equal(more);
    for (const char* table : {"z_base", "m_middle", "a_top"}) expect_same_rows(table);
  }
}

TEST_F(GeneratedColumns, OfPartitionsAndTheirRoutingAreEqual) {
  make(R"sql(
    CREATE TABLE z_kinds (k int PRIMARY KEY, kind text); INSERT INTO z_kinds SELECT g, 'kind ' || g % 2 FROM generate_series(1, 10) g;
    CREATE FUNCTION kind_of(k int) RETURNS text LANGUAGE plpgsql IMMUTABLE AS
      $$ BEGIN RETURN coalesce((SELECT kind FROM public.z_kinds z WHERE z.k = $1), 'none'); END $$;
    CREATE TABLE a_parts (k int) PARTITION BY LIST (kind_of(k));
    CREATE TABLE a_parts_0 PARTITION OF a_parts FOR VALUES IN ('kind 0'); CREATE TABLE a_parts_1 PARTITION OF a_parts FOR VALUES IN ('kind 1');
    INSERT INTO a_parts SELECT g % 10 + 1 FROM generate_series(1, 1000) g;
    CREATE TABLE b_parts (k int, kind text GENERATED ALWAYS AS (kind_of(k)) STORED) PARTITION BY RANGE (k);
    CREATE TABLE b_parts_1 PARTITION OF b_parts FOR VALUES FROM (0) TO (100); INSERT INTO b_parts SELECT generate_series(1, 10);
  )sql");
  expect_clone_to_be_equal();
  for (const char* table : {"a_parts_0", "a_parts_1", "b_parts_1"}) expect_same_rows(table);
}

TEST_F(GeneratedColumns, ThatDifferAreSeenByAComparison) {
  make(
      "CREATE FUNCTION f(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT $1 * 2';"
      "CREATE TABLE g (i int PRIMARY KEY, j int GENERATED ALWAYS AS (f(i)) STORED); INSERT INTO g SELECT "
      "generate_series(1, 100)");
  const SubprocessResult cloned = clone({"--verify"});
  ASSERT_EQ(cloned.exit_code, 0) << said(cloned);
  // The function stays as it was, and so do 99 rows.
  target().sql(kDatabase,
               "CREATE OR REPLACE FUNCTION f(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT $1 * 3';"
               "UPDATE g SET i = i WHERE i = 50");
  target().sql(kDatabase, "CREATE OR REPLACE FUNCTION f(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT $1 * 2'");
  ASSERT_EQ(at_target("SELECT j FROM g WHERE i = 50"), "150");
  const SubprocessResult compared = compare_data();
  EXPECT_EQ(compared.exit_code, 21) << said(compared);
  EXPECT_THAT(said(compared), HasSubstr("public.g"));
}

}  // namespace
}  // namespace pgsluice::test
