#include "schema/selection/definitions_file.h"

#include <fmt/format.h>

#include <cstdint>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/file_descriptor.h"
#include "pgsluice/error.h"

// MessagePack, whose texts may be of any bytes, as names in a database may be.

namespace nlohmann {

template <>
struct adl_serializer<std::optional<std::string>> {
  static void to_json(json& to, const std::optional<std::string>& from) { to = from ? json(*from) : json(nullptr); }
  static void from_json(const json& from, std::optional<std::string>& to) {
    to = from.is_null() ? std::nullopt : std::optional(from.get<std::string>());
  }
};

template <>
struct adl_serializer<pgsluice::Bytes> {
  static void to_json(json& to, const pgsluice::Bytes& from) { to = from.count; }
  static void from_json(const json& from, pgsluice::Bytes& to) { to = {from.get<std::int64_t>()}; }
};

}  // namespace nlohmann

namespace pgsluice::schema {

NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(CatalogId, table, oid)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(DatabaseInfo, oid, name, encoding, collate, ctype, owner, size, locale_provider,
                                   locale, icu_rules)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Relation, oid, schema, name, kind, unlogged, access_method, columns, column_types,
                                   generated_columns, generated_types, populated, file_node, heap_size, toast_size,
                                   estimated_rows, extension_condition, load_via_root, collation_sensitive_root,
                                   may_select, row_security_applies, statistics_call_functions, rows_call_functions,
                                   bodies_of_row_functions, names_indexes, rows_wanted, integer_key)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Index, oid, table, schema, name, definition, valid, size, constraint,
                                   constraint_name, constraint_type, deferrable, deferred, without_overlaps,
                                   on_partitioned_table, clustered, replica_identity, calls_functions, extensions,
                                   complete)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(LeafForeignKey, child, name, definition)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(ForeignKey, oid, name, child, parent, child_columns, parent_columns, equalities,
                                   validated_apart, match_full, to_partitioned, leaves)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Inheritance, child, parent)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Trigger, oid, table, parent)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Sequence, oid, schema, name, may_select)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(RoleUse, name, object, owns, is_granted, is_named)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(DistributedTable, table, sql)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(OwnColumnOrder::Column, name, local, not_null, inherits_not_null, definition)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(OwnColumnOrder, columns, inherited_checks, parents)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(ExtensionMember, identity, extension, attributes, statement)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(ExtensionTableObject, identity, statement, extension)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(ColumnType, name, form, built_in, base)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Catalog, server_version, integer_datetimes, block_size, database,
                                   expression_settings, search_path, relations, types, indexes, foreign_keys,
                                   inheritance, triggers, sequences, extensions, roles, distributed,
                                   hidden_user_mappings, lost_roles, extension_table_objects, extension_members,
                                   large_objects, own_column_orders)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Dependent, id, object, because)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Selection, left_out, without_rows, sequences_without_owner, named, dependents,
                                   warnings, needed_extensions)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(SavedDefinitions, catalog, selection, filters, system_identifier)

namespace {

constexpr int kFormat = 1;

using Json = nlohmann::json;

}  // namespace

std::string definitions_text(const SavedDefinitions& definitions) {
  const std::vector<std::uint8_t> bytes = Json::to_msgpack(Json{{"format", kFormat}, {"definitions", definitions}});
  return {bytes.begin(), bytes.end()};
}

void write_definitions(const SavedDefinitions& definitions, const std::filesystem::path& file) {
  write_file(file, definitions_text(definitions));
}

SavedDefinitions parse_definitions(std::string_view bytes, std::string_view file) {
  try {
    const Json json = Json::from_msgpack(bytes);
    if (json.at("format").get<int>() == kFormat) return json.at("definitions").get<SavedDefinitions>();
  } catch (const Json::exception&) {
    // Cut off, another version's, or not there: the same to us.
  }
  throw Error(ErrorKind::kState, fmt::format("cannot read the source's definitions from {}", file))
      .remedy(Remedy::kDumpDefinitions);
}

SavedDefinitions read_definitions_file(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  return parse_definitions(bytes, file.string());
}

}  // namespace pgsluice::schema
