#include "pg/server_identity.h"

#include <fmt/format.h>

#include "pg/quote.h"
#include "pg/snapshot.h"

namespace pgsluice::pg {

ServerIdentity server_identity(Connection& connection) {
  const Result answer = connection.execute(
      // As a number: the two sessions may write times in different ways.
      "SELECT (extract(epoch FROM pg_catalog.pg_postmaster_start_time()) * 1000000)::bigint, oid,"
      " pg_catalog.pg_is_in_recovery()"
      " FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()");
  return {.system_identifier = system_identifier(connection),
          .started = std::string(answer[0].text(0)),
          .database = answer[0].oid(1),
          .in_recovery = answer[0].boolean(2)};
}

namespace {

// Users who may not read it know less, and are not another server for that.
bool may_be_one_system(const ServerIdentity& a, const ServerIdentity& b) {
  return a.system_identifier.empty() || b.system_identifier.empty() || a.system_identifier == b.system_identifier;
}

bool is_one_server(const ServerIdentity& a, const ServerIdentity& b) {
  return a.started == b.started && may_be_one_system(a, b);
}

std::int64_t timeline(Connection& connection) {
  return connection.execute("SELECT timeline_id FROM pg_catalog.pg_control_checkpoint()")[0].integer(0);
}

// The timeline that a standby receives at this moment; nullopt where it reads an archive, or this user may not know.
std::optional<std::int64_t> received_timeline(Connection& standby) {
  const Result answer = standby.execute(
      "SELECT received_tli FROM pg_catalog.pg_stat_get_wal_receiver() WHERE status = 'streaming' AND received_tli > 0");
  if (answer.empty()) return std::nullopt;
  return answer[0].integer(0);
}

// A copy that was promoted has a timeline of its own since, but a standby that follows it writes that down only at its
// next restartpoint. So an older timeline than the target's proves nothing by itself.
bool may_replay(Connection& source, const ServerIdentity& from, Connection& target, const ServerIdentity& into) {
  const bool is_standby_of_system = from.in_recovery && !into.in_recovery && !from.system_identifier.empty() &&
                                    from.system_identifier == into.system_identifier;
  if (!is_standby_of_system) return false;
  const std::int64_t written = timeline(target);
  if (const std::optional<std::int64_t> received = received_timeline(source)) return *received == written;
  return timeline(source) <= written;
}

}  // namespace

std::optional<std::string> why_not_apart(Connection& source, Connection& target, Reach reach) {
  const ServerIdentity from = server_identity(source);
  const ServerIdentity into = server_identity(target);
  if (reach == Reach::kDatabase && from.database != into.database) return std::nullopt;
  const std::string what = reach == Reach::kServer ? fmt::format("server, {}", target.address())
                                                   : fmt::format("database, {} at {}",
                                                                 display_name("", target.database()), target.address());
  if (is_one_server(from, into)) return "source and target are the same " + what;
  if (!may_replay(source, from, target, into)) return std::nullopt;
  return fmt::format(
      "the source is a standby of the target: it replays what is done to the {}; a database that was made anew on the "
      "target, or one of another name, may be copied to",
      what);
}

}  // namespace pgsluice::pg
