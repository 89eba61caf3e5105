#include "copy/table_copy.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "copy/copy_statement.h"
#include "copy/server_rows.h"
#include "pg/snapshot.h"
#include "pgsluice/error.h"
#include "tests/support/cluster.h"

namespace pgsluice::copy {
namespace {

constexpr CopyFormat kText = CopyFormat::kText;
constexpr CopyFormat kBinary = CopyFormat::kBinary;

TEST(CopyStatement, NamesTheColumnsOnBothEnds) {
  schema::Relation table;
  table.schema = "my schema";
  table.name = "t";
  table.columns = {"a", "select"};
  EXPECT_EQ(copy_out_statement(table, kText, ""), "COPY \"my schema\".\"t\" (\"a\", \"select\") TO STDOUT");
  EXPECT_EQ(copy_in_statement(table, table, kText, Loading::kAppend),
            "COPY \"my schema\".\"t\" (\"a\", \"select\") FROM STDIN");
  table.extension_condition = "WHERE a > 5";
  EXPECT_EQ(copy_out_statement(table, kText, ""),
            "COPY (SELECT \"a\", \"select\" FROM ONLY \"my schema\".\"t\" WHERE a > 5) TO STDOUT");
  table.extension_condition.reset();
  table.columns.clear();
  EXPECT_EQ(copy_out_statement(table, kText, ""), "COPY \"my schema\".\"t\" TO STDOUT");
}

TEST(CopyStatement, SaysFormatRangeAndLoading) {
  schema::Relation table;
  table.schema = "s";
  table.name = "t";
  table.columns = {"a"};
  EXPECT_EQ(copy_out_statement(table, kBinary, "ctid < '(7,0)'"),
            "COPY (SELECT \"a\" FROM ONLY \"s\".\"t\" WHERE ctid < '(7,0)') TO STDOUT WITH (FORMAT binary)");
  EXPECT_EQ(copy_in_statement(table, table, kBinary, Loading::kFreeze),
            "LOCK TABLE ONLY \"s\".\"t\" IN ACCESS EXCLUSIVE MODE;"
            " SELECT (one.is || 'pgsluice: the table holds rows')::pg_catalog.int4"
            " FROM (SELECT ''::pg_catalog.text AS is FROM ONLY \"s\".\"t\" LIMIT 1) one;"
            " TRUNCATE ONLY \"s\".\"t\"; COPY \"s\".\"t\" (\"a\") FROM STDIN WITH (FORMAT binary, FREEZE)");
}

class TableCopyTest : public ::testing::Test {
 protected:
  void make(const std::string& on_source, const std::string& on_target) {
    test::shared_source().create_database("table_copy");
    test::shared_target().create_database("table_copy");
    test::shared_source().sql("table_copy", on_source);
    test::shared_target().sql("table_copy", on_target);
    source_.emplace(test::shared_source().connect("table_copy", Side::kSource));
    target_.emplace(test::shared_target().connect("table_copy", Side::kTarget));
    pg::export_snapshot(*source_);
    catalog_ = schema::read_catalog(*source_);
  }

  std::int64_t copy(CopyFormat format = kText, Loading loading = Loading::kAppend, const RowRange& range = {}) {
    const schema::Relation& table = catalog_.relations.at(0);
    const TableCopy one{
        .table = table, .into = table, .format = format, .loading = loading, .range = range, .flow = bytes_};
    const std::unique_ptr<Relay> relay = make_relay(*source_, *target_);
    ServerRows rows(*source_, *relay);
    const CopyTablesResult result = copy_tables(rows, *target_, {&one, 1});
    if (result.error) throw Error(*result.error);
    return result.copied.at(0).loaded.rows;
  }

