#include "pgsluice/ping.h"

#include <fmt/format.h>

#include <algorithm>
#include <future>

#include "base/duration.h"
#include "base/wait.h"
#include "pg/connection.h"
#include "pipeline/prepare/sessions.h"

namespace pgsluice::pipeline {

namespace {

constexpr std::chrono::milliseconds kFirstPause{100};
constexpr std::chrono::milliseconds kLongestPause{2000};

std::optional<Error> ping_one(const pg::ConnInfo& conninfo, std::chrono::seconds limit, const Log& log,
                              const CancelToken& cancel) {
  const auto end = SteadyClock::now() + limit;
  std::chrono::milliseconds pause = kFirstPause;
  while (true) {
    try {
      const pg::Connection connection = pg::Connection::open(conninfo, "ping", log, cancel);
      log.info(fmt::format("{}: PostgreSQL {} at {}, database {}", to_string(conninfo.side()),
                           connection.server_version_text(), connection.address(), connection.database()));
      return std::nullopt;
    } catch (const Error& error) {
      if (error.kind() == ErrorKind::kCancelled) throw;
      if (!error.is_retryable() || SteadyClock::now() + pause >= end) return error;
      const bool is_first = pause == kFirstPause;
      if (is_first) {
        log.warning(fmt::format("not yet, tried for up to {} s: {}", limit.count(), error.describe()));
      } else {
        log.notice(fmt::format("not yet: {}", error.describe()));
      }
    }
    pgsluice::pause(cancel, pause);
    pause = std::min(2 * pause, kLongestPause);
  }
}

}  // namespace

PingResult ping(const PingOptions& options, const Log& log, const CancelToken& cancel) {
  const pg::ConnInfo source = parse_conninfo(options.source, Side::kSource);
  const pg::ConnInfo target = parse_conninfo(options.target, Side::kTarget);
  auto other = std::async(std::launch::async, [&] { return ping_one(target, options.limit, log, cancel); });
  PingResult result;
  result.source = ping_one(source, options.limit, log, cancel);
  result.target = other.get();
  return result;
}

}  // namespace pgsluice::pipeline
