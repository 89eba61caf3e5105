#include "tools/pgsluice/running.h"

#include "pgsluice/error.h"
#include "tools/pgsluice/exit_code.h"
#include "tools/pgsluice/signals.h"

namespace pgsluice::tools {

int report_error(const Error& error, Console& console) {
  if (error.kind() == ErrorKind::kCancelled) {
    Log(console).warning("cancelled");
    return SignalsCancel::exit_code();
  }
  Log(console).error(error);
  return exit_code_for(error);
}

int run_reporting(const LogOptions& options, const std::function<int(Console&)>& work) {
  Console console(options);
  try {
    return work(console);
  } catch (const Error& error) {
    return report_error(error, console);
  }
}

int run_cancellable(const LogOptions& options, const std::function<int(Console&, const CancelToken&)>& work) {
  return run_reporting(options, [&work](Console& console) {
    CancelSource cancel;
    const SignalsCancel signals([&cancel] { cancel.cancel(); });
    return work(console, cancel.token());
  });
}

}  // namespace pgsluice::tools
