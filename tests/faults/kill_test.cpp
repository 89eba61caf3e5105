// A clone that is killed, or loses servers and sessions, at any moment: run again with --resume it ends equal, with
// nothing there twice. PGSLUICE_TEST_KILLS says how often (default 24), PGSLUICE_TEST_SEED which moments.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <array>
#include <chrono>
#include <filesystem>
#include <memory>
#include <random>
#include <thread>

#include "base/file_descriptor.h"
#include "base/subprocess.h"
#include "base/wait.h"
#include "store/manifest.h"
#include "tests/support/cluster.h"
#include "tests/support/database_comparison.h"
#include "tests/support/randomness.h"
#include "tests/support/wait_until.h"

namespace pgsluice::test {
namespace {

using std::chrono::milliseconds;

// Something of each kind that is done in a way of its own: parts of a table, a frozen one, small ones together, large
// objects, keys, a view that is filled, sequences, privileges, an extension's table; and enough of them that there are
// moments to meet.
constexpr const char* kDatabase = R"(
CREATE TABLE large (id bigint PRIMARY KEY, at timestamptz, text text);
INSERT INTO large SELECT g, now() - g * interval '1 s', repeat(md5(g::text), 6) FROM generate_series(1, 60000) g;
CREATE INDEX ON large (at);
CREATE INDEX ON large (md5(text));
CREATE TABLE frozen AS SELECT g AS id, md5(g::text) AS text FROM generate_series(1, 120000) g;
ALTER TABLE frozen ADD PRIMARY KEY (id);
CREATE TABLE child (id serial PRIMARY KEY, large bigint REFERENCES large, frozen int REFERENCES frozen);
INSERT INTO child (large, frozen) SELECT g, g FROM generate_series(1, 30000) g;
CREATE TABLE parted (id int PRIMARY KEY, child int REFERENCES child) PARTITION BY RANGE (id);
CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM (0) TO (1000);
CREATE TABLE parted_2 PARTITION OF parted FOR VALUES FROM (1000) TO (2000);
INSERT INTO parted SELECT g, g + 1 FROM generate_series(0, 1999) g;
DO $$ BEGIN
  FOR i IN 1..60 LOOP
    EXECUTE format('CREATE TABLE small_%s (id serial PRIMARY KEY, word text UNIQUE)', i);
    EXECUTE format('INSERT INTO small_%s (word) SELECT ''w'' || g FROM generate_series(1, 200) g', i);
    EXECUTE format('COMMENT ON TABLE small_%s IS ''number %s''', i, i);
    EXECUTE format('GRANT SELECT ON small_%s TO public', i);
  END LOOP;
END $$;
CREATE MATERIALIZED VIEW counts AS SELECT frozen % 10 AS digit, count(*) FROM child GROUP BY 1;
CREATE UNIQUE INDEX ON counts (digit);
CREATE SEQUENCE lonely START 77; SELECT nextval('lonely');
CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
CREATE TRIGGER t AFTER INSERT ON child FOR EACH ROW EXECUTE FUNCTION nothing();
SELECT count(lo_from_bytea(0, decode(repeat(md5(g::text), 200), 'hex'))) FROM generate_series(1, 300) g;
CREATE STATISTICS s ON digit, count FROM counts;
ALTER DATABASE killed SET work_mem = '5MB';
)";
constexpr const char* kUnlogged =
    "CREATE UNLOGGED TABLE fleeting AS SELECT g AS id, md5(g::text) AS text FROM generate_series(1, 30000) g;"
    "CREATE UNLOGGED TABLE fleeting_small AS SELECT 1 AS one;";

enum class Victim {
  kClone,
  kTargetSession,
  kSourceSession,
  kTargetBackend,
  kTargetServer,
  kSourceServer,
  kSignal,
  kTargetRestart,
  kSourceRestart,
};
constexpr unsigned kVictims = 9;

const char* to_string(Victim victim) {
  switch (victim) {
    case Victim::kClone:
      return "the clone (SIGKILL)";
    case Victim::kTargetSession:
      return "a session of the target (pg_terminate_backend)";
    case Victim::kSourceSession:
      return "a session of the source (pg_terminate_backend)";
    case Victim::kTargetBackend:
      return "a backend of the target (SIGKILL: all crash)";
    case Victim::kTargetServer:
      return "the target's server (SIGKILL)";
    case Victim::kSourceServer:
      return "the source's server (SIGKILL)";
    case Victim::kTargetRestart:
      return "the target's server (a fast restart)";
    case Victim::kSourceRestart:
      return "the source's server (a fast restart)";
    case Victim::kSignal:
      break;
  }
  return "the clone (SIGTERM)";
}

class KillTest : public ::testing::Test {
 protected:
  KillTest() : source_(quiet()), target_(quiet()) {}

