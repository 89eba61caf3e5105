// `pgsluice worker` as a container runs it: watched, ended, killed, short of memory, without io_uring.
#include <gmock/gmock.h>
#include <httplib.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>
#include <sstream>

#include "base/subprocess.h"
#include "base/wait.h"
#include "pgsluice/migration/store.h"
#include "tests/support/cluster.h"
#include "tests/support/database_comparison.h"
#include "tests/support/peak_memory.h"
#include "tests/support/sockets.h"

namespace pgsluice::migration {
namespace {

using test::Cluster;
using ::testing::HasSubstr;
using ::testing::Not;
using Json = nlohmann::json;

constexpr const char* kPassword = "s3cret-of-the-test";

class WorkerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    for (Cluster* cluster : {&source_, &target_}) {
      cluster->sql("postgres", std::string("CREATE ROLE admin SUPERUSER LOGIN PASSWORD '") + kPassword + "'");
    }
    for (const char* name : {"one", "two"}) {
      source_.create_database(name, "TEMPLATE template0");
      source_.sql(name,
                  "CREATE TABLE t AS SELECT g, repeat('x', 400) AS s FROM generate_series(1, 200000) g;"
                  "CREATE INDEX ON t (g)");
    }
    std::ofstream(folder_.path() / "password") << kPassword << "\n";
    const auto server = [](const Cluster& cluster) { return "127.0.0.1:" + std::to_string(cluster.port()) + "@admin"; };
    std::ofstream(folder_.path() / "body.json")
        << Json{{"properties",
                 {{"SourceDBServerResourceId", server(source_)},
                  {"TargetDbServerResourceId", server(target_)},
                  {"SecretParameters",
                   {{"AdminCredentials",
                     {{"SourceServerPasswordFile", (folder_.path() / "password").string()},
                      {"TargetServerPasswordEnv", "TARGET_PASSWORD"}}}}},
                  {"engine", {{"tableJobs", 2}, {"indexJobs", 2}, {"retry-for", 1}}},
                  {"DBsToMigrate", {"one", "two"}}}}};
  }

  SubprocessOptions worker(std::vector<std::string> more = {}, std::vector<std::string> before = {}) const {
    std::vector<std::string> command = std::move(before);
    command.insert(command.end(),
                   {PGSLUICE_PROGRAM, "worker", "--name", "job", "--store", (folder_.path() / "store").string(),
                    "--properties", (folder_.path() / "body.json").string()});
    command.insert(command.end(), more.begin(), more.end());
    return {.command = std::move(command),
            .environment = {{"TARGET_PASSWORD", kPassword}, {"PGSLUICE_LOG_FILENAME", log().string()}}};
  }
  // The migration waits then.
  void create_without_worker() const {
    const SubprocessResult created =
        run_command({.command = {PGSLUICE_PROGRAM, "migration", "create", "--name", "job", "--store",
                                 (folder_.path() / "store").string(), "--properties",
                                 (folder_.path() / "body.json").string(), "--no-wait", "--worker-command", "true"},
                     .environment = {{"TARGET_PASSWORD", kPassword}}});
    ASSERT_EQ(created.exit_code, 0) << created.errors;
  }
  std::filesystem::path log() const { return folder_.path() / "worker.log"; }

  // The migration, as soon as it satisfies the wish.
  Migration wait_until(const std::function<bool(const Migration&)>& wish) {
    while (true) {
      const std::vector<Migration> now = store_.list(Filter::kAll, std::nullopt);
      if (!now.empty() && wish(now.front())) return now.front();
      if (!now.empty() && !now.front().active()) ADD_FAILURE() << "ended before: " << now.front().error;
      if (!now.empty() && !now.front().active()) return now.front();
      wait_for({}, {}, std::chrono::milliseconds(2));
    }
  }

  // What an earlier worker has left has been taken up.
  void wait_until_active() {
    while (store_.list(Filter::kActive, std::nullopt).empty()) wait_for({}, {}, std::chrono::milliseconds(2));
  }

  // The copy of the second database does not get on until the session ends.
  pg::Connection hold_two() const {
    pg::Connection session = source_.connect("two");
    session.execute("BEGIN; LOCK TABLE t IN ACCESS EXCLUSIVE MODE");
    return session;
  }

