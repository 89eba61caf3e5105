// Walking the messages of a COPY: what it costs beside moving the bytes.
#include <benchmark/benchmark.h>

#include <cstring>

#include "pg/wire_reader.h"
#include "tests/support/scripted_server.h"

namespace pgsluice {
namespace {

// 1 MB at a time of rows of the given size.
void BM_WalkCopyData(benchmark::State& state) {
  std::string stream;
  while (stream.size() < 1024 * 1024) {
    stream += test::copy_data(std::string(static_cast<std::size_t>(state.range(0)), 'x'));
  }
  pg::WireReader reader(Side::kSource);
  reader.enlarge(1024 * 1024);
  std::size_t at = 0;
  std::int64_t bytes = 0;
  for (auto _ : state) {
    const std::span<char> space = reader.space();
    const std::size_t count = std::min(space.size(), stream.size() - at);
    std::memcpy(space.data(), stream.data() + at, count);
    at = (at + count) % stream.size();
    reader.received(count);
    bytes += static_cast<std::int64_t>(count);
    while (reader.next().kind == pg::WireReader::Item::Kind::kCopyData) {
    }
  }
  state.SetBytesProcessed(bytes);
}
BENCHMARK(BM_WalkCopyData)->Arg(20)->Arg(200)->Arg(2000)->Arg(100000);

// The same bytes moved without a look at them.
void BM_CopyMemory(benchmark::State& state) {
  const std::string from(1024 * 1024, 'x');
  std::string to(from.size(), '\0');
  for (auto _ : state) {
    std::memcpy(to.data(), from.data(), from.size());
    benchmark::DoNotOptimize(to.data());
    benchmark::ClobberMemory();
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * from.size()));
}
BENCHMARK(BM_CopyMemory);

}  // namespace
}  // namespace pgsluice
