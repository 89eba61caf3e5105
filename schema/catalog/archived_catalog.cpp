#include "schema/catalog/archived_catalog.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <set>
#include <utility>

#include "pg/quote.h"
#include "schema/archive/definition_reader.h"
#include "schema/archive/statement_scanner.h"
#include "schema/catalog/archived_index.h"
#include "schema/catalog/archived_properties.h"

namespace pgsluice::schema {

namespace {

bool is_unlogged(const TocEntry& entry) { return DefinitionReader(entry.definition).take("CREATE UNLOGGED TABLE"); }

// Before 16 the archive does not say it. pg_dump writes the clause at the beginning of a line, after the columns.
bool is_partitioned(const TocEntry& entry) {
  if (entry.relation_kind != 0) return entry.relation_kind == 'p';
  DefinitionReader reader(entry.definition);
  if (!reader.take("CREATE TABLE") && !reader.take("CREATE UNLOGGED TABLE")) return false;
  reader.qualified_name();
  if (reader.take("PARTITION OF")) {
    reader.qualified_name();
    reader.in_parentheses();
  } else {
    reader.take("OF");
    reader.qualified_name();
    reader.in_parentheses();
  }
  return reader.rest().find("\nPARTITION BY ") != std::string_view::npos || reader.take("PARTITION BY");
}

std::optional<RelationKind> relation_kind_of(const TocEntry& entry) {
  switch (entry.kind.known()) {
    case EntryKind::kTable:
      return is_partitioned(entry) ? RelationKind::kPartitionedTable : RelationKind::kTable;
    case EntryKind::kForeignTable:
      return RelationKind::kForeignTable;
    case EntryKind::kMaterializedView:
      return RelationKind::kMaterializedView;
    default:
      return std::nullopt;
  }
}

struct CopyInto {
  QualifiedName table;
  std::vector<std::string> columns;
};

std::optional<CopyInto> read_copy_statement(const std::string& statement) {
  DefinitionReader reader(statement);
  if (!reader.take("COPY")) return std::nullopt;
  std::optional<QualifiedName> table = reader.qualified_name();
  if (!table) return std::nullopt;
  return CopyInto{std::move(*table), reader.names_in_parentheses()};
}

// Adds the roles that follow one of these words: "TO a, b".
void add_roles(const TocEntry& entry, std::initializer_list<std::string_view> before, bool granted,
               std::vector<RoleUse>& roles) {
  StatementScanner scanner(entry.definition);
  while (const std::optional<std::string> statement = scanner.next_statement()) {
    const std::vector<std::string> tokens = StatementScanner::tokens(*statement);
    for (std::size_t at = 1; at < tokens.size(); ++at) {
      if (std::find(before.begin(), before.end(), tokens[at - 1]) == before.end()) continue;
      for (; at < tokens.size(); ++at) {
        std::string_view name = tokens[at];
        const bool has_more = name.ends_with(',');
        if (has_more) name.remove_suffix(1);
        if (name != "PUBLIC" && name != "public" && name != "CURRENT_USER" && name != "SESSION_USER") {
          roles.push_back({.name = pg::unquote_identifier(name),
                           .object = entry.catalog_id,
                           .is_granted = granted,
                           .is_named = !granted});
        }
        if (!has_more) break;
      }
    }
  }
}

// "(room, PERIOD during)", as names_in_parentheses() otherwise.
std::vector<std::string> take_key_columns(DefinitionReader& reader) {
  std::vector<std::string> columns;
  DefinitionReader ahead = reader;
  if (!ahead.take("(")) return columns;
  do {
    DefinitionReader after_period = ahead;
    if (after_period.take("PERIOD") && DefinitionReader(after_period).name()) ahead = after_period;
    std::optional<std::string> name = ahead.name();
    if (!name) return {};
    columns.push_back(std::move(*name));
  } while (ahead.take(","));
  if (!ahead.take(")")) return {};
  reader = ahead;
  return columns;
}

class ArchivedCatalog {
 public:
  explicit ArchivedCatalog(const Archive& archive) : archive_(archive) {}

