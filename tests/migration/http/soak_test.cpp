// `serve` for a long time with many clients, slow ones among them, while migrations run, are cancelled and deleted.
// $PGSLUICE_TEST_SOAK says for how many seconds; tools/test --long makes that an hour.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <httplib.h>

#include <atomic>
#include <chrono>
#include <fstream>
#include <mutex>
#include <nlohmann/json.hpp>
#include <random>
#include <thread>

#include "base/subprocess.h"
#include "tests/migration/raw_client.h"
#include "tests/migration/runner_fixture.h"
#include "tests/support/sockets.h"
#include "tests/support/wait_until.h"

namespace pgsluice::migration {
namespace {

using Json = nlohmann::json;
using std::chrono::milliseconds;

constexpr std::int64_t kMaxKilobytes = 64 << 10;

std::chrono::seconds soak_time() {
  const char* seconds = std::getenv("PGSLUICE_TEST_SOAK");
  return std::chrono::seconds(seconds == nullptr ? 15 : std::stol(seconds));
}

class SoakTest : public RunnerFixture {
 protected:
  void SetUp() override {
    RunnerFixture::SetUp();
    std::filesystem::create_directory(folder_.path() / "serve");
    port_ = test::free_server_port();
    server_ = std::make_unique<Subprocess>(
        // Into a file: nobody reads a pipe meanwhile, and once it is full every request that is logged waits.
        SubprocessOptions{.command = {"sh", "-c", R"(log=$0; exec "$@" >> "$log" 2>&1)",
                                      (folder_.path() / "serve.log").string(), PGSLUICE_PROGRAM, "serve", "--store",
                                      serve_store_.string(), "--listen", fmt::format("127.0.0.1:{}", port_)}});
    ASSERT_TRUE(test::wait_until([&] {
      const auto answer = client().Get("/readyz");
      return answer && answer->status == 200;
    }));
    token_ = read_file(serve_store_ / "token");
    token_.pop_back();
  }

  httplib::Client client() const {
    httplib::Client client("127.0.0.1", port_);
    client.set_read_timeout(60);
    client.set_bearer_token_auth(token_);
    return client;
  }

  std::string properties(const std::vector<std::string>& databases) const {
    const Json body = {
        {"properties",
         {{"SourceDBServerResourceId", fmt::format("127.0.0.1:{}@admin", source_.port())},
          {"TargetDbServerResourceId", fmt::format("127.0.0.1:{}@admin", target_.port())},
          {"SecretParameters",
           {{"AdminCredentials", {{"SourceServerPassword", kPassword}, {"TargetServerPassword", kPassword}}}}},
          {"DBsToMigrate", databases}}}};
    return body.dump();
  }

  // A number below `end`.
  static std::size_t any(std::mt19937& random, std::size_t end) {
    return std::uniform_int_distribution<std::size_t>(0, end - 1)(random);
  }

  // Goes through a kind of client's turns until the time is over.
  template <class Turn>
  void add_clients(int count, const Turn& turn) {
    for (int i = 0; i < count; ++i) {
      clients_.emplace_back([this, turn, seed = random_()] {
        std::mt19937 random(seed);
        while (!over_) turn(random);
      });
    }
  }
  void rest(milliseconds time) const { wait_for({}, over_source_.token(), time); }

  // Requests of the page and of monitoring.
  void poll(std::mt19937& random) {
    static constexpr std::array<const char*, 7> kPaths = {
        "/migrations",      "/migrations?migrationListFilter=All&view=summary", "/metrics", "/healthz", "/", "/readyz",
        "/migrations/soak1"};
    const char* path = kPaths.at(any(random, kPaths.size()));
    const auto answer = client().Get(path);
    const int status = answer ? answer->status : 0;
    const bool may_be_unknown = std::string_view(path) == "/migrations/soak1";
    if (status != 200 && !(may_be_unknown && status == 404))
      complain(fmt::format("{}: {} {}", path, status, answer ? answer->body : ""));
    ++polls_;
    rest(milliseconds(50 + any(random, 200)));
  }

  // Follows a migration, and takes a few bytes a second.
  void follow_slowly(std::mt19937& random) {
    const RawClient slow(port_);
    slow.send(
        fmt::format("GET /migrations/soak{}/events HTTP/1.1\r\nHost: 127.0.0.1:{}\r\n\r\n", any(random, 3), port_));
    for (int i = 0; i < 20 && !over_ && !slow.receive(64).empty(); ++i) rest(milliseconds(300));
  }

  // A request that takes for ever to be said.
  void ask_slowly(std::mt19937& random) {
    const RawClient slow(port_);
    slow.send("PUT /migrations/soak0 HTTP/1.1\r\n");
    while (!over_ && slow.send("X: y\r\n")) rest(milliseconds(200 + any(random, 300)));
  }

  void keep_idle(std::mt19937& random) {
    const RawClient idle(port_);
    rest(milliseconds(2000 + any(random, 4000)));
  }

