// The planner's statistics on a target of 18: those of the source where they are current, else its own.
#include <fmt/ranges.h>
#include <gmock/gmock.h>

#include <algorithm>
#include <map>
#include <memory>
#include <regex>
#include <thread>
#include <utility>

#include "tests/pipeline/clone_fixture.h"
#include "tests/support/downloads.h"
#include "tests/support/wait_until.h"

namespace pgsluice::test {
namespace {

using pipeline::CloneOptions;
using pipeline::CloneSummary;
using pipeline::Statistics;
using ::testing::HasSubstr;

// Values of each kind of statistics: common ones, histograms, elements of arrays and documents, expressions, a tree of
// partitions whose statistics as a whole were gathered. Nothing here changes after ANALYZE.
constexpr const char* kTables = R"sql(
CREATE SCHEMA "Odd ""one";
CREATE TYPE mood AS ENUM ('sad', 'happy');
CREATE DOMAIN small AS int CHECK (VALUE < 100000);
CREATE TABLE kinds (id int PRIMARY KEY, common int, name text COLLATE "C", at timestamptz, day interval, mood mood,
                    ids int[], words tsvector, amount numeric, nothing int, few small, flag boolean);
INSERT INTO kinds SELECT g, g % 7, E'it''s \\' || (g % 500), '2020-01-01'::timestamptz + g * interval '1 hour',
                         make_interval(hours => g % 100), CASE WHEN g % 10 = 0 THEN 'sad' ELSE 'happy' END::mood,
                         ARRAY[g % 5, g % 11], to_tsvector('simple', 'word' || (g % 40) || ' common'), g * 1.5, NULL,
                         g % 3, g % 2 = 0
  FROM generate_series(1, 20000) g;
CREATE INDEX on_expression ON kinds (lower(name), (common + 1)) WHERE id > 5;
CREATE TABLE "Odd ""one"."T, x" (id int REFERENCES kinds, "a "" b" text);
INSERT INTO "Odd ""one"."T, x" SELECT g % 2000 + 1, 'v' || (g % 10) FROM generate_series(1, 30000) g;
CREATE TABLE measures (at date, v int) PARTITION BY RANGE (at);
CREATE TABLE measures_2020 PARTITION OF measures FOR VALUES FROM ('2020-01-01') TO ('2021-01-01') PARTITION BY RANGE (at);
CREATE TABLE measures_2020a PARTITION OF measures_2020 FOR VALUES FROM ('2020-01-01') TO ('2020-07-01');
CREATE TABLE measures_2020b PARTITION OF measures_2020 FOR VALUES FROM ('2020-07-01') TO ('2021-01-01');
CREATE TABLE measures_2021 PARTITION OF measures FOR VALUES FROM ('2021-01-01') TO ('2022-01-01');
INSERT INTO measures SELECT '2020-01-01'::date + g % 700, g % 50 FROM generate_series(1, 10000) g;
CREATE TABLE without_rows (a int);
CREATE TABLE virtual_or_stored (a int, b int GENERATED ALWAYS AS (a * 2) STORED);
INSERT INTO virtual_or_stored SELECT g % 9 FROM generate_series(1, 1000) g;
)sql";

constexpr const char* kStatistics =
    "SELECT to_jsonb(s) FROM pg_stats s WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
    " ORDER BY schemaname, tablename, attname, inherited";

// How each query is carried out, and how many rows are expected of it.
constexpr const char* kPlans[] = {
    "SELECT FROM kinds WHERE common = 3 AND mood = 'sad'",
    "SELECT FROM kinds WHERE lower(name) = 'it''s \\7' AND id > 5",
    "SELECT FROM kinds WHERE ids @> ARRAY[10]",
    "SELECT FROM kinds WHERE words @@ 'word7'::tsquery",
    "SELECT FROM kinds WHERE at < '2020-02-01' AND amount > 100",
    "SELECT FROM kinds k JOIN \"Odd \"\"one\".\"T, x\" t USING (id) WHERE \"a \"\" b\" = 'v3' AND k.nothing IS NULL",
    "SELECT v, count(*) FROM measures WHERE at > '2020-12-01' GROUP BY v",
};

// Keeps each index waiting for as long as a session of the test has this advisory lock.
constexpr const char* kHoldsIndexes =
    "CREATE FUNCTION hold() RETURNS event_trigger LANGUAGE plpgsql"
    " AS 'BEGIN PERFORM pg_advisory_xact_lock(4711); END';"
    "CREATE EVENT TRIGGER hold ON ddl_command_start WHEN TAG IN ('CREATE INDEX') EXECUTE FUNCTION hold()";

class CarriedStatistics : public CloneFixture {
 protected:
  // When the sessions that wrote are gone: each reports at its end what it has changed, which would count as changed
  // since.
  void analyze(const std::string& tables = "") const {
    EXPECT_TRUE(wait_until([this] {
      return source_->value(
                 "carried",
                 "SELECT count(*) FROM pg_stat_activity WHERE datname = 'carried' AND backend_type = 'client backend'"
                 " AND pid <> pg_backend_pid()") == "0";
    }));
    source_->sql("carried", "ANALYZE " + tables);
  }

