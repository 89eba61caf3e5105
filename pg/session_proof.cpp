#include "pg/session_proof.h"

#include <fmt/format.h>

#include <array>
#include <chrono>
#include <string>

#include "base/duration.h"
#include "base/sqlstate.h"
#include "pgsluice/error.h"

namespace pgsluice::pg {

namespace {

constexpr std::chrono::seconds kProbeLimit{5};
constexpr int kProbes = 5;

enum class Pooling { kSession, kTransaction, kStatement };

// Waits for the answer to a statement for a bounded time: in session mode a full pool keeps the second connection
// waiting for the first one's server process. nullopt when the time is over.
std::optional<Result> execute_within(Connection& connection, const char* sql, std::chrono::milliseconds limit) {
  const auto end = SteadyClock::now() + limit;
  if (PQsendQuery(connection.handle(), sql) == 0) throw connection.connection_error();
  while (PQflush(connection.handle()) > 0 || PQisBusy(connection.handle()) != 0) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - SteadyClock::now());
    std::array<WaitFor, 1> set{WaitFor{.fd = PQsocket(connection.handle()), .want_read = true}};
    if (left.count() <= 0 || connection.wait(set, left) == WaitResult::kTimeout) return std::nullopt;
    if (PQconsumeInput(connection.handle()) == 0) throw connection.connection_error();
  }
  std::optional<Result> last;
  while (std::optional<Result> next = connection.take_result()) last = std::move(next);
  return last;
}

std::optional<std::int64_t> pid_within(Connection& connection) {
  const std::optional<Result> answer = execute_within(connection, "SELECT pg_catalog.pg_backend_pid()", kProbeLimit);
  return answer && !answer->empty() ? std::optional((*answer)[0].integer(0)) : std::nullopt;
}

// True if server processes move between this connection and another one that asks for the same. Each try begins a
// transaction, which keeps a process to itself: where the pool is shared, sooner or later it is the first one's.
Pooling find_pooling(Connection& connection) {
  Connection other = Connection::open(connection.pinned_conninfo(), "probe of the pooler", connection.log(),
                                      connection.cancel_token());
  std::optional<std::int64_t> first;
  for (int probe = 0; probe < kProbes; ++probe) {
    try {
      if (!execute_within(other, "BEGIN TRANSACTION READ ONLY", kProbeLimit)) return Pooling::kSession;
    } catch (const Error& error) {
      // Only a pooler refuses transactions, and by this code.
      if (error.sqlstate() == sqlstate::kProtocolViolation) return Pooling::kStatement;
      throw;
    }
    const std::optional<std::int64_t> pid = pid_within(other);
    if (!pid) return Pooling::kSession;
    if (!first) first = pid;
    if (*pid == connection.backend_pid() || pid != first) return Pooling::kTransaction;
    const Result own = connection.execute("SELECT pg_catalog.pg_backend_pid()");
    if (own[0].integer(0) != connection.backend_pid()) return Pooling::kTransaction;
    other.execute("ROLLBACK");
  }
  return Pooling::kSession;
}

}  // namespace

void require_one_session(Connection& connection) {
  connection.identify();
  if (PQbackendPID(connection.handle()) == connection.backend_pid()) return;
  connection.log().debug(fmt::format("{}: there is a pooler before the server", to_string(connection.side())));
  const Pooling pooling = find_pooling(connection);
  if (pooling == Pooling::kSession) return;
  throw Error(ErrorKind::kConfig,
              fmt::format("{} is a connection pooler in {} mode (PgBouncer, or one like it), where a session's "
                          "settings, locks and snapshot do not hold",
                          connection.address(), pooling == Pooling::kStatement ? "statement" : "transaction"))
      .on(connection.side())
      .hint("connect to the server itself, or to a pool in session mode (pool_mode = session)");
}

void act_as_login_role(Connection& connection) {
  if (!connection.acts_for_another_role()) return;
  // A role that sees past row-level security by itself may see more than its members do.
  const Result answer = connection.execute(
      "SELECT pg_catalog.pg_has_role(session_user, current_user, 'USAGE')"
      " AND NOT (SELECT rolsuper OR rolbypassrls FROM pg_catalog.pg_roles WHERE rolname = current_user)");
  if (!answer[0].boolean(0)) return;
  connection.execute("SET ROLE NONE");
  connection.identify();
}

Result execute_as_login_role(Connection& connection, std::string_view sql) {
  if (!connection.acts_for_another_role()) return connection.execute(sql);
  connection.execute("SET ROLE NONE");
  try {
    Result result = connection.execute(sql);
    connection.execute("RESET ROLE");
    return result;
  } catch (const Error& error) {
    if (!error.poisons_connection() && !connection.transaction_failed()) connection.execute("RESET ROLE");
    throw;
  }
}

}  // namespace pgsluice::pg