  Catalog read() {
    catalog_.server_version = server_version_of(archive_);
    read_database();
    for (const TocEntry& entry : archive_.entries) {
      if (const auto kind = relation_kind_of(entry)) add_relation(entry, *kind);
    }
    for (const TocEntry& entry : archive_.entries) read_rows(entry);
    for (const TocEntry& entry : archive_.entries) by_dump_id_[entry.dump_id] = &entry;
    index_relations();
    for (const TocEntry& entry : archive_.entries) read_entry(entry);
    find_incomplete_indexes();
    return std::move(catalog_);
  }

 private:
  void read_database() {
    DatabaseInfo& database = catalog_.database;
    database.name = archive_.database;
    database.encoding = encoding_of(archive_);
    for (const TocEntry& entry : archive_.entries) {
      if (entry.kind != EntryKind::kDatabase) continue;
      database.oid = entry.catalog_id.oid;
      database.owner = entry.owner;
    }
    catalog_.search_path = "\"$user\", public";
    catalog_.expression_settings = expression_settings_of(archive_);
  }

  void add_relation(const TocEntry& entry, RelationKind kind) {
    places_[entry.catalog_id.oid] = catalog_.relations.size();
    catalog_.relations.push_back({.oid = entry.catalog_id.oid,
                                  .schema = entry.schema.value_or(""),
                                  .name = entry.tag,
                                  .kind = kind,
                                  .unlogged = is_unlogged(entry),
                                  .access_method = access_method_of(entry, kind),
                                  .rows_wanted = kind == RelationKind::kMaterializedView});
  }

  static std::string access_method_of(const TocEntry& entry, RelationKind kind) {
    if (kind == RelationKind::kForeignTable || kind == RelationKind::kPartitionedTable) return "";
    return entry.access_method.value_or("").empty() ? "heap" : *entry.access_method;
  }

  // Rows may be of a table that an extension makes, which has no entry of its own.
  void read_rows(const TocEntry& entry) {
    if (entry.kind != EntryKind::kTableData) return;
    const Oid oid = entry.catalog_id.oid;
    const auto [place, is_new] = places_.emplace(oid, catalog_.relations.size());
    if (is_new) {
      catalog_.relations.push_back(
          {.oid = oid, .schema = entry.schema.value_or(""), .name = entry.tag, .access_method = "heap"});
    }
    Relation* found = &catalog_.relations[place->second];
    found->rows_wanted = true;
    const std::optional<CopyInto> into = read_copy_statement(entry.copy_statement);
    if (!into) return;
    found->columns = into->columns;
    if (into->table != QualifiedName{found->schema, found->name}) via_roots_[oid] = into->table;
  }

  // Archives of rows alone (pg_dump --data-only --load-via-partition-root) name them in the statements for the rows of
  // their partitions only.
  void add_roots_without_definition() {
    std::set<std::pair<std::string, std::string>> known;
    for (const Relation& relation : catalog_.relations) known.insert({relation.schema, relation.name});
    for (const auto& [leaf, root] : via_roots_) {
      if (!known.insert({root.schema, root.name}).second) continue;
      catalog_.relations.push_back({.oid = next_unknown_oid_--,
                                    .schema = root.schema,
                                    .name = root.name,
                                    .kind = RelationKind::kPartitionedTable,
                                    .rows_wanted = false});
    }
  }

  void index_relations() {
    add_roots_without_definition();
    std::sort(catalog_.relations.begin(), catalog_.relations.end(),
              [](const Relation& a, const Relation& b) { return a.oid < b.oid; });
    std::map<std::pair<std::string, std::string>, Oid> by_name;
    for (const Relation& relation : catalog_.relations) by_name[{relation.schema, relation.name}] = relation.oid;
    for (Relation& relation : catalog_.relations) {
      const auto root = via_roots_.find(relation.oid);
      if (root == via_roots_.end()) continue;
      const auto found = by_name.find({root->second.schema, root->second.name});
      if (found != by_name.end()) relation.load_via_root = found->second;
    }
    by_name_ = std::move(by_name);
  }

