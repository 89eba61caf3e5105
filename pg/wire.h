#pragma once

#include <cstdint>
#include <deque>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/duration.h"
#include "pg/connection.h"
#include "pg/receive_pace.h"
#include "pg/wire_channel.h"
#include "pg/wire_reader.h"

namespace pgsluice::pg {

/// The answer of a server to one Query message, from its first word to ReadyForQuery.
struct Answer {
  /// The tag of the last statement: "CREATE TABLE", "COPY 12"; empty where there was none.
  std::string command;
  /// The error that ended it; the statements after that one in the same message were not carried out.
  std::optional<Error> error;
  /// The warnings of the server meanwhile.
  std::vector<ServerMessage> warnings = {};

  void throw_if_failed() const {
    if (error) throw *error;
  }
  /// The number at the end of the tag. Throws the error, or Error(kInternal) for a tag without a number.
  std::int64_t rows() const;
};

/// The protocol, spoken by ourselves on the socket of an idle libpq connection: many Query messages in flight, and COPY
/// without a call for each row. libpq sees no byte of it.
///
/// Lifecycle: made on a connection on which no statement runs (a transaction may be open), which is borrowed until the
/// object goes and may not be used meanwhile. What was not answered by then is cancelled, or the connection closed;
/// else libpq is told of a changed transaction status, and the connection is as it was. Same thread as the
/// connection. Source: PostgreSQL's documentation, "Frontend/Backend Protocol", of 9.5 to 18.
///
/// Statements sent here must not change client_encoding or standard_conforming_strings for good, since libpq would not
/// know: the connection is closed where that has happened.
///
/// Errors: a server's error is a value in the Answer. Error(kConnection) is thrown when the connection was lost, the
/// server ended the session, or its bytes are not the protocol; the connection is then closed, and the object only good
/// for being destroyed. The destructor waits for the statement that it has cancelled: 2.5 s, and up to 2 s besides for
/// each request to cancel that the server does not take.
class Wire {
 public:
  /// True if the connection's socket can be had (wire_channel.h); libpq's calls have to do where not.
  static bool available(const Connection& connection) { return WireChannel::available(connection); }

  /// Throws Error(kInternal) when a statement runs on the connection, and why it was closed where it was.
  explicit Wire(Connection& connection);
  Wire(const Wire&) = delete;
  Wire& operator=(const Wire&) = delete;
  ~Wire();

  /// Queues a Query message of one or more statements; wait() sends it. It is not logged: see
  /// Connection::log_statement().
  void send_query(std::string_view sql);
  /// Queries that are not answered yet.
  std::size_t in_flight() const { return queries_.size(); }

  /// Hands CopyData messages on. They stay where they are until flushed() is true again, or this object is gone;
  /// nothing else may be queued before that, nor before the rest of a row that is missing. takes_copy_run(): whether
  /// this may be called now, which it may while what stands right before it in memory is being sent.
  void send_copy_run(const CopyRun& run);
  bool takes_copy_run(const CopyRun& run) const;
  /// Ends a COPY … FROM STDIN, which is the last query that was sent: its rows are stored with the answer, not before.
  void send_copy_done();

  /// Sends what the socket takes now: whether it took anything.
  bool flush();
  /// True if all that was queued has been sent.
  bool flushed() const { return out_at_ == out_.size() && run_.empty(); }

  struct Event {
    enum class Kind { kCopyData, kAnswer };
    Kind kind;
    CopyRun copy;
    Answer answer;
  };
  /// Returns what has been received, one thing at a time; nullopt if wait() has to bring more. A run of CopyData is
  /// valid until wait(). Notices go to the log.
  std::optional<Event> next_event();

  /// Received bytes stay valid until release_received(); wait() continues to receive after them, as long as there
  /// is room.
  void hold_received() { held_ = true; }
  void release_received() { held_ = false; }

  /// Waits until one of one or two wires has received something or sent a part of what was queued, and does both: so a
  /// server that writes before it reads cannot block. A rest that ends brings nothing. Throws Error(kCancelled) with
  /// the first one's connection's token.
  static void wait(std::span<Wire* const> wires);
  /// The shortest time in which one of the wires ends its rest; nullopt if none rests.
  static std::optional<std::chrono::microseconds> shortest_rest(std::span<Wire* const> wires);
  static void wait(std::initializer_list<Wire*> wires) { wait(std::span(wires.begin(), wires.size())); }

  /// For what moves a wire's bytes in the place of wait() (wire_io.h). Between begin and end the memory stays where it
  /// is, and nothing else sends or receives. A result is a number of bytes, or a negated errno; 0 received: the server
  /// has closed. end_receiving() throws what wait() would.
  int socket() const { return channel_.socket(); }
  bool in_the_clear() const { return channel_.in_the_clear(); }
  bool alive() const { return connection_.alive(); }
  const CancelToken& cancel_token() const { return connection_.cancel_token(); }
  bool may_receive() { return rest_left().count() == 0 && (!held_ || !reader_.tail_space().empty()); }
  /// How long nothing is to be received, so that more comes at once (receive_pace.h).
  std::chrono::microseconds rest_left() const { return pace_.rest_left(SteadyClock::now()); }
  std::span<char> begin_receiving();
  void end_receiving(int result);
  bool may_send() const { return !flushed() && !channel_.broken(); }
  std::string_view begin_sending();
  void end_sending(int result);

  /// The oldest query's answer, waited for. Not while a COPY … TO STDOUT runs.
  Answer take_answer();

 private:
  enum class Phase { kStatement, kCopyOut, kCopyIn };
  struct Query {
    Phase phase = Phase::kStatement;
    bool copy_done_sent = false;
    bool answered = false;  // by anything but notices
    Answer answer;
  };

  void receive();
  void note_received(std::size_t count);
  std::span<char> space() { return held_ ? reader_.tail_space() : reader_.space(); }
  WaitFor interest();
  bool exchange();
  [[noreturn]] void fail(const Error& error);
  void handle_message(char type, std::string_view body);
  void handle_error(std::string_view body);
  void handle_parameter(std::string_view body);
  void begin_copy(Phase phase);
  void end_statement(std::string_view tag);
  Event end_query(std::string_view status);
  Query& oldest();
  void queue(char type, std::string_view body);
  void give_back();
  void wind_up();
  bool complete_message();
  bool runs_by_itself() const;
  bool drain(SteadyClock::time_point end);
  [[noreturn]] void violated(std::string_view what) const;

  Connection& connection_;
  WireChannel channel_;
  WireReader reader_;
  ReceivePace pace_;

  std::string out_;
  std::size_t out_at_ = 0;
  std::string_view run_;  // of CopyData, memory of the caller's
  std::size_t run_missing_ = 0;
  bool held_ = false;
  bool sends_elsewhere_ = false;

  std::deque<Query> queries_;
  char status_;  // of the session's transaction, as ReadyForQuery tells it
  bool encoding_changed_ = false;
  bool literals_changed_ = false;
};

}  // namespace pgsluice::pg
