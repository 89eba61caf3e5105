#include "pgsluice/pipeline/completion.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <set>
#include <string>
#include <vector>

#include "pgsluice/pg/quote.h"
#include "pgsluice/pipeline/clone.h"
#include "pgsluice/schema/extension_tables.h"

namespace pgsluice::pipeline {

// Those that their owners could not be given at first: the privileges that they need in a schema may have come since.
void give_owners(RunContext& context, pg::Connection& target) {
  for (const schema::TocEntry* entry : context.owners.take()) {
    const std::string sql = schema::owner_sql(*entry);
    try {
      target.execute(sql);
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::kServer || error.poisons_connection()) throw;
      const std::string text =
          fmt::format("owner {} of {}: it stays the target user's ({}); GRANT CREATE ON SCHEMA {} TO {}; {}",
                      pg::display_name("", entry->owner), entry->describe(), error.what(),
                      pg::quote_identifier(entry->schema.value_or("public")), pg::quote_identifier(entry->owner),
                      sql.substr(0, sql.find(';')));
      context.progress.add_skipped(text);
      context.log.warning(text);
    }
  }
}

// What users have put on tables of extensions: no archive has it.
void complete_extension_tables(RunContext& context, pg::Connection& target) {
  const std::vector<schema::ExtensionTableObject>& objects = context.plan.catalog.extension_table_objects;
  if (objects.empty() || !context.options.steps.contains(Step::kPostData)) return;
  std::set<std::string> there;
  target.execute("SET quote_all_identifiers = off");  // names are written as on the source
  for (const schema::ExtensionTableObject& object : schema::read_extension_table_objects(target)) {
    there.insert(object.identity);
  }
  for (const schema::ExtensionTableObject& object : objects) {
    if (there.contains(object.identity)) continue;
    try {
      target.execute(object.statement);
      context.log.info(fmt::format("{}, which users have put on a table of an extension, is made", object.identity));
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::kServer || error.poisons_connection()) throw;
      const std::string text =
          fmt::format("{}, on a table of an extension: {}; {}", object.identity, error.what(), object.statement);
      context.progress.add_skipped(text);
      context.log.warning(text);
    }
  }
}

// An index that the server has left invalid is used by no query, and nobody would say so.
void require_valid_indexes(const RunContext& context, pg::Connection& target) {
  // The filter of this command, or of one before it in a row.
  const schema::FilterRules filters = schema::parse_filter_rules(context.record.filters, "the filter of the run");
  if (filters.has(schema::FilterSection::kExcludeIndex)) return;
  std::set<std::string> wanted;
  for (const schema::Index& index : context.plan.catalog.indexes) {
    if (index.valid && index.complete && !context.plan.indexes_left_invalid.contains(index.oid))
      wanted.insert(index.display());
  }
  std::vector<std::string> invalid;
  for (const pg::Row row : target.execute(
           "SELECT n.nspname, c.relname FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid"
           " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE NOT i.indisvalid ORDER BY 1, 2")) {
    std::string name = pg::display_name(row.text(0), row.text(1));
    if (wanted.contains(name)) invalid.push_back(std::move(name));
  }
  if (invalid.empty()) return;
  throw Error(ErrorKind::kServer, "the server has left it invalid")
      .on(Side::kTarget)
      .object(fmt::format("index {}", fmt::join(invalid, ", ")))
      .hint("REINDEX INDEX; that of a partitioned table: ALTER INDEX … ATTACH PARTITION once more");
}

}  // namespace pgsluice::pipeline
