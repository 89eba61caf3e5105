#include "pgsluice/copy/wire_relay.h"

#include <fmt/format.h>

#include <optional>

#include "pgsluice/base/error.h"
#include "pgsluice/pg/wire.h"

namespace pgsluice::copy {

namespace {

using pg::Wire;

// The target speaks before its stream has ended only to refuse it.
void check_target(Wire& to) {
  if (const std::optional<Wire::Event> event = to.next_event()) {
    if (event->kind == Wire::Event::Kind::kAnswer && event->answer.error) throw *event->answer.error;
    throw Error(ErrorKind::kInternal, "the target has ended a COPY by itself").on(Side::kTarget);
  }
}

// Carries the rows until the source has said how many they were. The source is not read while the target is full.
pg::Answer pump(Wire& from, Wire& to, std::atomic<std::int64_t>& bytes) {
  while (true) {
    check_target(to);
    if (!to.flushed()) {
      Wire::wait({&to});
      continue;
    }
    std::optional<Wire::Event> event = from.next_event();
    if (!event) {
      Wire::wait({&from, &to});
      continue;
    }
    if (event->kind == Wire::Event::Kind::kAnswer) return std::move(event->answer);
    to.send_copy_run(event->copy);
    to.flush();
    bytes.fetch_add(static_cast<std::int64_t>(event->copy.payload), std::memory_order_relaxed);
  }
}

}  // namespace

RelayOutcome WireRelay::run(pg::Connection& source, pg::Connection& target, const RelayRequest& request) {
  source.log_statement(request.copy_out);
  target.log_statement(request.copy_in);
  // Unless answered, the target's COPY is failed and the source's cancelled.
  Wire from(source);
  Wire to(target);
  from.send_query(request.copy_out);
  to.send_query(request.copy_in);
  // The source's own count first: a stream that broke off is never finished on the target.
  RelayOutcome outcome;
  outcome.source_rows = pump(from, to, request.bytes).rows();
  to.send_copy_done();
  outcome.target_rows = to.take_answer().rows();
  return outcome;
}

}  // namespace pgsluice::copy