  bool an_index_waits() const {
    return target_->value("carried", "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted") !=
           "0";
  }

  std::string sessions_in_snapshot() const {
    return source_->value("carried",
                          "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'pgsluice%'"
                          " AND backend_xmin IS NOT NULL AND pid <> pg_backend_pid()");
  }

  struct Servers {
    int source;
    int target;
  };

  static void TearDownTestSuite() { servers_.clear(); }

  // False where such servers are not to be had. All tests share them.
  bool start(const Servers& versions) {
    const auto server_of = [](const char* side, int version) -> Cluster* {
      std::unique_ptr<Cluster>& server = servers_[{side, version}];
      const std::filesystem::path bindir = server_programs(version);
      if (bindir.empty()) return nullptr;
      if (!server) {
        server = std::make_unique<Cluster>(Cluster::Options{.settings = {"autovacuum = off"}, .bindir = bindir});
      }
      server->create_database("carried");
      return server.get();
    };
    source_ = server_of("source", versions.source);
    target_ = server_of("target", versions.target);
    return source_ != nullptr && target_ != nullptr;
  }

  CloneOptions options_of(const std::string& target_user = "postgres") const {
    CloneOptions options;
    options.source = source_->conninfo("carried");
    options.target = target_->conninfo("carried", target_user);
    options.work_folder = folder_.path() / "work";
    options.pg_bindir = server_programs(18);
    options.table_jobs = 2;
    options.index_jobs = 2;
    options.retry_for = std::chrono::seconds(1);
    options.statistics = Statistics::kCarry;  // of small tables, too
    return options;
  }

  CloneSummary run(const CloneOptions& options) {
    CloneSummary summary = pipeline::Clone(options, sink_).run();
    EXPECT_TRUE(summary.complete()) << failures(summary);
    return summary;
  }

  // Tables for which the plan was to carry them.
  static int planned(const CloneSummary& summary) {
    const auto step = std::find_if(summary.steps.begin(), summary.steps.end(),
                                   [](const auto& of) { return of.id == "carried-statistics"; });
    return step == summary.steps.end() ? 0 : static_cast<int>(step->tasks);
  }

  void expect_same(const std::string& query) const {
    EXPECT_EQ(target_->value("carried", query), source_->value("carried", query)) << query;
  }

  // All lines of an answer.
  static std::string lines(const Cluster& server, const std::string& query) {
    pg::Connection connection = server.connect("carried");
    std::string text;
    for (const pg::Row row : connection.execute(query)) text += std::string(row.text(0)) + "\n";
    return text;
  }

  // Without the costs, which tell the size of the tables' files.
  static std::string plan_of(const Cluster& server, const std::string& query) {
    return std::regex_replace(lines(server, "EXPLAIN " + query), std::regex("cost=[0-9.]+ "), "");
  }

