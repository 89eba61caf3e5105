#include "tests/support/database_comparison.h"

#include <fmt/format.h>

#include <algorithm>
#include <future>
#include <map>
#include <sstream>

#include "base/subprocess.h"
#include "pg/quote.h"
#include "pg/session_settings.h"
#include "pgsluice/error.h"

namespace pgsluice::test {

namespace {

constexpr std::size_t kDifferencesShown = 20;

using Facts = std::map<std::string, std::string>;

pg::Connection connect(const std::string& conninfo, Side side) {
  pg::Connection connection =
      pg::Connection::open(pg::ConnInfo::parse(conninfo, side), "comparison", Log(), CancelToken());
  // The same text form of all values on both sides; nothing is converted, so that names of any bytes can be read.
  const std::string encoding(connection.execute("SHOW server_encoding")[0].text(0));
  pg::apply_session_settings(connection, pg::SessionPurpose::kRead, encoding);
  return connection;
}

std::string replaced(std::string text, std::string_view what, std::string_view by) {
  for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + by.size())) {
    text.replace(at, what.size(), by);
  }
  return text;
}

// The lines of pg_dump's text, without those that tell of the run and not of the database.
std::vector<std::string> dump_lines(const std::string& conninfo, const std::filesystem::path& bindir) {
  const SubprocessResult result = run_command({.command = {(bindir / "pg_dump").string(), "--create", "--schema-only",
                                                           "--quote-all-identifiers", "--dbname=" + conninfo},
                                               .environment = {}});
  if (result.exit_code != 0) throw std::runtime_error("pg_dump failed: " + result.errors);
  std::vector<std::string> lines;
  std::istringstream stream(result.output);
  for (std::string line; std::getline(stream, line);) {
    const auto starts = [&line](std::string_view prefix) { return line.rfind(prefix, 0) == 0; };
    // \connect has a special form for special names, with which \encoding goes.
    if (starts("\\restrict") || starts("\\unrestrict") || starts("-- Dumped ") || starts("\\connect") ||
        starts("\\encoding SQL_ASCII")) {
      continue;
    }
    lines.push_back(line);
  }
  return lines;
}

void compare_dumps(std::vector<std::string> source, std::vector<std::string> target,
                   std::vector<std::string>& differences) {
  if (source == target) return;
  std::size_t first = 0;
  while (first < source.size() && first < target.size() && source[first] == target[first]) ++first;
  differences.push_back(fmt::format("definitions differ from line {} of the dump on", first + 1));
  std::sort(source.begin(), source.end());
  std::sort(target.begin(), target.end());
  std::vector<std::string> only;
  std::set_difference(source.begin(), source.end(), target.begin(), target.end(), std::back_inserter(only));
  for (const std::string& line : only) differences.push_back("definition only on the source: " + line);
  only.clear();
  std::set_difference(target.begin(), target.end(), source.begin(), source.end(), std::back_inserter(only));
  for (const std::string& line : only) differences.push_back("definition only on the target: " + line);
}

// Partitioned tables whose rows are spread by the hash of an enum's value: it is another one on each server, so the
// same row may be in another partition there.
constexpr std::string_view kSpreadByEnum =
    "SELECT p.partrelid FROM pg_partitioned_table p JOIN pg_opclass o ON o.oid = ANY (p.partclass::oid[])"
    " WHERE p.partstrat = 'h' AND o.opcintype = 'anyenum'::regtype";

// For each table: the number of rows and a hash of all of them, whatever their order. Columns go by their names: a dump
// may change their order in an inheritance child.
Facts table_contents(pg::Connection& connection) {
  Facts facts;
  const pg::Result tables = connection.execute(fmt::format(
      "SELECT n.nspname, c.relname, c.relkind = 'p',"
      " ARRAY(SELECT a.attname FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped"
      "       ORDER BY a.attname)"
      " FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
      " WHERE c.relpersistence <> 't' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'"
      " AND ((c.relkind = 'r' AND NOT EXISTS"
      "        (SELECT FROM pg_partition_ancestors(c.oid) a WHERE a.relid IN ({0})))"
      " OR (c.relkind = 'm' AND c.relispopulated) OR c.oid IN ({0}))",
      kSpreadByEnum));
  for (const pg::Row row : tables) {
    const std::string table = pg::quote_qualified(row.text(0), row.text(1));
    std::string columns;
    for (const std::string& column : row.text_array(3)) {
      columns += (columns.empty() ? "t." : ", t.") + pg::quote_identifier(column);
    }
    const pg::Result contents =
        connection.execute(fmt::format("SELECT pg_catalog.count(*) || ' rows, ' || "
                                       "coalesce(pg_catalog.md5(pg_catalog.string_agg(h, '' ORDER BY h)), '')"
                                       " FROM (SELECT pg_catalog.md5(ROW({})::text) AS h FROM {} {} t) s",
                                       columns, row.boolean(2) ? "" : "ONLY", table));
    facts["table " + table] = std::string(contents[0].text(0));
  }
  return facts;
}