  // All tables of the source, in the order of their making, in one transaction.
  CopyTablesResult copy_all() {
    std::vector<TableCopy> all;
    for (const schema::Relation& table : catalog_.relations) {
      all.push_back({.table = table, .into = table, .format = kBinary, .flow = bytes_});
    }
    const std::unique_ptr<Relay> relay = make_relay(*source_, *target_);
    ServerRows rows(*source_, *relay);
    return copy_tables(rows, *target_, all);
  }

  std::string rows() { return test::shared_target().value("table_copy", "SELECT count(*) FROM t"); }

  schema::Catalog catalog_;
  std::optional<pg::Connection> source_;
  std::optional<pg::Connection> target_;
  std::atomic<std::int64_t> bytes_{0};
};

TEST_F(TableCopyTest, CommitsWhenBothSidesCountTheSame) {
  make("CREATE TABLE t AS SELECT generate_series(1, 1000) AS i", "CREATE TABLE t (i int)");
  EXPECT_EQ(copy(), 1000);
  EXPECT_EQ(rows(), "1000");
}

TEST_F(TableCopyTest, RowsThatATriggerTakesAwayAreAMismatchAndNothingIsKept) {
  make("CREATE TABLE t AS SELECT generate_series(1, 1000) AS i",
       "CREATE TABLE t (i int); CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS"
       " 'BEGIN RETURN CASE WHEN NEW.i <> 7 THEN NEW END; END';"
       "CREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION f()");
  try {
    copy();
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kMismatch);
    EXPECT_EQ(error.object(), "table public.t");
    EXPECT_NE(error.describe().find("1000"), std::string::npos);
    EXPECT_NE(error.describe().find("999"), std::string::npos);
  }
  EXPECT_EQ(rows(), "0");
}

TEST_F(TableCopyTest, ATableTruncatedBehindTheSnapshotIsFoundAndNothingIsKept) {
  make("CREATE TABLE t AS SELECT generate_series(1, 1000) AS i", "CREATE TABLE t (i int)");
  test::shared_source().sql("table_copy", "TRUNCATE t");
  try {
    copy();
    FAIL() << "the table read as empty";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kState);
    EXPECT_EQ(error.side(), Side::kSource);
  }
  EXPECT_EQ(rows(), "0");
}

TEST_F(TableCopyTest, ATableSwappedByRenameBehindTheSnapshotIsFound) {
  make("CREATE TABLE t AS SELECT generate_series(1, 1000) AS i", "CREATE TABLE t (i int)");
  test::shared_source().sql("table_copy", "ALTER TABLE t RENAME TO old; CREATE TABLE t (i int)");
  EXPECT_THROW(copy(), Error);
  EXPECT_EQ(rows(), "0");
}

TEST_F(TableCopyTest, TablesWithoutColumnsKeepTheirRows) {
  make("CREATE TABLE t (); INSERT INTO t SELECT FROM generate_series(1, 5)", "CREATE TABLE t ()");
  EXPECT_EQ(copy(), 5);
  EXPECT_EQ(rows(), "5");
}

TEST_F(TableCopyTest, TablesWithGeneratedColumnsOnlyKeepTheirRows) {
  const char* table = "CREATE TABLE t (i int GENERATED ALWAYS AS (42) STORED)";
  make(std::string(table) + "; INSERT INTO t SELECT FROM generate_series(1, 5)", table);
  EXPECT_EQ(copy(), 5);
  EXPECT_EQ(test::shared_target().value("table_copy", "SELECT sum(i) FROM t"), "210");
}

TEST_F(TableCopyTest, ManyTablesCrossInOneTransaction) {
  std::string on_source;
  std::string on_target;
  for (int i = 0; i < 40; ++i) {
    on_source += fmt::format("CREATE TABLE t{} AS SELECT generate_series(1, {}) AS i;", i, i);
    on_target += fmt::format("CREATE TABLE t{} (i int);", i);
  }
  make(on_source, on_target);
  const CopyTablesResult result = copy_all();
  ASSERT_FALSE(result.error) << result.error->describe();
  ASSERT_EQ(result.copied.size(), 40);
  for (int i = 0; i < 40; ++i) EXPECT_EQ(result.copied[static_cast<std::size_t>(i)].loaded.rows, i);
  EXPECT_EQ(test::shared_target().value("table_copy",
                                        "SELECT count(DISTINCT xmin::text) FROM (SELECT xmin FROM t7"
                                        " UNION ALL SELECT xmin FROM t39) t"),
            "1");
  EXPECT_TRUE(target_->idle());
}

