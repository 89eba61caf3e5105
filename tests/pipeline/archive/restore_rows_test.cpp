// Archives of rows alone, into tables that others have made; and rows of tables that extensions make.
#include <fmt/ranges.h>
#include <gmock/gmock.h>

#include "tests/pipeline/archive/restore_fixture.h"
#include "tests/support/downloads.h"

namespace pgsluice::test {
namespace {

namespace fs = std::filesystem;
using pipeline::CloneOptions;
using pipeline::CloneSummary;
using ::testing::HasSubstr;

struct RowsOnly {
  int version;
  const char* name;
  std::vector<std::string> options;
};
void PrintTo(const RowsOnly& rows, std::ostream* out) { *out << rows.name << " of " << rows.version; }

class RestoreOfRows : public RestoreFixture, public ::testing::WithParamInterface<RowsOnly> {};

TEST_P(RestoreOfRows, IntoTablesThatAreThereEqualsTheSource) {
  const RowsOnly& way = GetParam();
  const fs::path bindir = server_programs(way.version);
  if (bindir.empty()) GTEST_SKIP() << kNoDownloads;
  const Cluster cluster({.settings = {"jit = off"}, .bindir = bindir});
  cluster.create_database("dumped");
  cluster.create_database("restored");
  cluster.sql("dumped", kDatabaseToArchive);
  // The root of these leaves is named by the statements for their rows only. A child refers to another child's parent.
  cluster.sql(
      "dumped",
      "CREATE TABLE hashed (i int) PARTITION BY HASH (i);"
      "CREATE TABLE hashed0 PARTITION OF hashed FOR VALUES WITH (MODULUS 2, REMAINDER 0);"
      "CREATE TABLE hashed1 PARTITION OF hashed FOR VALUES WITH (MODULUS 2, REMAINDER 1);"
      "INSERT INTO hashed SELECT generate_series(1, 100);"
      "CREATE TABLE generated (a int, b int GENERATED ALWAYS AS (a * 2) STORED); INSERT INTO generated VALUES (7);"
      "CREATE TABLE a_grandchild (child int REFERENCES child); INSERT INTO a_grandchild VALUES (5);"
      "CREATE FUNCTION forbid() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE ''it fires''; END';"
      "CREATE TRIGGER forbids BEFORE INSERT ON generated FOR EACH ROW EXECUTE FUNCTION forbid();"
      "SELECT lo_unlink(oid) FROM pg_largeobject_metadata WHERE lomacl IS NOT NULL OR oid = 50002");
  const std::string source = cluster.conninfo("dumped");
  const std::string target = cluster.conninfo("restored");
  const fs::path definitions = dump(bindir, source, "definitions", {"--format=custom", "--schema-only"});
  run({(bindir / "pg_restore").string(), "--exit-on-error", "--dbname=" + target, definitions.string()});
  const fs::path rows = dump(bindir, source, "rows", way.options);
  CloneOptions options = restoring(rows, target);
  const CloneSummary summary = restore(options);
  EXPECT_EQ(summary.large_objects, 200);
  // No archive of rows alone has what a view holds.
  cluster.sql("restored", "REFRESH MATERIALIZED VIEW counts");
  expect_equal(source, target, bindir);
  // All of it is there: there is nothing left to do, and rows are not put beside the same.
  options.earlier_run = pipeline::EarlierRun::kResume;
  restore(options);
  options.earlier_run = pipeline::EarlierRun::kRefuse;
  const Error refused = error_of(options);
  EXPECT_EQ(refused.kind(), ErrorKind::kState) << refused.describe();
  EXPECT_THAT(refused.describe(), HasSubstr("tables hold rows already"));
  expect_equal(source, target, bindir);
  options.drop_if_exists = true;
  restore(options);
  expect_equal(source, target, bindir);
}

INSTANTIATE_TEST_SUITE_P(
    Ways, RestoreOfRows,
    ::testing::Values(RowsOnly{15, "File", {"--format=custom", "--data-only"}},
                      RowsOnly{17, "Folder", {"--format=directory", "--data-only", "--load-via-partition-root"}},
                      RowsOnly{18, "File", {"--format=custom", "--data-only"}}),
    [](const ::testing::TestParamInfo<RowsOnly>& way) {
      return fmt::format("{}{}", way.param.name, way.param.version);
    });

// Their names are in entries that such an archive of pg_dump 15 lacks: their data cannot be put anywhere.
TEST_F(RestoreFixture, LargeObjectsWithoutNamesAreRefused) {
  make("unnamed", "CREATE TABLE t AS SELECT 1 AS a; SELECT lo_from_bytea(777, 'abc')");
  const fs::path rows =
      dump(server_bindir(), shared_source().conninfo("unnamed"), "rows", {"--format=custom", "--section=data"});
  shared_target().sql("unnamed", "CREATE TABLE t (a int)");
  CloneOptions options = restoring(rows, shared_target().conninfo("unnamed"));
  EXPECT_THAT(error_of(options).describe(), HasSubstr("the data of large objects, and not which they are"));
  EXPECT_EQ(shared_target().value("unnamed", "SELECT count(*) FROM t"), "0");
  options.large_objects = false;
  restore(options);
  EXPECT_EQ(shared_target().value("unnamed", "SELECT count(*) FROM t"), "1");
}

class RestoreOfExtensions : public RestoreFixture {
 protected:
  // No extension of the machine has a table: one stands in. Its second table holds a row of its own.
  static constexpr const char* kExtension = R"sql(
    CREATE EXTENSION hstore;
    CREATE TABLE ext_jobs (id int PRIMARY KEY, kind text);
    CREATE TABLE ext_places (id int PRIMARY KEY, name text);
    INSERT INTO ext_places VALUES (1, 'of the extension');
    ALTER EXTENSION hstore ADD TABLE ext_jobs; ALTER EXTENSION hstore ADD TABLE ext_places;
    UPDATE pg_extension SET extconfig = ARRAY['ext_jobs'::regclass::oid, 'ext_places'::regclass::oid],
                            extcondition = ARRAY['', 'WHERE id > 1'] WHERE extname = 'hstore';
  )sql";

