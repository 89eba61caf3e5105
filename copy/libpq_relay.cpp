#include "copy/libpq_relay.h"

#include <array>

#include "base/duration.h"
#include "copy/libpq_copy.h"
#include "pgsluice/error.h"

namespace pgsluice::copy {

namespace {

constexpr std::size_t kFlushAt = 256 * 1024;

// Waits for more of the source; whatever the target says (notices, an error) is taken in too.
void wait_for_source(pg::Connection& source, CopyReader& reader, CopyWriter& writer) {
  const bool pending = !writer.flush();
  std::array<WaitFor, 2> set{WaitFor{.fd = reader.socket(), .want_read = true},
                             WaitFor{.fd = writer.socket(), .want_read = true, .want_write = pending}};
  source.wait(set);
  if (set[0].readable) reader.receive();
  if (set[1].readable) writer.receive();
}

RelayOutcome carry(pg::Connection& source, pg::Connection& target, const RelayRequest& request) {
  const auto begin = SteadyClock::now();
  CopyReader reader(source, request.copy_out);
  CopyWriter writer(target, request.copy_in);
  for (bool more = true; more;) {
    switch (reader.next()) {
      case CopyReader::Status::kData:
        writer.write(reader.data());
        if (request.digester != nullptr) request.digester->add_row(reader.data());
        request.flow.passed(reader.data().size(), source.cancel_token());
        if (writer.unflushed() >= kFlushAt) {
          writer.flush_all();
          source.cancel_token().throw_if_cancelled();
        }
        break;
      case CopyReader::Status::kWait:
        wait_for_source(source, reader, writer);
        break;
      case CopyReader::Status::kEnd:
        more = false;
        break;
    }
  }
  // The source's own count first: a stream that broke off is never finished on the target.
  RelayOutcome outcome;
  outcome.source_rows = reader.finish();
  outcome.target_rows = writer.finish();
  outcome.duration = SteadyClock::now() - begin;
  return outcome;
}

}  // namespace

RelayResult LibpqRelay::run(pg::Connection& source, pg::Connection& target, std::span<const RelayRequest> requests) {
  RelayResult result;
  try {
    for (const RelayRequest& request : requests) result.outcomes.push_back(carry(source, target, request));
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::kCancelled) throw;
    result.error = error;
    result.failed = result.outcomes.size();
  }
  return result;
}

}  // namespace pgsluice::copy