class FailingBatch : public TableCopyTest {
 protected:
  // The third of five tables.
  void expect_failure_of_c(Side side, std::string_view sqlstate) {
    const CopyTablesResult result = copy_all();
    ASSERT_TRUE(result.error);
    EXPECT_EQ(result.error->side(), side) << result.error->describe();
    EXPECT_EQ(result.error->sqlstate(), sqlstate);
    EXPECT_EQ(result.error->object(), "table public.c");
    EXPECT_EQ(result.failed, 2U);
    EXPECT_TRUE(result.copied.empty());
    for (const char* table : {"a", "b", "d", "e"}) {
      EXPECT_EQ(test::shared_target().value("table_copy", fmt::format("SELECT count(*) FROM {}", table)), "0") << table;
    }
  }

  static std::string tables(std::string_view c, std::string_view as) {
    return fmt::format("CREATE TABLE a {1}; CREATE TABLE b {1}; {0}; CREATE TABLE d {1}; CREATE TABLE e {1}", c, as);
  }
  static constexpr std::string_view kRows = "AS SELECT i, repeat('x', 1000) AS t FROM generate_series(1, 2000) i";
  static constexpr std::string_view kEmpty = "(i int, t text)";
};

TEST_F(FailingBatch, TheTableThatTheTargetRefusesIsNamedAndNothingIsKept) {
  make(tables(fmt::format("CREATE TABLE c {}", kRows), kRows),
       tables("CREATE TABLE c (i int CHECK (i < 1500), t text)", kEmpty));
  expect_failure_of_c(Side::kTarget, "23514");
}

TEST_F(FailingBatch, TheTableThatIsMissingOnTheTargetIsNamed) {
  make(tables(fmt::format("CREATE TABLE c {}", kRows), kRows), tables("SELECT 1", kEmpty));
  expect_failure_of_c(Side::kTarget, "42P01");
}

TEST_F(FailingBatch, TheTableThatTheSourceCannotReadIsNamed) {
  make(tables(fmt::format("CREATE TABLE c {}", kRows), kRows), tables("CREATE TABLE c (i int, t text)", kEmpty));
  test::shared_source().sql("table_copy", "DROP TABLE c");
  expect_failure_of_c(Side::kSource, "42P01");
}

TEST_F(FailingBatch, ATableWithRowsTakenAwayIsNamed) {
  make(tables(fmt::format("CREATE TABLE c {}", kRows), kRows),
       tables("CREATE TABLE c (i int, t text); CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN "
              "NULL; END';"
              "CREATE TRIGGER g BEFORE INSERT ON c FOR EACH ROW EXECUTE FUNCTION f()",
              kEmpty));
  expect_failure_of_c(Side::kTarget, "");
}

TEST_F(FailingBatch, ATableTruncatedBehindTheSnapshotIsNamed) {
  make(tables(fmt::format("CREATE TABLE c {}", kRows), kRows), tables("CREATE TABLE c (i int, t text)", kEmpty));
  test::shared_source().sql("table_copy", "TRUNCATE c");
  expect_failure_of_c(Side::kSource, "");
}

