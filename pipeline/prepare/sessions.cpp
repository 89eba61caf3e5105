#include "pipeline/prepare/sessions.h"

#include <fmt/format.h>

#include <cstdlib>

#include "pg/session_proof.h"
#include "pg/session_settings.h"
#include "pgsluice/error.h"
#include "pipeline/plan/options.h"

namespace pgsluice::pipeline {

pg::ConnInfo parse_conninfo(const std::string& text, Side side) {
  if (text.empty()) {
    throw Error(ErrorKind::kUsage, fmt::format("no {} was given", to_string(side))).remedy(Remedy::kNameServers);
  }
  return pg::ConnInfo::parse(text, side);
}

pg::ConnInfo conninfo_of(const Endpoints& servers, Side side) {
  const pg::ConnInfo given = parse_conninfo(side == Side::kSource ? servers.source : servers.target, side);
  return servers.database.empty() ? given : given.with("dbname", servers.database);
}

pg::ConnInfo conninfo_of_server(const std::string& text, Side side) {
  const pg::ConnInfo conninfo = parse_conninfo(text, side);
  const bool is_named = conninfo.get("dbname") || std::getenv("PGDATABASE") != nullptr || conninfo.get("service");
  return is_named ? conninfo : conninfo.with("dbname", "postgres");
}

std::string server_encoding(const pg::Connection& connection) {
  const std::string encoding = connection.parameter("server_encoding");
  return encoding.empty() ? "UTF8" : encoding;
}

pg::Connection open_reader(const pg::ConnInfo& conninfo, std::string_view purpose, std::string_view encoding,
                           const Log& log, const CancelToken& cancel) {
  pg::Connection connection = pg::Connection::open(conninfo, purpose, log, cancel);
  pg::apply_session_settings(connection, pg::SessionPurpose::kRead,
                             encoding.empty() ? server_encoding(connection) : encoding);
  pg::act_as_login_role(connection);
  return connection;
}

pg::Connection open_session(const pg::ConnInfo& pinned, std::string_view purpose, std::string_view encoding,
                            const Log& log, const CancelToken& cancel) {
  if (pinned.side() == Side::kSource) return open_reader(pinned, purpose, encoding, log, cancel);
  pg::Connection connection = pg::Connection::open(pinned, purpose, log, cancel);
  // Bytes of a SQL_ASCII source are in no known encoding. Under client_encoding SQL_ASCII the target would take them
  // unchecked; under its own encoding it refuses those that are not valid there.
  const bool unchecked = encoding == "SQL_ASCII";
  pg::apply_session_settings(connection, pg::SessionPurpose::kWrite,
                             unchecked ? server_encoding(connection) : encoding);
  return connection;
}

}  // namespace pgsluice::pipeline
