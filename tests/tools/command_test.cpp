// The command as a user runs it: output, exit codes, signals.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <array>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <sstream>
#include <thread>

#include "base/file_descriptor.h"
#include "base/subprocess.h"
#include "tests/support/cluster.h"
#include "tests/support/wait_until.h"
#include "tests/tools/command_fixture.h"

namespace pgsluice::test {
namespace {

using ::testing::AnyOf;
using ::testing::HasSubstr;
using ::testing::Not;

TEST_F(CommandTest, ClonesAndPrintsTheSummaryOnStdoutAndTheLogOnStderr) {
  make("CREATE TABLE orders AS SELECT generate_series(1, 1000) AS i");
  const SubprocessResult result = clone();
  EXPECT_EQ(result.exit_code, 0) << result.errors;
  EXPECT_THAT(result.output, HasSubstr("public.orders | 1000"));
  EXPECT_THAT(result.output, HasSubstr("Total: 1 table, 1000 rows"));
  EXPECT_THAT(result.output, Not(HasSubstr("INFO")));
  EXPECT_THAT(result.errors, HasSubstr("snapshot"));
  EXPECT_EQ(shared_target().value("command", "SELECT count(*) FROM orders"), "1000");
}

TEST_F(CommandTest, TakesItsOptionsFromTheEnvironmentOurNamesBeforePgcopydbs) {
  make("CREATE TABLE t AS SELECT 1 AS i");
  const SubprocessResult result =
      run({"fork", "--json", "--quiet"}, {{"PGCOPYDB_SOURCE_PGURI", "host=/nowhere"},
                                          {"PGSLUICE_SOURCE_PGURI", shared_source().conninfo("command")},
                                          {"PGCOPYDB_TARGET_PGURI", shared_target().conninfo("command")},
                                          {"PGCOPYDB_TABLE_JOBS", "2"},
                                          {"PGCOPYDB_SKIP_VACUUM", "on"}});
  EXPECT_EQ(result.exit_code, 0) << result.errors;
  const nlohmann::json summary = nlohmann::json::parse(result.output);
  EXPECT_TRUE(summary["complete"]);
  EXPECT_EQ(summary["tables"][0]["name"], "public.t");
  for (const auto& step : summary["steps"]) EXPECT_NE(step["id"], "statistics");
  EXPECT_EQ(result.errors, "");
}

TEST_F(CommandTest, OfTwoClonesIntoOneTargetAtOnceOneIsRefusedAndTheOtherComesOutEqual) {
  make("CREATE TABLE t AS SELECT g, repeat('x', 200) AS s FROM generate_series(1, 200000) g; CREATE INDEX ON t (g)");
  std::array<SubprocessResult, 2> results;
  {
    std::array<std::jthread, 2> both;
    for (std::size_t i : {0U, 1U}) {
      both[i] = std::jthread([&, i] {
        results[i] = clone({"--quiet", "--dir", (folder_.path() / std::to_string(i)).string()});
      });
    }
  }
  const SubprocessResult& well = results[results[0].exit_code == 0 ? 0 : 1];
  const SubprocessResult& refused = results[results[0].exit_code == 0 ? 1 : 0];
  EXPECT_EQ(well.exit_code, 0) << well.errors;
  // The other one may end while it waits for a moment, in case that was one that has just ended: then there are rows.
  EXPECT_THAT(refused.exit_code, AnyOf(3, 7)) << refused.errors;
  EXPECT_THAT(refused.errors, HasSubstr(refused.exit_code == 3 ? "another clone" : "nothing was changed"));
  EXPECT_EQ(shared_target().value("command", "SELECT count(*) || ' ' || count(DISTINCT g) FROM t"), "200000 200000");
  EXPECT_EQ(shared_target().value("command", "SELECT to_regnamespace('pgsluice') IS NULL"), "t");
}

TEST_F(CommandTest, ACloneIntoATargetThatAnotherOneWorksOnIsRefused) {
  make("CREATE TABLE t AS SELECT generate_series(1, 1000) AS g");
  pg::Connection target = shared_target().connect("command");
  // The other one can make nothing before this ends.
  target.execute("BEGIN");
  target.execute("LOCK TABLE pg_class IN SHARE MODE");
  SubprocessResult other;
  {
    const std::jthread works([&] { other = clone({"--quiet", "--dir", (folder_.path() / "other").string()}); });
    const std::string held = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted";
    EXPECT_TRUE(wait_until([&] { return shared_target().value("command", held) != "0"; }));
    const SubprocessResult refused = clone({"--quiet", "--dir", (folder_.path() / "refused").string()});
    EXPECT_EQ(refused.exit_code, 3) << refused.errors;
    EXPECT_THAT(refused.errors, HasSubstr("another clone"));
    target.execute("ROLLBACK");
  }
  EXPECT_EQ(other.exit_code, 0) << other.errors;
  EXPECT_EQ(shared_target().value("command", "SELECT count(*) FROM t"), "1000");
}

TEST_F(CommandTest, ADryRunPrintsThePlanAndTouchesNothing) {
  make("CREATE TABLE t AS SELECT generate_series(1, 1000) AS i; ANALYZE t");
  SubprocessResult result = clone({"--dry-run"});
  EXPECT_EQ(result.exit_code, 0) << result.errors;
  EXPECT_THAT(result.output, HasSubstr("public.t"));
  EXPECT_THAT(result.output, HasSubstr("binary"));
  EXPECT_THAT(result.output, HasSubstr("small: with others in one transaction"));
  EXPECT_THAT(result.output, HasSubstr("TOAST is compressed by"));
  result = clone({"--dry-run", "--copy-format", "text", "--split-at", "8 kB", "--split-max-parts", "3"});
  EXPECT_EQ(result.exit_code, 0) << result.errors;
  EXPECT_THAT(result.output, HasSubstr("|     3 | text"));
  EXPECT_THAT(result.output, HasSubstr("by ranges of blocks"));
  result = clone({"--dry-run", "--json"});
  EXPECT_EQ(nlohmann::json::parse(result.output)["tables"][0]["estimated_rows"], 1000);
  EXPECT_EQ(shared_target().value("command", "SELECT count(*) FROM pg_class WHERE relname = 't'"), "0");
}

TEST_F(CommandTest, WaysOfCopyingThatCannotBeMeantAreRefused) {
  make("CREATE TABLE t AS SELECT 1 AS i");
  for (const std::vector<std::string>& arguments : {std::vector<std::string>{"--copy-format", "csv"},
                                                    {"--split-at", "many"},
                                                    {"--memory", "much"},
                                                    {"--split-max-parts", "-1"},
                                                    {"--toast-compression", "zstd"},
                                                    {"--transport", "pigeon"}}) {
    const SubprocessResult result = clone(arguments);
    EXPECT_EQ(result.exit_code, 1) << arguments[0] << ": " << result.errors;
    EXPECT_THAT(result.errors, HasSubstr(arguments[1])) << arguments[0];
  }
  EXPECT_EQ(shared_target().value("command", "SELECT count(*) FROM pg_class WHERE relname = 't'"), "0");
}

TEST_F(CommandTest, ExitCodesTellWhoIsToBlame) {
  make("CREATE TABLE t AS SELECT 1 AS i");
  const auto code = [&](const std::string& source, const std::string& target, std::vector<std::string> more = {}) {
    std::vector<std::string> arguments = {"clone", "--source", source, "--target", target};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run(arguments).exit_code;
  };
  const std::string source = shared_source().conninfo("command");
  const std::string target = shared_target().conninfo("command");
  EXPECT_EQ(code(source, ""), 1);
  EXPECT_EQ(code("nonsense", target), 1);
  EXPECT_EQ(code(source, target, {"--no-such-option"}), 1);
  EXPECT_EQ(code(source, target, {"--table-jobs", "many"}), 1);
  EXPECT_EQ(code(source, target, {"--pg-bindir", "/nowhere"}), 2);
  EXPECT_EQ(code(source, target, {"--dir", "/proc/none"}), 3);
  EXPECT_EQ(code(shared_source().conninfo("missing"), target), 6);
  EXPECT_EQ(code(source, shared_target().conninfo("missing")), 7);
  EXPECT_EQ(run({}).exit_code, 1);
  EXPECT_EQ(run({"no-such-command"}).exit_code, 1);
}

TEST_F(CommandTest, APartThatIsMissingIsExit22WithTheRootCauseInTheLastLine) {
  make("CREATE TABLE t AS SELECT 1 AS i");
  shared_target().sql("command", R"sql(
    CREATE SCHEMA guard;
    CREATE FUNCTION guard.f() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN
      IF EXISTS (SELECT FROM pg_event_trigger_ddl_commands() WHERE schema_name = 'public') THEN
        RAISE EXCEPTION 'not here';
      END IF;
    END $$;
    CREATE EVENT TRIGGER guard ON ddl_command_end WHEN TAG IN ('CREATE TABLE') EXECUTE FUNCTION guard.f();
  )sql");
  const SubprocessResult result = clone();
  EXPECT_EQ(result.exit_code, 22);
  EXPECT_THAT(result.output, HasSubstr("FAILED:"));
  const std::string last = result.errors.substr(result.errors.rfind('\n', result.errors.size() - 2) + 1);
  EXPECT_THAT(last, HasSubstr("table public.t"));
  EXPECT_THAT(last, HasSubstr("P0001"));
  EXPECT_THAT(last, HasSubstr("not here"));
}

TEST_F(CommandTest, AFailureSaysWhetherTheTargetWasChanged) {
  make("CREATE TABLE t AS SELECT 1 AS i");
  shared_target().sql("command", "CREATE TABLE t (i int)");
  const SubprocessResult result = clone();
  EXPECT_EQ(result.exit_code, 7);
  EXPECT_THAT(result.errors, HasSubstr("nothing was changed"));
}

TEST_F(CommandTest, NoPasswordIsShownWhereverItWasGiven) {
  const std::string secret = "s3cr3t";
  for (const std::vector<std::string>& arguments :
       std::vector<std::vector<std::string>>{{"clone", "--source", "postgresql://me:s3cr3t@127.0.0.1:1/x", "--target",
                                              "host=127.0.0.1 port=1 password=s3cr3t", "-vvvv"},
                                             {"clone", "postgresql://me:s3cr3t@host/x"},
                                             {"clone", "--source", "postgresql://me:s3cr3t%zz@host/x", "--target", "x"},
                                             {"clone", "--sorce=postgresql://me:s3cr3t@host/x"}}) {
    const SubprocessResult result = run(arguments);
    EXPECT_NE(result.exit_code, 0);
    EXPECT_THAT(result.errors + result.output, Not(HasSubstr(secret)));
  }
}

TEST_F(CommandTest, SignalsCancelTheCloneAndLeaveNoSession) {
  for (const int signal_number : {SIGINT, SIGTERM, SIGHUP}) {
    make("CREATE TABLE t AS SELECT 1 AS i");
    // The clone waits for this lock, in its first step on the source.
    pg::Connection locker = shared_source().connect("command");
    locker.execute("BEGIN; LOCK TABLE t IN ACCESS EXCLUSIVE MODE");
    std::vector<std::string> arguments = clone_arguments();
    arguments.insert(arguments.begin(), PGSLUICE_PROGRAM);
    Subprocess process({.command = arguments, .environment = {{"TMPDIR", folder_.path().string()}}});
    const bool waits = wait_until(
        [] { return shared_source().value("postgres", "SELECT count(*) FROM pg_locks WHERE NOT granted") != "0"; });
    ::kill(process.pid(), signal_number);
    const SubprocessResult result = process.wait({});
    ASSERT_TRUE(waits) << result.errors;
    EXPECT_EQ(result.exit_code, 128 + signal_number);
    EXPECT_THAT(result.errors, HasSubstr("cancelled; nothing was changed on the target"));
    EXPECT_TRUE(wait_until([] {
      return shared_source().value("postgres",
                                   "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'pgsluice%'"
                                   " AND application_name <> 'pgsluice: test'") == "0";
    }));
  }
}

// A script's shell has what it runs in the background ignore the script's Ctrl-C.
TEST_F(CommandTest, ASignalThatIsIgnoredFromTheStartCancelsNothing) {
  make("CREATE TABLE t AS SELECT 1 AS i");
  pg::Connection locker = shared_source().connect("command");
  locker.execute("BEGIN; LOCK TABLE t IN ACCESS EXCLUSIVE MODE");
  std::vector<std::string> arguments = clone_arguments();
  arguments.insert(arguments.begin(), {"/usr/bin/env", "--ignore-signal=INT", PGSLUICE_PROGRAM});
  Subprocess process({.command = arguments, .environment = {{"TMPDIR", folder_.path().string()}}});
  const bool waits = wait_until(
      [] { return shared_source().value("postgres", "SELECT count(*) FROM pg_locks WHERE NOT granted") != "0"; });
  ::kill(process.pid(), SIGINT);
  locker.execute("ROLLBACK");
  const SubprocessResult result = process.wait({});
  ASSERT_TRUE(waits) << result.errors;
  EXPECT_EQ(result.exit_code, 0) << result.errors;
}

TEST_F(CommandTest, ChangeDataCaptureIsRefusedInWords) {
  for (const std::vector<std::string>& arguments : std::vector<std::vector<std::string>>{
           {"follow", "--source", "x"}, {"stream", "receive"}, {"clone", "--follow"}}) {
    const SubprocessResult result = run(arguments);
    EXPECT_EQ(result.exit_code, 1) << arguments[0];
    EXPECT_THAT(result.errors, HasSubstr("change data capture is not supported"));
  }
}

TEST_F(CommandTest, HelpIsThereWithAnExampleForEachCommand) {
  for (const std::vector<std::string>& arguments : std::vector<std::vector<std::string>>{
           {"--help"}, {"help"}, {"clone", "--help"}, {"help", "clone"}, {"copy", "db", "--help"}}) {
    const SubprocessResult result = run(arguments);
    EXPECT_EQ(result.exit_code, 0);
    EXPECT_THAT(result.output, HasSubstr("pgsluice clone --source")) << arguments.front();
    EXPECT_EQ(result.errors, "");
  }
}

TEST_F(CommandTest, AMistypedCommandOrOptionIsAnsweredWithTheNearest) {
  EXPECT_THAT(run({"cloen"}).errors, HasSubstr("unknown command cloen; is clone meant?"));
  EXPECT_THAT(run({"compare", "dta"}).errors, HasSubstr("is data meant?"));
  EXPECT_THAT(run({"clone", "--targt", "x"}).errors, HasSubstr("unknown option: --targt; is --target meant?"));
  EXPECT_THAT(run({"compare"}).errors, HasSubstr("there are: data, schema"));
  const SubprocessResult far_off = run({"xyzzy"});
  EXPECT_EQ(far_off.exit_code, 1);
  EXPECT_THAT(far_off.errors, Not(HasSubstr("meant")));
}

TEST_F(CommandTest, OptionsMayBeShortenedUnlessTheyStandForSeveral) {
  make("CREATE TABLE t AS SELECT 1 AS i");
  const SubprocessResult result =
      run({"clone", "--sou", shared_source().conninfo("command"), "--targ=" + shared_target().conninfo("command"),
           "--table-j", "2", "--skip-vac", "--prog", "none"});
  EXPECT_EQ(result.exit_code, 0) << result.errors;
  const SubprocessResult several = run({"clone", "--skip"});
  EXPECT_EQ(several.exit_code, 1);
  EXPECT_THAT(several.errors, HasSubstr("--skip may stand for --skip-analyze, --skip-blobs, "));
}

TEST_F(CommandTest, TheLogIsWrittenAsJsonAndIntoAFileWhereThatIsAsked) {
  make("CREATE TABLE t AS SELECT 1 AS i");
  const std::string file = (folder_.path() / "log").string();
  std::vector<std::string> arguments = clone_arguments();
  const SubprocessResult result = run(
      arguments, {{"PGCOPYDB_LOG_JSON", "on"}, {"PGCOPYDB_LOG_FILENAME", file}, {"PGCOPYDB_LOG_TIME_FORMAT", "<%Y>"}});
  EXPECT_EQ(result.exit_code, 0) << result.errors;
  std::istringstream lines(result.errors);
  int read = 0;
  for (std::string line; std::getline(lines, line); ++read) {
    const nlohmann::json entry = nlohmann::json::parse(line);
    for (const char* key : {"timestamp", "pid", "error_level", "error_severity", "file_name", "file_line_num"}) {
      EXPECT_TRUE(entry.contains(key)) << key << line;
    }
    EXPECT_THAT(entry["file_name"].get<std::string>(), ::testing::EndsWith(".cpp"));
  }
  EXPECT_GT(read, 3);
  std::ifstream log(file);
  const std::string text{std::istreambuf_iterator<char>(log), {}};
  EXPECT_THAT(text, ::testing::ContainsRegex("^<20[0-9]{2}> [0-9]+ INFO    source: PostgreSQL"));

  const SubprocessResult refused = run(arguments, {{"PGSLUICE_LOG_FILENAME", file + "/no folder"}});
  EXPECT_EQ(refused.exit_code, 2);
  EXPECT_THAT(refused.errors, HasSubstr("PGSLUICE_LOG_FILENAME"));
}

TEST_F(CommandTest, PingTellsWhichServerDoesNotAnswer) {
  make("");
  const std::vector<std::string> servers = {"--source", shared_source().conninfo("command"), "--target",
                                            shared_target().conninfo("command")};
  const SubprocessResult both = run({"ping", servers[0], servers[1], servers[2], servers[3]});
  EXPECT_EQ(both.exit_code, 0) << both.errors;
  EXPECT_THAT(both.errors, HasSubstr("target: PostgreSQL 15"));
  EXPECT_EQ(both.output, "");
  const SubprocessResult none =
      run({"ping", servers[0], servers[1], "--target", "host=127.0.0.1 port=1", "--retry-for", "1", "--notice"});
  EXPECT_EQ(none.exit_code, 7);
  EXPECT_THAT(none.errors, HasSubstr("WARNING not yet, tried for up to 1 s: target"));
  EXPECT_THAT(none.errors, HasSubstr("not yet: target"));
  EXPECT_THAT(none.errors, HasSubstr("source: PostgreSQL 15"));
  const SubprocessResult refused =
      run({"ping", "--source", shared_source().conninfo("not_there"), servers[2], servers[3]});
  EXPECT_EQ(refused.exit_code, 6);
  EXPECT_THAT(refused.errors, HasSubstr("3D000"));
}

TEST_F(CommandTest, VersionNamesOursAndLibpqs) {
  EXPECT_THAT(run({"version"}).output, HasSubstr("libpq 1"));
  EXPECT_TRUE(nlohmann::json::parse(run({"version", "--json"}).output).contains("pgsluice"));
  EXPECT_THAT(run({"--version"}).output, HasSubstr("pgsluice "));
}

TEST_F(CommandTest, ADifferenceIsExitCode21AndIsNamed) {
  make(
      "CREATE TABLE t (id int PRIMARY KEY, v numeric); INSERT INTO t SELECT g, g / 7.0 FROM generate_series(1, 500) g");
  ASSERT_EQ(clone().exit_code, 0);
  const std::string source = shared_source().conninfo("command");
  const std::string target = shared_target().conninfo("command");
  const auto compare = [&](const std::string& what) {
    return run({"compare", what, "--source", source, "--target", target, "--json"});
  };
  EXPECT_EQ(compare("data").exit_code, 0);
  EXPECT_EQ(compare("schema").exit_code, 0);
  shared_target().sql("command", "UPDATE t SET v = 0 WHERE id = 77; CREATE INDEX added ON t (v)");
  const SubprocessResult data = compare("data");
  EXPECT_EQ(data.exit_code, 21) << data.errors;
  EXPECT_THAT(nlohmann::json::parse(data.output).dump(), HasSubstr("77"));
  const SubprocessResult schema = compare("schema");
  EXPECT_EQ(schema.exit_code, 21) << schema.errors;
  EXPECT_THAT(nlohmann::json::parse(schema.output).dump(), HasSubstr("added"));
}

TEST_F(CommandTest, VerifyFindsWhatTheTargetHasMadeOfTheRows) {
  make(
      "CREATE TABLE t (id int PRIMARY KEY, v numeric); INSERT INTO t SELECT g, g / 7.0 FROM generate_series(1, 500) g");
  const std::vector<std::string> servers = {"--source", shared_source().conninfo("command"), "--target",
                                            shared_target().conninfo("command")};
  const auto step = [&](std::vector<std::string> words) {
    words.insert(words.end(), servers.begin(), servers.end());
    return run(words);
  };
  ASSERT_EQ(step({"dump", "schema"}).exit_code, 0);
  ASSERT_EQ(step({"restore", "pre-data"}).exit_code, 0);
  shared_target().sql("command", "ALTER TABLE t ALTER v TYPE numeric(10, 2)");
  const SubprocessResult result = step({"copy", "data", "--verify"});
  EXPECT_EQ(result.exit_code, 21) << result.errors;
  EXPECT_THAT(result.errors, HasSubstr("public.t"));
  EXPECT_THAT(result.errors, HasSubstr("(1): differs; (10): differs"));
}

// The definitions hold it, and pg_dump is at work on them.
TEST_F(CommandTest, AKilledCloneLeavesNoPasswordInAnyFile) {
  make(
      "CREATE TABLE t (); CREATE EXTENSION postgres_fdw; CREATE SERVER s FOREIGN DATA WRAPPER postgres_fdw;"
      "CREATE USER MAPPING FOR postgres SERVER s OPTIONS (password 'hidd3n-in-a-mapping')");
  pg::Connection other = shared_source().connect("command");
  other.execute("BEGIN; LOCK TABLE t IN ACCESS EXCLUSIVE MODE");
  {
    std::vector<std::string> arguments = clone_arguments();
    arguments.insert(arguments.begin(), PGSLUICE_PROGRAM);
    Subprocess killed({.command = arguments, .environment = {{"TMPDIR", folder_.path().string()}}});
    const char* at_work = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pgsluice: pg_dump'";
    const bool works = wait_until([&] { return shared_source().value("postgres", at_work) != "0"; });
    ::kill(killed.pid(), SIGKILL);
    const SubprocessResult result = killed.wait({});
    ASSERT_TRUE(works) << result.errors;
  }
  other.execute("ROLLBACK");
  std::ptrdiff_t files = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder_.path())) {
    if (!entry.is_regular_file()) continue;
    ++files;
    EXPECT_THAT(read_file(entry.path()), Not(HasSubstr("hidd3n"))) << entry.path();
    EXPECT_THAT(entry.path().filename().string(), Not(HasSubstr("dump")));
  }
  EXPECT_GT(files, 0);
}