  // Nothing that runs transactions by itself.
  static Cluster::Options quiet() { return {.settings = {"autovacuum = off"}, .initdb_arguments = {}}; }

  // The digests of all tables in an archive.
  static std::string rows_in(const std::filesystem::path& archive) {
    std::string rows;
    for (const store::ArchivedTable& table : store::read_manifest(archive).tables) {
      rows += fmt::format("{} {} {}\n", table.name, table.rows.rows, table.rows.sum.hex());
    }
    return rows;
  }

  std::vector<std::string> command(bool resume) const {
    std::vector<std::string> arguments = {PGSLUICE_PROGRAM};
    const std::vector<std::string> from =
        archive_.empty() ? std::vector<std::string>{"clone", "--source", source_.conninfo("killed")}
                         : std::vector<std::string>{"archive", "restore", "--from", archive_.string()};
    arguments.insert(arguments.end(), from.begin(), from.end());
    const std::vector<std::string> rest = {"--target",
                                           target_.conninfo("killed"),
                                           "--dir",
                                           folder_.path().string(),
                                           "--table-jobs",
                                           "3",
                                           "--index-jobs",
                                           "2",
                                           "--split-tables-larger-than",
                                           "8 MB",
                                           "--retry-for",
                                           "60"};
    arguments.insert(arguments.end(), rest.begin(), rest.end());
    if (resume) arguments.emplace_back("--resume");
    return arguments;
  }

  SubprocessResult run(bool resume) { return run_command({.command = command(resume)}); }

  // A random one of our sessions, if there is any.
  static std::string one_session(const Cluster& server, std::mt19937& random, const std::string& action) {
    try {
      pg::Connection connection = server.connect("postgres");
      const pg::Result pids = connection.execute(
          "SELECT pid, application_name FROM pg_stat_activity WHERE application_name LIKE 'pgsluice: %'"
          " AND datname = 'killed' ORDER BY pid");
      if (pids.empty()) return "";
      const pg::Row chosen = pids[static_cast<int>(random() % static_cast<unsigned>(pids.size()))];
      if (action.empty()) {
        ::kill(static_cast<pid_t>(chosen.integer(0)), SIGKILL);
      } else {
        connection.execute(fmt::format(fmt::runtime(action), chosen.text(0)));
      }
      return std::string(chosen.text(1));
    } catch (const Error&) {
      return "";  // the server is down at this moment
    }
  }

  static void restart(Cluster& server) {
    server.kill();
    server.start();
  }

  std::string strike(Victim victim, const Subprocess& clone, std::mt19937& random) {
    switch (victim) {
      case Victim::kClone:
        ::kill(clone.pid(), SIGKILL);
        return "";
      case Victim::kSignal:
        ::kill(clone.pid(), SIGTERM);
        return "";
      case Victim::kTargetSession:
        return one_session(target_, random, "SELECT pg_terminate_backend({})");
      case Victim::kSourceSession:
        return one_session(source_, random, "SELECT pg_terminate_backend({})");
      case Victim::kTargetBackend:
        return one_session(target_, random, "");
      case Victim::kTargetServer:
        restart(target_);
        return "";
      case Victim::kSourceServer:
        restart(source_);
        return "";
      case Victim::kTargetRestart:
      case Victim::kSourceRestart: {
        Cluster& server = victim == Victim::kTargetRestart ? target_ : source_;
        server.stop_fast();
        server.start();
        return "";
      }
    }
    return "";
  }

  std::vector<std::string> differences() const {
    std::vector<std::string> found =
        compare_databases(source_.conninfo("killed"), target_.conninfo("killed"), server_bindir());
    // A crash empties unlogged tables: nobody can help it when the clone was done by then.
    if (crashed_after_the_end_) {
      std::erase_if(found, [](const std::string& text) { return text.find("\"fleeting") != std::string::npos; });
    }
    return found;
  }

  // Whether the target's ledger is gone and its tables are there. Called right after a crash.
  bool is_at_the_end() const {
    while (true) {
      try {
        return target_.value("killed",
                             "SELECT to_regclass('pgsluice.run') IS NULL AND to_regclass('counts') IS NOT NULL") == "t";
      } catch (const Error&) {
        wait_for({}, {}, milliseconds(10));  // until the server has recovered
      }
    }
  }

  // When nothing happens.
  milliseconds length_of_a_whole_run() {
    target_.create_database("killed");
    const auto begin = std::chrono::steady_clock::now();
    const SubprocessResult whole = run(false);
    const auto length = std::chrono::duration_cast<milliseconds>(std::chrono::steady_clock::now() - begin);
    EXPECT_EQ(whole.exit_code, 0) << whole.errors;
    EXPECT_THAT(differences(), ::testing::IsEmpty());
    return length;
  }

