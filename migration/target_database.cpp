#include "pgsluice/migration/target_database.h"

#include <fmt/format.h>

#include <array>

#include "pgsluice/pg/quote.h"

namespace pgsluice::migration {

namespace {

constexpr int kForce = 130000;  // DROP DATABASE … WITH (FORCE)

}  // namespace

std::set<std::string> database_names(pg::Connection& server) {
  std::set<std::string> names;
  for (const pg::Row row : server.execute("SELECT datname FROM pg_catalog.pg_database")) names.emplace(row.text(0));
  return names;
}

void drop_database(pg::Connection& server, const std::string& name) {
  const std::string quoted = pg::quote_identifier(name);
  try {
    if (server.server_version() >= kForce) {
      server.execute(fmt::format("DROP DATABASE IF EXISTS {} WITH (FORCE)", quoted));
      return;
    }
    const std::array<std::string, 1> parameters = {name};
    server.execute(
        "SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity"
        " WHERE datname = $1 AND pid <> pg_catalog.pg_backend_pid()",
        parameters);
    server.execute(fmt::format("DROP DATABASE IF EXISTS {}", quoted));
  } catch (Error& error) {
    error.object("database " + pg::display_name("", name)).step("dropping the database");
    if (error.kind() == ErrorKind::kServer) {
      error.hint("its owner, a superuser, or a role that owns it may drop it; end its sessions before");
    }
    throw;
  }
}

void make_over(pg::Connection& server, const std::string& name, const std::string& create_sql) {
  drop_database(server, name);
  try {
    server.execute(create_sql);
  } catch (Error& error) {
    error.object("database " + pg::display_name("", name)).step("making the database");
    if (error.kind() == ErrorKind::kServer) {
      error.hint("the user needs CREATEDB, and the server the source's locale");
    }
    throw;
  }
}

}  // namespace pgsluice::migration