  void read_entry(const TocEntry& entry) {
    switch (entry.kind.known()) {
      case EntryKind::kTable:
      case EntryKind::kForeignTable:
        return read_parents(entry);
      case EntryKind::kIndex:
        return read_index(entry);
      case EntryKind::kConstraint:
        return read_constraint(entry);
      case EntryKind::kStatistics:
        return read_statistics(entry);
      case EntryKind::kFkConstraint:
        return read_foreign_key(entry);
      case EntryKind::kSequenceSet:
        catalog_.sequences.push_back(
            {.oid = entry.catalog_id.oid, .schema = entry.schema.value_or(""), .name = entry.tag});
        return;
      case EntryKind::kExtension:
        return read_extension(entry);
      case EntryKind::kAcl:
      case EntryKind::kAclLanguage:
        return add_roles(entry, {"TO", "FROM"}, true, catalog_.roles);
      case EntryKind::kDefaultAcl:
        return add_roles(entry, {"TO", "FROM", "ROLE"}, true, catalog_.roles);
      case EntryKind::kPolicy:
        return read_policy(entry);
      case EntryKind::kDatabaseProperties:
        return add_roles(entry, {"ROLE"}, false, catalog_.roles);
      case EntryKind::kUserMapping:
        return add_roles(entry, {"FOR"}, false, catalog_.roles);
      default:
        return read_attachment(entry);
    }
  }

  const Relation* relation(Oid oid) const { return catalog_.relation(oid); }

  const Relation* named(const QualifiedName& name) const {
    const auto found = by_name_.find({name.schema, name.name});
    return found == by_name_.end() ? nullptr : relation(found->second);
  }

  // "CREATE TABLE … INHERITS (…)" and "… PARTITION OF …".
  void read_parents(const TocEntry& entry) {
    DefinitionReader reader(entry.definition);
    const bool begins =
        reader.take("CREATE TABLE") || reader.take("CREATE UNLOGGED TABLE") || reader.take("CREATE FOREIGN TABLE");
    if (!begins || !reader.qualified_name()) return;
    if (reader.take("PARTITION OF")) {
      if (const auto parent = reader.qualified_name()) add_parent(entry.catalog_id.oid, *parent);
      return;
    }
    if (reader.in_parentheses() && reader.take("INHERITS (")) {
      do {
        if (const auto parent = reader.qualified_name()) add_parent(entry.catalog_id.oid, *parent);
      } while (reader.take(","));
    }
    // Up to 13 a partition is attached by the entry that makes it.
    constexpr std::string_view kAttach = "\nALTER TABLE ONLY ";
    for (std::size_t at = entry.definition.find(kAttach); at != std::string::npos;
         at = entry.definition.find(kAttach, at + 1)) {
      read_attached_table(std::string_view(entry.definition).substr(at));
    }
  }

  void read_attached_table(std::string_view statement) {
    DefinitionReader reader(statement);
    if (!reader.take("ALTER TABLE ONLY")) return;
    const auto parent = reader.qualified_name();
    const auto child = parent && reader.take("ATTACH PARTITION") ? reader.qualified_name() : std::nullopt;
    const Relation* of = child ? named(*child) : nullptr;
    if (of != nullptr) add_parent(of->oid, *parent);
  }

  void add_parent(Oid child, const QualifiedName& parent) {
    if (const Relation* found = named(parent)) catalog_.inheritance.push_back({child, found->oid});
  }

  // "ALTER TABLE ONLY parent ATTACH PARTITION child …" and "ALTER INDEX parent ATTACH PARTITION child".
  void read_attachment(const TocEntry& entry) {
    read_attached_table(entry.definition);
    DefinitionReader reader(entry.definition);
    if (entry.kind == EntryKind::kIndexAttach && reader.take("ALTER INDEX")) {
      const auto parent = reader.qualified_name();
      const auto child = parent && reader.take("ATTACH PARTITION") ? reader.qualified_name() : std::nullopt;
      if (child) attached_[{parent->schema, parent->name}].emplace_back(child->schema, child->name);
    }
  }

  bool calls_functions(const TocEntry& entry) const { return schema::calls_functions(entry, by_dump_id_); }

  // "STATISTICS": those of expressions are gathered when the functions' tables have their rows.
  void read_statistics(const TocEntry& entry) {
    if (!calls_functions(entry)) return;
    for (const int needed : entry.dependencies) {
      const auto found = by_dump_id_.find(needed);
      if (found == by_dump_id_.end() || found->second->kind != EntryKind::kTable) continue;
      if (const auto place = place_of(found->second->catalog_id.oid)) place->statistics_call_functions = true;
    }
  }

  Relation* place_of(Oid oid) {
    const auto found = std::lower_bound(catalog_.relations.begin(), catalog_.relations.end(), oid,
                                        [](const Relation& relation, Oid wanted) { return relation.oid < wanted; });
    return found == catalog_.relations.end() || found->oid != oid ? nullptr : &*found;
  }