  void expect_equal() const {
    for (const char* name : {"one", "two"}) {
      EXPECT_EQ(test::compare_databases(source_.conninfo(name), target_.conninfo(name), test::server_bindir()),
                std::vector<std::string>{})
          << name;
    }
  }

  Cluster source_;
  Cluster target_;
  TemporaryFolder folder_;
  Store store_{folder_.path() / "store"};
};

// How far a database is. Some stages last for a moment only: a wish is for one or any after it.
int stage_of(const Migration& migration, std::size_t database) {
  const std::array<const char*, 5> stages = {"", "MakingDatabase", "MigratingData", "Verifying", "Completed"};
  const auto found = std::find(stages.begin(), stages.end(), migration.details.at(database).operation);
  return found == stages.end() ? 0 : static_cast<int>(found - stages.begin());
}

bool is_migrating(const Migration& migration) { return migration.details.at(1).operation == "MigratingData"; }

TEST_F(WorkerTest, IsWatchedWhileItRunsAndItsLogIsJson) {
  std::optional<pg::Connection> held = hold_two();
  Subprocess process(worker({"--listen", "127.0.0.1:0"}));
  wait_until(is_migrating);
  std::string url = read_file(log());
  url = url.substr(url.find("http://"));
  url = url.substr(0, url.find("/status"));
  httplib::Client client(url);
  const auto get = [&](const char* path) {
    const httplib::Result result = client.Get(path);
    return result ? *result : httplib::Response();
  };
  EXPECT_EQ(get("/healthz").body, "ok\n");
  EXPECT_THAT(get("/metrics").body,
              ::testing::ContainsRegex("pgsluice_database_copied_bytes_total\\{[^}]*migration=\"job\""));
  const Json status = Json::parse(get("/status").body);
  EXPECT_EQ(status.at("properties").at("currentStatus").at("state"), "InProgress");
  EXPECT_EQ(get("/migrations").status, 404);
  held.reset();
  std::ifstream command_line("/proc/" + std::to_string(process.pid()) + "/cmdline");
  std::stringstream arguments;
  arguments << command_line.rdbuf();
  EXPECT_THAT(arguments.str(), Not(HasSubstr(kPassword)));
  const SubprocessResult ended = process.wait({});
  EXPECT_EQ(ended.exit_code, 0) << ended.output;
  std::istringstream lines(ended.output);
  int count = 0;
  for (std::string line; std::getline(lines, line); ++count) EXPECT_TRUE(Json::parse(line).contains("message")) << line;
  EXPECT_GT(count, 5);
  EXPECT_THAT(ended.output + ended.errors + read_file(log()), Not(HasSubstr(kPassword)));
  expect_equal();
}

TEST_F(WorkerTest, SigtermEndsItAndResumeGoesOnWhereItWas) {
  {
    const pg::Connection held = hold_two();
    Subprocess process(worker());
    wait_until(is_migrating);
    ::kill(process.pid(), SIGTERM);
    const SubprocessResult ended = process.wait({});
    EXPECT_EQ(ended.exit_code, 143) << ended.output;
  }
  const Migration stopped = store_.find("job", std::nullopt);
  EXPECT_EQ(stopped.state, State::kFailed);
  EXPECT_THAT(stopped.error, HasSubstr("resume the migration"));
  EXPECT_EQ(stopped.details.at(0).state, DatabaseState::kSucceeded);
  const SubprocessResult refused = run_command(worker());
  EXPECT_EQ(refused.exit_code, 3) << "a name that is taken: " << refused.output;
  const SubprocessResult again = run_command(worker({"--resume"}));
  EXPECT_EQ(again.exit_code, 0) << again.output;
  expect_equal();
}