Facts facts_of(pg::Connection& connection, std::string_view query) {
  Facts facts;
  for (const pg::Row row : connection.execute(query)) {
    facts[std::string(row.text(0))] = row.optional_text(1).value_or("(null)");
  }
  return facts;
}

Facts sequence_values(pg::Connection& connection) {
  Facts facts;
  for (const pg::Row row :
       connection.execute("SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
                          " WHERE c.relkind = 'S' AND c.relpersistence <> 't'")) {
    const std::string sequence = pg::quote_qualified(row.text(0), row.text(1));
    const pg::Result value = connection.execute("SELECT last_value || ' ' || is_called FROM " + sequence);
    facts["sequence " + sequence] = std::string(value[0].text(0));
  }
  return facts;
}

constexpr std::string_view kLargeObjectsSql =
    "SELECT 'large object ' || o.oid, pg_catalog.md5(pg_catalog.lo_get(o.oid)) || ' ' || pg_get_userbyid(o.lomowner)"
    " || ' ' || coalesce(o.lomacl::text, '') || ' ' || coalesce(obj_description(o.oid, 'pg_largeobject'), '')"
    " FROM pg_largeobject_metadata o";

constexpr std::string_view kIndexesSql =
    "SELECT 'index ' || i.indexrelid::regclass, concat_ws(' ', 'valid', i.indisvalid, 'ready', i.indisready, 'live',"
    " i.indislive, 'clustered', i.indisclustered, 'replica identity', i.indisreplident)"
    " FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid JOIN pg_namespace n ON n.oid = c.relnamespace"
    " WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'";

constexpr std::string_view kConstraintsSql =
    "SELECT 'constraint ' || conname || ' of ' || coalesce(nullif(conrelid, 0)::regclass::text, "
    "contypid::regtype::text),"
    " concat_ws(' ', 'validated', convalidated, 'local', conislocal, 'inherited', coninhcount)"
    " FROM pg_constraint k JOIN pg_namespace n ON n.oid = k.connamespace"
    " WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND k.contype <> 't'";

constexpr std::string_view kViewsSql =
    "SELECT 'materialized view ' || c.oid::regclass, 'populated ' || c.relispopulated FROM pg_class c WHERE relkind = "
    "'m'";

constexpr std::string_view kSubscriptionsSql =
    "SELECT 'subscription ' || s.subname, 'enabled ' || s.subenabled FROM pg_subscription s JOIN pg_database d"
    " ON d.oid = s.subdbid AND d.datname = current_database()";

void compare_facts(const Facts& source, const Facts& target, std::vector<std::string>& differences) {
  for (const auto& [name, value] : source) {
    const auto there = target.find(name);
    if (there == target.end()) {
      differences.push_back(fmt::format("{}: only on the source", name));
    } else if (there->second != value) {
      differences.push_back(fmt::format("{}: source {}, target {}", name, value, there->second));
    }
  }
  for (const auto& [name, value] : target) {
    if (!source.contains(name)) differences.push_back(fmt::format("{}: only on the target", name));
  }
}

}  // namespace

std::vector<std::string> compare_databases(const std::string& source, const std::string& target,
                                           const std::filesystem::path& bindir) {
  pg::Connection from = connect(source, Side::kSource);
  pg::Connection to = connect(target, Side::kTarget);
  std::vector<std::string> differences;

  std::future<std::vector<std::string>> source_lines =
      std::async(std::launch::async, [&] { return dump_lines(source, bindir); });
  std::vector<std::string> target_lines = dump_lines(target, bindir);
  if (from.database() != to.database()) {
    for (std::string& line : target_lines) {
      line = replaced(line, pg::quote_identifier(to.database()), pg::quote_identifier(from.database()));
      line = replaced(line, "Name: " + to.database() + ";", "Name: " + from.database() + ";");
      line = replaced(line, "Name: DATABASE " + pg::quote_identifier(to.database()),
                      "Name: DATABASE " + pg::quote_identifier(from.database()));
      line = replaced(line, "Name: " + to.database() + " ", "Name: " + from.database() + " ");
      line = replaced(line, "Name: DATABASE " + to.database() + ";", "Name: DATABASE " + from.database() + ";");
    }
  }
  compare_dumps(source_lines.get(), std::move(target_lines), differences);
  compare_facts(table_contents(from), table_contents(to), differences);
  compare_facts(sequence_values(from), sequence_values(to), differences);
  for (const std::string_view query : {kLargeObjectsSql, kIndexesSql, kConstraintsSql, kViewsSql}) {
    compare_facts(facts_of(from, query), facts_of(to, query), differences);
  }
  for (const auto& [name, value] : facts_of(to, kSubscriptionsSql)) {
    if (value != "enabled false") differences.push_back(fmt::format("{}: {} on the target", name, value));
  }
  if (differences.size() > kDifferencesShown) {
    const std::size_t more = differences.size() - kDifferencesShown;
    differences.resize(kDifferencesShown);
    differences.push_back(fmt::format("and {} more", more));
  }
  return differences;
}

}  // namespace pgsluice::test
