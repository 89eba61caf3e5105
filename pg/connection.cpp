#include "pg/connection.h"

#include <fmt/format.h>
#include <re2/re2.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <condition_variable>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

#include "base/duration.h"
#include "base/sqlstate.h"
#include "pg/server_message.h"
#include "pgsluice/error.h"

namespace pgsluice::pg {

namespace {

constexpr std::chrono::seconds kDefaultConnectTimeout{30};
// All sessions are gone within 5 s of a cancellation: the request, then the statement's end.
constexpr std::chrono::seconds kCancelLimit{2};
constexpr std::chrono::seconds kCancelGrace{3};

// The error of a server that refuses a session, by its own English words; where lc_messages translates them, only the
// hint is another one. A pooler may say it without the SQLSTATE.
struct Refusal {
  std::string_view text;
  std::string_view sqlstate;
  std::string_view hint;
};
constexpr std::array<Refusal, 10> kRefusals = {{
    // "too many connections for role" names a role, too.
    {"too many", sqlstate::kTooManyConnections, "raise max_connections or the CONNECTION LIMIT, or use fewer jobs"},
    {"role \"", sqlstate::kInvalidAuthorizationSpecification,
     "check the user name; without one, libpq takes that of the operating system"},
    {"password authentication failed", sqlstate::kInvalidPassword,
     "check the user name and its password (PGPASSWORD, ~/.pgpass)"},
    {"no pg_hba.conf entry", sqlstate::kInvalidAuthorizationSpecification,
     "add a line for this user, database and address to the server's pg_hba.conf"},
    {"authentication failed", sqlstate::kInvalidAuthorizationSpecification,
     "check the user name and the server's pg_hba.conf"},
    {"remaining connection slots", sqlstate::kTooManyConnections, "raise max_connections, or use fewer jobs"},
    {"starting up", sqlstate::kCannotConnectNow, "wait until the server has started"},
    {"in recovery mode", sqlstate::kCannotConnectNow, "wait until the server has recovered"},
    {"not yet accepting connections", sqlstate::kCannotConnectNow, "wait until the server has recovered"},
    {"shutting down", sqlstate::kCannotConnectNow, "wait until the server runs again"},
}};

// "FATAL:  53300: sorry, too many clients already\nLOCATION:  InitProcess, proc.c:361", as libpq writes it when it is
// told to be verbose: the code and the place in the server's source are taken out.
std::string take_sqlstate(std::string& text) {
  static const RE2 kCode(":  ([0-9A-Z]{5}): ", RE2::Latin1);
  static const RE2 kPlace(R"((?m)\n[^\n]*:  \w+, [^\n]*\.c:[0-9]+$)", RE2::Latin1);
  std::string code;
  if (!RE2::PartialMatch(text, kCode, &code)) return "";
  RE2::GlobalReplace(&text, kCode, ":  ");
  RE2::GlobalReplace(&text, kPlace, "");
  return code;
}

Error refusal(const std::string& message, const std::string& sqlstate, Side side) {
  Error refused = Error(ErrorKind::kServer, message).on(side).sqlstate(sqlstate);
  for (const Refusal& known : kRefusals) {
    if (!sqlstate.empty() && sqlstate != known.sqlstate) continue;
    const bool is_the_only_one = sqlstate == sqlstate::kTooManyConnections || sqlstate == sqlstate::kCannotConnectNow;
    if (!is_the_only_one && message.find(known.text) == std::string::npos) continue;
    return refused.sqlstate(known.sqlstate).hint(known.hint);
  }
  const bool says_missing =
      message.find("database \"") != std::string::npos && message.find("does not exist") != std::string::npos;
  if (sqlstate == sqlstate::kInvalidCatalogName || (sqlstate.empty() && says_missing)) {
    refused.sqlstate(sqlstate::kInvalidCatalogName)
        .hint(side == Side::kTarget ? "create it first: CREATE DATABASE, with the source's encoding and locale"
                                    : "names are as the server has them, in their case ('psql -l' lists them)");
  }
  return refused;
}

struct ConnectHint {
  std::string_view text;
  std::string_view hint;
};
constexpr std::array<ConnectHint, 5> kConnectHints = {{
    {"no password supplied", "give a password by PGPASSWORD or ~/.pgpass"},
    {"could not translate host name", "check the spelling of the host and this machine's name resolution"},
    {"Connection refused", "check host and port, that the server runs, and its listen_addresses"},
    {"No such file or directory", "no server listens on this socket; give host and port"},
    {"timeout expired", "check host, port and the firewalls between"},
}};

}  // namespace

Connection::Connection(ConnInfo conninfo, const Log& log, const CancelToken& cancel)
    : conninfo_(std::move(conninfo)), state_(new State{conninfo_.side(), log, cancel}), native_(nullptr, &PQfinish) {}

void Connection::identify() {
  constexpr std::string_view kQuery =
      "SELECT pg_catalog.pg_backend_pid(), pg_catalog.current_database(), current_user, session_user";
  std::optional<Result> answer;
  try {
    answer = execute(kQuery);
  } catch (const Error& error) {
    // A standby runs nothing under the serializable isolation that may be its default.
    if (error.sqlstate() != sqlstate::kFeatureNotSupported) throw;
    execute("BEGIN TRANSACTION ISOLATION LEVEL READ COMMITTED, READ ONLY");
    answer = execute(kQuery);
    execute("COMMIT");
  }
  const Row row = (*answer)[0];
  identity_ = Identity{.pid = static_cast<int>(row.integer(0)),
                       .database = std::string(row.text(1)),
                       .user = std::string(row.text(2)),
                       .login = std::string(row.text(3))};
}

Connection Connection::open(const ConnInfo& conninfo, std::string_view purpose, const Log& log,
                            const CancelToken& cancel) {
  Connection connection(conninfo, log, cancel);
  connection.connect(purpose);
  return connection;
}

void Connection::connect(std::string_view purpose) {
  std::map<std::string, std::string, std::less<>> parameters = conninfo_.parameters_for_libpq();
  parameters["application_name"] = fmt::format("pgsluice: {}", purpose);
  std::vector<const char*> keys;
  std::vector<const char*> values;
  for (const auto& [key, value] : parameters) {
    keys.push_back(key.c_str());
    values.push_back(value.c_str());
  }
  keys.push_back(nullptr);
  values.push_back(nullptr);
  native_.reset(PQconnectStartParams(keys.data(), values.data(), 0));
  if (native_ == nullptr) throw Error(ErrorKind::kSystem, "out of memory");
  // libpq hands out the SQLSTATE of a refusal in no other way, and its text may be in any language.
  PQsetErrorVerbosity(handle(), PQERRORS_VERBOSE);
  PQsetNoticeReceiver(handle(), &Connection::receive_notice, state_.get());

  std::chrono::milliseconds limit = kDefaultConnectTimeout;
  const std::string given = conninfo_.get("connect_timeout").value_or("");
  int seconds = 0;
  std::from_chars(given.data(), given.data() + given.size(), seconds);
  if (seconds > 0) limit = std::chrono::seconds(std::max(seconds, 2));  // libpq's own least
  const std::string hosts = conninfo_.get("host").value_or("");
  limit *= 1 + std::count(hosts.begin(), hosts.end(), ',');
  const auto end = SteadyClock::now() + limit;

  PostgresPollingStatusType status = PGRES_POLLING_WRITING;
  while (status != PGRES_POLLING_OK) {
    if (status == PGRES_POLLING_FAILED || PQstatus(handle()) == CONNECTION_BAD) throw connection_error();
    std::array<WaitFor, 1> set{WaitFor{.fd = PQsocket(handle()),
                                       .want_read = status == PGRES_POLLING_READING,
                                       .want_write = status == PGRES_POLLING_WRITING}};
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - SteadyClock::now());
    if (wait(set, std::max(left, std::chrono::milliseconds(0))) == WaitResult::kTimeout) {
      throw Error(ErrorKind::kConnection, fmt::format("no answer from {} within {}", address(), format_duration(limit)))
          .on(side())
          .hint(kConnectHints.back().hint);
    }
    status = PQconnectPoll(handle());
  }
  PQsetErrorVerbosity(handle(), PQERRORS_DEFAULT);
  if (PQsetnonblocking(handle(), 1) != 0) throw connection_error();
}