  void add_index(Index index, const TocEntry& entry) {
    index.calls_functions = calls_functions(entry);
    if (index.calls_functions) {
      if (Relation* table = place_of(index.table)) table->statistics_call_functions = true;
    }
    catalog_.indexes.push_back(std::move(index));
  }

  void read_index(const TocEntry& entry) {
    const std::string& text = entry.definition;
    DefinitionReader reader(text);
    if (!reader.take("CREATE INDEX") && !reader.take("CREATE UNIQUE INDEX")) return;
    const bool is_named = reader.name() && reader.take("ON");
    reader.take("ONLY");
    const auto name = is_named ? reader.qualified_name() : std::nullopt;
    const Relation* found = name ? named(*name) : nullptr;
    if (found == nullptr) return;
    const Relation& table = *found;
    add_index({.oid = entry.catalog_id.oid,
               .table = table.oid,
               .schema = entry.schema.value_or(""),
               .name = entry.tag,
               .definition = text,
               .on_partitioned_table = table.kind == RelationKind::kPartitionedTable,
               .clustered = text.find(" CLUSTER ON ") != std::string::npos,
               .replica_identity = text.find(" REPLICA IDENTITY USING INDEX ") != std::string::npos},
              entry);
  }

  void read_constraint(const TocEntry& entry) {
    DefinitionReader reader(entry.definition);
    const bool is_of_table = reader.take("ALTER TABLE ONLY") || reader.take("ALTER TABLE");
    const auto name = is_of_table ? reader.qualified_name() : std::nullopt;
    const Relation* found = name ? named(*name) : nullptr;
    if (found == nullptr || entry.catalog_id.table != kPgConstraint) return;
    // Others, such as NOT NULL that is not valid, have no index.
    if (!reader.take("ADD CONSTRAINT") || !reader.name() ||
        !(reader.take("PRIMARY KEY") || reader.take("UNIQUE") || reader.take("EXCLUDE"))) {
      return;
    }
    const Relation& table = *found;
    Index index = read_key(entry, table).value_or(Index{});
    // An index of its own makes what is not known here in one statement, as an exclusion constraint does.
    if (index.constraint_type == 0) {
      const std::string& text = entry.definition;
      index.constraint_type = 'x';
      index.deferrable = text.find(" DEFERRABLE") != std::string::npos;
      index.deferred = text.find(" INITIALLY DEFERRED") != std::string::npos;
      index.clustered = text.find(" CLUSTER ON ") != std::string::npos;
      index.replica_identity = text.find(" REPLICA IDENTITY USING INDEX ") != std::string::npos;
    }
    index.oid = next_unknown_oid_--;
    index.table = table.oid;
    index.schema = table.schema;
    if (index.name.empty()) index.name = index.constraint_name = constraint_name_of(entry, table);
    index.constraint = entry.catalog_id.oid;
    index.on_partitioned_table = table.kind == RelationKind::kPartitionedTable;
    add_index(std::move(index), entry);
  }

  // A tag is the table's name, a blank and the constraint's.
  static std::string constraint_name_of(const TocEntry& entry, const Relation& table) {
    const std::string begin = table.name + " ";
    return entry.tag.starts_with(begin) ? entry.tag.substr(begin.size()) : entry.tag;
  }

  void read_foreign_key(const TocEntry& entry) {
    DefinitionReader reader(entry.definition);
    const bool only = reader.take("ALTER TABLE ONLY");
    if (!only && !reader.take("ALTER TABLE")) return;
    const auto child_name = reader.qualified_name();
    if (!child_name || !reader.take("ADD CONSTRAINT")) return;
    const auto name = reader.name();
    if (!name || !reader.take("FOREIGN KEY")) return;
    ForeignKey key{.oid = entry.catalog_id.oid, .name = *name};
    key.child_columns = take_key_columns(reader);
    const auto parent_name = reader.take("REFERENCES") ? reader.qualified_name() : std::nullopt;
    key.parent_columns = take_key_columns(reader);
    const Relation* child = named(*child_name);
    const Relation* parent = parent_name ? named(*parent_name) : nullptr;
    if (child == nullptr || parent == nullptr) return;
    key.child = child->oid;
    key.parent = parent->oid;
    key.match_full = reader.take("MATCH FULL");
    key.equalities.assign(key.child_columns.size(), "OPERATOR(pg_catalog.=)");
    const bool is_plain = child->kind == RelationKind::kTable && parent->kind == RelationKind::kTable &&
                          !key.child_columns.empty() && key.child_columns.size() == key.parent_columns.size();
    const bool is_of_periods = entry.definition.find("PERIOD ") != std::string::npos;
    key.validated_apart = is_plain && !is_of_periods && only &&
                          reader.rest().find("NOT VALID") == std::string_view::npos &&
                          reader.rest().find("NOT ENFORCED") == std::string_view::npos;
    catalog_.foreign_keys.push_back(std::move(key));
  }

