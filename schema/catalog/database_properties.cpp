#include "schema/catalog/database_properties.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "pg/quote.h"

namespace pgsluice::schema {

namespace {

using pg::quote_identifier;
using pg::quote_literal;

// Settings whose value is a list of names that are quoted already (GUC_LIST_QUOTE): each is a literal of its own.
constexpr std::array<std::string_view, 7> kQuotedLists = {
    "local_preload_libraries", "search_path",           "session_preload_libraries", "shared_preload_libraries",
    "temp_tablespaces",        "createrole_self_grant", "unix_socket_directories"};

std::string setting_value(std::string_view name, std::string_view value) {
  if (std::find(kQuotedLists.begin(), kQuotedLists.end(), name) == kQuotedLists.end()) return quote_literal(value);
  return pg::quote_list(value);
}

void add_general(pg::Connection& source, const std::string& database, const RestoreOptions& options,
                 std::vector<DatabaseProperty>& properties) {
  const pg::Result result = source.execute(
      "SELECT pg_catalog.pg_get_userbyid(d.datdba), d.datconnlimit, d.datistemplate,"
      " pg_catalog.shobj_description(d.oid, 'pg_database')"
      " FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database()");
  const pg::Row row = result[0];
  if (options.owners && !options.out_of_reach.contains(row.text(0))) {
    properties.push_back({"owner of the database",
                          fmt::format("ALTER DATABASE {} OWNER TO {}", database, quote_identifier(row.text(0)))});
  }
  if (row.integer(1) >= 0) {
    properties.push_back({"connection limit of the database",
                          fmt::format("ALTER DATABASE {} CONNECTION LIMIT {}", database, row.integer(1))});
  }
  if (row.boolean(2)) {
    properties.push_back(
        {"template flag of the database", fmt::format("ALTER DATABASE {} IS_TEMPLATE true", database)});
  }
  if (const std::optional<std::string> comment = row.optional_text(3); comment && options.comments) {
    properties.push_back(
        {"comment on the database", fmt::format("COMMENT ON DATABASE {} IS {}", database, quote_literal(*comment))});
  }
  for (const pg::Row label :
       source.execute("SELECT l.provider, l.label FROM pg_catalog.pg_shseclabel l"
                      " JOIN pg_catalog.pg_database d ON d.oid = l.objoid AND d.datname = pg_catalog.current_database()"
                      " WHERE l.classoid = 'pg_catalog.pg_database'::pg_catalog.regclass ORDER BY 1")) {
    properties.push_back({fmt::format("security label {} of the database", label.text(0)),
                          fmt::format("SECURITY LABEL FOR {} ON DATABASE {} IS {}", quote_identifier(label.text(0)),
                                      database, quote_literal(label.text(1)))});
  }
}

void add_settings(pg::Connection& source, const std::string& database, std::vector<DatabaseProperty>& properties) {
  for (const pg::Row row : source.execute(
           "SELECT s.setrole = 0, pg_catalog.pg_get_userbyid(s.setrole), c.setting"
           " FROM pg_catalog.pg_db_role_setting s"
           " JOIN pg_catalog.pg_database d ON d.oid = s.setdatabase AND d.datname = pg_catalog.current_database(),"
           " pg_catalog.unnest(s.setconfig) WITH ORDINALITY AS c(setting, position)"
           " ORDER BY s.setrole <> 0, 2, c.position")) {
    const std::string_view setting = row.text(2);
    const std::size_t equals = std::min(setting.find('='), setting.size());
    const std::string_view name = setting.substr(0, equals);
    const std::string_view value = setting.substr(std::min(equals + 1, setting.size()));
    const std::string role = std::string(row.text(1));
    // An extension's setting has a name of two parts.
    const std::size_t dot = name.find('.');
    const std::string quoted_name = dot == std::string_view::npos
                                        ? quote_identifier(name)
                                        : pg::quote_qualified(name.substr(0, dot), name.substr(dot + 1));
    const bool of_database = row.boolean(0);
    properties.push_back(
        {of_database ? fmt::format("setting {} of the database", name)
                     : fmt::format("setting {} of role {} in the database", name, role),
         fmt::format("ALTER {} SET {} TO {}",
                     of_database ? "DATABASE " + database
                                 : fmt::format("ROLE {} IN DATABASE {}", quote_identifier(role), database),
                     quoted_name, setting_value(name, value))});
  }
}

void add_acl(pg::Connection& source, const std::string& database, const RestoreOptions& options,
             std::vector<DatabaseProperty>& properties) {
  const pg::Row owner = source.execute(
      "SELECT datacl IS NULL, pg_catalog.pg_get_userbyid(datdba) FROM pg_catalog.pg_database"
      " WHERE datname = pg_catalog.current_database()")[0];
  if (owner.boolean(0)) return;
  const std::vector<Grant> grants = read_grants(source, {.catalog = "pg_database",
                                                         .acl = "datacl",
                                                         .owner = "datdba",
                                                         .condition = "datname = pg_catalog.current_database()"});
  properties.push_back({"privileges on the database", acl_sql("DATABASE " + database, owner.text(1), grants, options),
                        grantors_out_of_reach(grants, options)});
}

}  // namespace

std::vector<DatabaseProperty> read_database_properties(pg::Connection& source, std::string_view target_database,
                                                       const RestoreOptions& options) {
  const std::string database = quote_identifier(target_database);
  std::vector<DatabaseProperty> properties;
  add_general(source, database, options, properties);
  if (options.acls) add_acl(source, database, options, properties);
  add_settings(source, database, properties);
  return properties;
}

std::vector<std::string> read_freezes(pg::Connection& source, std::string_view target_database) {
  const std::string database = quote_identifier(target_database);
  const pg::Result result = source.execute(R"sql(
    SELECT d.datconnlimit,
           EXISTS (SELECT FROM pg_catalog.pg_db_role_setting s, pg_catalog.unnest(s.setconfig) c
                    WHERE s.setdatabase = d.oid AND s.setrole = 0 AND c ~* '^default_transaction_read_only=(on|true|yes|1)$'),
           EXISTS (SELECT FROM pg_catalog.aclexplode(coalesce(d.datacl, pg_catalog.acldefault('d', d.datdba))) a
                    WHERE a.privilege_type = 'CONNECT' AND a.grantee <> d.datdba)
      FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database())sql");
  std::vector<std::string> freezes;
  const auto add = [&](std::string_view what, const std::string& statement) {
    freezes.push_back(fmt::format("the source database {}, and so will the new one: {}, before applications use it",
                                  what, statement));
  };
  if (result[0].boolean(1)) {
    add("refuses writes (default_transaction_read_only)",
        fmt::format("ALTER DATABASE {} RESET default_transaction_read_only", database));
  }
  for (const pg::Row role : source.execute(
           "SELECT DISTINCT pg_catalog.pg_get_userbyid(s.setrole) FROM pg_catalog.pg_db_role_setting s"
           " JOIN pg_catalog.pg_database d ON d.oid = s.setdatabase AND d.datname = pg_catalog.current_database(),"
           " pg_catalog.unnest(s.setconfig) c"
           " WHERE s.setrole <> 0 AND c ~* '^default_transaction_read_only=(on|true|yes|1)$' ORDER BY 1")) {
    add(fmt::format("refuses writes of {} (default_transaction_read_only)", pg::display_name("", role.text(0))),
        fmt::format("ALTER ROLE {} IN DATABASE {} RESET default_transaction_read_only", quote_identifier(role.text(0)),
                    database));
  }
  if (result[0].integer(0) == 0) {
    add("admits no sessions (CONNECTION LIMIT 0)", fmt::format("ALTER DATABASE {} CONNECTION LIMIT -1", database));
  }
  if (!result[0].boolean(2)) {
    add("admits its owner only (CONNECT was revoked)", fmt::format("GRANT CONNECT ON DATABASE {} TO PUBLIC", database));
  }
  return freezes;
}

std::optional<DatabaseProperty> drop_of_public_schema(pg::Connection& source, pg::Connection& target) {
  if (!source.execute("SELECT FROM pg_catalog.pg_namespace WHERE nspname = 'public'").empty()) return std::nullopt;
  const pg::Result droppable = target.execute(
      "SELECT FROM pg_catalog.pg_namespace n WHERE n.nspname = 'public' AND pg_catalog.pg_has_role(n.nspowner, 'USAGE')"
      " AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d"
      "   WHERE d.refclassid = 'pg_catalog.pg_namespace'::pg_catalog.regclass AND d.refobjid = n.oid)");
  if (droppable.empty()) return std::nullopt;
  return DatabaseProperty{"absence of the schema public", "DROP SCHEMA public RESTRICT"};
}

}  // namespace pgsluice::schema
