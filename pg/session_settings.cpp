#include "pg/session_settings.h"

#include <fmt/format.h>

#include <set>
#include <string>
#include <vector>

#include "pg/quote.h"
#include "pg/session_proof.h"
#include "pgsluice/error.h"

namespace pgsluice::pg {

namespace {

enum class Needed { kAlways, kWhereKnown };

struct Setting {
  std::string_view name;
  std::string_view value;
  Needed needed;
};

// Limits of a session. On the target these are the ones that pg_restore sets, and those that users'
// expressions do not depend on.
constexpr Setting kBoth[] = {
    {"search_path", "", Needed::kAlways},         // names of types and functions are written out in full
    {"row_security", "off", Needed::kAlways},     // an error instead of a part of the rows
    {"default_tablespace", "", Needed::kAlways},  // set for each object
    {"client_min_messages", "notice", Needed::kAlways},
    {"default_transaction_isolation", "read committed", Needed::kAlways},  // the snapshot's asks for its own
    {"statement_timeout", "0", Needed::kAlways},                           // a COPY takes as long as it takes
    {"lock_timeout", "0", Needed::kAlways},
    {"idle_in_transaction_session_timeout", "0", Needed::kWhereKnown},  // 9.6
    {"idle_session_timeout", "0", Needed::kWhereKnown},                 // 14
    {"transaction_timeout", "0", Needed::kWhereKnown},                  // 17
    {"tcp_keepalives_idle", "10", Needed::kWhereKnown},                 // the server, too, finds out that we are gone
    {"tcp_keepalives_interval", "10", Needed::kWhereKnown},
    {"tcp_keepalives_count", "60", Needed::kWhereKnown},
    {"client_connection_check_interval", "2000", Needed::kWhereKnown},  // 14; not of all systems that servers run on
    {"jit", "off", Needed::kWhereKnown},  // 11; compiling a query on the catalogs takes longer than running it
};

// A client that does not read for a while is no dead one: a copy that is paused takes nothing from the source, and the
// kernel counts that for this timeout. Probes of a machine that is gone end by themselves.
constexpr Setting kOnlyReading[] = {{"tcp_user_timeout", "0", Needed::kWhereKnown}};
constexpr Setting kOnlyWriting[] = {{"tcp_user_timeout", "600000", Needed::kWhereKnown}};  // 12

// The text that values are read as: one that every server takes for the same value, whatever its own settings are.
constexpr Setting kReading[] = {
    {"DateStyle", "ISO, YMD", Needed::kAlways},         // 2024-03-04 became 2024-04-03 without it
    {"IntervalStyle", "postgres", Needed::kAlways},     // signs of sql_standard intervals
    {"extra_float_digits", "3", Needed::kAlways},       // all digits of a float, also before 12
    {"bytea_output", "hex", Needed::kAlways},           // escape is slower and larger
    {"TimeZone", "UTC", Needed::kAlways},               // timestamptz in text
    {"lc_monetary", "C", Needed::kAlways},              // money in text: symbol and decimal point
    {"array_nulls", "on", Needed::kAlways},             // {NULL} is a null, not the text "NULL"
    {"xmloption", "content", Needed::kAlways},          // fragments are values too
    {"transform_null_equals", "off", Needed::kAlways},  // "x = NULL" in a definition stays what it is
    {"quote_all_identifiers", "off", Needed::kAlways},  // options of a dictionary are stored as the server writes them
    {"synchronize_seqscans", "off", Needed::kAlways},   // rows in their order, also for a comparison
};

// Without those that users' expressions may depend on: the target's sessions get these from the source's database
// (schema/catalog/expression_settings.h).
constexpr Setting kWriting[] = {
    {"synchronous_commit", "off", Needed::kAlways},  // the last transaction of a run is synchronous
    {"default_transaction_read_only", "off", Needed::kAlways},
    {"check_function_bodies", "off", Needed::kAlways},  // a body may use what comes later
    {"standard_conforming_strings", "on", Needed::kAlways},
    {"escape_string_warning", "off", Needed::kAlways},             // an archive with the other literals is full of them
    {"default_table_access_method", "heap", Needed::kWhereKnown},  // 12; set for each object
};

std::string statement(const std::vector<Setting>& settings) {
  std::string rows;
  for (const Setting& setting : settings) {
    if (!rows.empty()) rows += ", ";
    rows += fmt::format("({}, {})", quote_literal(setting.name), quote_literal(setting.value));
  }
  // The join leaves out what this server does not know.
  return fmt::format(
      "SELECT v.name, pg_catalog.set_config(v.name, v.value, false) "
      "FROM (VALUES {}) AS v(name, value) JOIN pg_catalog.pg_settings s ON s.name = v.name",
      rows);
}

}  // namespace

namespace {

// A server may know a setting and refuse it: one of Windows has no way to see whether its client is gone. Then each is
// set by itself.
Result set_all(Connection& connection, const std::vector<Setting>& settings) {
  try {
    return connection.execute(statement(settings));
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::kServer || error.poisons_connection()) throw;
  }
  std::vector<Setting> taken;
  for (const Setting& setting : settings) {
    try {
      connection.execute(statement({setting}));
      taken.push_back(setting);
    } catch (const Error& error) {
      if (setting.needed == Needed::kAlways || error.poisons_connection()) throw;
      connection.log().notice(fmt::format("{}: the server refuses {} = {}: {}", to_string(connection.side()),
                                          setting.name, setting.value, error.what()));
    }
  }
  return connection.execute(statement(taken));
}

}  // namespace

std::string reading_settings_sql() {
  std::string sql;
  for (const Setting& setting : kReading) {
    sql += fmt::format("SET LOCAL {} = {};\n", setting.name, quote_literal(setting.value));
  }
  return sql;
}

void apply_session_settings(Connection& connection, SessionPurpose purpose, std::string_view encoding) {
  std::vector<Setting> settings(std::begin(kBoth), std::end(kBoth));
  const auto add = [&](const auto& more) { settings.insert(settings.end(), std::begin(more), std::end(more)); };
  if (purpose == SessionPurpose::kRead) {
    add(kReading);
    add(kOnlyReading);
  } else {
    add(kWriting);
    add(kOnlyWriting);
  }
  settings.push_back({"client_encoding", encoding, Needed::kAlways});

  require_one_session(connection);
  // By themselves: the limit may be short for the statement that follows, and a standby runs none that is serializable.
  connection.execute("SET statement_timeout = 0; SET default_transaction_isolation = 'read committed'");
  const Result applied = set_all(connection, settings);
  std::set<std::string, std::less<>> known;
  for (const Row row : applied) known.emplace(row.text(0));
  for (const Setting& setting : settings) {
    if (known.contains(setting.name)) continue;
    if (setting.needed == Needed::kAlways) {
      throw Error(ErrorKind::kServer, fmt::format("the server does not know the setting {}", setting.name))
          .on(connection.side())
          .hint("a copy without it could change values; this server cannot be used");
    }
  }
}

}  // namespace pgsluice::pg
