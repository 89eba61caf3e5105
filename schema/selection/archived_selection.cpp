#include "schema/selection/archived_selection.h"

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "pg/quote.h"
#include "schema/selection/selector.h"

namespace pgsluice::schema {

namespace {

// pg_class.relkind, as a filter asks for it; 0 for entries of no relation.
char relation_kind(const TocEntry& entry, const Catalog& catalog) {
  switch (entry.kind.known()) {
    case EntryKind::kTable: {
      const Relation* relation = catalog.relation(entry.catalog_id.oid);
      return relation != nullptr && relation->kind == RelationKind::kPartitionedTable ? 'p' : 'r';
    }
    case EntryKind::kForeignTable:
      return 'f';
    case EntryKind::kMaterializedView:
      return 'm';
    case EntryKind::kView:
      return 'v';
    case EntryKind::kSequence:
      return 'S';
    case EntryKind::kIndex:
      return 'i';
    default:
      return 0;
  }
}

class ArchivedObjects {
 public:
  ArchivedObjects(const Archive& archive, const Catalog& catalog) : archive_(archive), catalog_(catalog) {
    for (const TocEntry& entry : archive.entries) by_dump_id_[entry.dump_id] = &entry;
    read_schemas();
    for (const TocEntry& entry : archive.entries) read_relation(entry);
    for (const Index& index : catalog.indexes) read_index_of_constraint(index);
    for (const Inheritance& link : catalog.inheritance) read_parent(link);
    for (const TocEntry& entry : archive.entries) read_dependencies(entry);
  }

  const ObjectNames& names() const { return names_; }
  std::vector<Dependency> take_dependencies() { return std::move(dependencies_); }

  // An object in the words of its entry.
  std::string describe(CatalogId id) const {
    for (const TocEntry& entry : archive_.entries) {
      if (entry.catalog_id == id && entry.kind != EntryKind::kTableData) return entry.describe();
    }
    for (const NamedObject& schema : names_.schemas) {
      if (id == CatalogId{kPgNamespace, schema.oid}) return "schema " + pg::display_name("", schema.name);
    }
    return "?";
  }

 private:
  // A schema that is always there, such as public, has no entry.
  void read_schemas() {
    Oid unknown = 1;
    for (const TocEntry& entry : archive_.entries) {
      if (entry.kind == EntryKind::kSchema) schemas_[entry.tag] = entry.catalog_id.oid;
    }
    for (const TocEntry& entry : archive_.entries) {
      const std::string schema = entry.schema.value_or("");
      if (schema.empty() || schema == "pg_catalog") continue;
      if (schemas_.emplace(schema, unknown).second) ++unknown;
    }
    for (const auto& [name, oid] : schemas_) names_.schemas.push_back({.oid = oid, .name = name});
  }

  Oid schema_of(const std::string& name) const {
    const auto found = schemas_.find(name);
    return found == schemas_.end() ? 0 : found->second;
  }

  void read_relation(const TocEntry& entry) {
    const std::string schema = entry.schema.value_or("");
    if (entry.kind == EntryKind::kExtension) {
      const auto in = catalog_.extensions.find(entry.tag);
      const Oid schema_oid = in == catalog_.extensions.end() ? 0 : schema_of(in->second);
      names_.extensions.push_back({.oid = entry.catalog_id.oid, .schema_oid = schema_oid, .name = entry.tag});
    }
    const char kind = relation_kind(entry, catalog_);
    if (kind == 0) return;
    names_.relations.push_back({.oid = entry.catalog_id.oid,
                                .schema_oid = schema_of(schema),
                                .schema = schema,
                                .name = entry.tag,
                                .kind = kind});
  }

  void read_index_of_constraint(const Index& index) {
    if (index.constraint == 0) return;
    names_.relations.push_back({.oid = index.oid,
                                .schema_oid = schema_of(index.schema),
                                .schema = index.schema,
                                .name = index.name,
                                .kind = 'i'});
    add({kPgClass, index.oid}, {kPgConstraint, index.constraint}, 'i');
  }

  void read_parent(const Inheritance& link) {
    names_.parents.emplace(link.child, link.parent);
    const Relation* parent = catalog_.relation(link.parent);
    const bool is_partition = parent != nullptr && parent->kind == RelationKind::kPartitionedTable;
    if (is_partition) names_.partitions.emplace(link.parent, link.child);
    add({kPgClass, link.child}, {kPgClass, link.parent}, is_partition ? 'a' : 'n');
  }

  // As pg_depend would have it: what an entry needs, and its schema.
  void read_dependencies(const TocEntry& entry) {
    if (entry.kind == EntryKind::kSequenceOwnedBy) return read_owner_of_sequence(entry);
    if (entry.catalog_id == CatalogId{} || entry.kind == EntryKind::kTableData) return;
    const Oid schema = schema_of(entry.schema.value_or(""));
    if (schema != 0) add(entry.catalog_id, {kPgNamespace, schema}, 'n');
    for (const int needed : entry.dependencies) {
      const auto found = by_dump_id_.find(needed);
      if (found == by_dump_id_.end() || found->second->catalog_id == CatalogId{}) continue;
      add(entry.catalog_id, found->second->catalog_id, type_of(entry, *found->second));
    }
  }

  // "SEQUENCE OWNED BY" has both as dependencies.
  void read_owner_of_sequence(const TocEntry& entry) {
    const TocEntry* sequence = nullptr;
    const TocEntry* table = nullptr;
    for (const int needed : entry.dependencies) {
      const auto found = by_dump_id_.find(needed);
      if (found == by_dump_id_.end()) continue;
      if (found->second->kind == EntryKind::kSequence) sequence = found->second;
      if (found->second->kind.is_one_of({EntryKind::kTable, EntryKind::kForeignTable})) table = found->second;
    }
    if (sequence != nullptr && table != nullptr) add(sequence->catalog_id, table->catalog_id, 'a');
  }

  // Parts go with what they are of and need no word.
  static char type_of(const TocEntry& entry, const TocEntry& needed) {
    const bool is_of_table = needed.kind.is_one_of(
        {EntryKind::kTable, EntryKind::kForeignTable, EntryKind::kMaterializedView, EntryKind::kView});
    if (!is_of_table) return 'n';
    if (entry.kind == EntryKind::kSequence) return 'i';  // of an identity column
    const bool is_part = entry.kind.is_one_of({EntryKind::kIndex, EntryKind::kConstraint, EntryKind::kCheckConstraint,
                                               EntryKind::kDefault, EntryKind::kTrigger, EntryKind::kRule,
                                               EntryKind::kPolicy, EntryKind::kStatistics});
    return is_part ? 'a' : 'n';
  }

  void add(CatalogId dependent, CatalogId on, char type) {
    if (dependent != on) dependencies_.push_back({.dependent = dependent, .on = on, .type = type});
  }

  const Archive& archive_;
  const Catalog& catalog_;
  std::map<int, const TocEntry*> by_dump_id_;
  std::map<std::string, Oid> schemas_;
  ObjectNames names_;
  std::vector<Dependency> dependencies_;
};

}  // namespace

Selection select_objects(const Archive& archive, const Catalog& catalog, const SelectionRequest& request) {
  if (request.rules.empty() && !request.skip_extensions) return {};
  ArchivedObjects objects(archive, catalog);
  auto [selection, dependents] = select_objects(objects.names(), Dependencies(objects.take_dependencies()), request);
  for (const auto& [id, because] : dependents) {
    selection.dependents.push_back({.id = id, .object = objects.describe(id), .because = objects.describe(because)});
  }
  return std::move(selection);
}

}  // namespace pgsluice::schema
