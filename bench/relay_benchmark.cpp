// The relays between two servers that cost nothing: one writes a stream that was made before, the other throws it away.
#include <benchmark/benchmark.h>

#include <array>

#include "copy/libpq_relay.h"
#include "copy/wire_relay.h"
#include "pg/uring_io.h"
#include "tests/support/scripted_server.h"

namespace pgsluice {
namespace {

constexpr std::size_t kStream = 64 * 1024 * 1024;

template <class Relay>
void BM_Relay(benchmark::State& state) {
  std::string rows;
  std::int64_t count = 0;
  for (; rows.size() < kStream; ++count) {
    rows += test::copy_data(std::string(static_cast<std::size_t>(state.range(0)), 'x'));
  }
  const std::string tag = "COPY " + std::to_string(count);
  const test::ScriptedServer from([&](test::ScriptedServer::Session& session) {
    while (session.read()) {
      session.write(test::copy_out_response());
      session.write(rows);
      session.write(test::message('c', "") + test::complete(tag) + test::ready());
    }
  });
  const test::ScriptedServer to([&](test::ScriptedServer::Session& session) {
    while (session.read()) {
      session.write(test::copy_in_response());
      if (!session.discard(rows.size()) || !session.read()) return;
      session.write(test::complete(tag) + test::ready());
    }
  });
  const auto open = [](const test::ScriptedServer& server, Side side) {
    return pg::Connection::open(pg::ConnInfo::parse(server.conninfo(), side), "bench", Log(), CancelToken());
  };
  pg::Connection source = open(from, Side::kSource);
  pg::Connection target = open(to, Side::kTarget);
  Relay relay;
  std::atomic<std::int64_t> bytes{0};
  for (auto _ : state) {
    relay.run(source, target, {.copy_out = "COPY", .copy_in = "COPY", .flow = bytes});
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * rows.size()));
}
class UringRelay : public copy::WireRelay {
 public:
  UringRelay() : WireRelay(std::make_unique<pg::UringIo>()) {}
};

// CPU is that of this thread, the relay's: the servers' threads are not counted.
BENCHMARK(BM_Relay<copy::WireRelay>)->Arg(50)->Arg(1000)->Arg(1000000)->Unit(benchmark::kMillisecond);
BENCHMARK(BM_Relay<UringRelay>)->Arg(50)->Arg(1000)->Arg(1000000)->Unit(benchmark::kMillisecond);
BENCHMARK(BM_Relay<copy::LibpqRelay>)->Arg(50)->Arg(1000)->Arg(1000000)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace pgsluice