void Connection::receive_notice(void* state, const PGresult* result) {
  take_notice(*static_cast<State*>(state), ServerMessage::of(result));
}

void Connection::take_notice(State& state, const ServerMessage& message) {
  message.write_to(state.log, state.side);
  constexpr std::size_t kMaxKept = 1000;  // they may never be taken
  if (message.severity == "WARNING" && state.warnings.size() < kMaxKept) state.warnings.push_back(message);
}

std::vector<ServerMessage> Connection::take_warnings() { return std::exchange(state_->warnings, {}); }

Error Connection::connection_error() const {
  if (native_ == nullptr) {
    return closed_for_.value_or(Error(ErrorKind::kConnection, "the connection was closed").on(side()));
  }
  std::string text = PQerrorMessage(handle());
  // libpq's own advice is a question on a line by itself; ours follows.
  if (const std::size_t question = text.find("\n\tIs the server running"); question != std::string::npos) {
    text.erase(question, text.find('\n', question + 1) - question);
  }
  const std::string sqlstate = take_sqlstate(text);
  const std::string message = one_line(text.c_str());
  if (!sqlstate.empty() || message.find("FATAL:") != std::string::npos) {
    return refusal(message, sqlstate, side());
  }
  // libpq itself, before it has tried: "invalid integer value "x" for connection option "port"".
  if (message.starts_with("invalid ")) {
    return Error(ErrorKind::kUsage, message).on(side()).hint("mend the connection string");
  }
  Error lost = Error(ErrorKind::kConnection, message.empty() ? "the connection was lost" : message).on(side());
  for (const ConnectHint& trouble : kConnectHints) {
    if (message.find(trouble.text) != std::string::npos) return lost.hint(trouble.hint);
  }
  return lost;
}

