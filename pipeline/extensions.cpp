#include "pipeline/extensions.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <atomic>
#include <set>

#include "copy/server_rows.h"
#include "copy/table_copy.h"
#include "pg/snapshot.h"
#include "pgsluice/error.h"
#include "pipeline/plan/plan.h"
#include "pipeline/prepare/existing_rows.h"
#include "pipeline/prepare/preflight_checks.h"
#include "pipeline/prepare/sessions.h"
#include "pipeline/prepare/source_snapshot.h"
#include "schema/selection/dependencies.h"
#include "schema/selection/selection.h"

namespace pgsluice::pipeline {

namespace {

struct SourceExtension {
  schema::WantedExtension wanted;
  std::set<schema::Oid> configuration;  ///< tables
};

// plpgsql is on every server.
std::vector<SourceExtension> read_wanted(pg::Connection& source, const ResolvedOptions& options) {
  const schema::Selection selection = schema::select_objects(source, {.rules = options.filters});
  std::vector<SourceExtension> extensions;
  for (const pg::Row row : source.execute(
           "SELECT e.oid, e.extname, n.nspname, coalesce(e.extconfig, '{}'::oid[]), "
           "pg_catalog.pg_get_userbyid(n.nspowner)"
           " FROM pg_catalog.pg_extension e"
           " JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace WHERE e.oid >= 16384 ORDER BY e.oid")) {
    if (!selection.keeps({schema::kPgExtension, row.oid(0)})) continue;
    SourceExtension extension{.wanted = {.name = std::string(row.text(1)), .schema = std::string(row.text(2))},
                              .configuration = {}};
    if (options.restore.owners) extension.wanted.schema_owner = row.text(4);
    const auto version = options.extension_versions.find(extension.wanted.name);
    if (version != options.extension_versions.end()) extension.wanted.version = version->second;
    for (const std::string& table : row.text_array(3)) {
      extension.configuration.insert(static_cast<schema::Oid>(std::stoul(table)));
    }
    extensions.push_back(std::move(extension));
  }
  return extensions;
}

// Parents before their children, since their keys are there. What is there already, of an earlier try, stays.
void copy_configuration(pg::Connection& source, pg::Connection& target, const std::set<schema::Oid>& tables,
                        const std::map<std::string, std::string, std::less<>>& extensions_before,
                        const ResolvedOptions& options, const Log& log) {
  if (tables.empty()) return;
  const schema::Catalog catalog = schema::read_catalog(source);
  std::vector<const schema::Relation*> left;
  for (const schema::Relation* table : tables_to_copy(catalog)) {
    const auto digest_of_source = [&] { return digest_of_configuration(source, *table); };
    if (!tables.contains(table->oid)) continue;
    if (has_same_configuration(*table, target, extensions_before, digest_of_source)) continue;
    left.push_back(table);
  }
  const std::unique_ptr<copy::Relay> relay = copy::make_relay(source, target, options.transport);
  while (!left.empty()) {
    const auto waits = [&](const schema::Relation* table) {
      return std::any_of(catalog.foreign_keys.begin(), catalog.foreign_keys.end(), [&](const schema::ForeignKey& key) {
        const auto is_parent = [&](const schema::Relation* other) {
          return other != table && other->oid == key.parent;
        };
        return key.child == table->oid && std::any_of(left.begin(), left.end(), is_parent);
      });
    };
    auto next = std::find_if_not(left.begin(), left.end(), waits);
    if (next == left.end()) next = left.begin();  // a circle: the server says what is wrong with it
    const schema::Relation& table = **next;
    std::atomic<std::int64_t> bytes{0};
    const copy::TableCopy copy{.table = table, .into = table, .flow = bytes};
    copy::ServerRows rows(source, *relay);
    const copy::CopyTablesResult result = copy::copy_tables(rows, target, {&copy, 1});
    if (result.error) throw Error(*result.error);
    log.info(fmt::format("{} rows of {} copied", result.copied.front().loaded.rows, table.display()));
    left.erase(next);
  }
}

}  // namespace

schema::ExtensionsOutcome copy_extensions(const CloneOptions& given, const Log& log, const CancelToken& cancel) {
  const ResolvedOptions options(given);
  pg::Connection source = open_reader(conninfo_of(options, Side::kSource), "extensions", "", log, cancel);
  const std::string encoding = server_encoding(source);
  pg::Connection target = open_session(conninfo_of(options, Side::kTarget), "extensions", encoding, log, cancel);
  check_servers(source, target);
  pg::Connection holder = open_session(source.pinned_conninfo(), "snapshot", encoding, log, cancel);
  pg::import_snapshot(source, hold_snapshot(holder, options, std::nullopt, log).snapshot);
  const std::vector<SourceExtension> extensions = read_wanted(source, options);
  std::vector<schema::WantedExtension> wanted;
  for (const SourceExtension& extension : extensions) wanted.push_back(extension.wanted);
  const std::map<std::string, std::string, std::less<>> before = schema::read_extensions(target);
  schema::ExtensionsOutcome outcome = schema::create_extensions(target, wanted);
  std::set<schema::Oid> tables;
  for (const SourceExtension& extension : extensions) {
    tables.insert(extension.configuration.begin(), extension.configuration.end());
  }
  copy_configuration(source, target, tables, before, options, log);
  log.info(
      fmt::format("{} extensions made, {} were there already", outcome.created.size(), outcome.there_already.size()));
  if (!outcome.created.empty()) log.notice(fmt::format("made: {}", fmt::join(outcome.created, ", ")));
  return outcome;
}

}  // namespace pgsluice::pipeline