  void read_extension(const TocEntry& entry) {
    DefinitionReader reader(entry.definition);
    std::string schema;
    if (reader.take("CREATE EXTENSION IF NOT EXISTS") && reader.name() && reader.take("WITH SCHEMA")) {
      schema = reader.name().value_or("");
    }
    catalog_.extensions[entry.tag] = schema;
  }

  // "CREATE POLICY p ON t … TO role, role USING (…)": the words after TO, before any expression.
  void read_policy(const TocEntry& entry) {
    TocEntry head = entry;
    const std::size_t expression = std::min(head.definition.find(" USING ("), head.definition.find(" WITH CHECK ("));
    if (expression != std::string::npos) head.definition.resize(expression);
    add_roles(head, {"TO"}, false, catalog_.roles);
  }

  // An index of a partitioned table to which not every partition's is attached was invalid on the source, too.
  void find_incomplete_indexes() {
    std::map<Oid, std::size_t> children;
    for (const Inheritance& link : catalog_.inheritance) ++children[link.parent];
    std::map<std::pair<std::string, std::string>, Index*> by_name;
    for (Index& index : catalog_.indexes) by_name[{index.schema, index.name}] = &index;
    // Their parts may be incomplete themselves: one more round for each level of a tree.
    for (bool has_changed = true; has_changed;) {
      has_changed = false;
      for (Index& index : catalog_.indexes) {
        if (!index.on_partitioned_table || !index.complete) continue;
        std::size_t whole = 0;
        for (const auto& part : attached_[{index.schema, index.name}]) {
          const auto found = by_name.find(part);
          if (found == by_name.end() || found->second->complete) ++whole;
        }
        index.complete = whole >= children[index.table];
        has_changed = has_changed || !index.complete;
      }
    }
  }

  const Archive& archive_;
  Catalog catalog_;
  /// No archive has the OIDs of constraints' indexes, which only have to differ from all others.
  Oid next_unknown_oid_ = std::numeric_limits<Oid>::max();
  std::map<Oid, std::size_t> places_;  // of relations, until they are sorted
  std::map<int, const TocEntry*> by_dump_id_;
  std::map<Oid, QualifiedName> via_roots_;
  std::map<std::pair<std::string, std::string>, Oid> by_name_;
  /// By the name of the index above.
  std::map<std::pair<std::string, std::string>, std::vector<std::pair<std::string, std::string>>> attached_;
};

}  // namespace

Catalog catalog_of(const Archive& archive) { return ArchivedCatalog(archive).read(); }

int server_version_of(const Archive& archive) {
  const std::string& text = archive.server_version;
  std::array<int, 3> parts{};
  const char* at = text.data();
  const char* const end = text.data() + text.size();
  for (int& part : parts) {
    const auto [next, status] = std::from_chars(at, end, part);
    if (status != std::errc()) break;
    at = next;
    if (at == end || *at != '.') break;
    ++at;
  }
  constexpr int kFirstOfTwoParts = 10;
  if (parts[0] >= kFirstOfTwoParts) return parts[0] * 10000 + parts[1];
  return parts[0] * 10000 + parts[1] * 100 + parts[2];
}

std::string encoding_of(const Archive& archive) {
  const std::string definition(archive.definition_of(EntryKind::kEncoding));
  DefinitionReader reader(definition);
  if (!reader.take("SET client_encoding =")) return "";
  const std::string_view rest = reader.rest();
  const std::size_t begin = rest.find('\'');
  const std::size_t end = begin == std::string_view::npos ? begin : rest.find('\'', begin + 1);
  if (end == std::string_view::npos) return "";
  return std::string(rest.substr(begin + 1, end - begin - 1));
}

}  // namespace pgsluice::schema