std::string Connection::parameter(const char* name) const {
  const char* value = PQparameterStatus(handle(), name);
  return value == nullptr ? "" : value;
}

bool Connection::wait_for_loss() {
  // The server says nothing on its own but notices, and that the session ends.
  std::array<WaitFor, 1> ended{WaitFor{.fd = PQsocket(handle()), .want_read = true}};
  while (wait_for(ended, state_->cancel, std::nullopt) != WaitResult::kCancelled) {
    PQconsumeInput(handle());
    if (!alive()) return true;
  }
  return false;
}

Error Connection::server_error(const PGresult* result) const {
  const ServerMessage message = ServerMessage::of(result);
  return message.text.empty() ? connection_error() : message.as_error(side());
}

void Connection::log_statement(std::string_view sql) const {
  if (state_->log.wants(LogLevel::kSql)) state_->log.sql(fmt::format("{}: {}", to_string(side()), sql));
}

WaitResult Connection::wait(std::span<WaitFor> set, std::optional<std::chrono::milliseconds> limit) const {
  const WaitResult result = wait_for(set, state_->cancel, limit);
  if (result == WaitResult::kCancelled) state_->cancel.throw_if_cancelled();
  return result;
}

// PQcancel opens a connection and waits as long as the kernel does: minutes for a host that has gone. So it has a
// thread of its own, which is left alone when it takes too long; it has all that it touches.
void Connection::send_cancel(std::shared_ptr<PGcancel> request) const {
  if (request == nullptr) return;
  struct Outcome {
    std::mutex mutex;
    std::condition_variable ended;
    bool done = false;
    std::string reason;
  };
  const auto outcome = std::make_shared<Outcome>();
  const auto send = [request = std::move(request), outcome] {
    std::array<char, 256> reason{};
    const bool sent = PQcancel(request.get(), reason.data(), static_cast<int>(reason.size())) != 0;
    const std::lock_guard lock(outcome->mutex);
    if (!sent) outcome->reason = reason.data();
    outcome->done = true;
    outcome->ended.notify_all();
  };
  try {
    std::thread(send).detach();
  } catch (const std::system_error&) {
    send();  // better late than not at all
  }
  std::unique_lock lock(outcome->mutex);
  if (!outcome->ended.wait_for(lock, kCancelLimit, [&] { return outcome->done; })) {
    outcome->reason = "no answer";
  }
  if (outcome->reason.empty()) return;
  state_->log.debug(
      fmt::format("{}: the running statement could not be cancelled: {}", to_string(side()), outcome->reason));
}

void Connection::cancel_statement() { send_cancel({PQgetCancel(handle()), &PQfreeCancel}); }

void Connection::close(const Error& reason) {
  closed_for_ = reason;
  native_.reset();
}

void Connection::close_and_cancel() {
  std::shared_ptr<PGcancel> request(PQgetCancel(handle()), &PQfreeCancel);
  // Over TCP the server is told at once, and not only in answer to what it sends.
  const linger at_once{1, 0};
  ::setsockopt(PQsocket(handle()), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  close();
  send_cancel(std::move(request));
}

void Connection::abandon() {
  cancel_statement();
  // Give the server a moment to end the statement, so that no session is left at work behind us.
  const auto end = SteadyClock::now() + kCancelGrace;
  while (PQstatus(handle()) == CONNECTION_OK && SteadyClock::now() < end) {
    if (PQisBusy(handle()) == 0) {
      const Result next(PQgetResult(handle()));
      const ExecStatusType status = PQresultStatus(next.native());
      if (next.native() == nullptr || status == PGRES_COPY_IN || status == PGRES_COPY_OUT) break;
      continue;
    }
    std::array<WaitFor, 1> set{WaitFor{.fd = PQsocket(handle()), .want_read = true}};
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - SteadyClock::now());
    if (wait_for(set, {}, left) != WaitResult::kReady || PQconsumeInput(handle()) == 0) break;
  }
  throw Error(ErrorKind::kCancelled, "cancelled").on(side());
}