TEST_F(WorkerTest, WhereverItIsKilledTheMigrationIsFoundFailedAndCanBeTakenUpAgain) {
  const std::vector<std::pair<const char*, std::function<bool(const Migration&)>>> moments = {
      {"in its prerequisites", [](const Migration& now) { return now.started.has_value(); }},
      {"validating", [](const Migration& now) { return now.substate != Substate::kPerformingPreRequisiteSteps; }},
      {"making a database", [](const Migration& now) { return stage_of(now, 0) >= 1; }},
      {"copying", [](const Migration& now) { return now.details.at(0).copied.count > 0; }},
      {"comparing", [](const Migration& now) { return stage_of(now, 0) >= 3; }},
      {"in the second database", [](const Migration& now) { return stage_of(now, 1) >= 2; }},
      {"comparing the second", [](const Migration& now) { return stage_of(now, 1) >= 3; }}};
  for (const auto& [name, moment] : moments) {
    SCOPED_TRACE(name);
    Subprocess process(worker({"--resume"}));
    wait_until_active();
    const Migration at = wait_until(moment);
    ::kill(process.pid(), SIGKILL);
    EXPECT_EQ(process.wait({}).exit_code, 128 + SIGKILL);
    if (at.details.at(1).operation == "Completed") break;
    const Migration found = store_.find("job", std::nullopt);
    EXPECT_EQ(found.state, State::kFailed);
    EXPECT_THAT(found.error, HasSubstr("ended without recording why"));
    const DatabaseDetails& second = found.details.at(1);
    EXPECT_EQ(second.state, second.started ? DatabaseState::kFailed : DatabaseState::kNotStarted);
  }
  const SubprocessResult ended = run_command(worker({"--resume"}));
  EXPECT_EQ(ended.exit_code, 0) << ended.output;
  EXPECT_EQ(store_.find("job", std::nullopt).state, State::kSucceeded);
  expect_equal();
}

TEST_F(WorkerTest, KilledWhileItCancelsAResumeDropsWhatIsLeft) {
  const pg::Connection held = hold_two();
  Subprocess process(worker());
  wait_until(is_migrating);
  pg::Connection in_the_way = target_.connect("postgres");  // of the DROP DATABASE
  in_the_way.execute("BEGIN; LOCK TABLE pg_catalog.pg_database IN SHARE MODE");
  store_.request_cancel(store_.find("job", std::nullopt));
  wait_until([](const Migration& now) { return now.substate == Substate::kCancelingRequestedDBMigrations; });
  ::kill(process.pid(), SIGKILL);
  EXPECT_EQ(process.wait({}).exit_code, 128 + SIGKILL);
  in_the_way.execute("ROLLBACK");
  const Migration found = store_.find("job", std::nullopt);
  EXPECT_EQ(found.state, State::kFailed);
  EXPECT_THAT(found.error, HasSubstr("it was canceled"));
  EXPECT_THAT(found.error, HasSubstr("resume the migration: it drops that"));
  const SubprocessResult ended = run_command(worker({"--resume"}));
  EXPECT_EQ(ended.exit_code, 130) << ended.output;
  EXPECT_EQ(store_.find("job", std::nullopt).state, State::kCanceled);
  EXPECT_EQ(target_.value("postgres", "SELECT count(*) FROM pg_database WHERE datname IN ('one', 'two')"), "0");
}

TEST_F(WorkerTest, RunsWhereIoUringIsRefused) {
  const SubprocessResult ended =
      run_command(worker({}, {std::string(PGSLUICE_BUILD_FOLDER) + "/bin/without_io_uring"}));
  EXPECT_EQ(ended.exit_code, 0) << ended.output << ended.errors;
  expect_equal();
}

TEST_F(WorkerTest, RunsWithLittleMemory) {
  constexpr std::int64_t kMemory = 256LL << 20;
  const std::string name = "pgsluice-test-" + std::to_string(::getpid());
  const bool is_v2 = std::filesystem::exists("/sys/fs/cgroup/cgroup.controllers");
  const std::filesystem::path group =
      is_v2 ? std::filesystem::path("/sys/fs/cgroup") / name : std::filesystem::path("/sys/fs/cgroup/memory") / name;
  std::error_code error;
  std::filesystem::create_directory(group, error);
  const std::filesystem::path limit = group / (is_v2 ? "memory.max" : "memory.limit_in_bytes");
  std::ofstream(limit) << kMemory << std::flush;
  std::string taken;
  std::ifstream(limit) >> taken;
  if (taken != std::to_string(kMemory) || !test::kMemoryIsItsOwn) {
    std::filesystem::remove(group, error);
    GTEST_SKIP() << "no memory cgroup can be made here: a worker in 256 MB is NOT tested";
  }
  const SubprocessResult ended = run_command(
      worker({}, {"/bin/sh", "-c", "echo $$ > " + (group / "cgroup.procs").string() + " && exec \"$@\"", "sh"}));
  EXPECT_EQ(ended.exit_code, 0) << ended.output << ended.errors;
  std::filesystem::remove(group, error);
  expect_equal();
}

