#include "schema/catalog/archived_index.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <string_view>

#include "pg/quote.h"
#include "schema/archive/definition_reader.h"

namespace pgsluice::schema {

namespace {

// "ALTER TABLE t CLUSTER ON i;" and "ALTER TABLE ONLY t REPLICA IDENTITY USING INDEX i;".
bool take_clustering(DefinitionReader& reader) {
  DefinitionReader ahead = reader;
  const bool is_there = ahead.take("ALTER TABLE") && ahead.qualified_name() && ahead.take("CLUSTER ON") &&
                        ahead.name() && ahead.take(";");
  if (is_there) reader = ahead;
  return is_there;
}

bool take_replica_identity(DefinitionReader& reader) {
  DefinitionReader ahead = reader;
  const bool is_there = ahead.take("ALTER TABLE ONLY") && ahead.qualified_name() &&
                        ahead.take("REPLICA IDENTITY USING INDEX") && ahead.name() && ahead.take(";");
  if (is_there) reader = ahead;
  return is_there;
}

bool has_expressions(const TocEntry& entry) {
  const std::size_t begin = entry.definition.find(" USING ");
  if (begin == std::string::npos || entry.definition.find(" WHERE ", begin) != std::string::npos) return true;
  DefinitionReader reader(std::string_view(entry.definition).substr(begin));
  if (!reader.take("USING") || !reader.name()) return true;
  const std::optional<std::string_view> columns = reader.in_parentheses();
  return !columns || columns->find('(') != std::string_view::npos;
}

}  // namespace

std::optional<Index> read_key(const TocEntry& entry, const Relation& table) {
  DefinitionReader reader(entry.definition);
  if (!reader.take("ALTER TABLE ONLY") || !reader.qualified_name() || !reader.take("ADD CONSTRAINT"))
    return std::nullopt;
  const std::optional<std::string> name = reader.name();
  if (!name) return std::nullopt;
  Index index{.table = table.oid, .schema = table.schema, .name = *name, .constraint_name = *name};
  std::string nulls;
  if (reader.take("PRIMARY KEY")) {
    index.constraint_type = 'p';
  } else if (reader.take("UNIQUE")) {
    index.constraint_type = 'u';
    if (reader.take("NULLS NOT DISTINCT")) nulls = " NULLS NOT DISTINCT";
  } else {
    return std::nullopt;
  }
  const std::optional<std::string_view> columns = reader.in_parentheses();
  if (!columns) return std::nullopt;
  index.without_overlaps = columns->find(" WITHOUT OVERLAPS") != std::string_view::npos;
  index.definition = fmt::format("CREATE UNIQUE INDEX {} ON {} USING btree ({})", pg::quote_identifier(*name),
                                 table.quoted(), *columns);
  if (reader.take("INCLUDE")) {
    const std::optional<std::string_view> included = reader.in_parentheses();
    if (!included) return std::nullopt;
    index.definition += fmt::format(" INCLUDE ({})", *included);
  }
  index.definition += nulls;
  if (reader.take("WITH")) {
    const std::optional<std::string_view> parameters = reader.in_parentheses();
    if (!parameters) return std::nullopt;
    index.definition += fmt::format(" WITH ({})", *parameters);
  }
  index.deferrable = reader.take("DEFERRABLE");
  index.deferred = reader.take("INITIALLY DEFERRED");
  if (!reader.take(";")) return std::nullopt;
  // Statements may follow that alter the index, which the constraint has by then.
  index.clustered = take_clustering(reader);
  index.replica_identity = take_replica_identity(reader);
  if (reader.rest().find_first_not_of(" \n") != std::string_view::npos) return std::nullopt;
  return index;
}

bool calls_functions(const TocEntry& entry, const std::map<int, const TocEntry*>& by_dump_id) {
  return std::any_of(entry.dependencies.begin(), entry.dependencies.end(), [&](int needed) {
    const auto found = by_dump_id.find(needed);
    if (found == by_dump_id.end()) return false;
    const EntryKind& kind = found->second->kind;
    return kind.is_one_of({EntryKind::kFunction, EntryKind::kAggregate, EntryKind::kOperator, EntryKind::kOperatorClass,
                           EntryKind::kOperatorFamily}) ||
           (kind == EntryKind::kExtension && has_expressions(entry));
  });
}

}  // namespace pgsluice::schema