void Connection::flush() {
  while (true) {
    const int pending = PQflush(handle());
    if (pending == 0) return;
    if (pending < 0) throw connection_error();
    std::array<WaitFor, 1> set{WaitFor{.fd = PQsocket(handle()), .want_read = true, .want_write = true}};
    if (wait_for(set, state_->cancel, std::nullopt) == WaitResult::kCancelled) abandon();
    if (set[0].readable && PQconsumeInput(handle()) == 0) throw connection_error();
  }
}

std::optional<Result> Connection::take_result() {
  flush();
  while (PQisBusy(handle()) != 0) {
    std::array<WaitFor, 1> set{WaitFor{.fd = PQsocket(handle()), .want_read = true}};
    if (wait_for(set, state_->cancel, std::nullopt) == WaitResult::kCancelled) abandon();
    if (PQconsumeInput(handle()) == 0) throw connection_error();
  }
  Result result(PQgetResult(handle()));
  switch (PQresultStatus(result.native())) {
    case PGRES_FATAL_ERROR:
    case PGRES_BAD_RESPONSE:
    case PGRES_NONFATAL_ERROR: {
      if (result.native() == nullptr) return std::nullopt;
      Error error = server_error(result.native());
      // The session is idle only after the answers after the error.
      while (alive() && PQtransactionStatus(handle()) == PQTRANS_ACTIVE) {
        try {
          if (!take_result()) break;
        } catch (const Error& tail) {
          if (tail.poisons_connection()) throw;
        }
      }
      throw error;
    }
    default:
      return result;
  }
}

Result Connection::last_result() {
  std::optional<Result> last;
  while (std::optional<Result> next = take_result()) last = std::move(next);
  if (!last) throw connection_error();
  return std::move(*last);
}

Result Connection::execute(std::string_view sql) {
  log_statement(sql);
  return run(sql);
}

Result Connection::execute_unlogged(std::string_view sql, std::string_view description) {
  log_statement(fmt::format("({})", description));
  return run(sql);
}

Result Connection::run(std::string_view sql) {
  state_->cancel.throw_if_cancelled();
  if (PQsendQuery(handle(), std::string(sql).c_str()) == 0) throw connection_error();
  return last_result();
}

Result Connection::execute(std::string_view sql, std::span<const std::string> parameters) {
  state_->cancel.throw_if_cancelled();
  log_statement(sql);
  std::vector<const char*> values;
  for (const std::string& parameter : parameters) values.push_back(parameter.c_str());
  if (PQsendQueryParams(handle(), std::string(sql).c_str(), static_cast<int>(values.size()), nullptr, values.data(),
                        nullptr, nullptr, 0) == 0) {
    throw connection_error();
  }
  return last_result();
}

void Connection::start_copy(std::string_view sql) {
  state_->cancel.throw_if_cancelled();
  log_statement(sql);
  if (PQsendQuery(handle(), std::string(sql).c_str()) == 0) throw connection_error();
  std::optional<Result> started = take_result();
  const auto status_of = [](const std::optional<Result>& result) {
    return result ? PQresultStatus(result->native()) : PGRES_FATAL_ERROR;
  };
  // The answers to what stands before the COPY.
  while (status_of(started) == PGRES_COMMAND_OK || status_of(started) == PGRES_TUPLES_OK) started = take_result();
  const ExecStatusType status = status_of(started);
  if (status != PGRES_COPY_IN && status != PGRES_COPY_OUT) {
    throw Error(ErrorKind::kInternal, "the server did not begin the COPY").on(side());
  }
}

std::string Connection::server_version_text() const {
  const char* text = PQparameterStatus(handle(), "server_version");
  return text == nullptr ? "unknown" : text;
}

ConnInfo Connection::pinned_conninfo() const {
  const auto text = [](const char* value) { return std::string_view(value == nullptr ? "" : value); };
  ConnInfo pinned = conninfo_.with("port", text(PQport(handle())));
  const std::string_view host = text(PQhost(handle()));
  const std::string_view address = text(PQhostaddr(handle()));
  if (!host.empty()) pinned = pinned.with("host", host);
  if (!address.empty()) pinned = pinned.with("hostaddr", address);
  return pinned;
}

std::string Connection::address() const {
  const auto text = [](const char* value) { return std::string_view(value == nullptr ? "" : value); };
  const std::string_view host = text(PQhost(handle()));
  if (!host.empty() && host.front() == '/') return fmt::format("{} (port {})", host, text(PQport(handle())));
  return fmt::format("{}:{}", host.empty() ? text(PQhostaddr(handle())) : host, text(PQport(handle())));
}

}  // namespace pgsluice::pg