  inline static std::map<std::pair<std::string, int>, std::unique_ptr<Cluster>> servers_;
  Cluster* source_ = nullptr;
  Cluster* target_ = nullptr;
};

// Both servers are of one release, so that they print values alike and plan alike.
TEST_F(CarriedStatistics, AreThoseOfTheSourceAndMakeItsPlans) {
  if (!start({18, 18})) GTEST_SKIP() << kNoDownloads;
  source_->sql("carried", kTables);
  source_->sql(
      "carried",
      "CREATE TABLE ranges (r int4range, m datemultirange);"
      "INSERT INTO ranges SELECT int4range(g, g + g % 9), datemultirange(daterange('2020-01-01', '2020-01-02'))"
      "  FROM generate_series(1, 2000) g");
  analyze();
  const CloneSummary summary = run(options_of());
  EXPECT_EQ(planned(summary), 10);
  EXPECT_EQ(lines(*target_, kStatistics), lines(*source_, kStatistics));
  for (const char* query : kPlans) {
    EXPECT_EQ(plan_of(*target_, query), plan_of(*source_, query)) << query;
  }
  // ANALYZE would have left other numbers: its sample is another one each time.
  EXPECT_EQ(target_->value("carried", "SELECT count(*) FROM pg_stat_user_tables WHERE last_analyze IS NOT NULL"), "0");
  EXPECT_EQ(target_->value("carried", "SELECT count(*) FROM pg_constraint WHERE NOT convalidated"), "0");
}

TEST_F(CarriedStatistics, ComeFromAnOlderRelease) {
  for (const int version : {15, 10}) {
    if (!start({version, 18})) GTEST_SKIP() << kNoDownloads;
    std::string tables = kTables;
    if (version < 12) {
      tables.erase(tables.find("CREATE TABLE virtual_or_stored"));
    }
    source_->sql("carried", tables);
    analyze();
    CloneOptions options = options_of();
    run(options);
    const std::string numbers =
        "SELECT string_agg(concat_ws(' ', schemaname, tablename, inherited, null_frac::numeric, avg_width, "
        "n_distinct::numeric,"
        "   array_length(most_common_freqs, 1), most_common_freqs[1]::numeric, correlation::numeric,"
        "   cardinality(histogram_bounds::text::text[]), most_common_elem_freqs[1]::numeric), E'\\n'"
        " ORDER BY schemaname, tablename, attname, inherited)"
        "  FROM pg_stats WHERE schemaname IN ('public', 'Odd \"one') AND NOT inherited AND tablename NOT LIKE "
        "'measures%'";
    expect_same(numbers);
    // Before 14 the server does not store how many rows a partitioned table had when it was analyzed.
    EXPECT_EQ(target_->value("carried", "SELECT count(*) FROM pg_stats WHERE tablename = 'measures' AND inherited"),
              "2");
    EXPECT_EQ(target_->value("carried", "SELECT count(*) FROM kinds WHERE common = 3"), "2857");
  }
}

// The source's statistics of these tables are missing, out of date, or cannot be restored.
TEST_F(CarriedStatistics, AreGatheredWhereTheSourceHasNoneThatStandForThem) {
  if (!start({18, 18})) GTEST_SKIP() << kNoDownloads;
  source_->sql("carried", R"sql(
    CREATE TABLE carried AS SELECT g AS a, g % 5 AS b FROM generate_series(1, 1000) g;
    CREATE TABLE never AS SELECT g AS a FROM generate_series(1, 1000) g;
    CREATE TABLE vacuumed AS SELECT g AS a FROM generate_series(1, 1000) g;
    CREATE TABLE changed AS SELECT g AS a FROM generate_series(1, 1000) g;
    CREATE TABLE extended AS SELECT g AS a, g % 5 AS b FROM generate_series(1, 1000) g;
    CREATE STATISTICS s ON a, b FROM extended;
    CREATE TABLE another_column AS SELECT g AS a FROM generate_series(1, 1000) g;
    CREATE TABLE parent AS SELECT g AS a FROM generate_series(1, 1000) g;
    CREATE TABLE child () INHERITS (parent); INSERT INTO child SELECT generate_series(1, 500);
    CREATE TABLE tree (a int) PARTITION BY RANGE (a);
    CREATE TABLE leaf PARTITION OF tree FOR VALUES FROM (0) TO (10000); INSERT INTO tree SELECT generate_series(1, 1000);
    CREATE TABLE not_wanted (a int, b int); ALTER TABLE not_wanted ALTER b SET STATISTICS 0;
    INSERT INTO not_wanted SELECT g, g FROM generate_series(1, 1000) g;
  )sql");
  // Each by itself: the counters of changes move when a transaction ends.
  analyze("carried, changed, extended, another_column, parent, child, leaf, not_wanted");
  source_->sql("carried", "VACUUM vacuumed");
  source_->sql("carried",
               "UPDATE changed SET a = a + 10000 WHERE a <= 200; ALTER TABLE another_column ADD b int DEFAULT 5");
  run(options_of());
  const auto analyzed = [&](const std::string& table) {
    return target_->value("carried", fmt::format("SELECT last_analyze IS NOT NULL FROM pg_stat_all_tables"
                                                 " WHERE relname = '{}'",
                                                 table));
  };
  for (const char* table : {"never", "vacuumed", "changed", "extended", "another_column", "parent"}) {
    EXPECT_EQ(analyzed(table), "t") << table;
  }
  for (const char* table : {"carried", "leaf", "not_wanted", "child"}) EXPECT_EQ(analyzed(table), "f") << table;
  // Each has some.
  EXPECT_EQ(target_->value("carried",
                           "SELECT count(DISTINCT (tablename, inherited)) FROM pg_stats WHERE schemaname = 'public'"),
            "12");
  EXPECT_EQ(target_->value("carried", "SELECT count(*) FROM pg_stats_ext"), "1");
  EXPECT_EQ(target_->value("carried", "SELECT count(*) FROM pg_stats WHERE tablename = 'tree'"), "1");
  expect_same("SELECT histogram_bounds FROM pg_stats WHERE tablename = 'carried' AND attname = 'a'");
}

// ANALYZE of a few rows costs less than it takes to carry statistics of them.
TEST_F(CarriedStatistics, AreByThemselvesThoseOfLargerTables) {
  if (!start({18, 18})) GTEST_SKIP() << kNoDownloads;
  source_->sql("carried",
               "CREATE TABLE large AS SELECT g AS a, md5(g::text) AS b FROM generate_series(1, 20000) g;"
               "CREATE TABLE small AS SELECT g AS a, md5(g::text) AS b FROM generate_series(1, 500) g");
  analyze();
  CloneOptions options = options_of();
  options.statistics = Statistics::kAuto;
  EXPECT_EQ(planned(run(options)), 1);
  EXPECT_EQ(target_->value("carried",
                           "SELECT string_agg(relname, ' ') FROM pg_stat_user_tables WHERE last_analyze IS NOT NULL"),
            "small");
  EXPECT_EQ(lines(*target_, kStatistics), lines(*source_, kStatistics));
}

TEST_F(CarriedStatistics, AreNotThoseOfAnotherCollation) {
  if (!start({18, 18})) GTEST_SKIP() << kNoDownloads;
  source_->sql("carried", "CREATE TABLE t AS SELECT g::text AS a FROM generate_series(1, 20000) g");
  analyze();
  target_->sql("postgres", "DROP DATABASE carried");
  target_->sql("postgres",
               "CREATE DATABASE carried LOCALE_PROVIDER builtin BUILTIN_LOCALE 'C.UTF-8' TEMPLATE template0");
  CloneOptions by_itself = options_of();
  by_itself.statistics = Statistics::kAuto;
  const CloneSummary summary = run(by_itself);
  EXPECT_EQ(planned(summary), 0);
  EXPECT_EQ(target_->value("carried", "SELECT last_analyze IS NOT NULL FROM pg_stat_user_tables"), "t");
  // Unless that is asked for.
  target_->sql("carried", "DROP TABLE t");
  CloneOptions options = options_of();
  run(options);
  EXPECT_EQ(target_->value("carried", "SELECT last_analyze IS NOT NULL FROM pg_stat_user_tables"), "f");
  expect_same("SELECT histogram_bounds FROM pg_stats WHERE tablename = 't'");
}

TEST_F(CarriedStatistics, AreAPlainUsersToWrite) {
  if (!start({18, 18})) GTEST_SKIP() << kNoDownloads;
  source_->sql("carried",
               "CREATE TABLE t AS SELECT g AS a FROM generate_series(1, 1000) g;"
               "CREATE TABLE hidden AS SELECT g AS a FROM generate_series(1, 1000) g;"
               "ALTER TABLE hidden ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON hidden USING (a > 0);"
               "CREATE ROLE reader LOGIN BYPASSRLS; GRANT pg_read_all_data TO reader");
  analyze();
  target_->sql("postgres", "CREATE ROLE plain LOGIN; ALTER DATABASE carried OWNER TO plain");
  CloneOptions options = options_of("plain");
  options.source = source_->conninfo("carried", "reader");
  options.restore.owners = false;
  run(options);
  expect_same("SELECT histogram_bounds FROM pg_stats WHERE tablename = 't'");
  EXPECT_EQ(target_->value("carried", "SELECT count(*) FROM pg_stats WHERE schemaname = 'public'"), "2");
}

// Values that the target does not know are no failure: it gathers its own, of that table.
TEST_F(CarriedStatistics, ThatTheTargetRefusesAreGathered) {
  if (!start({18, 18})) GTEST_SKIP() << kNoDownloads;
  const std::string tables = "CREATE TABLE t (a mood); CREATE TABLE other (a int)";
  source_->sql("carried", "CREATE TYPE mood AS ENUM ('sad', 'happy', 'old');" + tables);
  source_->sql(
      "carried",
      "INSERT INTO t SELECT (CASE WHEN g % 100 = 0 THEN 'old' ELSE 'sad' END)::mood FROM generate_series(1, 1000) g;"
      "INSERT INTO other SELECT generate_series(1, 1000)");
  analyze();
  source_->sql("carried", "DELETE FROM t WHERE a = 'old'");
  target_->sql("carried", "CREATE TYPE mood AS ENUM ('sad', 'happy');" + tables);
  CloneOptions options = options_of();
  options.steps = {pipeline::Step::kTableData, pipeline::Step::kSequences, pipeline::Step::kStatistics};
  run(options);
  EXPECT_THAT(sink_.text(), HasSubstr("statistics of public.t: the target gathers its own"));
  const auto analyzed = [&](const char* table) {
    return target_->value("carried", fmt::format("SELECT last_analyze IS NOT NULL FROM pg_stat_user_tables"
                                                 " WHERE relname = '{}'",
                                                 table));
  };
  EXPECT_EQ(analyzed("t"), "t");
  EXPECT_EQ(analyzed("other"), "f");
  EXPECT_EQ(target_->value("carried", "SELECT most_common_vals FROM pg_stats WHERE tablename = 't'"), "{sad}");
  expect_same("SELECT histogram_bounds FROM pg_stats WHERE tablename = 'other'");
}

// They wait for an index on an expression, which may take hours. The source cleans up meanwhile.
TEST_F(CarriedStatistics, ThatWaitForAnIndexKeepNoSnapshot) {
  if (!start({18, 18})) GTEST_SKIP() << kNoDownloads;
  source_->sql("carried",
               "CREATE TABLE t AS SELECT 'v' || g AS a FROM generate_series(1, 1000) g;"
               "CREATE INDEX on_expression ON t (lower(a))");
  analyze();
  target_->sql("carried", kHoldsIndexes);
  pg::Connection other = target_->connect("carried");
  other.execute("SELECT pg_advisory_lock(4711)");
  std::jthread looking([&] {
    EXPECT_TRUE(wait_until([&] { return an_index_waits(); }));
    EXPECT_TRUE(wait_until([&] { return sessions_in_snapshot() == "0"; }));
    other.execute("SELECT pg_advisory_unlock(4711)");
  });
  run(options_of());
  looking.join();
  expect_same("SELECT histogram_bounds FROM pg_stats WHERE tablename = 'on_expression'");
}

// All rows are there: a source that goes away then takes nothing along but its statistics.
TEST_F(CarriedStatistics, AreGatheredWhereTheSourceIsGoneByThen) {
  if (!start({18, 18})) GTEST_SKIP() << kNoDownloads;
  source_->sql("carried",
               "CREATE TABLE t AS SELECT 'v' || g AS a FROM generate_series(1, 1000) g;"
               "CREATE INDEX on_expression ON t (lower(a))");
  analyze();
  target_->sql("carried", kHoldsIndexes);
  pg::Connection other = target_->connect("carried");
  other.execute("SELECT pg_advisory_lock(4711)");
  std::jthread looking([&] {
    EXPECT_TRUE(wait_until([&] { return an_index_waits(); }));
    EXPECT_TRUE(wait_until([&] { return sessions_in_snapshot() == "0"; }));
    source_->stop_fast();
    other.execute("SELECT pg_advisory_unlock(4711)");
  });
  run(options_of());
  looking.join();
  servers_.erase({"source", 18});
  EXPECT_EQ(target_->value("carried", "SELECT last_analyze IS NOT NULL FROM pg_stat_user_tables"), "t");
  EXPECT_EQ(target_->value("carried", "SELECT count(*) FROM pg_stats WHERE schemaname = 'public'"), "2");
}

TEST_F(CarriedStatistics, AreRefusedWhereTheyCannotBe) {
  make("refused", "CREATE TABLE t (a int)");
  CloneOptions wanted = options("refused");
  wanted.statistics = Statistics::kCarry;
  const Error error = error_of(wanted);
  EXPECT_EQ(error.kind(), ErrorKind::kConfig);
  EXPECT_THAT(error.describe(), HasSubstr("does not take the statistics of another"));
  EXPECT_FALSE(target_changed_);
}

}  // namespace
}  // namespace pgsluice::test
