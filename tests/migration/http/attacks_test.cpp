// What anybody who reaches the port of `serve` may send, and what it costs the service: raw bytes over real
// connections, and the process's memory by /proc.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <httplib.h>
#include <sys/resource.h>

#include <chrono>
#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/subprocess.h"
#include "migration/http/connections.h"
#include "pgsluice/migration/store.h"
#include "tests/migration/raw_client.h"
#include "tests/support/sockets.h"
#include "tests/support/wait_until.h"

namespace pgsluice::migration {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr std::int64_t kMaxKilobytes = 64 << 10;

class AttackTest : public ::testing::Test {
 protected:
  void SetUp() override { serve({}); }

  void serve(std::vector<std::string> more) {
    server_.reset();
    port_ = test::free_server_port();
    std::vector<std::string> command = {PGSLUICE_PROGRAM, "serve",    "--store",
                                        store_.string(),  "--listen", fmt::format("127.0.0.1:{}", port_)};
    command.insert(command.end(), more.begin(), more.end());
    server_ = std::make_unique<Subprocess>(SubprocessOptions{.command = std::move(command)});
    ASSERT_TRUE(test::wait_until([&] { return is_healthy(); }));
  }

  bool is_healthy() const {
    httplib::Client client("127.0.0.1", port_);
    client.set_read_timeout(3);
    const auto answer = client.Get("/healthz");
    return answer && answer->status == 200;
  }

  // The most memory that the service has had.
  std::int64_t peak_kilobytes() const {
    std::ifstream status(fmt::format("/proc/{}/status", server_->pid()));
    for (std::string line; std::getline(status, line);) {
      if (line.starts_with("VmHWM:")) return std::stoll(line.substr(line.find_first_of("0123456789")));
    }
    return -1;
  }
  void expect_it_lives_within_its_memory() const {
    EXPECT_TRUE(is_healthy());
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    EXPECT_GT(peak_kilobytes(), 0);
    EXPECT_LT(peak_kilobytes(), kMaxKilobytes);
#endif
  }

  std::string token() const {
    std::string text = read_file(store_ / "token");
    text.pop_back();
    return text;
  }
  std::string head(const std::string& request, const std::string& more = "") const {
    return fmt::format("{} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\n{}", request, port_, more);
  }

