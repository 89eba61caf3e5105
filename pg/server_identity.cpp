#include "pgsluice/pg/server_identity.h"

#include <fmt/format.h>

#include "pgsluice/pg/quote.h"
#include "pgsluice/pg/snapshot.h"

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

// A copy that was promoted has a timeline of its own since.
bool replays(Connection& source, const ServerIdentity& from, Connection& target, const ServerIdentity& into) {
  const bool may_replay = from.in_recovery && !into.in_recovery && !from.system_identifier.empty() &&
                          from.system_identifier == into.system_identifier;
  if (!may_replay) return false;
  const char* timeline = "SELECT timeline_id FROM pg_catalog.pg_control_checkpoint()";
  return source.execute(timeline)[0].integer(0) == target.execute(timeline)[0].integer(0);
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
  if (!replays(source, from, target, into)) return std::nullopt;
  return "the source is a standby of the target: it replays what is done to the " + what;
}

}  // namespace pgsluice::pg
