// Measures the lists and metrics of `serve` over a store with thousands of ended migrations.
#include <benchmark/benchmark.h>
#include <fmt/format.h>
#include <httplib.h>

#include <chrono>
#include <string>

#include "base/file_descriptor.h"
#include "migration/http/rest_api.h"
#include "pgsluice/log.h"
#include "pgsluice/migration/store.h"
#include "tests/support/recording_sink.h"

namespace pgsluice::migration {
namespace {

constexpr const char* kToken = "token-of-the-benchmark";

// A migration of eight databases with findings of every validation, as it looks after its end.
Migration ended_migration(int number) {
  const Time now = std::chrono::system_clock::now();
  Migration migration{.id = make_uuid(),
                      .name = fmt::format("nightly-{}", number),
                      .target = fmt::format("db{}.new.example:5432", number),
                      .source_server = fmt::format("db{}.old.example:5432@admin", number),
                      .target_server = fmt::format("db{}.new.example:5432@admin", number),
                      .created = now};
  migration.started = migration.ended = now;
  migration.validation.started = migration.validation.ended = now;
  const Finding finding{ValidationState::kWarning,
                        "parameter work_mem: 64MB on the source, 4MB on the target; ALTER "
                        "SYSTEM SET work_mem = '64MB' makes it so"};
  migration.validation.server.push_back({"ServerParametersValidation", std::vector<Finding>(10, finding)});
  for (int i = 0; i < 8; ++i) {
    const std::string name = fmt::format("tenant_{}", i);
    migration.databases.push_back(name);
    migration.details.push_back({.name = name,
                                 .state = DatabaseState::kSucceeded,
                                 .operation = "Completed",
                                 .started = now,
                                 .ended = now,
                                 .completed_tables = 120,
                                 .fraction = 1,
                                 .copied = {1 << 30},
                                 .rows = 1'000'000,
                                 .verification = "equal"});
    migration.validation.databases.push_back({name, now, now, {{"SchemaValidation", {finding}}}});
  }
  return migration;
}

// A server over a store of that many migrations.
class Served {
 public:
  explicit Served(std::int64_t count) {
    Store store(folder_.path() / "store");
    for (int i = 0; i < count; ++i) {
      const Migration ended = ended_migration(i);
      Migration at_work = ended;
      at_work.ended.reset();
      store.add(at_work);
      Claim claim = store.claim(ended.id);
      for (const auto& [state, substate] : {std::pair{State::kInProgress, Substate::kValidationInProgress},
                                            std::pair{State::kInProgress, Substate::kMigratingData},
                                            std::pair{State::kInProgress, Substate::kCompletingMigration},
                                            std::pair{State::kSucceeded, Substate::kCompleted}}) {
        at_work.state = state;
        at_work.substate = substate;
        if (state == State::kSucceeded) at_work.ended = ended.ended;
        claim.write(at_work);
      }
    }
    add_rest_routes(server_, {.store = folder_.path() / "store"}, Log(sink_));
    server_.start();
  }

  std::string get(const std::string& path) {
    httplib::Client client(server_.url());
    client.set_bearer_token_auth(kToken);
    const auto answer = client.Get(path);
    return answer && answer->status == 200 ? answer->body : "";
  }

 private:
  TemporaryFolder folder_;
  test::RecordingSink sink_;
  HttpServer server_{{.listen = "127.0.0.1:0", .token = kToken}, Log(sink_)};
};

void get(benchmark::State& state, const std::string& path) {
  static Served served(3000);
  std::size_t size = 0;
  for (auto _ : state) {
    size = served.get(path).size();
    if (size == 0) state.SkipWithError("no answer");
  }
  state.counters["bytes"] = static_cast<double>(size);
}

void BM_ThreeThousandMigrationsList(benchmark::State& state) { get(state, "/migrations?migrationListFilter=All"); }
void BM_ThreeThousandMigrationsPage(benchmark::State& state) {
  get(state, "/migrations?migrationListFilter=All&view=summary&limit=200");
}
void BM_ThreeThousandMigrationsMetrics(benchmark::State& state) { get(state, "/metrics"); }
BENCHMARK(BM_ThreeThousandMigrationsList)->Unit(benchmark::kMillisecond)->UseRealTime();
BENCHMARK(BM_ThreeThousandMigrationsPage)->Unit(benchmark::kMillisecond)->UseRealTime();
BENCHMARK(BM_ThreeThousandMigrationsMetrics)->Unit(benchmark::kMillisecond)->UseRealTime();

}  // namespace
}  // namespace pgsluice::migration
