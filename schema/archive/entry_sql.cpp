#include "schema/archive/entry_sql.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "pg/quote.h"
#include "pg/version.h"

namespace pgsluice::schema {

namespace {

using pg::quote_identifier;

// Objects whose name is schema and tag.
constexpr auto kNamedByTag = {EntryKind::kCollation,
                              EntryKind::kConversion,
                              EntryKind::kDatabase,
                              EntryKind::kDomain,
                              EntryKind::kEventTrigger,
                              EntryKind::kForeignDataWrapper,
                              EntryKind::kForeignTable,
                              EntryKind::kMaterializedView,
                              EntryKind::kProceduralLanguage,
                              EntryKind::kPublication,
                              EntryKind::kSchema,
                              EntryKind::kSequence,
                              EntryKind::kServer,
                              EntryKind::kStatistics,
                              EntryKind::kSubscription,
                              EntryKind::kTable,
                              EntryKind::kTextSearchConfiguration,
                              EntryKind::kTextSearchDictionary,
                              EntryKind::kType,
                              EntryKind::kView};

// Objects whose name needs argument types or an access method: the drop statement has it.
constexpr auto kNamedByDropStatement = {EntryKind::kAggregate,     EntryKind::kFunction,       EntryKind::kOperator,
                                        EntryKind::kOperatorClass, EntryKind::kOperatorFamily, EntryKind::kProcedure};

// Settings of the session, and what belongs to the database as a whole.
constexpr auto kNotRestored = {EntryKind::kEncoding, EntryKind::kStdStrings, EntryKind::kSearchPath,
                               EntryKind::kDatabase, EntryKind::kDatabaseProperties};

bool is_about(const TocEntry& entry, std::string_view object) {
  return entry.tag.compare(0, object.size(), object) == 0;
}

// The name that a range type's definition gives its multirange type, for SQL; empty for other entries.
std::string multirange_of(const TocEntry& entry) {
  constexpr std::string_view kName = "multirange_type_name = ";
  const std::size_t at = entry.kind == EntryKind::kType ? entry.definition.find(kName) : std::string::npos;
  if (at == std::string::npos) return "";
  const std::size_t begin = at + kName.size();
  return entry.definition.substr(begin, entry.definition.find_first_of(",\n", begin) - begin);
}

std::string object_name(const TocEntry& entry) {
  if (entry.kind.is_one_of(kNamedByTag)) {
    const bool qualified = entry.schema && !entry.schema->empty();
    return fmt::format("{} {}{}", entry.kind.words(), qualified ? quote_identifier(*entry.schema) + "." : "",
                       quote_identifier(entry.tag));
  }
  if (entry.kind.is_one_of(kNamedByDropStatement)) {
    std::string_view name = entry.drop_statement;
    constexpr std::string_view kDrop = "DROP ";
    if (name.rfind(kDrop, 0) == 0) name.remove_prefix(kDrop.size());
    while (!name.empty() && (name.back() == ';' || name.back() == '\n')) name.remove_suffix(1);
    return std::string(name);
  }
  return "";
}

}  // namespace

bool is_about_large_objects(const TocEntry& entry) {
  const bool is_about_one = entry.kind.is_one_of({EntryKind::kAcl, EntryKind::kComment, EntryKind::kSecurityLabel});
  return is_about_one && (is_about(entry, "LARGE OBJECT ") || is_about(entry, "LARGE OBJECTS "));
}

bool is_restored(const TocEntry& entry, const RestoreOptions& options) {
  // They come with their data.
  if (entry.kind.is_one_of({EntryKind::kLargeObject, EntryKind::kLargeObjectGroup}) || is_about_large_objects(entry))
    return false;
  if (entry.kind.is_one_of(kNotRestored) || entry.section == Section::kData) return false;
  const bool acl = entry.pass() == RestorePass::kAcl;
  const bool comment = entry.kind == EntryKind::kComment;
  if ((acl || comment || entry.kind == EntryKind::kSecurityLabel) && is_about(entry, "DATABASE ")) return false;
  // From 18 on; ANALYZE gathers them, and no older server knows the functions.
  if (entry.kind.words() == "STATISTICS DATA") return false;
  if (entry.kind == EntryKind::kCollation && !options.collations) return false;
  if (!options.collations && !acl && is_about(entry, "COLLATION ")) return false;
  if (acl && !options.acls) return false;
  if (comment && !options.comments) return false;
  return !(comment && !options.extension_comments && is_about(entry, "EXTENSION "));
}

std::string session_sql(const Archive& archive) {
  std::string result;
  for (const EntryKind::Known kind : {EntryKind::kEncoding, EntryKind::kStdStrings, EntryKind::kSearchPath}) {
    const std::string_view definition = archive.definition_of(kind);
    // The session has the target's own encoding then, under which the bytes are checked.
    if (kind == EntryKind::kEncoding && definition.find("'SQL_ASCII'") != std::string_view::npos) continue;
    result += definition;
  }
  return result;
}

std::string settings_sql(const Archive& archive, const TocEntry& entry, const RestoreOptions& options) {
  std::string result;
  if (archive.definition_of(EntryKind::kSearchPath).empty() && entry.schema && !entry.schema->empty()) {
    result += fmt::format("SET LOCAL search_path = {}, pg_catalog;\n", quote_identifier(*entry.schema));
  }
  if (options.tablespaces && entry.tablespace && !entry.tablespace->empty()) {
    result += fmt::format("SET LOCAL default_tablespace = {};\n", quote_identifier(*entry.tablespace));
  }
  if (entry.access_method && !entry.access_method->empty() && entry.relation_kind != 'p') {
    result += fmt::format("SET LOCAL default_table_access_method = {};\n", quote_identifier(*entry.access_method));
  }
  return result;
}

std::string access_method_sql(const TocEntry& entry) {
  if (entry.relation_kind != 'p' || !entry.access_method || entry.access_method->empty()) return "";
  return fmt::format("ALTER TABLE {}.{} SET ACCESS METHOD {};\n", quote_identifier(entry.schema.value_or("")),
                     quote_identifier(entry.tag), quote_identifier(*entry.access_method));
}

std::string owner_sql(const TocEntry& entry, int target_version) {
  if (entry.owner.empty() || entry.drop_statement.empty()) return "";
  const std::string name = object_name(entry);
  if (name.empty()) return "";
  std::string sql = fmt::format("ALTER {} OWNER TO {};\n", name, quote_identifier(entry.owner));
  const std::string multirange = multirange_of(entry);
  if (!multirange.empty() && target_version >= pg::since::kMultiranges &&
      target_version < pg::since::kMultirangesFollowOwner) {
    sql += fmt::format("ALTER TYPE {} OWNER TO {};\n", multirange, quote_identifier(entry.owner));
  }
  return sql;
}

std::optional<std::string> replacing_definition(std::string_view definition) {
  constexpr std::string_view kCreate = "CREATE ";
  for (const std::string_view kind : {"FUNCTION ", "PROCEDURE "}) {
    if (!definition.starts_with(kCreate) || !definition.substr(kCreate.size()).starts_with(kind)) continue;
    return fmt::format("CREATE OR REPLACE {}", definition.substr(kCreate.size()));
  }
  return std::nullopt;
}

std::string entry_sql(const Archive& archive, const TocEntry& entry, const RestoreOptions& options,
                      std::string_view definition) {
  std::string text = settings_sql(archive, entry, options);
  text += definition;
  if (!text.empty() && text.back() != '\n') text += '\n';
  text += access_method_sql(entry);
  if (options.owners && !options.out_of_reach.contains(entry.owner)) text += owner_sql(entry, options.target_version);
  return text;
}

}  // namespace pgsluice::schema
