// An archive's parts by themselves: compression levels on tables' rows, the pump, and what a queue costs between
// threads.
#include <benchmark/benchmark.h>

#include <boost/lockfree/spsc_queue.hpp>
#include <condition_variable>
#include <cstdint>
#include <cstdlib>
#include <deque>
#include <filesystem>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/file_descriptor.h"
#include "schema/archive/archive.h"
#include "store/compression.h"
#include "store/pump.h"

namespace pgsluice {
namespace {

namespace fs = std::filesystem;

// Rows as COPY writes them in text.
std::string some_rows(std::size_t size) {
  std::string rows;
  for (std::uint64_t i = 0; rows.size() < size; ++i) {
    rows += std::to_string(i) + "\t2026-12-01 12:" + std::to_string(10 + i % 50) + ":00+00\tcustomer " +
            std::to_string(i * 7919 % 100003) + "\t" + std::to_string(i % 977) + ".25\topen\n";
  }
  rows.resize(size);
  return rows;
}

// A frame goes from one thread to another, at most four at a time.
class MutexQueue {
 public:
  void push(std::string piece) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return waiting_.size() < 4; });
    waiting_.push_back(std::move(piece));
    changed_.notify_all();
  }
  std::string pop() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return !waiting_.empty(); });
    std::string piece = std::move(waiting_.front());
    waiting_.pop_front();
    changed_.notify_all();
    return piece;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::string> waiting_;
};

// A thread that finds it full or empty yields: it has nothing to sleep on.
class LockFreeQueue {
 public:
  void push(std::string piece) {
    auto* moved = new std::string(std::move(piece));
    while (!waiting_.push(moved)) std::this_thread::yield();
  }
  std::string pop() {
    std::string* found = nullptr;
    while (!waiting_.pop(found)) std::this_thread::yield();
    std::string piece = std::move(*found);
    delete found;
    return piece;
  }

 private:
  boost::lockfree::spsc_queue<std::string*, boost::lockfree::capacity<4>> waiting_;
};

template <class Queue>
void BM_HandOver(benchmark::State& state) {
  constexpr int kPieces = 20'000;
  while (state.KeepRunning()) {
    Queue queue;
    std::thread consumer([&] {
      for (int i = 0; i < kPieces; ++i) benchmark::DoNotOptimize(queue.pop());
    });
    for (int i = 0; i < kPieces; ++i) queue.push(std::string(64, 'x'));
    consumer.join();
  }
  state.SetItemsProcessed(state.iterations() * kPieces);
}
BENCHMARK_TEMPLATE(BM_HandOver, MutexQueue)->Unit(benchmark::kMillisecond)->UseRealTime();
BENCHMARK_TEMPLATE(BM_HandOver, LockFreeQueue)->Unit(benchmark::kMillisecond)->UseRealTime();

// The whole of it: cut, compressed by so many threads, digested and written.
void BM_Pump(benchmark::State& state) {
  constexpr std::size_t kSize = 64U << 20U;
  const std::string rows = some_rows(kSize);
  const TemporaryFolder folder;
  const store::Compression compression = store::parse_compression(state.range(1) == 0 ? "none" : "zstd:3");
  while (state.KeepRunning()) {
    store::Pump pump(compression, static_cast<int>(state.range(0)));
    store::DataStream stream(pump, folder.path() / "part");
    for (std::size_t at = 0; at < rows.size(); at += 65'536) stream.write(std::string_view(rows).substr(at, 65'536));
    stream.finish();
    fs::remove(folder.path() / "part");
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(kSize));
}
BENCHMARK(BM_Pump)->ArgNames({"threads", "zstd"})->ArgsProduct({{1, 2}, {0, 1}})->UseRealTime();

// Each file of the folder PGSLUICE_BENCH_SAMPLES (bench/levels) at each level, in frames as an archive has them.
void BM_Level(benchmark::State& state, const std::string& file, const std::string& level) {
  const std::string rows = read_file(file);
  store::Compressor compressor(store::parse_compression(level));
  std::size_t stored = 0;
  while (state.KeepRunning()) {
    stored = 0;
    for (std::size_t at = 0; at < rows.size(); at += store::kFrameContent) {
      stored += compressor.compress(std::string_view(rows).substr(at, store::kFrameContent)).size();
    }
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(rows.size()));
  state.counters["content"] = static_cast<double>(rows.size());
  state.counters["stored"] = static_cast<double>(stored);
}

const bool are_levels_registered = [] {
  const char* folder = std::getenv("PGSLUICE_BENCH_SAMPLES");
  if (folder == nullptr) return false;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
    for (const char* level : {"zstd:1", "zstd:3", "zstd:6", "zstd:9", "zstd:15", "gzip:1", "gzip:6"}) {
      const std::string file = entry.path().string();
      benchmark::RegisterBenchmark(("BM_Level/" + entry.path().filename().string() + "/" + level).c_str(),
                                   [file, level](benchmark::State& state) { BM_Level(state, file, level); });
    }
  }
  return true;
}();

}  // namespace
}  // namespace pgsluice