TEST_F(CommandTest, ASecondSignalEndsItAtOnceAndLeavesNoTemporaryFile) {
  make(
      "CREATE TABLE t AS SELECT 1 AS i; CREATE FUNCTION slow(i int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT i';"
      "CREATE INDEX ON t (slow(i)); CREATE OR REPLACE FUNCTION slow(i int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS"
      " 'BEGIN PERFORM pg_sleep(20); RETURN i; END'");
  const std::filesystem::path temporary = folder_.path() / "tmp";
  std::filesystem::create_directory(temporary);
  std::vector<std::string> arguments = clone_arguments();
  arguments.insert(arguments.begin(), PGSLUICE_PROGRAM);
  arguments.insert(arguments.end(), {"--dir", (folder_.path() / "work").string()});
  Subprocess clone({.command = arguments, .environment = {{"TMPDIR", temporary.string()}}});
  const char* builds = "SELECT count(*) FROM pg_stat_activity WHERE datname = 'command' AND wait_event = 'PgSleep'";
  const bool is_building = wait_until([&] { return shared_target().value("postgres", builds) != "0"; });
  ::kill(clone.pid(), SIGTERM);
  ::kill(clone.pid(), SIGTERM);
  const SubprocessResult result = clone.wait({});
  ASSERT_TRUE(is_building) << result.errors;
  EXPECT_EQ(result.exit_code, 143);
  EXPECT_TRUE(std::filesystem::is_empty(temporary));
  const char* ours =
      "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'pgsluice: %' AND datname = 'command' AND"
      " application_name <> 'pgsluice: test'";
  for (const Cluster* server : {&shared_source(), &shared_target()}) {
    EXPECT_TRUE(wait_until([&] { return server->value("postgres", ours) == "0"; }));
  }
}

}  // namespace
}  // namespace pgsluice::test
