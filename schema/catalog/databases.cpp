#include "schema/catalog/databases.h"

#include <fmt/format.h>

#include <array>

#include "pg/quote.h"
#include "pg/version.h"
#include "schema/catalog/inventory.h"

namespace pgsluice::schema {

namespace {}  // namespace

namespace {

std::vector<Database> read_where(pg::Connection& connection, std::string_view condition) {
  const int version = connection.server_version();
  // The server knows neither size nor privileges of a database that is half dropped, or dropped at this moment: null.
  const pg::Result rows = connection.execute(fmt::format(
      "SELECT datname, pg_catalog.pg_get_userbyid(datdba), pg_catalog.pg_encoding_to_char(encoding), {}, datcollate, "
      "datctype, {}, {}, spcname, may, "
      "datconnlimit = -2,"
      "       coalesce(CASE WHEN may THEN pg_catalog.pg_database_size(d.id) END, 0) AS size, datallowconn"
      "  FROM (SELECT d.*, d.oid AS id, s.spcname,"  // before 12 a star leaves the oid out
      "               coalesce(d.datallowconn AND d.datconnlimit <> -2"
      "                        AND pg_catalog.has_database_privilege(d.oid, 'CONNECT'), false) AS may"
      "          FROM pg_catalog.pg_database d LEFT JOIN pg_catalog.pg_tablespace s ON s.oid = d.dattablespace"
      "         WHERE {}) d"
      " ORDER BY size DESC, datname",
      version >= pg::since::kLocaleProviders ? "datlocprovider" : "'c'",
      version >= pg::since::kOneLocale         ? "datlocale"
      : version >= pg::since::kLocaleProviders ? "daticulocale"
                                               : "NULL",
      version >= pg::since::kIcuRules ? "daticurules" : "NULL", condition));
  std::vector<Database> databases;
  for (const pg::Row row : rows) {
    const std::string tablespace = row.optional_text(8).value_or("");
    databases.push_back({.name = std::string(row.text(0)),
                         .owner = std::string(row.text(1)),
                         .encoding = std::string(row.text(2)),
                         .locale_provider = row.text(3).front(),
                         .collate = row.optional_text(4).value_or(""),
                         .ctype = row.optional_text(5).value_or(""),
                         .locale = row.optional_text(6).value_or(""),
                         .icu_rules = row.optional_text(7).value_or(""),
                         .tablespace = tablespace == "pg_default" ? "" : tablespace,
                         .may_connect = row.boolean(9),
                         .allows_connections = row.boolean(12),
                         .half_dropped = row.boolean(10),
                         .size = {row.integer(11)}});
  }
  return databases;
}

}  // namespace

std::vector<Database> read_databases(pg::Connection& connection) {
  return read_where(connection, "NOT d.datistemplate");
}

Database read_own_database(pg::Connection& connection) {
  return read_where(connection, "d.datname = pg_catalog.current_database()").at(0);
}

std::string create_sql(const Database& database, int target_version, bool tablespaces) {
  std::string sql = fmt::format("CREATE DATABASE {} TEMPLATE template0 ENCODING {}",
                                pg::quote_identifier(database.name), pg::quote_literal(database.encoding));
  const auto add = [&](std::string_view word, const std::string& value) {
    if (!value.empty()) sql += fmt::format(" {} {}", word, pg::quote_literal(value));
  };
  if (target_version >= pg::since::kLocaleProviders) {
    sql += " LOCALE_PROVIDER ";
    sql += database.locale_provider == 'i' ? "icu" : database.locale_provider == 'b' ? "builtin" : "libc";
  }
  add("LC_COLLATE", database.collate);
  add("LC_CTYPE", database.ctype);
  if (database.locale_provider == 'i') add("ICU_LOCALE", database.locale);
  if (database.locale_provider == 'b') add("BUILTIN_LOCALE", database.locale);
  add("ICU_RULES", database.icu_rules);
  if (tablespaces && !database.tablespace.empty()) sql += " TABLESPACE " + pg::quote_identifier(database.tablespace);
  return sql;
}

void give_to_owner(pg::Connection& target, const Database& database) {
  const std::array<std::string, 1> owner = {database.owner};
  if (!may_act_for(target, database.owner) ||
      target
          .execute("SELECT FROM pg_catalog.pg_roles WHERE rolname = $1 AND pg_catalog.pg_has_role(oid, 'USAGE')", owner)
          .empty()) {
    return;
  }
  target.execute(fmt::format("ALTER DATABASE {} OWNER TO {}", pg::quote_identifier(database.name),
                             pg::quote_identifier(database.owner)));
}

}  // namespace pgsluice::schema
