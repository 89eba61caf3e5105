// Clones one database: shows how far it is ten times a second, is cancelled where a limit of bytes is given and passed,
// and goes on where an earlier one into the same work folder was interrupted.
#include <pgsluice/clone.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>

namespace pipeline = pgsluice::pipeline;

class StandardError : public pgsluice::LogSink {
 public:
  bool wants(pgsluice::LogLevel level) const override { return level >= pgsluice::LogLevel::kWarning; }
  void write(pgsluice::LogLevel, std::string_view message, const std::source_location&) override {
    std::fprintf(stderr, "%.*s\n", static_cast<int>(message.size()), message.data());
  }
};

int main(int argc, char** argv) try {
  if (argc < 4) return std::fputs("clone SOURCE TARGET FOLDER [BYTES]\n", stderr), 1;
  const std::int64_t limit = argc > 4 ? std::atoll(argv[4]) : -1;
  StandardError log;
  pipeline::CloneOptions options;
  options.source = argv[1];
  options.target = argv[2];
  options.work_folder = argv[3];
  options.earlier_run = pipeline::EarlierRun::kResume;  // begins anew where there is none
  pipeline::Clone clone(options, log);
  // Nothing calls back: progress() is asked, from any thread, and cancel() called from any.
  const std::jthread watcher([&](const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      const pipeline::ProgressSnapshot now = clone.progress();
      std::printf("%3.0f%% %s\n", now.fraction * 100, now.phase.c_str());
      if (limit >= 0 && now.copied.count > limit) clone.cancel();
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
    }
  });
  const pipeline::CloneSummary summary = clone.run();
  std::printf("%lld rows\n", static_cast<long long>(summary.rows));
  for (const pipeline::FailedObject& failed : summary.failed) std::printf("%s\n", failed.error.describe().c_str());
  return summary.complete() ? 0 : 2;
} catch (const pgsluice::Error& error) {
  std::fprintf(stderr, "%s\n", error.describe().c_str());
  return error.kind() == pgsluice::ErrorKind::kCancelled ? 3 : 1;
}
