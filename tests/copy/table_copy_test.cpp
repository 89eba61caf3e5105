#include "pgsluice/copy/table_copy.h"

#include <gtest/gtest.h>

#include "pgsluice/base/error.h"
#include "pgsluice/copy/copy_statement.h"
#include "pgsluice/pg/snapshot.h"
#include "support/cluster.h"

namespace pgsluice::copy {
namespace {

TEST(CopyStatement, NamesTheColumnsOnBothEnds) {
  schema::Relation table;
  table.schema = "my schema";
  table.name = "t";
  table.columns = {"a", "select"};
  EXPECT_EQ(copy_out_statement(table), "COPY \"my schema\".\"t\" (\"a\", \"select\") TO STDOUT");
  EXPECT_EQ(copy_in_statement(table, table), "COPY \"my schema\".\"t\" (\"a\", \"select\") FROM STDIN");
  table.extension_condition = "WHERE a > 5";
  EXPECT_EQ(copy_out_statement(table),
            "COPY (SELECT \"a\", \"select\" FROM ONLY \"my schema\".\"t\" WHERE a > 5) TO STDOUT");
  table.extension_condition.reset();
  table.columns.clear();
  EXPECT_EQ(copy_out_statement(table), "COPY \"my schema\".\"t\" TO STDOUT");
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

  std::int64_t copy() {
    const schema::Relation& table = catalog_.relations.at(0);
    return copy_table(*source_, *target_, {.table = table, .into = table, .bytes = bytes_});
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

}  // namespace
}  // namespace pgsluice::copy
