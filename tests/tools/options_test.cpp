// Each option and variable of a clone that no other test runs the program with, by what it changes.
#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "tests/tools/command_fixture.h"

namespace pgsluice::test {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class OptionsTest : public CommandTest {
 protected:
  std::string of_target(const std::string& query) { return shared_target().value("command", query); }
  void clone_well(std::vector<std::string> options) {
    const SubprocessResult result = clone(std::move(options));
    ASSERT_EQ(result.exit_code, 0) << result.errors;
  }
  SubprocessResult clone_under(std::vector<std::pair<std::string, std::string>> variables,
                               std::vector<std::string> more = {}) {
    std::vector<std::string> arguments = clone_arguments();
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run(arguments, std::move(variables));
  }
};

constexpr const char* kTable =
    "CREATE TABLE t (i int PRIMARY KEY, s text); INSERT INTO t SELECT g, 'x' FROM "
    "generate_series(1, 1000) g";

constexpr const char* kStatistics = "SELECT count(*) FROM pg_stats WHERE tablename = 't'";

TEST_F(OptionsTest, JobsAreTakenByEachOfTheirNamesAndRefusedWhereTheyAreNone) {
  make(kTable);
  clone_well({"-J", "2", "-I", "2", "--restore-jobs", "3", "--large-objects-jobs", "2"});
  for (const char* option : {"--restore-jobs", "--large-objects-jobs", "--table-jobs", "--jobs", "--index-jobs"}) {
    for (const char* value : {"-4", "x", "1.5"}) {
      const SubprocessResult refused = clone({option, value});
      EXPECT_EQ(refused.exit_code, 1) << option << " " << value;
      EXPECT_THAT(refused.errors, ::testing::AnyOf(HasSubstr("-jobs"), HasSubstr("jobs must be from 1 to 256")))
          << option << " " << value;
    }
  }
  EXPECT_THAT(clone({"--table-jobs"}).errors, HasSubstr("--table-jobs needs a value"));
  EXPECT_THAT(clone({"--progress", "bars"}).errors,
              HasSubstr("--progress takes auto, bar, lines, json or none, not bars"));
  EXPECT_THAT(clone({"--retry-for", "1m"}).errors, HasSubstr("--retry-for takes a whole number from 0, not 1m"));
}

TEST_F(OptionsTest, ServersAndWorkDirectoryByTheirLetters) {
  make(kTable);
  const std::filesystem::path work = folder_.path() / "a" / "b";
  const SubprocessResult result = run({"clone", "-S", shared_source().conninfo("command"), "-T",
                                       shared_target().conninfo("command"), "-D", work.string()});
  EXPECT_EQ(result.exit_code, 0) << result.errors;
  EXPECT_TRUE(std::filesystem::exists(work / "state.sqlite"));
}

TEST_F(OptionsTest, WhatIsLeftOutIsNotThereAndAllElseIs) {
  shared_source().create_tablespace("of_options");
  shared_target().create_tablespace("of_options");
  make(std::string(kTable) + R"sql(;
    CREATE TABLE elsewhere (i int) TABLESPACE of_options; SELECT lo_create(4711);
    CREATE EXTENSION hstore; COMMENT ON EXTENSION hstore IS 'another comment'; COMMENT ON TABLE t IS 'a comment';
    CREATE COLLATION own (locale = 'C'); ALTER DATABASE command SET work_mem = '7MB';
  )sql");
  clone_well({"--no-tablespaces", "--skip-large-objects", "--skip-ext-comments", "--skip-collations", "--skip-vacuum",
              "--skip-db-properties"});
  EXPECT_EQ(of_target("SELECT reltablespace FROM pg_class WHERE relname = 'elsewhere'"), "0");
  EXPECT_EQ(of_target("SELECT count(*) FROM pg_largeobject_metadata"), "0");
  EXPECT_NE(of_target("SELECT obj_description(oid, 'pg_extension') FROM pg_extension WHERE extname = 'hstore'"),
            "another comment");
  EXPECT_EQ(of_target("SELECT obj_description('t'::regclass)"), "a comment");
  EXPECT_EQ(of_target("SELECT count(*) FROM pg_collation WHERE collname = 'own'"), "0");
  EXPECT_EQ(of_target(kStatistics), "0");
  EXPECT_NE(of_target("SELECT current_setting('work_mem')"), "7MB");
  shared_target().create_database("command");
  clone_well({});
  EXPECT_NE(of_target("SELECT reltablespace FROM pg_class WHERE relname = 'elsewhere'"), "0");
  EXPECT_EQ(of_target("SELECT count(*) FROM pg_largeobject_metadata"), "1");
  EXPECT_EQ(of_target("SELECT obj_description(oid, 'pg_extension') FROM pg_extension WHERE extname = 'hstore'"),
            "another comment");
  EXPECT_EQ(of_target("SELECT count(*) FROM pg_collation WHERE collname = 'own'"), "1");
  EXPECT_EQ(of_target(kStatistics), "2");
  EXPECT_EQ(of_target("SELECT current_setting('work_mem')"), "7MB");
}

TEST_F(OptionsTest, TheSourceIsAnalyzedForItsSizesWhereThatIsAsked) {
  const auto rows = [] {
    return shared_source().value("command", "SELECT reltuples FROM pg_class WHERE relname = 't'");
  };
  make("CREATE TABLE t (i int); INSERT INTO t SELECT generate_series(1, 1000)");
  EXPECT_EQ(clone_under({{"PGCOPYDB_ESTIMATE_TABLE_SIZES", "yes"}}, {"--skip-analyze"}).exit_code, 0);
  EXPECT_EQ(rows(), "-1");
  shared_target().create_database("command");
  clone_well({"--estimate-table-sizes"});
  EXPECT_EQ(rows(), "1000");
}

TEST_F(OptionsTest, TablesAreSplitOnlyByKeysWhereThatIsAsked) {
  make("CREATE TABLE keyless AS SELECT repeat('x', 100) FROM generate_series(1, 3000)");
  const std::vector<std::string> split = {"--dry-run", "--split-at", "100 kB"};
  EXPECT_THAT(clone(split).output, HasSubstr("by ranges of blocks"));
  for (const SubprocessResult& result :
       {clone({"--dry-run", "--split-at", "100 kB", "--skip-split-by-ctid"}),
        clone_under({{"PGCOPYDB_SKIP_CTID_SPLIT", "on"}, {"PGCOPYDB_SPLIT_TABLES_LARGER_THAN", "100 kB"}},
                    {"--dry-run"})}) {
    EXPECT_THAT(result.output, HasSubstr("not split: no unique integer key, and not by ctid as asked"));
  }
  const auto parts = [&](const std::string& most) {
    const SubprocessResult plan = clone_under({{"PGSLUICE_SPLIT_MAX_PARTS", most}, {"PGCOPYDB_SPLIT_MAX_PARTS", "7"}},
                                              {"--dry-run", "--json", "--split-at", "20 kB"});
    return nlohmann::json::parse(plan.output)["tables"][0]["parts"];
  };
  EXPECT_EQ(parts("2"), 2);
  EXPECT_GT(parts("0"), 7);
}

TEST_F(OptionsTest, ATraceOfTheWorkersIsWritten) {
  make(kTable);
  const std::filesystem::path file = folder_.path() / "trace.json";
  clone_well({"--trace-file", file.string()});
  std::ifstream in(file);
  const nlohmann::json trace = nlohmann::json::parse(in);
  EXPECT_THAT(trace.dump(), HasSubstr("rows of table public.t"));
}

TEST_F(OptionsTest, LogsSayAsMuchAsIsAsked) {
  make(kTable);
  const auto said = [&](std::vector<std::string> options) {
    shared_target().create_database("command");
    return clone(std::move(options)).errors;
  };
  EXPECT_EQ(said({"--quiet", "--progress", "none"}), "");
  EXPECT_THAT(said({}), Not(HasSubstr(" SQL ")));
  EXPECT_THAT(said({"-vv"}), HasSubstr(" SQL "));
  EXPECT_THAT(said({"--debug"}), HasSubstr(" DEBUG "));
  EXPECT_THAT(said({"--trace"}), HasSubstr(" SQL "));
  EXPECT_THAT(said({"--progress", "json"}), HasSubstr("\"fraction\":"));
  EXPECT_THAT(said({"--progress", "lines"}), HasSubstr("1/1 tables"));
}

TEST_F(OptionsTest, BooleansOfVariablesAreTakenAsWordsAndAWrongOneStopsOnlyWhoTakesIt) {
  make(kTable);
  for (const char* yes : {"true", "yes", "on", "1"}) {
    shared_target().create_database("command");
    EXPECT_EQ(clone_under({{"PGCOPYDB_SKIP_VACUUM", yes}, {"PGCOPYDB_USE_COPY_BINARY", yes}}).exit_code, 0) << yes;
    EXPECT_EQ(of_target(kStatistics), "0") << yes;
  }
  const std::vector<std::pair<std::string, std::string>> wrong = {{"PGCOPYDB_TABLE_JOBS", "many"}};
  const SubprocessResult refused = clone_under(wrong);
  EXPECT_EQ(refused.exit_code, 1);
  EXPECT_THAT(refused.errors, HasSubstr("the variable PGCOPYDB_TABLE_JOBS is set to \"many\""));
  shared_target().create_database("command");
  EXPECT_EQ(clone_under(wrong, {"--table-jobs", "2"}).exit_code, 0) << "the command line goes before it";
  // Of several each counts.
  const SubprocessResult second =
      clone_under({{"PGCOPYDB_SPLIT_MAX_PARTS", "q"}, {"PGCOPYDB_INDEX_JOBS", "x"}}, {"--index-jobs", "2"});
  EXPECT_EQ(second.exit_code, 1);
  EXPECT_THAT(second.errors, HasSubstr("PGCOPYDB_SPLIT_MAX_PARTS"));
  const SubprocessResult none = run({"compare", "data", "--source", shared_source().conninfo("command"), "--target",
                                     shared_target().conninfo("command")},
                                    {{"PGSLUICE_TABLE_JOBS", "0"}});
  EXPECT_EQ(none.exit_code, 1) << "nothing would be compared: " << none.output;
  EXPECT_EQ(run({"version"}, wrong).exit_code, 0);
  EXPECT_EQ(run({"clone", "--help"}, wrong).exit_code, 0);
}

TEST_F(OptionsTest, VariablesStandForTheirOptions) {
  make(std::string(kTable) +
       "; CREATE FUNCTION f(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 1 / ($1 - 1)';"
       "CREATE TABLE u (i int); INSERT INTO u VALUES (2); CREATE INDEX ON u (f(i))");
  shared_target().sql("command", "CREATE TABLE t (other text)");
  EXPECT_EQ(clone_under({{"PGCOPYDB_DROP_IF_EXISTS", "1"}, {"PGCOPYDB_SKIP_TABLESPACES", "1"}}).exit_code, 0);
  EXPECT_EQ(of_target("SELECT count(*) FROM t"), "1000");
  shared_target().create_database("command");
  EXPECT_EQ(clone_under({{"PGCOPYDB_SNAPSHOT", "00000001-00000001-1"}}).exit_code, 6) << "there is none of that name";
  EXPECT_EQ(clone_under({{"PGCOPYDB_INDEX_JOBS", "0"}}).exit_code, 1);
  const std::filesystem::path log = folder_.path() / "log";
  const SubprocessResult result = clone_under({{"PGCOPYDB_LOG_FILENAME", log.string()},
                                               {"PGCOPYDB_LOG_JSON_FILE", (folder_.path() / "log.json").string()},
                                               {"PGCOPYDB_LOG_TIME_FORMAT", "at %H"},
                                               {"PGCOPYDB_FAIL_FAST", "true"},
                                               {"PGSLUICE_DIR", (folder_.path() / "work").string()}});
  EXPECT_EQ(result.exit_code, 0) << result.errors;
  EXPECT_THAT(result.errors, HasSubstr("at "));
  EXPECT_TRUE(std::filesystem::exists(log));
  EXPECT_TRUE(std::filesystem::exists(folder_.path() / "work" / "state.sqlite"));
}

TEST_F(OptionsTest, CalledAsPgcopydbItSaysSoAndWorksInItsFolder) {
  make(kTable);
  const std::filesystem::path alias = folder_.path() / "bin" / "pgcopydb";
  std::filesystem::create_directory(alias.parent_path());
  std::filesystem::create_symlink(PGSLUICE_PROGRAM, alias);
  std::vector<std::string> arguments = clone_arguments();
  arguments.insert(arguments.begin(), alias.string());
  const SubprocessResult cloned =
      run_command({.command = arguments, .environment = {{"TMPDIR", folder_.path().string()}}});
  EXPECT_EQ(cloned.exit_code, 0) << cloned.errors;
  EXPECT_TRUE(std::filesystem::exists(folder_.path() / "pgcopydb" / "state.sqlite"));
  EXPECT_THAT(run_command({.command = {alias.string(), "clone", "--help"}}).output, HasSubstr("Usage: pgcopydb clone"));
}

TEST_F(OptionsTest, ASnapshotOfAnotherSessionServesACommandOfARow) {
  make(kTable);
  pg::Connection holder = shared_source().connect("command");
  holder.execute("BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY");
  const std::string snapshot(holder.execute("SELECT pg_export_snapshot()")[0].text(0));
  shared_source().sql("command", "INSERT INTO t SELECT g, 'late' FROM generate_series(1001, 1100) g");
  const std::string source = shared_source().conninfo("command");
  const std::string target = shared_target().conninfo("command");
  for (const std::vector<std::string>& command :
       {std::vector<std::string>{"dump", "schema"}, {"restore", "pre-data"}, {"copy", "table-data"}}) {
    std::vector<std::string> arguments = command;
    arguments.insert(arguments.end(), {"--source", source, "--target", target});
    if (command[0] != "restore") arguments.insert(arguments.end(), {"--snapshot", snapshot});
    const SubprocessResult result = run(arguments);
    ASSERT_EQ(result.exit_code, 0) << command[1] << "\n" << result.errors;
  }
  EXPECT_EQ(of_target("SELECT count(*) FROM t"), "1000");
}

TEST_F(OptionsTest, IndexesOfTablesThatAreNotThereAreRefusedBeforeTheStart) {
  make(kTable);
  for (const char* step : {"indexes", "constraints"}) {
    std::vector<std::string> arguments = clone_arguments();
    arguments[0] = "copy";
    arguments.insert(arguments.begin() + 1, step);
    const SubprocessResult refused = run(arguments);
    EXPECT_EQ(refused.exit_code, 7) << refused.errors;
    EXPECT_THAT(refused.errors,
                HasSubstr("the target lacks tables or sequences that this step needs: \"public\".\"t\""))
        << step;
  }
  EXPECT_EQ(of_target("SELECT to_regnamespace('pgsluice') IS NULL"), "t");
  clone_well({});
}

}  // namespace
}  // namespace pgsluice::test
