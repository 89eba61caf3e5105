#pragma once

#include <libpq-fe.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/wait.h"
#include "pg/conninfo.h"
#include "pg/result.h"
#include "pg/server_message.h"
#include "pgsluice/cancel.h"
#include "pgsluice/error.h"
#include "pgsluice/log.h"

namespace pgsluice::pg {

/// A release of PostgreSQL by its number, in an order that holds across the change of numbering: 150018 is 1500, and
/// 90624 (9.6.24) is 906.
constexpr int release_of(int server_version) {
  return server_version >= 100000 ? server_version / 10000 * 100
                                  : server_version / 100 % 100 + server_version / 10000 * 100;
}

/// The number of a minor release: 150018 is 18, and 90624 is 24.
constexpr int minor_of(int server_version) { return server_version % (server_version >= 100000 ? 10000 : 100); }

/// A session with a server. Belongs to one thread at a time, with all that hangs on it; move-only; closed by its
/// destructor. Every wait of execute() and take_result() ends with the cancellation of its token: the running statement
/// is cancelled on the server and Error(kCancelled) is thrown, after which the connection is only good for being
/// closed.
class Connection {
 public:
  /// Connects. Keepalives of 10/10/60 are asked for unless `conninfo` sets them; `purpose` is shown in
  /// pg_stat_activity after "pgsluice: ". Limit: connect_timeout for each host, 30 s where it is not given.
  /// Throws Error(kConnection), or Error(kServer) where the server answered with a refusal.
  static Connection open(const ConnInfo& conninfo, std::string_view purpose, const Log& log, const CancelToken& cancel);

  Connection(Connection&&) noexcept = default;
  Connection& operator=(Connection&&) noexcept = default;

  /// Runs one or more statements (simple query protocol) and returns the last answer. Not for COPY.
  /// Throws Error(kServer) with the SQLSTATE, or Error(kConnection).
  Result execute(std::string_view sql);

  /// Like execute(), for a statement that may hold a secret: `description` is logged in its place.
  Result execute_unlogged(std::string_view sql, std::string_view description);

  /// Runs one statement with text parameters.
  Result execute(std::string_view sql, std::span<const std::string> parameters);

  /// Starts a COPY, before which other statements may stand in the text, and returns when the server is in that mode.
  /// The protocol that follows is the caller's (copy/): the connection is idle again when take_result() has returned
  /// nothing.
  void start_copy(std::string_view sql);

  /// The next answer of the running statement, waited for; nullopt if there is none left and the session is idle.
  /// Throws like execute() for an error answer, with the following answers taken first.
  std::optional<Result> take_result();

  /// Gives the session up: nothing more can be done on it. The server ends what runs there when it notices.
  void close() { native_.reset(); }
  /// Like the above, with a reason, which later calls throw.
  void close(const Error& reason);
  /// Gives the session up with statements in flight, of which the server should carry out none but what it has begun:
  /// that one is cancelled. The socket goes first, so that the server notices with its next answer.
  void close_and_cancel();

  /// Logs a statement that is about to be sent.
  void log_statement(std::string_view sql) const;

  /// Asks the server to stop what runs here. The statement then ends with SQLSTATE 57014, if it has not ended well.
  /// Blocks until the server has taken the request (PQcancel), 2 s at most; no cancellation ends this.
  void cancel_statement();

  /// Asks the server which database, role and backend process this session is. Throws like execute().
  void identify();
  /// True if the session acts for another role than it has logged in as (ALTER ROLE … SET role). After identify().
  bool acts_for_another_role() const { return identity_ && identity_->user != identity_->login; }
  /// The process that served identify(). A direct connection keeps it for good.
  std::optional<int> backend_pid() const { return identity_ ? std::optional(identity_->pid) : std::nullopt; }

  /// Waits for these, or for the limit alone. Throws Error(kCancelled) without touching the session.
  WaitResult wait(std::span<WaitFor> set, std::optional<std::chrono::milliseconds> limit = std::nullopt) const;

  /// Waits until the session is lost, true, or the cancellation, false.
  bool wait_for_loss();

  /// An Error for libpq's last complaint about the connection itself.
  Error connection_error() const;
  /// An Error for an answer of the server.
  Error server_error(const PGresult* result) const;

  /// 150018 for 15.18.
  int server_version() const { return PQserverVersion(handle()); }
  /// "15.18 (Debian …)" as the server names it.
  std::string server_version_text() const;
  Side side() const { return conninfo_.side(); }
  const ConnInfo& conninfo() const { return conninfo_; }
  /// Leads to the same server again: host, address and port that this connection has reached are fixed in it.
  ConnInfo pinned_conninfo() const;
  /// The database and the role as the server names them, once identify() has asked it; until then as the connection
  /// string has them, which a pooler may map to others.
  std::string database() const { return identity_ ? identity_->database : PQdb(handle()); }
  std::string user() const { return identity_ ? identity_->user : PQuser(handle()); }
  /// The name by which the database was asked for: another session that is to reach it gives the same one.
  std::string requested_database() const { return PQdb(handle()); }
  /// "host:port" or the socket's folder, for messages.
  std::string address() const;
  /// True if the session is in no transaction.
  bool idle() const { return PQtransactionStatus(handle()) == PQTRANS_IDLE; }
  /// True if it is in one that a statement has failed in: only ROLLBACK is taken.
  bool transaction_failed() const { return PQtransactionStatus(handle()) == PQTRANS_INERROR; }
  /// True if it is in one that has not failed.
  bool in_transaction() const { return PQtransactionStatus(handle()) == PQTRANS_INTRANS; }
  /// Returns what the server has reported of a parameter, such as "server_encoding"; empty if it has not.
  std::string parameter(const char* name) const;
  /// True if the connection can be used at all.
  bool alive() const { return native_ != nullptr && PQstatus(handle()) == CONNECTION_OK; }

  PGconn* handle() const { return native_.get(); }
  const Log& log() const { return state_->log; }
  /// Returns the server's warnings since the last call, the oldest first; they are in the log, too.
  std::vector<ServerMessage> take_warnings();
  /// Takes what the server says beside its answers: to the log, and to take_warnings().
  void take_notice(const ServerMessage& message) { take_notice(*state_, message); }
  const CancelToken& cancel_token() const { return state_->cancel; }

 private:
  struct State {  // behind a pointer: libpq's notice processor keeps its address
    Side side;
    Log log;
    CancelToken cancel;
    std::vector<ServerMessage> warnings = {};
  };

  struct Identity {
    int pid = 0;
    std::string database;
    std::string user;
    std::string login;
  };

  Connection(ConnInfo conninfo, const Log& log, const CancelToken& cancel);

  void connect(std::string_view purpose);
  Result run(std::string_view sql);
  void flush();
  Result last_result();
  [[noreturn]] void abandon();
  void send_cancel(std::shared_ptr<PGcancel> request) const;
  static void receive_notice(void* state, const PGresult* result);
  static void take_notice(State& state, const ServerMessage& message);

  ConnInfo conninfo_;
  std::unique_ptr<State> state_;
  std::unique_ptr<PGconn, decltype(&PQfinish)> native_;
  std::optional<Error> closed_for_;
  std::optional<Identity> identity_;
};

}  // namespace pgsluice::pg