  // No session of ours is left on either server.
  void expect_nothing_is_left() {
    constexpr const char* kOurs =
        "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'pgsluice%' AND datname = 'killed'";
    for (const Cluster* server : {&source_, &target_}) {
      wait_until([&] { return server->value("postgres", kOurs) == "0"; });
      EXPECT_EQ(server->value("postgres", kOurs), "0") << (server == &source_ ? "source" : "target");
    }
    EXPECT_EQ(target_.value("killed", "SELECT count(*) FROM pg_namespace WHERE nspname = 'pgsluice'"), "0");
  }

  Cluster source_;
  Cluster target_;
  TemporaryFolder folder_;
  /// That is restored, in the place of a clone of the source.
  std::filesystem::path archive_;
  bool crashed_after_the_end_ = false;
};

TEST_F(KillTest, WhateverIsKilledTheResumedCloneEndsEqual) {
  const int kills = number_from_environment("PGSLUICE_TEST_KILLS", 24);
  const int seed = test_seed();
  std::mt19937 random(static_cast<unsigned>(seed));
  source_.create_database("killed");
  source_.sql("killed", kDatabase);
  source_.sql("killed", kUnlogged);
  source_.sql("postgres", "CHECKPOINT");

  const milliseconds length = length_of_a_whole_run();
  ASSERT_FALSE(HasFailure());
  bool unlogged = true;
  int struck = 0;
  while (struck < kills) {
    target_.create_database("killed");
    crashed_after_the_end_ = false;
    SubprocessResult result{.exit_code = -1};
    std::string story;
    // Up to three strikes into one clone, then it is left alone.
    const int strikes = 1 + static_cast<int>(random() % 3);
    for (int round = 0; result.exit_code != 0 && round < 12; ++round) {
      Subprocess clone({.command = command(round > 0)});
      if (round < strikes && struck < kills) {
        const milliseconds moment(random() % static_cast<unsigned>(length.count() + 100));
        wait_for({}, {}, moment);
        auto victim = static_cast<Victim>(random() % kVictims);
        // The last third is for the source's restarts: a crash empties its unlogged tables for good, and after any
        // other nobody can prove that there was none.
        const auto is_of_source = [&] { return victim == Victim::kSourceServer || victim == Victim::kSourceRestart; };
        if (is_of_source() && unlogged && struck < kills * 2 / 3) victim = Victim::kClone;
        if (is_of_source() && unlogged) {
          unlogged = false;
          clone.wait({});
          source_.sql("killed", "DROP TABLE fleeting, fleeting_small");
          source_.sql("postgres", "CHECKPOINT");
          target_.create_database("killed");
          result.exit_code = -1;  // what was killed before has nothing to be resumed on any more
          break;
        }
        ++struck;
        const std::string whom = strike(victim, clone, random);
        if (victim == Victim::kTargetServer || victim == Victim::kTargetBackend) {
          crashed_after_the_end_ = is_at_the_end();
        }
        story += fmt::format("round {}: {} {} after {} ms\n", round, to_string(victim), whom, moment.count());
      }
      result = clone.wait({});
      story += fmt::format("round {}: exit {}\n", round, result.exit_code);
    }
    if (result.exit_code == -1) continue;
    ASSERT_EQ(result.exit_code, 0) << "seed " << seed << "\n" << story << result.errors;
    ASSERT_THAT(differences(), ::testing::IsEmpty()) << "seed " << seed << "\n" << story;
    expect_nothing_is_left();
    if (HasFailure()) FAIL() << "seed " << seed << "\n" << story;
  }
}

TEST_F(KillTest, WhateverIsKilledTheResumedRestoreEndsEqual) {
  const int kills = number_from_environment("PGSLUICE_TEST_KILLS", 24) * 5 / 6;
  const int seed = test_seed();
  std::mt19937 random(static_cast<unsigned>(seed));
  source_.create_database("killed");
  source_.sql("killed", kDatabase);
  archive_ = folder_.path() / "archive";
  const SubprocessResult made =
      run_command({.command = {PGSLUICE_PROGRAM, "archive", "create", "--source", source_.conninfo("killed"), "--to",
                               archive_.string(), "--compress", "zstd:1"}});
  ASSERT_EQ(made.exit_code, 0) << made.errors;
  const milliseconds length = length_of_a_whole_run();
  ASSERT_FALSE(HasFailure());
  constexpr std::array kOfARestore = {Victim::kClone,         Victim::kSignal,       Victim::kTargetSession,
                                      Victim::kTargetBackend, Victim::kTargetServer, Victim::kTargetRestart};
  for (int struck = 0; struck < kills;) {
    target_.create_database("killed");
    SubprocessResult result{.exit_code = -1};
    std::string story;
    const int strikes = 1 + static_cast<int>(random() % 3);
    for (int round = 0; result.exit_code != 0 && round < 12; ++round) {
      Subprocess restore({.command = command(round > 0)});
      if (round < strikes && struck < kills) {
        const milliseconds moment(random() % static_cast<unsigned>(length.count() + 100));
        wait_for({}, {}, moment);
        const Victim victim = kOfARestore[random() % kOfARestore.size()];
        ++struck;
        story += fmt::format("round {}: {} {} after {} ms\n", round, to_string(victim), strike(victim, restore, random),
                             moment.count());
        is_at_the_end();  // waits until the server has recovered
      }
      result = restore.wait({});
      story += fmt::format("round {}: exit {}\n", round, result.exit_code);
    }
    ASSERT_EQ(result.exit_code, 0) << "seed " << seed << "\n" << story << result.errors;
    ASSERT_THAT(differences(), ::testing::IsEmpty()) << "seed " << seed << "\n" << story;
    expect_nothing_is_left();
    if (HasFailure()) FAIL() << "seed " << seed << "\n" << story;
  }
}

// An archive is complete, or nobody takes it for one; and the next attempt completes it.
TEST_F(KillTest, AnArchiveWhoseMakerIsKilledIsNoArchiveAndIsResumed) {
  const int kills = number_from_environment("PGSLUICE_TEST_KILLS", 24) / 2;
  const int seed = test_seed();
  std::mt19937 random(static_cast<unsigned>(seed));
  source_.create_database("killed");
  source_.sql("killed", kDatabase);
  const std::string folder = (folder_.path() / "archive").string();
  const std::vector<std::string> create = {PGSLUICE_PROGRAM,
                                           "archive",
                                           "create",
                                           "--source",
                                           source_.conninfo("killed"),
                                           "--to",
                                           folder,
                                           "--table-jobs",
                                           "2",
                                           "--split-tables-larger-than",
                                           "4 MB"};
  std::vector<std::string> resume = create;
  resume.emplace_back("--resume");
  const auto begin = std::chrono::steady_clock::now();
  ASSERT_EQ(run_command({.command = create}).exit_code, 0);
  const auto length = std::chrono::duration_cast<milliseconds>(std::chrono::steady_clock::now() - begin);
  const std::string expected = rows_in(folder);
  int complete = 0;
  for (int i = 0; i < kills; ++i) {
    std::filesystem::remove_all(folder);
    const milliseconds moment(random() % static_cast<unsigned>(length.count() + 50));
    const std::string story = fmt::format("seed {}, after {} ms: ", seed, moment.count());
    {
      Subprocess maker({.command = create});
      wait_for({}, {}, moment);
      ::kill(maker.pid(), SIGKILL);
      maker.wait({});
    }
    const SubprocessResult verified = run_command({.command = {PGSLUICE_PROGRAM, "archive", "verify", folder}});
    complete += verified.exit_code == 0 ? 1 : 0;
    EXPECT_TRUE(verified.exit_code == 0 || verified.exit_code == 2)
        << story << verified.exit_code << " " << verified.errors;
    if (verified.exit_code == 0) continue;
    const SubprocessResult restored = run_command({.command = {PGSLUICE_PROGRAM, "archive", "restore", "--from", folder,
                                                               "--target", target_.conninfo("postgres"), "--dry-run"}});
    EXPECT_EQ(restored.exit_code, 2) << story << restored.output;
    const SubprocessResult resumed = run_command({.command = resume});
    ASSERT_EQ(resumed.exit_code, 0) << story << resumed.errors;
    ASSERT_EQ(run_command({.command = {PGSLUICE_PROGRAM, "archive", "verify", folder}}).exit_code, 0) << story;
    ASSERT_EQ(rows_in(folder), expected) << story;
  }
  EXPECT_LT(complete, kills);
}

// What exit code 0 stands for is on the target's disk.
TEST_F(KillTest, ATargetThatCrashesRightBehindTheEndHasLostNothing) {
  source_.create_database("killed");
  source_.sql("killed", kDatabase);
  for (int round = 0; round < 3; ++round) {
    target_.create_database("killed");
    const SubprocessResult whole = run(false);
    target_.kill();
    ASSERT_EQ(whole.exit_code, 0) << whole.errors;
    target_.start();
    EXPECT_THAT(differences(), ::testing::IsEmpty());
    expect_nothing_is_left();
  }
}

}  // namespace
}  // namespace pgsluice::test
