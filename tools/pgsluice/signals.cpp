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
  // A terminal that is closed ends the work as SIGTERM does, unless nohup has said otherwise; a reader of the output
  // that has gone does not end it.
  struct sigaction before {};
  ::sigaction(SIGHUP, nullptr, &before);
  if (before.sa_handler != SIG_IGN) ::sigaction(SIGHUP, &action, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
}

SignalsCancel::~SignalsCancel() {
  struct sigaction now {};
  ::sigaction(SIGHUP, nullptr, &now);
  for (const int signal_number : {SIGINT, SIGTERM}) std::signal(signal_number, SIG_DFL);
  if (now.sa_handler == &on_signal) std::signal(SIGHUP, SIG_DFL);
  on_cancel = nullptr;
}

int SignalsCancel::exit_code() { return signal_seen == SIGTERM ? kExitTerminated : kExitInterrupted; }

}  // namespace pgsluice::tools
