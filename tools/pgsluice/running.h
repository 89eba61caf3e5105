#pragma once

#include <functional>

#include "pgsluice/cancel.h"
#include "pgsluice/error.h"
#include "tools/pgsluice/console.h"
#include "tools/pgsluice/log_options.h"

namespace pgsluice::tools {

/// Logs an error or a cancellation. Returns the exit code.
int report_error(const Error& error, Console& console);

/// Runs a command's work and returns its exit code: an Error goes to the log; a cancellation is said, and has the code
/// of the signal.
int run_reporting(const LogOptions& options, const std::function<int(Console&)>& work);

/// Like the above, for work that SIGINT and SIGTERM cancel.
int run_cancellable(const LogOptions& options, const std::function<int(Console&, const CancelToken&)>& work);

}  // namespace pgsluice::tools
