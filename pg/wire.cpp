#include "pg/wire.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <system_error>

#include "pg/server_message.h"
#include "pgsluice/error.h"

namespace pgsluice::pg {

namespace {

constexpr std::size_t kCopyBuffer = 384 * 1024;
constexpr std::chrono::milliseconds kCopyFailLimit{500};
constexpr std::chrono::milliseconds kWindUpLimit{2500};  // a cancellation that finds no server comes on top
constexpr std::chrono::milliseconds kCancelAgain{200};

char status_letter(const Connection& connection) {
  if (!connection.alive()) throw connection.connection_error();
  switch (PQtransactionStatus(connection.handle())) {
    case PQTRANS_IDLE:
      return 'I';
    case PQTRANS_INTRANS:
      return 'T';
    case PQTRANS_INERROR:
      return 'E';
    case PQTRANS_ACTIVE:
    case PQTRANS_UNKNOWN:
      break;
  }
  throw Error(ErrorKind::kInternal, "the connection to be borrowed is not idle");
}

std::string_view until_zero(std::string_view text) { return text.substr(0, text.find('\0')); }

}  // namespace

std::int64_t Answer::rows() const {
  throw_if_failed();
  std::int64_t rows = 0;
  const char* end = command.data() + command.size();
  const std::size_t space = command.rfind(' ');
  const char* begin = space == std::string::npos ? end : command.data() + space + 1;
  const auto [parsed, failure] = std::from_chars(begin, end, rows);
  if (failure != std::errc() || parsed != end) {
    throw Error(ErrorKind::kInternal, fmt::format("no number of rows in \"{}\"", command));
  }
  return rows;
}

Wire::Wire(Connection& connection)
    : connection_(connection), channel_(connection), reader_(connection.side()), status_(status_letter(connection)) {}

Wire::~Wire() {
  try {
    if (connection_.alive() && (!queries_.empty() || !flushed() || run_missing_ > 0)) wind_up();
    if (connection_.alive()) give_back();
  } catch (const Error& error) {
    connection_.log().debug(fmt::format("the connection is given up: {}", error.describe()));
    connection_.close(error);
  } catch (const std::exception&) {  // no memory
    connection_.close();
  }
}

void Wire::violated(std::string_view what) const { throw protocol_violation(connection_.side(), what); }

void Wire::fail(const Error& error) {
  connection_.close(error);
  throw error;
}

void Wire::queue(char type, std::string_view body) {
  if (sends_elsewhere_) throw Error(ErrorKind::kInternal, "a message while another one is being sent");
  if (!run_.empty() || run_missing_ > 0) throw Error(ErrorKind::kInternal, "a message in the middle of another one");
  if (out_at_ == out_.size()) {
    out_.clear();
    out_at_ = 0;
  }
  const auto length = static_cast<std::uint32_t>(body.size() + 4);
  out_ += type;
  for (int shift = 24; shift >= 0; shift -= 8) out_ += static_cast<char>(length >> shift & 0xff);
  out_ += body;
}

void Wire::send_query(std::string_view sql) {
  if (sql.find('\0') != std::string_view::npos) {
    throw Error(ErrorKind::kInternal, "a statement with a zero byte").on(connection_.side());
  }
  queue('Q', std::string(sql) + '\0');
  queries_.emplace_back();
}

void Wire::send_copy_run(const CopyRun& run) {
  if (!takes_copy_run(run)) throw Error(ErrorKind::kInternal, "copy data before the data before it");
  run_ = run_.empty() ? run.bytes : std::string_view(run_.data(), run_.size() + run.bytes.size());
  run_missing_ = run.missing;
}

bool Wire::takes_copy_run(const CopyRun& run) const {
  return run_.empty() || run_.data() + run_.size() == run.bytes.data();
}

void Wire::send_copy_done() {
  if (queries_.empty()) throw Error(ErrorKind::kInternal, "the end of a COPY that is not there");
  queue('c', {});
  queries_.back().copy_done_sent = true;
}

bool Wire::flush() {
  if (!connection_.alive()) throw connection_.connection_error();
  if (sends_elsewhere_) return false;
  bool took = false;
  const auto send = [&](std::string_view bytes) {
    const std::size_t count = channel_.write(bytes);
    took = took || count > 0;
    return count;
  };
  while (out_at_ < out_.size()) {
    const std::size_t count = send(std::string_view(out_).substr(out_at_));
    if (count == 0) return took;
    out_at_ += count;
  }
  while (!run_.empty()) {
    const std::size_t count = send(run_);
    if (count == 0) return took;
    run_.remove_prefix(count);
  }
  return took;
}

void Wire::receive() {
  if (!connection_.alive()) throw connection_.connection_error();
  if (!may_receive()) return;
  try {
    note_received(channel_.read(space()));
  } catch (const Error& error) {
    fail(error);
  }
}

void Wire::note_received(std::size_t count) {
  reader_.received(count);
  if (!queries_.empty() && queries_.front().phase == Phase::kCopyOut) pace_.received(count, SteadyClock::now());
}

std::span<char> Wire::begin_receiving() {
  if (!connection_.alive()) throw connection_.connection_error();
  return space();
}

void Wire::end_receiving(int result) {
  if (result > 0) return note_received(static_cast<std::size_t>(result));
  if (result == -EINTR || result == -EAGAIN || result == -ECANCELED) return;
  fail(channel_.lost(result == 0 ? "the server closed it" : std::generic_category().message(-result)));
}

std::string_view Wire::begin_sending() {
  sends_elsewhere_ = true;
  return out_at_ < out_.size() ? std::string_view(out_).substr(out_at_) : run_;
}

void Wire::end_sending(int result) {
  sends_elsewhere_ = false;
  if (result == -EINTR || result == -EAGAIN || result == -ECANCELED) return;
  // A server that has gone is reported by the receiving end, after what it may have said before.
  if (result <= 0) return channel_.give_up_writing();
  if (out_at_ < out_.size()) {
    out_at_ += static_cast<std::size_t>(result);
  } else {
    run_.remove_prefix(static_cast<std::size_t>(result));
  }
}

WaitFor Wire::interest() {
  if (!may_receive() && flushed()) return {};  // a hang-up is noticed when there is room again
  return channel_.interest(flushed() ? WireChannel::Wanted::kRead : WireChannel::Wanted::kReadAndWrite);
}

// Does what can be done without waiting for the socket. Returns true if anything was done.
bool Wire::exchange() {
  const bool sent = flush();
  if (!channel_.has_more() || !may_receive()) return sent;
  receive();
  return true;
}

std::optional<std::chrono::microseconds> Wire::shortest_rest(std::span<Wire* const> wires) {
  std::optional<std::chrono::microseconds> shortest;
  for (const Wire* wire : wires) {
    const std::chrono::microseconds left = wire->rest_left();
    if (left.count() > 0 && (!shortest || left < *shortest)) shortest = left;
  }
  return shortest;
}

void Wire::wait(std::span<Wire* const> wires) {
  std::array<WaitFor, 2> set;
  if (wires.empty() || wires.size() > set.size()) throw Error(ErrorKind::kInternal, "wait for one or two wires");
  const CancelToken& cancel = wires.front()->connection_.cancel_token();
  cancel.throw_if_cancelled();
  // Before it is asked who rests: a rest that ends in between costs one look too many, and not a wait without a limit.
  const std::optional<std::chrono::microseconds> rest = shortest_rest(wires);
  bool moved = false;
  std::size_t count = 0;
  for (Wire* wire : wires) {
    moved = wire->exchange() || moved;
    set[count++] = wire->interest();
  }
  if (moved) return;
  if (wait_for({set.data(), count}, cancel, rest) == WaitResult::kCancelled) cancel.throw_if_cancelled();
  count = 0;
  for (Wire* wire : wires) {
    const WaitFor& ready = set[count++];
    if (ready.writable) wire->flush();
    const bool rested = !ready.want_read && wire->pace_.rests();
    if (ready.readable || ready.writable || rested) wire->receive();
  }
}

std::optional<Wire::Event> Wire::next_event() {
  try {
    while (true) {
      const WireReader::Item item = reader_.next();
      if (item.kind == WireReader::Item::Kind::kNothing) return std::nullopt;
      if (item.kind == WireReader::Item::Kind::kCopyData) {
        if (oldest().phase != Phase::kCopyOut) violated("copy data outside of a COPY");
        return Event{.kind = Event::Kind::kCopyData, .copy = item.copy, .answer = {}};
      }
      if (item.type == 'Z') return end_query(item.body);
      handle_message(item.type, item.body);
    }
  } catch (const Error& error) {
    fail(error);
  }
}

Wire::Query& Wire::oldest() {
  if (queries_.empty()) violated("an answer to no query");
  return queries_.front();
}

void Wire::handle_message(char type, std::string_view body) {
  switch (type) {
    case 'N':
      connection_.take_notice(ServerMessage::parse(body, connection_.side()));
      return;
    case 'S':
      return handle_parameter(body);
    case 'A':  // of a LISTEN that was made in this session before
      return;
    case 'E':
      return handle_error(body);
    case 'C':
      return end_statement(until_zero(body));
    case 'H':
      return begin_copy(Phase::kCopyOut);
    case 'G':
      return begin_copy(Phase::kCopyIn);
    case 'c':
      if (oldest().phase != Phase::kCopyOut) violated("the end of a COPY outside of one");
      oldest().phase = Phase::kStatement;
      pace_.reset();
      return;
    case 'T':
    case 'D':
    case 'I':
      if (oldest().phase != Phase::kStatement) violated("an answer in the middle of a COPY");
      oldest().answered = type == 'I';
      return;
    default:
      violated(fmt::format("a message of type 0x{:02x}", static_cast<unsigned char>(type)));
  }
}

void Wire::handle_error(std::string_view body) {
  const Error error = ServerMessage::parse(body, connection_.side()).as_error(connection_.side());
  if (error.kind() == ErrorKind::kConnection) throw error;
  Query& query = oldest();
  if (!query.answer.error) query.answer.error = error;
  query.answered = true;
  query.phase = Phase::kStatement;
  pace_.reset();
}

void Wire::handle_parameter(std::string_view body) {
  const std::string name(until_zero(body));
  if (name != "client_encoding" && name != "standard_conforming_strings") return;
  const std::string_view value = until_zero(body.substr(std::min(body.size(), name.size() + 1)));
  const char* known = PQparameterStatus(connection_.handle(), name.c_str());
  // A function may set it for its own length: what counts is the last word.
  (name == "client_encoding" ? encoding_changed_ : literals_changed_) = known == nullptr || value != known;
}

void Wire::begin_copy(Phase phase) {
  if (oldest().phase != Phase::kStatement) violated("a COPY in the middle of another one");
  oldest().phase = phase;
  oldest().answered = false;
  if (phase == Phase::kCopyOut) reader_.enlarge(kCopyBuffer);
}

void Wire::end_statement(std::string_view tag) {
  Query& query = oldest();
  if (query.phase == Phase::kCopyOut) violated("the end of a COPY that has not ended its data");
  if (query.phase == Phase::kCopyIn && !query.copy_done_sent) violated("the end of a COPY that we have not ended");
  query.phase = Phase::kStatement;
  query.answered = true;
  query.answer.command = tag;
}

Wire::Event Wire::end_query(std::string_view status) {
  const Query& query = oldest();
  if (status != "I" && status != "T" && status != "E") violated("a transaction status that is not known");
  if (!query.answered || query.phase != Phase::kStatement) violated("the end of a query without its answer");
  status_ = status.front();
  Event event{.kind = Event::Kind::kAnswer, .copy = {}, .answer = query.answer};
  event.answer.warnings = connection_.take_warnings();
  queries_.pop_front();
  return event;
}

Answer Wire::take_answer() {
  while (true) {
    if (std::optional<Event> event = next_event()) {
      if (event->kind == Event::Kind::kAnswer) return std::move(event->answer);
      throw Error(ErrorKind::kInternal, "rows of a COPY that nobody takes").on(connection_.side());
    }
    wait({this});
  }
}

void Wire::give_back() {
  while (next_event()) {
  }
  // The rest of what the server has begun to say would be no message to libpq.
  if (!reader_.empty()) {
    throw Error(ErrorKind::kConnection, "a message of the server has come in part").on(connection_.side());
  }
  if (encoding_changed_ || literals_changed_) {
    throw Error(ErrorKind::kInternal, "a statement has changed how the session reads text").on(connection_.side());
  }
  // libpq remembers the status that it saw last; an empty query shows it the one of now.
  if (status_letter(connection_) != status_) {
    connection_.execute_unlogged("", "transaction status");
  }
}

void Wire::wind_up() {
  // Who was to send what is held has been wound up before, and keeps what it needs of it.
  held_ = false;
  // Several queries could be cancelled only one by one, each at its own moment.
  if (queries_.size() > 1 || !complete_message()) {
    connection_.close_and_cancel();
    return;
  }
  // A server that waits for our rows does not look for cancellations; one that does not passes over the message.
  if (!queries_.empty()) queue('f', std::string("the copy was given up") + '\0');
  const auto end = SteadyClock::now() + kWindUpLimit;
  if (drain(SteadyClock::now() + kCopyFailLimit)) return;
  // It is busy with a row, and reads nothing before that is done.
  connection_.cancel_statement();
  if (!drain(end)) connection_.close_and_cancel();
}

// The server reads on in the middle of a message until it has all of it, also of a COPY that has failed: what is
// missing of a row is made up, and can only be refused or thrown away there. False when that would be too much.
bool Wire::complete_message() {
  if (run_missing_ > kCopyBuffer) return false;
  out_.erase(0, out_at_);
  out_at_ = 0;
  out_ += run_;
  out_.append(run_missing_, '\0');
  run_ = {};
  run_missing_ = 0;
  return true;
}

// True if the server works on the oldest query, and does not wait for our rows.
bool Wire::runs_by_itself() const {
  return !queries_.empty() && (queries_.front().phase != Phase::kCopyIn || queries_.front().copy_done_sent);
}

bool Wire::drain(SteadyClock::time_point end) {
  auto next_cancel = SteadyClock::now();
  while (!queries_.empty() || !flushed()) {
    if (next_event() || exchange()) continue;
    const auto now = SteadyClock::now();
    if (now >= end) return false;
    // Again and again: a request that arrives before its statement has begun is passed over too.
    if (now >= next_cancel && runs_by_itself()) {
      connection_.cancel_statement();
      next_cancel = now + kCancelAgain;
    }
    const std::chrono::microseconds rest = rest_left();
    std::array<WaitFor, 1> set{interest()};
    wait_for(set, {}, rest.count() > 0 ? rest : kCancelAgain);
    receive();
  }
  return true;
}

}  // namespace pgsluice::pg
