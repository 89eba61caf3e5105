#include "tools/pgsluice/signals.h"

#include <atomic>
#include <csignal>
#include <cstdlib>

#include "tools/pgsluice/exit_code.h"

namespace pgsluice::tools {

namespace {

constexpr int kExitCodeBase = 128;

// A signal handler can use only global objects.
std::atomic<const std::function<void()>*> on_cancel{nullptr};
std::atomic<int> signal_seen{0};

extern "C" void on_signal(int signal_number) {
  if (signal_seen.exchange(signal_number) != 0) std::_Exit(kExitCodeBase + signal_number);
  if (const std::function<void()>* cancel = on_cancel.load()) (*cancel)();
}

}  // namespace

SignalsCancel::SignalsCancel(std::function<void()> cancel) : cancel_(std::move(cancel)) {
  on_cancel = &cancel_;
  struct sigaction cancels {};
  cancels.sa_handler = &on_signal;
  // Work continues when the reader of its output has exited.
  struct sigaction ignored {};
  ignored.sa_handler = SIG_IGN;
  for (const int signal_number : {SIGINT, SIGTERM, SIGHUP, SIGPIPE}) {
    struct sigaction before {};
    ::sigaction(signal_number, nullptr, &before);
    if (before.sa_handler == SIG_IGN) continue;
    before_[signal_number] = before;
    ::sigaction(signal_number, signal_number == SIGPIPE ? &ignored : &cancels, nullptr);
  }
}

SignalsCancel::~SignalsCancel() {
  for (const auto& [signal_number, before] : before_) ::sigaction(signal_number, &before, nullptr);
  on_cancel = nullptr;
}

int SignalsCancel::exit_code() {
  const int signal_number = signal_seen;
  return signal_number == 0 ? kExitInterrupted : kExitCodeBase + signal_number;
}

}  // namespace pgsluice::tools