  TemporaryFolder folder_;
  const std::filesystem::path store_ = folder_.path() / "store";
  std::unique_ptr<Subprocess> server_;
  int port_ = 0;
};

TEST_F(AttackTest, ABodyOfAStrangerIsNotReadWhateverItsFraming) {
  const std::string megabyte(1 << 20, 'x');
  {
    const RawClient chunked(port_);
    bool goes_on = chunked.send(head("PUT /migrations/a", "Transfer-Encoding: chunked\r\n\r\n"));
    for (int i = 0; i < 300 && goes_on; ++i) goes_on = chunked.send("100000\r\n" + megabyte + "\r\n");
    EXPECT_FALSE(goes_on) << "300 MB were taken";
  }
  {
    const RawClient without_length(port_);
    bool goes_on = without_length.send(head("PUT /migrations/a", "\r\n"));
    for (int i = 0; i < 300 && goes_on; ++i) goes_on = without_length.send(megabyte);
    EXPECT_FALSE(goes_on);
  }
  {
    const RawClient announced(port_);
    announced.send(head("PUT /migrations/a", "Content-Length: 1000\r\n\r\n"));
    EXPECT_THAT(announced.receive(), StartsWith("HTTP/1.1 401"));
  }
  expect_it_lives_within_its_memory();
}

TEST_F(AttackTest, WhoHasTheTokenIsBoundedToo) {
  const std::string bearer = "Authorization: Bearer " + token() + "\r\n";
  const std::string megabyte(1 << 20, ' ');
  {
    const RawClient chunked(port_);
    bool goes_on = chunked.send(head("PUT /migrations/a", bearer + "Transfer-Encoding: chunked\r\n\r\n"));
    for (int i = 0; i < 300 && goes_on; ++i) goes_on = chunked.send("100000\r\n" + megabyte + "\r\n");
    EXPECT_FALSE(goes_on);
  }
  const auto answer = [&](const std::string& more, const std::string& body) {
    const RawClient client(port_);
    client.send(head("PUT /migrations/a", bearer + more + fmt::format("Content-Length: {}\r\n\r\n", body.size())));
    client.send(body);
    return client.receive(200);
  };
  EXPECT_THAT(answer("Content-Encoding: gzip\r\n", "\x1f\x8b"), StartsWith("HTTP/1.1 415"));
  EXPECT_THAT(answer("Content-Type: application/x-www-form-urlencoded\r\n", std::string(100'000, ' ') + "{"),
              StartsWith("HTTP/1.1 400"))
      << "what 'curl -d' sends is read as JSON, of any size up to the limit";
  EXPECT_THAT(answer("", std::string(2 << 20, ' ')), StartsWith("HTTP/1.1 413"));
  std::vector<std::thread> clients;
  for (int i = 0; i < 40; ++i) clients.emplace_back([&] { answer("", std::string(1 << 20, ' ')); });
  for (std::thread& client : clients) client.join();
  expect_it_lives_within_its_memory();
}

TEST_F(AttackTest, DocumentsOfAnyDepthAreRefused) {
  httplib::Client client("127.0.0.1", port_);
  client.set_bearer_token_auth(token());
  const std::string deep(200'000, '[');
  const auto put = client.Put("/migrations/a", R"({"properties":{"engine":{"a":)" + deep, "application/json");
  ASSERT_TRUE(put);
  EXPECT_EQ(put->status, 400);
  const auto patch = client.Patch("/migrations/a", R"({"properties":{"cancel":)" + deep, "application/json");
  ASSERT_TRUE(patch);
  EXPECT_EQ(patch->status, 400);
  const auto post = client.Post("/checkMigrationNameAvailability", R"({"name":)" + deep, "application/json");
  ASSERT_TRUE(post);
  EXPECT_EQ(post->status, 400);
  expect_it_lives_within_its_memory();

  const std::filesystem::path file = folder_.path() / "deep.json";
  std::ofstream(file) << R"({"properties":{"engine":{"a":)" << deep << std::string(200'000, ']') << "}}}";
  const SubprocessResult created = run_command({.command = {PGSLUICE_PROGRAM, "migration", "create", "--properties",
                                                            file.string(), "--store", store_.string()}});
  EXPECT_EQ(created.exit_code, 2);
  EXPECT_THAT(created.errors, HasSubstr("levels deep"));
}

TEST_F(AttackTest, HeadersAndRangesAreBounded) {
  {
    const RawClient client(port_);
    bool goes_on = client.send("GET / HTTP/1.1\r\n");
    for (int i = 0; i < 200'000 && goes_on; ++i) goes_on = client.send("X-Header: " + std::string(1000, 'x') + "\r\n");
    EXPECT_FALSE(goes_on);
  }
  {
    const RawClient client(port_);
    client.send("GET /" + std::string(20'000, 'x') + " HTTP/1.1\r\n\r\n");
    EXPECT_THAT(client.receive(100), StartsWith("HTTP/1.1 431"));
  }
  std::string ranges = "0-";
  for (int i = 0; i < 2000; ++i) ranges += ",0-";
  httplib::Client client("127.0.0.1", port_);
  const auto whole = client.Get("/page.js");
  const auto ranged = client.Get("/page.js", {{"Range", "bytes=" + ranges}});
  ASSERT_TRUE(whole && ranged);
  EXPECT_EQ(ranged->body, whole->body);
  for (const char* nonsense :
       {"\r\n\r\n", "GET\r\n\r\n", "GET / HTTP/9.9\r\n\r\n", "\x16\x03\x01\x02", "PRI * HTTP/2.0\r\n"}) {
    const RawClient raw(port_);
    raw.send(nonsense);
    raw.send("\r\n\r\n");
    EXPECT_THAT(raw.receive(100), StartsWith("HTTP/1.1 4")) << nonsense;
  }
  expect_it_lives_within_its_memory();
}

// Each sends a byte of its headers now and then, or nothing at all.
TEST_F(AttackTest, SlowAndIdleConnectionsKeepNobodyOut) {
  rlimit files{};
  ::getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &files);
  std::vector<std::unique_ptr<RawClient>> slow;
  for (int i = 0; i < 2000; ++i) {
    slow.push_back(std::make_unique<RawClient>(port_));
    if (i % 2 == 0) slow.back()->send("GET / HTTP/1.1\r\nX");
  }
  httplib::Client client("127.0.0.1", port_);
  client.set_connection_timeout(2);
  client.set_read_timeout(2);
  for (int i = 0; i < 20; ++i) {
    for (const char* path : {"/healthz", "/migrations"}) {
      const auto answer = client.Get(path);
      ASSERT_TRUE(answer) << path << " after " << i;
      EXPECT_EQ(answer->status, 200);
    }
    for (const auto& one : slow) one->send("x");
  }
  expect_it_lives_within_its_memory();
}

TEST(Connections, MakeRoomForOthersAlsoOfClientsThatTakeNoResponse) {
  Connections connections;
  std::vector<std::string> closed;
  const auto add = [&](const char* name, const char* address, bool is_waiting, bool is_taking, int seconds_ago) {
    connections.add({.address = address,
                     .close = [&closed, name] { closed.emplace_back(name); },
                     .is_waiting = is_waiting,
                     .is_taking = is_taking,
                     .waiting_since = std::chrono::steady_clock::now() - std::chrono::seconds(seconds_ago)});
  };
  add("at work", "one", false, false, 90);
  EXPECT_FALSE(connections.make_room());
  add("takes its time", "one", false, true, 20);
  add("sends nothing", "one", true, false, 10);
  add("another's", "other", true, false, 60);
  while (connections.make_room()) {
  }
  EXPECT_EQ(closed, (std::vector<std::string>{"takes its time", "another's", "sends nothing"}));
  closed.clear();
  add("takes a response at the end", "one", false, true, 1);
  connections.close_waiting();
  EXPECT_EQ(closed, std::vector<std::string>{}) << "it is given the time to take it";
}

TEST(Connections, OfAddressesThatKeepUsWaitingAlikeTheOneThatHasDoneSoForLongestGoesWhateverItsName) {
  Connections connections;
  std::vector<std::string> closed;
  const auto add = [&](const char* address, int seconds_ago) {
    connections.add({.address = address,
                     .close = [&closed, address] { closed.emplace_back(address); },
                     .waiting_since = std::chrono::steady_clock::now() - std::chrono::seconds(seconds_ago)});
  };
  add("127.0.0.1", 1);
  add("127.9.0.1", 5);
  add("127.5.0.1", 3);
  while (connections.make_room()) {
  }
  EXPECT_EQ(closed, (std::vector<std::string>{"127.9.0.1", "127.5.0.1", "127.0.0.1"}));
}

TEST_F(AttackTest, ABodyInAnUnknownCodingIsNotTakenForTheNextRequest) {
  for (const char* coding : {"xchunked", "gzip", "chunked, identity", "\"chunked\""}) {
    const RawClient client(port_);
    client.send(head("POST /checkMigrationNameAvailability", fmt::format("Transfer-Encoding: {}\r\n\r\n", coding)) +
                head("GET /readyz", "\r\n"));
    const std::string answer = client.receive();
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 501")) << coding;
    EXPECT_EQ(answer.find("HTTP/1.1", 8), std::string::npos) << coding << ": " << answer;
  }
}

TEST_F(AttackTest, ClientsThatTakeNoResponseCostLittle) {
  std::vector<std::unique_ptr<RawClient>> slow;
  std::string requests;
  for (int i = 0; i < 60; ++i) requests += head("GET /page.js", "\r\n");
  for (int i = 0; i < 300; ++i) {
    slow.push_back(std::make_unique<RawClient>(port_));
    slow.back()->send(requests);
  }
  EXPECT_TRUE(test::wait_until([&] { return is_healthy(); }));
  slow.clear();
  expect_it_lives_within_its_memory();
}

TEST_F(AttackTest, JsonThatIsManyTimesLargerInMemoryIsRefused) {
  std::string arrays = "[[]";
  std::string objects = "[{\"\":0}";
  for (int i = 0; i < 100'000; ++i) {
    arrays += ",[]";
    objects += ",{\"\":0}";
  }
  std::vector<std::thread> clients;
  for (int i = 0; i < 8; ++i) {
    clients.emplace_back([&, i] {
      httplib::Client client("127.0.0.1", port_);
      const auto answer =
          client.Post("/checkMigrationNameAvailability", (i % 2 == 0 ? arrays : objects) + "]", "application/json");
      ASSERT_TRUE(answer);
      EXPECT_THAT(answer->status, ::testing::AnyOf(400, 503));
    });
  }
  for (std::thread& client : clients) client.join();
  expect_it_lives_within_its_memory();
}

TEST_F(AttackTest, ARequestThatNeverEndsIsEnded) {
  const std::string bearer = "Authorization: Bearer " + token() + "\r\n";
  const RawClient headers(port_);
  const RawClient body(port_);
  headers.send("GET / HTTP/1.1\r\n");
  body.send(head("PUT /migrations/a", bearer + "Content-Length: 1000\r\n\r\n"));
  std::jthread trickle([&](const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      headers.send("X: y\r\n");
      body.send(" ");
      std::this_thread::sleep_for(std::chrono::milliseconds(300));
    }
  });
  EXPECT_THAT(headers.receive(100), StartsWith("HTTP/1.1 408"));
  EXPECT_THAT(body.receive(100), StartsWith("HTTP/1.1 408"));
}

TEST_F(AttackTest, WithoutTheTokenNothingIsChangedOnLoopbackEither) {
  Store store(store_);
  const Migration migration{.id = make_uuid(),
                            .name = "nightly",
                            .target = "new:5432",
                            .source_server = "old:5432@a",
                            .target_server = "new:5432@a",
                            .databases = {"d"},
                            .created = std::chrono::system_clock::now(),
                            .details = {{.name = "d"}}};
  store.add(migration);
  httplib::Client client("127.0.0.1", port_);
  EXPECT_EQ(client.Get("/migrations/nightly")->status, 200) << "reading is open on loopback";
  EXPECT_EQ(client.Delete("/migrations/nightly")->status, 401);
  EXPECT_EQ(client.Patch("/migrations/nightly", R"({"properties":{"cancel":true}})", "application/json")->status, 401);
  EXPECT_EQ(client.Put("/migrations/other", "{}", "application/json")->status, 401);
  client.set_bearer_token_auth(token() + "x");
  EXPECT_EQ(client.Delete("/migrations/nightly")->status, 401);
  EXPECT_TRUE(store.find("nightly", std::nullopt).active());
  client.set_bearer_token_auth(token());
  EXPECT_EQ(client.Patch("/migrations/nightly", R"({"properties":{"cancel":true}})", "application/json")->status, 202);
  EXPECT_EQ(std::filesystem::status(store_ / "token").permissions(),
            std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
  serve({"--protect-reads"});
  httplib::Client stranger("127.0.0.1", port_);
  EXPECT_EQ(stranger.Get("/migrations/nightly")->status, 401);
  EXPECT_EQ(stranger.Get("/healthz")->status, 200);
}

TEST_F(AttackTest, ServersThatAreNotAllowedAreNotConnectedTo) {
  serve({"--allow-source", "*.old.example", "--allow-target", "new.example:5432"});
  httplib::Client client("127.0.0.1", port_);
  client.set_bearer_token_auth(token());
  const auto create = [&](const std::string& source, const std::string& target) {
    const nlohmann::json body = {{"properties",
                                  {{"SourceDBServerResourceId", source + "@a"},
                                   {"TargetDbServerResourceId", target + "@a"},
                                   {"DBsToMigrate", {"d"}}}}};
    const auto answer = client.Put("/migrations/a", body.dump(), "application/json");
    return answer ? answer->body : "no answer";
  };
  EXPECT_THAT(create("127.0.0.1:5432", "new.example:5432"),
              HasSubstr("SourceDBServerResourceId names a server that this service may not connect to"));
  EXPECT_THAT(create("a.old.example:5432", "new.example:5433"),
              HasSubstr("TargetDbServerResourceId names a server that this service may not connect to"));
  EXPECT_THAT(create("a.old.example:5432", "127.0.0.1:5432"),
              HasSubstr("TargetDbServerResourceId names a server that this service may not connect to"));
}

}  // namespace
}  // namespace pgsluice::migration
