#include "pg/advisory_lock.h"

#include <fmt/format.h>

#include <chrono>
#include <string>

#include "base/wait.h"

namespace pgsluice::pg {

namespace {

constexpr int kOurs = 1885827948;  // "pgsl"
constexpr std::chrono::milliseconds kBetweenTries{50};

std::string held_by_others(AdvisoryLock lock) {
  return fmt::format(
      "FROM pg_catalog.pg_locks l WHERE l.locktype = 'advisory' AND l.granted AND l.classid = {} AND l.objid = {}"
      " AND l.objsubid = 2 AND l.pid <> pg_catalog.pg_backend_pid()",
      kOurs, static_cast<int>(lock));
}

}  // namespace

bool try_lock(Connection& connection, AdvisoryLock lock) {
  return connection
      .execute(fmt::format("SELECT pg_catalog.pg_try_advisory_lock({}, {})", kOurs, static_cast<int>(lock)))[0]
      .boolean(0);
}

std::string lock_in_transaction_sql(AdvisoryLock lock) {
  return fmt::format("SELECT pg_catalog.pg_advisory_xact_lock({}, {})", kOurs, static_cast<int>(lock));
}

bool lock_soon(Connection& connection, AdvisoryLock lock) {
  constexpr std::chrono::seconds kLimit{2};
  const auto end = std::chrono::steady_clock::now() + kLimit;
  while (!try_lock(connection, lock)) {
    if (std::chrono::steady_clock::now() >= end) return false;
    pause(connection.cancel_token(), kBetweenTries);
  }
  return true;
}

bool lock_on_server(Connection& connection, AdvisoryLock lock) {
  constexpr std::chrono::seconds kLimit{3};
  const auto end = std::chrono::steady_clock::now() + kLimit;
  bool is_mine = false;
  while (true) {
    is_mine = is_mine || try_lock(connection, lock);
    if (is_mine && !is_held_by_another(connection, lock)) return true;
    if (std::chrono::steady_clock::now() >= end) return false;
    pause(connection.cancel_token(), kBetweenTries);
  }
}

std::optional<int> holder_in_this_database(Connection& connection, AdvisoryLock lock) {
  const Result holders =
      connection.execute(fmt::format("SELECT l.pid {} AND l.database = (SELECT oid FROM pg_catalog.pg_database"
                                     " WHERE datname = pg_catalog.current_database())",
                                     held_by_others(lock)));
  if (holders.empty()) return std::nullopt;
  return static_cast<int>(holders[0].integer(0));
}

bool is_held_by_another(Connection& connection, AdvisoryLock lock) {
  return connection.execute(fmt::format("SELECT EXISTS (SELECT {})", held_by_others(lock)))[0].boolean(0);
}

}  // namespace pgsluice::pg