TEST_F(TableCopyTest, FrozenRowsAreVisibleToAllWithoutVacuum) {
  make("CREATE TABLE t AS SELECT generate_series(1, 10000) AS i",
       "CREATE TABLE t (i int); CREATE EXTENSION pg_visibility");
  EXPECT_EQ(copy(kBinary, Loading::kFreeze), 10000);
  EXPECT_EQ(test::shared_target().value("table_copy",
                                        "SELECT all_visible = relpages_now AND all_frozen = relpages_now"
                                        " FROM pg_visibility_map_summary('t'),"
                                        " (SELECT pg_relation_size('t') / 8192 AS relpages_now) p"),
            "t");
}

// Each value once, whatever the ranges are.
TEST_F(TableCopyTest, RangesOfBlocksAreTheWholeTable) {
  make("CREATE TABLE t AS SELECT g AS i, repeat('x', 500) AS x FROM generate_series(1, 20000) g",
       "CREATE TABLE t (i int, x text)");
  const Bytes heap = catalog_.relations.at(0).heap_size;
  const std::vector<RowRange> ranges =
      ranges_of_blocks(shrinking_sizes(heap, 2, {512 * 1024}, 0), heap, catalog_.block_size);
  ASSERT_GT(ranges.size(), 3U);
  std::int64_t rows = 0;
  for (const RowRange& range : ranges) rows += copy(kBinary, Loading::kAppend, range);
  EXPECT_EQ(rows, 20000);
  EXPECT_EQ(test::shared_target().value("table_copy", "SELECT count(DISTINCT i) || ' ' || sum(i) FROM t"),
            "20000 200010000");
}

TEST_F(TableCopyTest, RangesOfKeysAreTheWholeTableNullsIncluded) {
  make(
      "CREATE TABLE t (i bigint UNIQUE); INSERT INTO t SELECT g::bigint * 1000003 - 9223372036854775807 FROM "
      "generate_series(0, "
      "9999) g; INSERT INTO t VALUES (9223372036854775807), (-9223372036854775808), (NULL), (NULL)",
      "CREATE TABLE t (i bigint)");
  const schema::Relation& table = catalog_.relations.at(0);
  EXPECT_EQ(table.integer_key, "i");
  const std::optional<KeySpan> span = read_key_span(*source_, table);
  ASSERT_TRUE(span);
  const std::vector<RowRange> ranges = ranges_of_keys(equal_sizes({1000}, {200}, 0), "i", *span);
  EXPECT_EQ(ranges.size(), 6U);  // with that of the nulls
  std::int64_t rows = 0;
  for (const RowRange& range : ranges) rows += copy(kText, Loading::kAppend, range);
  EXPECT_EQ(rows, 10004);
  EXPECT_EQ(test::shared_target().value("table_copy", "SELECT count(DISTINCT i) || ' ' || count(*) FROM t"),
            "10002 10004");
}

// Between the look at an empty table and its COPY somebody else may have put rows in.
TEST_F(TableCopyTest, RowsOfOthersAreNotTruncatedForFreezing) {
  make("CREATE TABLE t AS SELECT generate_series(1, 100) AS i", "CREATE TABLE t (i int); INSERT INTO t VALUES (-1)");
  try {
    copy(kBinary, Loading::kFreeze);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kState);
    EXPECT_NE(error.describe().find("table public.t"), std::string::npos);
    EXPECT_NE(error.describe().find("rows that are not of this run"), std::string::npos);
  }
  EXPECT_EQ(rows(), "1");
  target_->execute("DELETE FROM t");
  EXPECT_EQ(copy(kBinary, Loading::kFreeze), 100);
}

TEST_F(TableCopyTest, ARowThatTheSourceCannotSendIsExplained) {
  make("CREATE TABLE t (b bytea); INSERT INTO t SELECT convert_to(repeat('x', 550 * 1024 * 1024), 'UTF8')",
       "CREATE TABLE t (b bytea)");
  try {
    copy(kText);
    FAIL() << "it takes 1.1 GB in text";
  } catch (const Error& error) {
    EXPECT_NE(error.describe().find("no row of more than 1 GB"), std::string::npos) << error.describe();
  }
}

}  // namespace
}  // namespace pgsluice::copy