  // Begins a migration, and lets it end, cancels it at some moment, or deletes it.
  void migrate(std::mt19937& random) {
    const std::string path = fmt::format("/migrations/soak{}", any(random, 3));
    static const std::vector<std::vector<std::string>> kSets = {{"testdb3"}, {"testdb6", "testschema"}, {"testdb1"}};
    const auto created = client().Put(path, properties(kSets.at(any(random, kSets.size()))), "application/json");
    if (!created) {
      complain("no answer to a PUT");
    } else if (created->status == 201) {
      ++begun_;
      const std::size_t what = any(random, 3);
      if (what == 0) await_end(path);
      rest(milliseconds(any(random, 1500)));
      if (what == 1) client().Patch(path, R"({"properties":{"cancel":"True"}})", "application/json");
      client().Delete(path);
    } else if (created->status == 409) {
      client().Delete(path);
      rest(milliseconds(any(random, 500)));
    } else {
      complain(fmt::format("PUT: {} {}", created->status, created->body));
    }
  }
  void await_end(const std::string& path) {
    while (!over_) {
      const auto now = client().Get(path);
      if (!now || now->status != 200) return;
      const Json status = Json::parse(now->body).at("properties").at("currentStatus");
      const std::string state = status.at("state");
      if (state == "Failed") complain("a migration failed: " + status.at("error").get<std::string>());
      if (state == "Succeeded") ++succeeded_;
      if (state != "InProgress") return;
      rest(milliseconds(50));
    }
  }

  void complain(const std::string& what) {
    const std::lock_guard lock(mutex_);
    if (!over_ && complaints_.size() < 20) complaints_.push_back(what);
  }

  std::int64_t of_status(const char* name) const {
    std::ifstream status(fmt::format("/proc/{}/status", server_->pid()));
    for (std::string line; std::getline(status, line);) {
      if (line.starts_with(name)) return std::stoll(line.substr(line.find_first_of("0123456789")));
    }
    return -1;
  }
  std::size_t open_files() const {
    const std::filesystem::directory_iterator files(fmt::format("/proc/{}/fd", server_->pid()));
    return static_cast<std::size_t>(std::distance(begin(files), end(files)));
  }

  const std::filesystem::path serve_store_ = folder_.path() / "serve" / "store";
  std::unique_ptr<Subprocess> server_;
  int port_ = 0;
  std::string token_;
  std::mt19937 random_{std::random_device{}()};
  CancelSource over_source_;
  std::atomic<bool> over_{false};
  std::atomic<int> polls_{0};
  std::atomic<int> begun_{0};
  std::atomic<int> succeeded_{0};
  std::mutex mutex_;
  std::vector<std::string> complaints_;
  std::vector<std::jthread> clients_;
};

TEST_F(SoakTest, FiftyClientsAndMigrationsLeaveNothingBehind) {
  client().Get("/migrations");
  const std::size_t files_before = open_files();
  const std::int64_t threads_before = of_status("Threads:");
  add_clients(26, [this](std::mt19937& random) { poll(random); });
  add_clients(10, [this](std::mt19937& random) { follow_slowly(random); });
  add_clients(6, [this](std::mt19937& random) { ask_slowly(random); });
  add_clients(5, [this](std::mt19937& random) { keep_idle(random); });
  add_clients(3, [this](std::mt19937& random) { migrate(random); });
  wait_for({}, {}, soak_time());
  over_ = true;
  over_source_.cancel();
  clients_.clear();
  EXPECT_THAT(complaints_, ::testing::IsEmpty());
  EXPECT_GT(polls_, 0);
  EXPECT_GT(begun_, 0);

  // What is still at work ends, and the next migration of all databases succeeds.
  for (int i = 0; i < 3; ++i) client().Delete(fmt::format("/migrations/soak{}", i));
  ASSERT_TRUE(test::wait_until([&] { return Json::parse(client().Get("/migrations")->body).at("value").empty(); }));
  const std::vector<std::string> all = {"testdb1", "testdb3", "testdb6", "testschema"};
  ASSERT_EQ(client().Put("/migrations/last", properties(all), "application/json")->status, 201);
  over_ = false;
  await_end("/migrations/last");
  EXPECT_THAT(complaints_, ::testing::IsEmpty());
  for (const std::string& name : all) EXPECT_EQ(differences(name), std::vector<std::string>{}) << name;
  EXPECT_EQ(target_.value("postgres",
                          "SELECT string_agg(datname, ' ' ORDER BY datname) FROM pg_database WHERE NOT "
                          "datistemplate AND datname <> 'postgres'"),
            "testdb1 testdb3 testdb6 testschema");
  EXPECT_TRUE(test::wait_until([&] {
    return target_.value("postgres",
                         "SELECT count(*) FROM pg_stat_activity WHERE application_name ~ 'pgsluice' AND pid <> "
                         "pg_backend_pid()") == "0";
  })) << "the worker's sessions end with it";

  // The service is as it was.
  EXPECT_TRUE(test::wait_until([&] { return open_files() <= files_before + 2; })) << open_files();
  EXPECT_LE(of_status("Threads:"), threads_before + 1);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  EXPECT_LT(of_status("VmHWM:"), kMaxKilobytes);
#endif
  std::cout << fmt::format("{} requests, {} migrations begun, {} of them let end well, at most {} kB\n", polls_.load(),
                           begun_.load(), succeeded_.load(), of_status("VmHWM:"));
}

}  // namespace
}  // namespace pgsluice::migration