  void SetUp() override {
    make("with_extension", kExtension);
    shared_target().sql("with_extension", kExtension);
    shared_source().sql("with_extension",
                        "INSERT INTO ext_jobs VALUES (1, 'a'), (2, E'b\\n'); INSERT INTO ext_places VALUES (2, 'own');"
                        "CREATE TABLE plain AS SELECT 1 AS a");
  }

  static void expect_rows() {
    for (const char* rows : {"SELECT string_agg(j::text, ' ' ORDER BY id) FROM ext_jobs j",
                             "SELECT string_agg(p::text, ' ' ORDER BY id) FROM ext_places p",
                             "SELECT string_agg(p::text, ' ') FROM plain p"}) {
      EXPECT_EQ(shared_target().value("with_extension", rows), shared_source().value("with_extension", rows)) << rows;
    }
  }

  fs::path archive(bool own) {
    const std::string source = shared_source().conninfo("with_extension");
    return own ? create(source, "own") : dump(server_bindir(), source, "dump", {"--format=directory"});
  }
};

// Replaced, an extension stays, and so do the rows in its tables.
TEST_F(RestoreOfExtensions, DoesNotDoubleTheirConfiguration) {
  for (const bool own : {true, false}) {
    SetUp();
    CloneOptions options = restoring(archive(own), shared_target().conninfo("with_extension"));
    restore(options);
    expect_rows();
    options.drop_if_exists = true;
    const CloneSummary again = restore(options);
    expect_rows();
    EXPECT_THAT(again.warnings, ::testing::Contains(HasSubstr("ext_jobs: the extension there has them already")));
    // Other rows are the user's, there as here.
    shared_target().sql("with_extension", "UPDATE ext_jobs SET kind = 'c' WHERE id = 1");
    EXPECT_THAT(error_of(options).describe(), HasSubstr("holds other rows than the source's"));
    EXPECT_EQ(shared_target().value("with_extension", "SELECT count(*) FROM plain"), "1");
    fs::remove_all(options.archive);
  }
}

TEST_F(RestoreOfExtensions, PutsRowsAloneIntoTheirTables) {
  const fs::path rows =
      dump(server_bindir(), shared_source().conninfo("with_extension"), "rows", {"--format=custom", "--data-only"});
  shared_target().sql("with_extension", "CREATE TABLE plain (a int)");
  restore(restoring(rows, shared_target().conninfo("with_extension")));
  expect_rows();
}

}  // namespace
}  // namespace pgsluice::test