TEST_F(WorkerTest, WhatIsWrongWithItsArgumentsIsFoundBeforeAMigrationIsBegun) {
  EXPECT_EQ(run_command(worker({"-o", "xml"})).exit_code, 1);
  EXPECT_EQ(run_command(worker({"--listen", "0.0.0.0:8080"})).exit_code, 1);
  const FileDescriptor taken = test::listen_on_loopback();
  EXPECT_EQ(run_command(worker({"--listen", "127.0.0.1:" + std::to_string(test::port_of(taken))})).exit_code, 2);
  EXPECT_TRUE(store_.list(Filter::kAll, std::nullopt).empty());
}

TEST_F(WorkerTest, AMigrationThatWaitsIsOnlyTakenUpWithItsOwnProperties) {
  create_without_worker();
  Json body = Json::parse(read_file(folder_.path() / "body.json"));
  body["properties"]["DBsToMigrate"] = {"two"};
  std::ofstream(folder_.path() / "body.json") << body;
  const SubprocessResult result = run_command(worker());
  EXPECT_EQ(result.exit_code, 3) << result.output;
  EXPECT_TRUE(store_.list(Filter::kAll, std::nullopt).front().active());
}

TEST_F(WorkerTest, ACommandThatBringsUpNoWorkerLeavesTheMigrationFailed) {
  const SubprocessResult result = run_command(
      {.command = {PGSLUICE_PROGRAM, "migration", "create", "--name", "job", "--store",
                   (folder_.path() / "store").string(), "--properties", (folder_.path() / "body.json").string(),
                   "--no-wait", "--worker-command", "echo no quota is left; exit 3"},
       .environment = {{"TARGET_PASSWORD", kPassword}}});
  EXPECT_NE(result.exit_code, 0);
  const Migration failed = store_.list(Filter::kAll, std::nullopt).front();
  EXPECT_EQ(failed.state, State::kFailed);
  EXPECT_THAT(failed.error, HasSubstr("no quota is left"));
}

TEST_F(WorkerTest, TakesUpNoOtherMigrationThatHasGotTheName) {
  SubprocessOptions late = worker();
  late.environment.emplace_back("PGSLUICE_MIGRATION_ID", "of-one-that-was-deleted");
  const SubprocessResult none = run_command(late);
  EXPECT_EQ(none.exit_code, 3) << none.output;
  EXPECT_TRUE(store_.list(Filter::kAll, std::nullopt).empty());

  create_without_worker();
  const SubprocessResult other = run_command(late);
  EXPECT_EQ(other.exit_code, 3) << other.output;
  EXPECT_THAT(other.output, HasSubstr("not there any more"));
  EXPECT_TRUE(store_.list(Filter::kAll, std::nullopt).front().active());

  SubprocessOptions its_own = worker();
  its_own.environment.emplace_back("PGSLUICE_MIGRATION_ID", store_.list(Filter::kAll, std::nullopt).front().id);
  EXPECT_EQ(run_command(its_own).exit_code, 0);
}

TEST_F(WorkerTest, AMigrationThatWasOnlyValidatedIsNotSaidToBeMigrated) {
  SubprocessOptions validates = worker({"--migration-option", "Validate"});
  validates.environment.emplace_back("PGSLUICE_MIGRATION_ID", "");  // as a manifest may pass on what is not set
  ASSERT_EQ(run_command(validates).exit_code, 0);
  const SubprocessResult migrates = run_command(worker({"--resume"}));
  EXPECT_EQ(migrates.exit_code, 3) << migrates.output;
  EXPECT_THAT(migrates.output, HasSubstr("only validated"));
  EXPECT_EQ(run_command(worker({"--resume", "--migration-option", "Validate"})).exit_code, 0);
}

}  // namespace
}  // namespace pgsluice::migration
