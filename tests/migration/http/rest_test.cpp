// The REST API, its limits, and the page, over real connections and with real workers.
#include <gmock/gmock.h>
#include <httplib.h>

#include <atomic>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>
#include <thread>

#include "base/file_descriptor.h"
#include "migration/http/rest_api.h"
#include "pgsluice/migration/control.h"
#include "pgsluice/migration/store.h"
#include "tests/migration/rest_fixture.h"
#include "tests/support/cluster.h"
#include "tests/support/database_comparison.h"
#include "tests/support/recording_sink.h"
#include "tests/support/wait_until.h"

namespace pgsluice::migration {
namespace {

using test::Cluster;
using ::testing::HasSubstr;
using ::testing::Not;

TEST_F(RestTest, ErrorsHaveTheirStatusAndSayWhatIsWrong) {
  const RestServer server(store_, sink_);
  httplib::Client client = server.client();
  const auto missing = client.Get("/migrations/nope");
  EXPECT_EQ(missing->status, 404);
  EXPECT_EQ(body_of(missing).at("error").at("code"), "NotFound");
  const auto bad = client.Put("/migrations/first", R"({"properties":{}})", "application/json");
  EXPECT_EQ(bad->status, 400);
  EXPECT_THAT(body_of(bad).at("error").at("message").get<std::string>(), HasSubstr("SourceDBServerResourceId"));
  EXPECT_EQ(client.Put("/migrations/-first", "{}", "application/json")->status, 400);
  EXPECT_EQ(client.Put("/migrations/first", "no json", "application/json")->status, 400);
  EXPECT_EQ(client.Get("/migrations?migrationListFilter=Some")->status, 400);
  EXPECT_EQ(client.Patch("/migrations/first", "{}", "application/json")->status, 400);
  EXPECT_EQ(client.Post("/checkMigrationNameAvailability", "[]", "application/json")->status, 400);
  EXPECT_EQ(client.Get("/elsewhere")->status, 404);
  const auto other_method = client.Post("/migrations/first", "{}", "application/json");
  EXPECT_EQ(other_method->status, 405);
  EXPECT_EQ(other_method->get_header_value("Allow"), "PUT, DELETE, GET, PATCH");
  EXPECT_EQ(body_of(other_method).at("error").at("code"), "MethodNotAllowed");
  EXPECT_EQ(client.Get("/migrations/..%2f..%2fetc%2fpasswd")->status, 404);
  EXPECT_EQ(client.Get("/migrations/%ff")->status, 404);
  EXPECT_EQ(client.Put("/migrations/first", std::string(2 << 20, ' '), "application/json")->status, 413);
  EXPECT_EQ(body_of(client.Get("/migrations?migrationListFilter=All")).at("value").size(), 0U);
  // Parameters that mean nothing here, or hold what no target is called.
  for (const char* path :
       {"/migrations?filter=All", "/migrations?target=a%00b", "/migrations?target=%1b%5b31m",
        "/migrations?target=", "/migrations?target=%ff%fe", "/migrations?target=%zz", "/metrics?x=1"}) {
    EXPECT_EQ(client.Get(path)->status, 400) << path;
  }
  EXPECT_EQ(client.Get("/migrations?target=" + std::string(5000, 'x'))->status, 400);
  EXPECT_EQ(client.Put("/migrations/first?resume=perhaps", "{}", "application/json")->status, 400);
}

TEST_F(RestTest, APaceIsAskedForByAPatch) {
  Store store(store_);
  Request wanted;
  wanted.source = {.host = "a", .port = 1, .user = "b"};
  wanted.target = {.host = "c", .port = 1, .user = "b"};
  wanted.databases = {"x"};
  const Migration created = create(store, "first", "", {}, wanted);
  const RestServer server(store_, sink_);
  httplib::Client client = server.client();
  const auto patch = [&](const std::string& pace) {
    return client.Patch("/migrations/first", R"({"properties":{"pace":)" + pace + "}}", "application/json");
  };
  EXPECT_EQ(patch(R"({"maxRate":"20 MB","maxSourceSessions":5})")->status, 202);
  EXPECT_EQ(patch(R"({"paused":true})")->status, 202);
  EXPECT_EQ(store.claim(created.id).requested_pace(),
            (pipeline::PaceChange{.max_rate = Bytes{20 * 1024 * 1024}, .max_source_sessions = 5, .paused = true}));
  for (const char* wrong : {R"({"maxSourceSessions":2})", R"({"rate":1})", R"("fast")", "1"}) {
    EXPECT_EQ(patch(wrong)->status, 400) << wrong;
  }
  const auto both =
      client.Patch("/migrations/first", R"({"properties":{"cancel":true,"pace":{"paused":true}}})", "application/json");
  EXPECT_EQ(both->status, 400);
  EXPECT_EQ(server.client("").Patch("/migrations/first", "{}", "application/json")->status, 401);
}

TEST_F(RestTest, ARequestNamesNoFileVariableOrProgramOfTheServersMachine) {
  const RestServer server(store_, sink_);
  httplib::Client client = server.client();
  const auto refused = [&](const std::string& credentials, const std::string& engine) {
    const auto result = client.Put(
        "/migrations/first",
        R"({"properties":{"SourceDBServerResourceId":"a:1@b","TargetDbServerResourceId":"a:1@b","DBsToMigrate":["x"],)"
        R"("SecretParameters":{"AdminCredentials":{)" +
            credentials + R"(}},"engine":{)" + engine + "}}}",
        "application/json");
    return std::to_string(result->status) + " " + body_of(result).at("error").at("message").get<std::string>();
  };
  EXPECT_THAT(refused(R"("SourceServerPasswordFile":"/etc/passwd")", ""), HasSubstr("400"));
  EXPECT_THAT(refused(R"("TargetServerPasswordEnv":"HOME")", ""), HasSubstr("TargetServerPasswordEnv"));
  const auto socket = client.Put("/migrations/first",
                                 R"({"properties":{"SourceDBServerResourceId":"/var/run/postgresql:5432@postgres",)"
                                 R"("TargetDbServerResourceId":"a:1@b","DBsToMigrate":["x"]}})",
                                 "application/json");
  EXPECT_EQ(socket->status, 400);
  EXPECT_THAT(body_of(socket).at("error").at("message").get<std::string>(),
              HasSubstr("a socket of the server's machine"));
}

TEST_F(RestTest, WithoutATokenOnlyThisMachinesOwnPagesReachIt) {
  const RestServer server(store_, sink_);
  httplib::Client client = server.client("");
  const std::string host = server.url().substr(std::string("http://").size());
  EXPECT_EQ(client.Get("/migrations", {{"Host", "evil.example"}})->status, 403);
  // Names that begin like an address of this machine, and that somebody else owns.
  EXPECT_EQ(client.Get("/migrations", {{"Host", "127.0.0.1.evil.example"}})->status, 403);
  EXPECT_EQ(client.Get("/migrations", {{"Host", "127.evil.example"}, {"Origin", "http://127.evil.example"}})->status,
            403);
  EXPECT_EQ(client.Get("/migrations", {{"Host", "LOCALHOST:1"}})->status, 200);
  EXPECT_EQ(client.Get("/migrations", {{"Origin", "https://evil.example"}})->status, 403);
  EXPECT_EQ(client.Get("/migrations", {{"Host", host}, {"Origin", server.url()}})->status, 200);
}

TEST_F(RestTest, WithATokenAllButThePageAndTheProbeNeedIt) {
  const RestServer server(store_, sink_, {.reads_need_token = true});
  httplib::Client nobody = server.client("");
  for (const char* path : {"/migrations", "/metrics", "/migrations/x", "/migrations/x/events"}) {
    const auto refused = nobody.Get(path);
    EXPECT_EQ(refused->status, 401) << path;
    EXPECT_EQ(refused->get_header_value("WWW-Authenticate"), "Bearer");
  }
  EXPECT_EQ(server.client("t0ken-of-the-tesT").Get("/migrations")->status, 401);
  EXPECT_EQ(server.client(kToken).Get("/migrations")->status, 200);
  for (const char* path : {"/", "/page.js", "/page.css", "/healthz"}) EXPECT_EQ(nobody.Get(path)->status, 200) << path;
  EXPECT_THAT(sink_.text(), Not(HasSubstr(kToken)));
}

TEST_F(RestTest, AnAddressThatOthersReachNeedsAToken) {
  for (const char* listen : {"0.0.0.0:0", "[::]:0", "10.0.0.1:80"}) {
    EXPECT_THROW(HttpServer({.listen = listen}, Log(sink_)), Error) << listen;
  }
  for (const char* listen : {"", "localhost", ":80", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:70000"}) {
    EXPECT_THROW(HttpServer({.listen = listen}, Log(sink_)), Error) << listen;
  }
  EXPECT_THROW(HttpServer({.token = "short"}, Log(sink_)), Error);
  EXPECT_THROW(HttpServer({.tls_certificate = "/nowhere.pem"}, Log(sink_)), Error);
  EXPECT_THROW(HttpServer({.tls_certificate = "/nowhere.pem", .tls_key = "/nowhere.key"}, Log(sink_)), Error);
  HttpServer first({.listen = "127.0.0.1:0"}, Log(sink_));
  first.start();
  HttpServer second({.listen = first.url().substr(std::string("http://").size())}, Log(sink_));
  EXPECT_THROW(second.start(), Error);
}

TEST_F(RestTest, OverTlsWhereItHasACertificate) {
  const std::string key = (folder_.path() / "key.pem").string();
  const std::string certificate = (folder_.path() / "cert.pem").string();
  const SubprocessResult made =
      run_command({.command = {"openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj",
                               "/CN=localhost", "-keyout", key, "-out", certificate}});
  ASSERT_EQ(made.exit_code, 0) << made.errors;
  const RestServer server(store_, sink_, {.tls_certificate = certificate, .tls_key = key});
  EXPECT_THAT(server.url(), HasSubstr("https://"));
  httplib::Client client = server.client(kToken);
  client.enable_server_certificate_verification(false);
  EXPECT_EQ(client.Get("/migrations")->status, 200);
  // A key with a passphrase would have OpenSSL ask on the terminal.
  const std::string locked = (folder_.path() / "locked.pem").string();
  run_command({.command = {"openssl", "rsa", "-aes128", "-passout", "pass:secret", "-in", key, "-out", locked}});
  try {
    const HttpServer refused({.tls_certificate = certificate, .tls_key = locked}, Log(sink_));
    ADD_FAILURE() << "an encrypted key was taken";
  } catch (const Error& error) {
    EXPECT_THAT(error.describe(), HasSubstr("is encrypted"));
  }
}

TEST_F(RestTest, ThePageLoadsNothingFromElsewhere) {
  const RestServer server(store_, sink_);
  httplib::Client client = server.client();
  for (const char* path : {"/", "/page.js", "/page.css"}) {
    const auto file = client.Get(path);
    std::string content = file->body;
    const std::string namespace_name = "http://www.w3.org/2000/svg";  // a name, not an address
    for (std::size_t at = 0; (at = content.find(namespace_name)) != std::string::npos;) {
      content.erase(at, namespace_name.size());
    }
    EXPECT_THAT(content, Not(HasSubstr("http://"))) << path;
    EXPECT_THAT(content, Not(HasSubstr("https://"))) << path;
    EXPECT_THAT(content, Not(HasSubstr("innerHTML"))) << path;
    EXPECT_THAT(file->get_header_value("Content-Security-Policy"), HasSubstr("default-src 'none'"));
  }
}

// A migration at work whose worker, this process, does nothing.
class IdleWorker {
 public:
  explicit IdleWorker(const std::filesystem::path& folder)
      : store_(folder), migration_(create(store_, "idle", "", {}, request())), claim_(store_.claim(migration_.id)) {}

  void cancel() {
    migration_.substate = Substate::kCancelingRequestedDBMigrations;
    claim_.write(migration_);
    migration_.state = State::kCanceled;
    migration_.substate = Substate::kCompleted;
    claim_.write(migration_);
  }

 private:
  static Request request() {
    Request result;
    result.source = {.host = "one", .port = 1, .user = "u"};
    result.target = {.host = "other", .port = 1, .user = "u"};
    result.databases = {"d"};
    return result;
  }

  Store store_;
  Migration migration_;
  Claim claim_;
};

TEST_F(RestTest, MoreFollowersThanThereIsRoomForAreAskedToComeBack) {
  const IdleWorker idle(store_);
  const RestServer server(store_, sink_);
  std::atomic<int> following{0};
  std::atomic<bool> enough{false};
  std::vector<std::jthread> followers;
  constexpr int kMaxFollowers = 32;
  for (int i = 0; i < kMaxFollowers; ++i) {
    followers.emplace_back([&] {
      httplib::Client client = server.client();
      bool begun = false;
      client.Get("/migrations/idle/events", [&](const char*, std::size_t) {
        if (!begun) ++following;
        begun = true;
        return !enough;
      });
    });
  }
  EXPECT_TRUE(test::wait_until([&] { return following == kMaxFollowers; }));
  const auto one_more = server.client().Get("/migrations/idle/events");
  EXPECT_EQ(one_more->status, 503);
  EXPECT_EQ(one_more->get_header_value("Retry-After"), "5");
  EXPECT_EQ(server.client().Get("/migrations/idle")->status, 200) << "its state can still be asked for";
  enough = true;
  followers.clear();
  EXPECT_TRUE(test::wait_until([&] {
    int status = 0;
    server.client().Get(
        "/migrations/idle/events",
        [&](const httplib::Response& response) {
          status = response.status;
          return false;
        },
        [](const char*, std::size_t) { return false; });
    return status == 200;
  })) << "places are given back";
}

TEST_F(RestTest, ADeleteIsAnsweredBeforeItsWorkerHasCancelledAndAgainBehind) {
  IdleWorker idle(store_);
  const RestServer server(store_, sink_);
  httplib::Client client = server.client();
  const auto first = client.Delete("/migrations/idle");
  EXPECT_EQ(first->status, 202);
  EXPECT_EQ(body_of(first).at("properties").at("currentStatus").at("state"), "InProgress");
  idle.cancel();
  EXPECT_EQ(client.Delete("/migrations/idle")->status, 204);
  EXPECT_EQ(client.Get("/migrations/idle")->status, 404);
}

class RestMigrationTest : public RestTest {
 protected:
  void SetUp() override {
    for (Cluster* cluster : {&source_, &target_}) {
      cluster->sql("postgres", std::string("CREATE ROLE admin SUPERUSER LOGIN PASSWORD '") + kPassword + "'");
    }
    for (const char* name : {"first", "Odd <b>name</b>"}) {
      source_.create_database(name, "TEMPLATE template0");
      source_.sql(name, "CREATE TABLE t AS SELECT g, repeat('x', 300) AS s FROM generate_series(1, 100000) g");
    }
  }

  std::string properties() const {
    const auto server = [](const Cluster& cluster) { return "127.0.0.1:" + std::to_string(cluster.port()) + "@admin"; };
    return Json{{"properties",
                 {{"SourceDBServerResourceId", server(source_)},
                  {"TargetDbServerResourceId", server(target_)},
                  {"SecretParameters",
                   {{"AdminCredentials", {{"SourceServerPassword", kPassword}, {"TargetServerPassword", kPassword}}}}},
                  {"DBsToMigrate", {"first", "Odd <b>name</b>"}}}}}
        .dump();
  }

  static std::string state_of(httplib::Client& client) {
    return body_of(client.Get("/migrations/web")).at("properties").at("currentStatus").at("state");
  }

  // Follows the events to the migration's end; the last one.
  static Json follow(httplib::Client& client, int* count = nullptr) {
    std::string text;
    const auto result = client.Get("/migrations/web/events", [&](const char* data, std::size_t size) {
      text.append(data, size);
      return true;
    });
    EXPECT_EQ(result->status, 200);
    EXPECT_EQ(result->get_header_value("Content-Type"), "text/event-stream");
    const std::size_t last = text.rfind("data: ");
    for (std::size_t at = 0; count != nullptr && (at = text.find("data: ", at)) != std::string::npos; ++at) ++*count;
    return Json::parse(text.substr(last + std::string("data: ").size()));
  }

  Cluster source_;
  Cluster target_;
};

TEST_F(RestMigrationTest, IsCreatedFollowedListedAndDeletedAndShowsNoSecret) {
  const RestServer server(store_, sink_);
  httplib::Client client = server.client();
  const auto created = client.Put("/migrations/web", properties(), "application/json");
  ASSERT_EQ(created->status, 201) << created->body;
  EXPECT_EQ(client.Put("/migrations/other", properties(), "application/json")->status, 409);
  EXPECT_EQ(client.Put("/migrations/WEB", properties(), "application/json")->status, 409);
  const Json last = follow(client);
  EXPECT_EQ(last.at("migration").at("properties").at("currentStatus").at("state"), "Succeeded") << last.dump();
  EXPECT_GE(last.at("samples").size(), 2U);
  std::int64_t before = 0;
  for (const Json& sample : last.at("samples")) {
    EXPECT_GE(sample.at("copiedBytes").get<std::int64_t>(), before) << "what was copied stays so";
    before = sample.at("copiedBytes");
  }
  EXPECT_GT(before, 0);
  EXPECT_EQ(last.at("tables").at(0).at("name"), "public.t");
  for (const char* name : {"first", "Odd <b>name</b>"}) {
    EXPECT_EQ(test::compare_databases(source_.conninfo(name), target_.conninfo(name), test::server_bindir()),
              std::vector<std::string>{});
  }
  EXPECT_EQ(body_of(client.Get("/migrations")).at("value").size(), 0U);
  EXPECT_EQ(body_of(client.Get("/migrations?migrationListFilter=all")).at("value").size(), 1U);
  const Json name = body_of(client.Post("/checkMigrationNameAvailability", R"({"name":"Web"})", "application/json"));
  EXPECT_EQ(name.at("reason"), "AlreadyExists");
  std::string all;
  for (const char* path : {"/migrations?migrationListFilter=All", "/migrations/web", "/migrations/web/samples",
                           "/migrations/web/tables", "/metrics", "/healthz"}) {
    const auto answer = client.Get(path);
    EXPECT_EQ(answer->status, 200) << path;
    all += answer->body;
  }
  EXPECT_THAT(all, ::testing::ContainsRegex("pgsluice_database_copied_rows_total\\{[^}]*migration=\"web\""));
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder_.path())) {
    if (entry.is_regular_file()) all += read_file(entry.path());
  }
  EXPECT_THAT(all + sink_.text(), Not(HasSubstr(kPassword)));
  EXPECT_EQ(client.Delete("/migrations/web")->status, 204);
  EXPECT_EQ(client.Get("/migrations/web")->status, 404);
  const Json deleted = body_of(client.Get("/migrations?migrationListFilter=All")).at("value").at(0);
  EXPECT_EQ(deleted.at("properties").at("currentStatus").at("state"), "Canceled");
}

TEST_F(RestMigrationTest, ACancelDropsTheDatabases) {
  source_.sql("first", "INSERT INTO t SELECT g, repeat('y', 300) FROM generate_series(1, 1000000) g");
  const RestServer server(store_, sink_);
  httplib::Client client = server.client();
  ASSERT_EQ(client.Put("/migrations/web", properties(), "application/json")->status, 201);
  const auto cancelled = client.Patch("/migrations/web", R"({"properties":{"cancel":"True"}})", "application/json");
  EXPECT_EQ(cancelled->status, 202) << cancelled->body;
  const Json last = follow(client);
  EXPECT_EQ(last.at("migration").at("properties").at("currentStatus").at("state"), "Canceled") << last.dump();
  EXPECT_EQ(target_.value("postgres", "SELECT count(*) FROM pg_database WHERE datname = 'first'"), "0");
  EXPECT_EQ(client.Patch("/migrations/web", R"({"properties":{"cancel":true}})", "application/json")->status, 409);
}

TEST_F(RestMigrationTest, OneThatHasFailedIsTakenUpAgain) {
  source_.sql("first", "CREATE ROLE of_source; ALTER TABLE t OWNER TO of_source");
  const RestServer server(store_, sink_);
  httplib::Client client = server.client();
  ASSERT_EQ(client.Put("/migrations/web", properties(), "application/json")->status, 201);
  EXPECT_EQ(follow(client).at("migration").at("properties").at("currentStatus").at("state"), "ValidationFailed");
  EXPECT_EQ(client.Put("/migrations/web", properties(), "application/json")->status, 409);
  EXPECT_EQ(client.Put("/migrations/none?resume=true", properties(), "application/json")->status, 404);
  target_.sql("postgres", "CREATE ROLE of_source");
  ASSERT_EQ(client.Put("/migrations/web?resume=true", properties(), "application/json")->status, 201);
  EXPECT_EQ(follow(client).at("migration").at("properties").at("currentStatus").at("state"), "Succeeded");
}

TEST_F(RestMigrationTest, FiftyClientsAreAnsweredWhileItRunsAndTheCopyIsEqual) {
  const RestServer server(store_, sink_);
  httplib::Client client = server.client();
  ASSERT_EQ(client.Put("/migrations/web", properties(), "application/json")->status, 201);
  std::atomic<bool> ended{false};
  std::atomic<int> answered{0};
  std::atomic<int> not_answered{0};
  {
    std::vector<std::jthread> clients;
    for (int i = 0; i < 50; ++i) {
      clients.emplace_back([&, i] {
        httplib::Client own = server.client();
        const std::vector<std::string> paths = {"/migrations/web", "/migrations", "/metrics", "/migrations/web/tables",
                                                "/"};
        while (!ended) {
          const auto answer = own.Get(paths[static_cast<std::size_t>(i) % paths.size()]);
          ++(answer && answer->status == 200 ? answered : not_answered);
        }
      });
    }
    const Json last = follow(client);
    EXPECT_EQ(last.at("migration").at("properties").at("currentStatus").at("state"), "Succeeded") << last.dump();
    ended = true;
  }
  EXPECT_GT(answered, 50);
  EXPECT_EQ(not_answered, 0);
  EXPECT_EQ(test::compare_databases(source_.conninfo("first"), target_.conninfo("first"), test::server_bindir()),
            std::vector<std::string>{});
}

TEST_F(RestTest, AMigrationWhoseCancellationFailedIsOnlyDeletedOnceMoreIfThatIsMeant) {
  const RestServer server(store_, sink_);
  Store store(store_);
  Request wanted;
  wanted.source.host = wanted.target.host = "127.0.0.1";
  wanted.databases = {"db"};
  Migration migration = create(store, "first", "", {}, wanted);
  {
    Claim claim = store.claim(migration.id);
    store.request_cancel(migration);
    migration.state = State::kFailed;
    migration.substate = Substate::kFailed;
    claim.write_end(migration);
  }
  EXPECT_EQ(server.client().Delete("/migrations/first")->status, 409);
  EXPECT_FALSE(store.name_available("first"));
  EXPECT_EQ(server.client().Delete("/migrations/first?force=true")->status, 204);
  EXPECT_TRUE(store.name_available("first"));
}

}  // namespace
}  // namespace pgsluice::migration
