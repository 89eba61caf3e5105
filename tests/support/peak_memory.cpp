#include "tests/support/peak_memory.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <thread>

namespace pgsluice::test {

namespace {

// 0 where the process has ended.
std::int64_t high_water(pid_t pid) {
  std::ifstream status(fmt::format("/proc/{}/status", pid));
  for (std::string word; status >> word;) {
    std::int64_t kilobytes = 0;
    if (word == "VmHWM:" && status >> kilobytes) return kilobytes;
  }
  return 0;
}

}  // namespace

MeasuredRun run_measured(SubprocessOptions options) {
  Subprocess process(std::move(options));
  MeasuredRun run;
  {
    std::jthread watch([&, pid = process.pid()](const std::stop_token& ended) {
      while (!ended.stop_requested()) {
        run.peak_kilobytes = std::max(run.peak_kilobytes, high_water(pid));
        std::this_thread::sleep_for(std::chrono::milliseconds(2));
      }
    });
    run.result = process.wait({});
  }
  return run;
}

}  // namespace pgsluice::test
