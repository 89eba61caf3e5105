// Every way in which rows can cross: the copy is the same whichever is taken.
#include <fstream>
#include <nlohmann/json.hpp>
#include <tuple>

#include "tests/pipeline/clone_fixture.h"

namespace pgsluice::test {
namespace {

using copy::FormatWish;
using copy::SplitOptions;
using copy::Transport;

enum class Split { kNever, kByKeys, kByBlocks };

// A byte is less than any table: each is cut into as many parts as may be.
SplitOptions options_of(Split split) {
  switch (split) {
    case Split::kNever:
      return {.when = SplitOptions::When::kNever};
    case Split::kByKeys:
      return {.when = SplitOptions::When::kLarger, .size = {1}, .max_parts = 3, .by_ctid = false};
    case Split::kByBlocks:
      break;
  }
  return {.when = SplitOptions::When::kLarger, .size = {1}, .max_parts = 3};
}

using Way = std::tuple<FormatWish, Split, Transport>;

std::string name_of(const ::testing::TestParamInfo<Way>& info) {
  const auto& [format, split, transport] = info.param;
  constexpr const char* kSplits[] = {"Whole", "ByKeys", "KeysAndBlocks"};
  constexpr const char* kTransports[] = {"Auto", "IoUring", "Poll", "Libpq"};
  return std::string(format == FormatWish::kText ? "Text" : "Binary") + kSplits[static_cast<std::size_t>(split)] +
         kTransports[static_cast<std::size_t>(transport)];
}

class WaysTest : public CloneFixture, public ::testing::WithParamInterface<Way> {
 protected:
  static void SetUpTestSuite() {
    make_shop(shared_source(), "ways", 0.02);
    // No integer key: blocks are what such tables are cut by. Larger than what is batched, so that it is frozen whole.
    shared_source().sql("ways",
                        "CREATE TABLE keyless AS SELECT md5(g::text) AS a, g * 0.5 AS b, ARRAY[g, g + 1] AS c,"
                        " repeat('x', g % 300) AS d FROM generate_series(1, 40000) g");
  }
};

INSTANTIATE_TEST_SUITE_P(All, WaysTest,
                         ::testing::Combine(::testing::Values(FormatWish::kText, FormatWish::kBinary),
                                            ::testing::Values(Split::kNever, Split::kByKeys, Split::kByBlocks),
                                            ::testing::Values(Transport::kIoUring, Transport::kPoll,
                                                              Transport::kLibpq)),
                         name_of);

TEST_P(WaysTest, ComeToTheSameCopy) {
  const auto& [format, split, transport] = GetParam();
  make_shop_roles(shared_target());
  shared_target().create_database("ways");
  pipeline::CloneOptions wanted = options("ways");
  wanted.format = format;
  wanted.split = options_of(split);
  wanted.transport = transport;
  wanted.verify = true;
  const pipeline::CloneSummary summary = pipeline::Clone(wanted, sink_).run();
  EXPECT_TRUE(summary.complete()) << failures(summary);
  EXPECT_EQ(differences("ways"), std::vector<std::string>{});
  int max_parts = 1;
  bool binary = false;
  for (const pipeline::TableResult& table : summary.tables) {
    max_parts = std::max(max_parts, table.parts);
    binary = binary || table.format == "binary";
  }
  EXPECT_EQ(max_parts > 1, split != Split::kNever);
  EXPECT_EQ(binary, format == FormatWish::kBinary);
}

class HowRowsCross : public CloneFixture {};

TEST_F(HowRowsCross, ATableOfABatchThatItsCheckRefusesIsNamedAndAllRowsArrive) {
  std::string sql;
  for (int i = 0; i < 30; ++i) sql += fmt::format("CREATE TABLE t{} AS SELECT generate_series(1, 50) AS i;", i);
  // Loaded on the source before its check was there: valid in the catalog only.
  sql +=
      "CREATE FUNCTION is_small(i int) RETURNS boolean LANGUAGE sql AS 'SELECT i < 1000';"
      "ALTER TABLE t7 ADD CHECK (is_small(i));"
      "CREATE OR REPLACE FUNCTION is_small(i int) RETURNS boolean LANGUAGE sql AS 'SELECT i < 40';";
  make("batch", sql);
  const pipeline::CloneSummary summary = clone("batch");
  ASSERT_EQ(summary.failed.size(), 1) << failures(summary);
  EXPECT_EQ(summary.failed[0].error.object(), "check constraint t7_i_check of public.t7");
  EXPECT_EQ(summary.failed[0].error.sqlstate(), "23514");
  EXPECT_EQ(summary.tables.size(), 30);
  EXPECT_EQ(shared_target().value("batch", "SELECT convalidated FROM pg_constraint WHERE conname = 't7_i_check'"), "f");
  for (const int i : {0, 6, 7, 8, 29}) {
    EXPECT_EQ(shared_target().value("batch", fmt::format("SELECT count(*) FROM t{}", i)), "50");
  }
}

// Each failure closes a session that had more in flight, and the relay that hangs on it.
TEST_F(HowRowsCross, ManyTablesOfABatchMayFailOnWhateverTransport) {
  std::string sql = "CREATE FUNCTION holds() RETURNS boolean LANGUAGE sql AS 'SELECT true';";
  for (int i = 0; i < 30; ++i) {
    sql += fmt::format("CREATE TABLE t{0} AS SELECT generate_series(1, 50) AS i;", i);
    if (i % 2 == 0) sql += fmt::format("ALTER TABLE t{0} ADD CHECK (holds());", i);
  }
  sql += "CREATE OR REPLACE FUNCTION holds() RETURNS boolean LANGUAGE sql AS 'SELECT false'";
  make("half", sql);
  for (const Transport transport : {Transport::kIoUring, Transport::kPoll, Transport::kLibpq}) {
    shared_target().create_database("half");
    const pipeline::CloneSummary summary =
        clone("half", [&](pipeline::CloneOptions& wanted) { wanted.transport = transport; });
    EXPECT_EQ(summary.failed.size(), 15) << failures(summary);
    EXPECT_EQ(summary.tables.size(), 30);
    EXPECT_EQ(summary.rows, 30 * 50);
  }
}

// The archive does not say what the body of a function names.
TEST_F(HowRowsCross, RowsThatCallAFunctionWaitForEveryDefinition) {
  std::string sql =
      "SET check_function_bodies = off; CREATE FUNCTION aa_f(x int) RETURNS boolean LANGUAGE plpgsql AS 'DECLARE r "
      "public.zz_last; BEGIN RETURN x > 0; "
      "END'; CREATE DOMAIN dom AS int CHECK (aa_f(VALUE));"
      "CREATE TABLE zz_last (i int); CREATE TABLE a_check (x int CHECK (aa_f(x))); CREATE TABLE a_domain (x dom);"
      "INSERT INTO a_check SELECT generate_series(1, 1000); INSERT INTO a_domain SELECT generate_series(1, 1000);";
  for (int i = 0; i < 200; ++i) sql += fmt::format("CREATE TABLE m{} (i int DEFAULT {});", i, i);
  make("calls", sql);
  const pipeline::CloneSummary summary = clone("calls");
  EXPECT_TRUE(summary.complete()) << failures(summary);
  EXPECT_EQ(summary.rows, 2000);
}

TEST_F(HowRowsCross, AKeyToATableThatAnExtensionOwnsIsPlanned) {
  make("owned",
       "CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE c (id int REFERENCES p);"
       "ALTER EXTENSION plpgsql ADD TABLE p");
  pipeline::Clone plan(options("owned"), sink_);
  EXPECT_EQ(plan.plan().tables.size(), 1);
}

TEST_F(HowRowsCross, OrphansAreThoseThatTheServerSeesAsSuch) {
  make("heirs",
       "CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE p2 () INHERITS (p); CREATE TABLE c (id int REFERENCES p);"
       "SET session_replication_role = replica; INSERT INTO p2 VALUES (7); INSERT INTO c VALUES (7), (7)");
  const pipeline::CloneSummary summary = clone("heirs");
  ASSERT_EQ(summary.failed.size(), 1);
  EXPECT_NE(summary.failed[0].error.describe().find("2 rows have no parent"), std::string::npos)
      << summary.failed[0].error.describe();
}

constexpr const char* kOrphans =
    "CREATE TABLE parent (id int PRIMARY KEY); CREATE TABLE child (id int PRIMARY KEY, p int);"
    "INSERT INTO parent SELECT generate_series(1, 100); INSERT INTO child SELECT g, g FROM generate_series(1, 90) g;"
    "ALTER TABLE child ADD CONSTRAINT \"the key\" FOREIGN KEY (p) REFERENCES parent;"
    "COMMENT ON CONSTRAINT \"the key\" ON child IS 'kept';"
    "SET session_replication_role = replica; INSERT INTO child SELECT g, g * 1000 FROM generate_series(101, 107) g;"
    "INSERT INTO child VALUES (200, NULL)";
constexpr const char* kKeyIsThere =
    "SELECT convalidated || ' ' || obj_description(oid, 'pg_constraint') FROM pg_constraint WHERE contype = 'f'";

TEST_F(HowRowsCross, OrphansAreCountedAndTheirKeyStaysNotValid) {
  make("orphans", kOrphans);
  const pipeline::CloneSummary summary = clone("orphans");
  ASSERT_EQ(summary.failed.size(), 1) << failures(summary);
  EXPECT_FALSE(summary.complete());
  const std::string text = summary.failed[0].error.describe();
  EXPECT_NE(text.find("7 rows have no parent"), std::string::npos) << text;
  EXPECT_NE(text.find("VALIDATE CONSTRAINT \"the key\""), std::string::npos) << text;
  EXPECT_EQ(shared_target().value("orphans", kKeyIsThere), "false kept");
  EXPECT_EQ(shared_target().value("orphans", "SELECT count(*) FROM child"), "98");
}

TEST_F(HowRowsCross, OrphansThatAreAllowedAreAWarning) {
  make("orphans", kOrphans);
  const pipeline::CloneSummary summary =
      clone("orphans", [](pipeline::CloneOptions& wanted) { wanted.allow_orphans = true; });
  EXPECT_TRUE(summary.complete()) << failures(summary);
  ASSERT_EQ(summary.warnings.size(), 1);
  EXPECT_NE(summary.warnings[0].find("7 rows have no parent"), std::string::npos) << summary.warnings[0];
  EXPECT_EQ(shared_target().value("orphans", kKeyIsThere), "false kept");
}

constexpr const char* kOrphansInAPartition =
    "CREATE TABLE parent (id int PRIMARY KEY); INSERT INTO parent SELECT generate_series(1, 500);"
    "CREATE TABLE root (id int, p int) PARTITION BY RANGE (id);"
    "CREATE TABLE low PARTITION OF root FOR VALUES FROM (0) TO (250);"
    "CREATE TABLE middle PARTITION OF root FOR VALUES FROM (250) TO (1000) PARTITION BY RANGE (p);"
    "CREATE TABLE high PARTITION OF middle DEFAULT;"
    "INSERT INTO root SELECT g, g FROM generate_series(1, 500) g;"
    "ALTER TABLE root ADD CONSTRAINT \"the key\" FOREIGN KEY (p) REFERENCES parent ON DELETE CASCADE;"
    "SET session_replication_role = replica; INSERT INTO root SELECT 400, g FROM generate_series(1001, 1003) g;";

TEST_F(HowRowsCross, OrphansInAPartitionAreCounted) {
  make("orphans", kOrphansInAPartition);
  const pipeline::CloneSummary summary = clone("orphans");
  ASSERT_EQ(summary.failed.size(), 1) << failures(summary);
  const std::string text = summary.failed[0].error.describe();
  EXPECT_NE(text.find("3 rows have no parent"), std::string::npos) << text;
  EXPECT_NE(text.find("\"high\""), std::string::npos) << text;
  ASSERT_EQ(summary.left_out.size(), 1) << "the partitioned table's own key";
  EXPECT_EQ(shared_target().value("orphans",
                                  "SELECT string_agg(conrelid::regclass || ' ' || convalidated, ', ' ORDER BY"
                                  " conrelid::regclass::text)"
                                  " FROM pg_constraint WHERE contype = 'f'"),
            "high false, low true");
}

TEST_F(HowRowsCross, OrphansInAPartitionThatAreAllowedAreWarnings) {
  make("orphans", kOrphansInAPartition);
  const pipeline::CloneSummary summary =
      clone("orphans", [](pipeline::CloneOptions& wanted) { wanted.allow_orphans = true; });
  EXPECT_TRUE(summary.complete()) << failures(summary);
  EXPECT_EQ(summary.warnings.size(), 2) << "of the partition's key, and of the one that could not be made";
}

TEST_F(HowRowsCross, AKeyOfAPartitionedTableAdoptsThoseOfItsLeaves) {
  make("adopted", kOrphansInAPartition);
  shared_source().sql("adopted",
                      "DELETE FROM root WHERE p > 1000; ALTER TABLE high RENAME CONSTRAINT \"the key\" TO x");
  const pipeline::CloneSummary summary = clone("adopted");
  EXPECT_TRUE(summary.complete()) << failures(summary);
  EXPECT_EQ(differences("adopted"), std::vector<std::string>());
  // A name of the leaf's own: pg_dump's statement alone would give it the partitioned table's.
  constexpr const char* kKeys =
      "SELECT string_agg(concat_ws(' ', conrelid::regclass, conname, convalidated, conparentid <> 0), ', '"
      " ORDER BY conrelid::regclass::text COLLATE \"C\") FROM pg_constraint WHERE contype = 'f'";
  EXPECT_EQ(shared_target().value("adopted", kKeys), shared_source().value("adopted", kKeys));
}

TEST_F(HowRowsCross, KeysOfEveryKindAreAsValidAsOnTheSource) {
  make("keys", R"(
    CREATE TABLE p (id int PRIMARY KEY, a int, b text, UNIQUE (a, b));
    INSERT INTO p SELECT g, g, 't' || g FROM generate_series(1, 500) g;
    CREATE TABLE self (id int PRIMARY KEY, up int REFERENCES self);
    INSERT INTO self SELECT g, nullif(g / 2, 0) FROM generate_series(1, 500) g;
    CREATE TABLE c (id int, a int, b text, "odd; name" int REFERENCES p ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
      FOREIGN KEY (a, b) REFERENCES p (a, b) MATCH FULL);
    INSERT INTO c SELECT g, g, 't' || g, g FROM generate_series(1, 500) g;
    SET CONSTRAINTS ALL IMMEDIATE;
    ALTER TABLE c ADD CONSTRAINT loose FOREIGN KEY (id) REFERENCES p NOT VALID;
    CREATE TABLE parted (id int, p int REFERENCES p) PARTITION BY RANGE (id);
    CREATE TABLE parted1 PARTITION OF parted FOR VALUES FROM (0) TO (250);
    CREATE TABLE parted2 PARTITION OF parted FOR VALUES FROM (250) TO (1000);
    INSERT INTO parted SELECT g, g FROM generate_series(1, 500) g;
    CREATE TABLE root (id int PRIMARY KEY) PARTITION BY HASH (id);
    CREATE TABLE root0 PARTITION OF root FOR VALUES WITH (MODULUS 2, REMAINDER 0);
    CREATE TABLE root1 PARTITION OF root FOR VALUES WITH (MODULUS 2, REMAINDER 1);
    INSERT INTO root SELECT generate_series(1, 500);
    CREATE TABLE of_root (id int REFERENCES root); INSERT INTO of_root SELECT generate_series(1, 500))");
  const pipeline::CloneSummary summary = clone("keys");
  EXPECT_TRUE(summary.complete()) << failures(summary);
  EXPECT_EQ(differences("keys"), std::vector<std::string>{});
  const char* states =
      "SELECT string_agg(conrelid::regclass || '.' || conname || ' ' || convalidated, ', ' ORDER BY "
      "conrelid::regclass::text, conname)"
      " FROM (SELECT conrelid, conname, convalidated FROM pg_constraint WHERE contype = 'f' AND conparentid = 0) k";
  EXPECT_EQ(shared_target().value("keys", states), shared_source().value("keys", states));
}

TEST_F(HowRowsCross, LargeValuesAreCompressedByLz4UnlessTheSourcesWayIsAskedFor) {
  make("toast",
       "CREATE TABLE t AS SELECT g AS i, repeat(md5(g::text), 200) AS v FROM generate_series(1, 100) g;"
       "CREATE TABLE own (v text COMPRESSION pglz); INSERT INTO own SELECT v FROM t");
  const char* compressions = "SELECT string_agg(DISTINCT pg_column_compression(v), ',') FROM ";
  clone("toast");
  EXPECT_EQ(shared_target().value("toast", std::string(compressions) + "t"), "lz4");
  EXPECT_EQ(shared_target().value("toast", std::string(compressions) + "own"), "pglz") << "the column says so itself";
  shared_target().create_database("toast");
  clone("toast",
        [](pipeline::CloneOptions& wanted) { wanted.toast_compression = pipeline::ToastCompression::kSource; });
  EXPECT_EQ(shared_target().value("toast", std::string(compressions) + "t"), "pglz");
}

TEST_F(HowRowsCross, ATableOfOneStreamIsAllVisibleWithoutVacuumAndHasStatistics) {
  make("frozen", "CREATE TABLE t AS SELECT g AS i, md5(g::text) AS v FROM generate_series(1, 120000) g");
  const pipeline::CloneSummary summary = clone("frozen");
  EXPECT_TRUE(summary.complete()) << failures(summary);
  shared_target().sql("frozen", "CREATE EXTENSION pg_visibility");
  EXPECT_EQ(shared_target().value("frozen",
                                  "SELECT all_visible = pages AND all_frozen = pages FROM"
                                  " pg_visibility_map_summary('t'),"
                                  " (SELECT pg_relation_size('t') / 8192 AS pages) p"),
            "t");
  EXPECT_EQ(shared_target().value("frozen", "SELECT count(*) FROM pg_stats WHERE tablename = 't'"), "2");
  EXPECT_EQ(shared_target().value("frozen", "SELECT reltuples FROM pg_class WHERE relname = 't'"), "120000");
}

TEST_F(HowRowsCross, TheTraceSaysWhatEachWorkerDidAndWhatItWaitedFor) {
  make("traced",
       "CREATE TABLE a (id int PRIMARY KEY); INSERT INTO a SELECT generate_series(1, 1000);"
       "CREATE TABLE \"b \"\"\xc3\xa4\" (id int)");
  const std::filesystem::path file = folder_.path() / "trace.json";
  clone("traced", [&](pipeline::CloneOptions& wanted) { wanted.trace_file = file; });
  std::ifstream in(file);
  const nlohmann::json trace = nlohmann::json::parse(in);
  std::map<std::string, nlohmann::json> spans;
  for (const nlohmann::json& event : trace.at("traceEvents")) {
    if (event.at("ph") == "X") spans[event.at("name")] = event;
  }
  ASSERT_TRUE(spans.contains("table public.a"));
  ASSERT_TRUE(spans.contains("index public.a_pkey"));
  EXPECT_EQ(spans["index public.a_pkey"].at("args").at("waited for"), "rows of table public.a");
  EXPECT_GE(spans["index public.a_pkey"].at("ts"), spans["table public.a"].at("ts"));
}

}  // namespace
}  // namespace pgsluice::test
