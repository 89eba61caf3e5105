// A line of a given delay and width before a server's socket, for bench/compare --link. Prints its port on 127.0.0.1
// and runs until SIGTERM.
//
//   link_proxy --to /tmp/x/.s.PGSQL.1 --delay 10 --mbit 1000
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdio>
#include <exception>

#include "tests/support/delaying_proxy.h"

int main(int argc, char** argv) {
  CLI::App app("A line of a given delay and width before a PostgreSQL server's Unix socket");
  std::string socket;
  int delay = 0;
  double mbit = 0;
  app.add_option("--to", socket, "The server's socket")->required();
  app.add_option("--delay", delay, "Milliseconds each way")->required()->check(CLI::NonNegativeNumber);
  app.add_option("--mbit", mbit, "Megabits a second for each session, each way (0: no limit)")
      ->check(CLI::NonNegativeNumber);
  CLI11_PARSE(app, argc, argv);
  // Before the proxy's threads, which inherit it.
  sigset_t ending;
  sigemptyset(&ending);
  for (const int number : {SIGINT, SIGTERM}) sigaddset(&ending, number);
  pthread_sigmask(SIG_BLOCK, &ending, nullptr);
  try {
    const pgsluice::test::DelayingProxy proxy(
        socket, {.each_way = std::chrono::milliseconds(delay), .bytes_per_second = mbit * 1e6 / 8});
    fmt::print("{}\n", proxy.port());
    std::fflush(stdout);
    int received = 0;
    sigwait(&ending, &received);
  } catch (const std::exception& error) {
    fmt::print(stderr, "link_proxy: {}\n", error.what());
    return 1;
  }
  return 0;
}
