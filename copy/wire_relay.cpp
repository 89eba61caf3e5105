#include "copy/wire_relay.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "base/duration.h"
#include "pg/wire.h"
#include "pgsluice/error.h"

namespace pgsluice::copy {

namespace {

using pg::Wire;

// Carries streams one after another. The source gets all its COPYs at once. The target gets a COPY's statement with
// its rows, and their end when the source has said how many they were: a stream that broke off is never finished.
// The target's answer to a stream arrives while later ones are on their way.
class Streams {
 public:
  Streams(std::span<const RelayRequest> requests, const CancelToken& cancel) : requests_(requests), cancel_(cancel) {}

  void carry(Wire& from, Wire& to, pg::WireIo::Session& io) {
    for (const RelayRequest& request : requests_) from.send_query(request.copy_out);
    open_next(to);
    while (answered_ < requests_.size()) {
      if (take_from_target(to)) {
        if (error_ && error_->side() == Side::kTarget) return;
        continue;
      }
      // Whole streams are waited for, because one of them may be what the target refuses.
      if (error_ && answered_ == current_) return;
      if (error_ || current_ == requests_.size()) {
        io.wait({&to});
      } else if (!take_from_source(from, to)) {
        // Rows on their way are sent from where they were received.
        if (to.flushed()) from.release_received();
        io.wait({&from, &to});
      }
    }
  }

  void fail(const Error& error) { error_ = error; }

  RelayResult result() && {
    RelayResult result;
    // A source that goes away when it has sent everything is still the end of the whole.
    if (error_) result.failed = std::min(error_->side() == Side::kSource ? current_ : answered_, requests_.size() - 1);
    result.error = std::move(error_);
    outcomes_.resize(answered_);
    result.outcomes = std::move(outcomes_);
    return result;
  }

 private:
  void open_next(Wire& to) {
    if (current_ == requests_.size()) return;
    to.send_query(requests_[current_].copy_in);
    outcomes_.emplace_back();
    began_ = SteadyClock::now();
  }

  bool take_from_target(Wire& to) {
    const std::optional<Wire::Event> event = to.next_event();
    if (!event) return false;
    if (event->kind != Wire::Event::Kind::kAnswer) {
      throw Error(ErrorKind::kInternal, "the target sends rows in the middle of a COPY").on(Side::kTarget);
    }
    if (event->answer.error) {
      error_ = event->answer.error;
    } else if (answered_ == current_) {
      throw Error(ErrorKind::kInternal, "the target has ended a COPY by itself").on(Side::kTarget);
    } else {
      outcomes_[answered_++].target_rows = event->answer.rows();
    }
    return true;
  }

  // False when nothing has come, or the target has to take what came before. The source is read on meanwhile, until the
  // buffer is full.
  bool take_from_source(Wire& from, Wire& to) {
    if (!received_) received_ = from.next_event();
    if (!received_) return false;
    if (received_->kind == Wire::Event::Kind::kCopyData) {
      if (!to.takes_copy_run(received_->copy)) return false;
      send_rows(received_->copy, from, to);
    } else if (received_->answer.error) {
      error_ = received_->answer.error;
    } else {
      if (!to.flushed()) return false;
      end_stream(received_->answer, to);
    }
    received_.reset();
    return true;
  }

  void send_rows(const pg::CopyRun& run, Wire& from, Wire& to) {
    to.send_copy_run(run);
    from.hold_received();
    to.flush();
    if (RowDigester* digester = requests_[current_].digester) digester->add_messages(run.bytes);
    requests_[current_].flow.passed(run.payload, cancel_);
  }

  void end_stream(const pg::Answer& answer, Wire& to) {
    outcomes_[current_].source_rows = answer.rows();
    outcomes_[current_].duration = SteadyClock::now() - began_;
    to.send_copy_done();
    ++current_;
    open_next(to);
  }

  const std::span<const RelayRequest> requests_;
  const CancelToken cancel_;
  std::size_t current_ = 0;              // which the source sends
  std::size_t answered_ = 0;             // how many the target has taken
  std::optional<Wire::Event> received_;  // that the target could not take yet
  std::vector<RelayOutcome> outcomes_;
  std::optional<Error> error_;
  SteadyClock::time_point began_;
};

}  // namespace

RelayResult WireRelay::run(pg::Connection& source, pg::Connection& target, std::span<const RelayRequest> requests) {
  for (const RelayRequest& request : requests) {
    source.log_statement(request.copy_out);
    target.log_statement(request.copy_in);
  }
  Streams streams(requests, source.cancel_token());
  try {
    // Unless answered, the target's COPY is failed and the source's cancelled.
    Wire from(source);
    Wire to(target);
    const std::unique_ptr<pg::WireIo::Session> io = io_->begin(from, to);
    streams.carry(from, to, *io);
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::kCancelled) throw;
    streams.fail(error);
  }
  return std::move(streams).result();
}

}  // namespace pgsluice::copy
