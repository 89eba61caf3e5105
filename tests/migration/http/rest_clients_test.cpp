// What clients of the REST API do to one another, and what one of them may ask for at once.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <httplib.h>

#include <atomic>
#include <chrono>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <thread>
#include <vector>

#include "base/file_descriptor.h"
#include "migration/http/rest_api.h"
#include "pgsluice/migration/control.h"
#include "pgsluice/migration/store.h"
#include "tests/migration/rest_fixture.h"
#include "tests/support/wait_until.h"

namespace pgsluice::migration {
namespace {

// A worker's command that fails when the gate is there, or the test is gone.
std::string waits_for(const std::filesystem::path& gate) {
  return fmt::format("while [ -d '{}' ] && [ ! -e '{}' ]; do sleep 0.05; done; exit 3", gate.parent_path().string(),
                     gate.string());
}

TEST_F(RestTest, AListHasAsManyBytesAsAClientMayKeepUsWaitingWith) {
  Store store(store_);
  constexpr int kCount = 60;
  for (int i = 0; i < kCount; ++i) {
    Migration migration{.id = make_uuid(),
                        .name = "many-" + std::to_string(i),
                        .target = "new" + std::to_string(i) + ":1",
                        .source_server = "old:1@u",
                        .target_server = "new" + std::to_string(i) + ":1@u",
                        .databases = {"d"},
                        .created = std::chrono::system_clock::now(),
                        .details = {{.name = "d", .message = std::string(20'000, 'x')}}};
    store.add(migration);
  }
  const RestServer server(store_, sink_);
  httplib::Client client = server.client();
  std::set<std::string> names;
  std::string path = "/migrations?limit=500";
  int pages = 0;
  while (!path.empty()) {
    const auto answer = client.Get(path);
    ASSERT_EQ(answer->status, 200) << answer->body;
    EXPECT_LT(answer->body.size(), 700U << 10U);
    const Json page = body_of(answer);
    for (const Json& migration : page.at("value")) names.insert(migration.at("name"));
    path = page.value("nextLink", "");
    ASSERT_LT(++pages, 10);
  }
  EXPECT_EQ(names.size(), static_cast<std::size_t>(kCount));
  EXPECT_GT(pages, 1);
}

TEST_F(RestTest, ACreationThatAnotherClientDeletesBeforeItsWorkerComesUpSaysThatItWasCanceled) {
  const std::filesystem::path gate = folder_.path() / "gate";
  const RestServer server(store_, sink_, {}, waits_for(gate));
  int status = 0;
  Json created;
  std::jthread creator([&] {
    const auto answer = server.client().Put(
        "/migrations/first",
        R"({"properties":{"SourceDBServerResourceId":"a:1@b","TargetDbServerResourceId":"c:1@b","DBsToMigrate":["x"]}})",
        "application/json");
    status = answer->status;
    created = body_of(answer);
  });
  httplib::Client client = server.client();
  ASSERT_TRUE(test::wait_until([&] { return client.Get("/migrations/first")->status == 200; }));
  EXPECT_EQ(client.Delete("/migrations/first")->status, 204);
  std::ofstream(gate.string()) << "";
  creator.join();
  EXPECT_EQ(status, 201) << created.dump();
  EXPECT_EQ(created.at("properties").at("currentStatus").at("state"), "Canceled");
}

TEST_F(RestTest, CreationsWhoseWorkersDoNotComeUpKeepNobodyElseWaiting) {
  const std::filesystem::path gate = folder_.path() / "gate";
  const RestServer server(store_, sink_, {}, waits_for(gate));
  constexpr int kCreations = 8;  // as many as bodies are taken at a time, and more than wait
  std::atomic<int> created = 0;
  std::atomic<int> refused = 0;
  std::vector<std::jthread> creators;
  for (int i = 0; i < kCreations; ++i) {
    creators.emplace_back([&, i] {
      const std::string properties = fmt::format(
          R"({{"properties":{{"SourceDBServerResourceId":"a:1@b","TargetDbServerResourceId":"c:{}@b","DBsToMigrate":["x"]}}}})",
          i + 1);
      const auto answer = server.client().Put(fmt::format("/migrations/m{}", i), properties, "application/json");
      ++(answer->status == 503 && answer->has_header("Retry-After") ? refused : created);
    });
  }
  httplib::Client client = server.client();
  ASSERT_TRUE(test::wait_until([&] { return refused == 2; })) << refused;
  const auto list = [&] { return body_of(client.Get("/migrations")).at("value"); };
  ASSERT_TRUE(test::wait_until([&] { return list().size() == 6; }));
  const std::string name = list()[0].at("name");
  EXPECT_EQ(client.Patch("/migrations/" + name, R"({"properties":{"cancel":"True"}})", "application/json")->status,
            202);
  EXPECT_EQ(created, 0) << "others were answered while these waited";
  std::ofstream(gate.string()) << "";
}

TEST_F(RestTest, ADeletionDoesNotTouchAnotherMigrationThatHasGotTheName) {
  Store store(store_);
  const RestServer server(store_, sink_);
  const auto add = [&] {
    Request wanted;
    wanted.source = {.host = "one", .port = 1, .user = "u"};
    wanted.target = {.host = "other", .port = 1, .user = "u"};
    wanted.databases = {"d"};
    return create(store, "same", "", {}, wanted);
  };
  const Migration first = add();
  Claim worker = store.claim(first.id);
  int status = 0;
  std::jthread deleting([&] { status = server.client().Delete("/migrations/same")->status; });
  ASSERT_TRUE(test::wait_until([&] { return worker.cancel_requested(); }));
  Migration ended = first;
  ended.substate = Substate::kCancelingRequestedDBMigrations;
  worker.write(ended);
  ended.state = State::kCanceled;
  ended.substate = Substate::kCompleted;
  worker.write(ended);
  store.remove(first);  // another client is faster
  const Migration second = add();
  deleting.join();
  EXPECT_THAT(status, ::testing::AnyOf(202, 204));
  const std::optional<Migration> now = store.refreshed(second);
  ASSERT_TRUE(now);
  EXPECT_TRUE(now->active());
}

}  // namespace
}  // namespace pgsluice::migration
