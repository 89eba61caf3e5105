#include "tools/pgsluice/signals.h"

#include <atomic>
#include <csignal>
#include <cstdlib>

#include "tools/pgsluice/exit_code.h"

namespace pgsluice::tools {

namespace {

// A handler can reach nothing but what is global.
std::atomic<const std::function<void()>*> on_cancel{nullptr};
std::atomic<int> signal_seen{0};

extern "C" void on_signal(int signal_number) {
  constexpr int kSignalled = 128;
  if (signal_seen.exchange(signal_number) != 0) std::_Exit(kSignalled + signal_number);
  if (const std::function<void()>* cancel = on_cancel.load()) (*cancel)();
}

}  // namespace

SignalsCancel::SignalsCancel(std::function<void()> cancel) : cancel_(std::move(cancel)) {
  on_cancel = &cancel_;
  struct sigaction action {};
  action.sa_handler = &on_signal;
  for (const int signal_number : {SIGINT, SIGTERM}) ::sigaction(signal_number, &action, nullptr);
}

SignalsCancel::~SignalsCancel() {
  for (const int signal_number : {SIGINT, SIGTERM}) std::signal(signal_number, SIG_DFL);
  on_cancel = nullptr;
}

int SignalsCancel::exit_code() { return signal_seen == SIGTERM ? kExitTerminated : kExitInterrupted; }

}  // namespace pgsluice::tools
