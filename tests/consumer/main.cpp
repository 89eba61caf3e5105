// Runs a migration, shows how far it is, and cancels it where a limit of bytes is given and passed.
#include <pgsluice/migration/control.h>
#include <pgsluice/migration/runner.h>

#include <cstdio>
#include <cstdlib>
#include <string>

namespace migration = pgsluice::migration;

class StandardError : public pgsluice::LogSink {
 public:
  bool wants(pgsluice::LogLevel level) const override { return level >= pgsluice::LogLevel::kWarning; }
  void write(pgsluice::LogLevel, std::string_view message, const std::source_location&) override {
    std::fprintf(stderr, "%.*s\n", static_cast<int>(message.size()), message.data());
  }
};

int main(int argc, char** argv) try {
  if (argc < 3) return std::fputs("consumer PROPERTIES STORE [BYTES]\n", stderr), 1;
  const std::int64_t limit = argc > 3 ? std::atoll(argv[3]) : -1;
  StandardError log;
  migration::Store store(argv[2]);
  const migration::Request request = migration::read_properties(argv[1], {});
  const migration::Migration created = migration::create(store, migration::make_uuid(), "", {}, request);
  migration::Runner* running = nullptr;
  migration::Runner runner(store, created, request, log, [&](const migration::Migration& now) {
    for (const migration::DatabaseDetails& database : now.details) {
      std::printf("%s: %lld rows\n", database.name.c_str(), static_cast<long long>(database.rows));
      if (limit >= 0 && database.copied.count > limit) running->cancel();
    }
  });
  running = &runner;
  const migration::Migration ended = runner.run();
  std::printf("%s %s\n", std::string(to_string(ended.state)).c_str(), ended.error.c_str());
  return ended.state == migration::State::kSucceeded ? 0 : 2;
} catch (const pgsluice::Error& error) {
  std::fprintf(stderr, "%s\n", error.describe().c_str());
  return 1;
}
