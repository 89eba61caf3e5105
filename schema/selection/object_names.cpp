#include "schema/selection/object_names.h"

#include <fmt/format.h>

#include "pg/version.h"
#include "schema/catalog/catalog_sql.h"

namespace pgsluice::schema {

namespace {

void read_relations(pg::Connection& source, ObjectNames& names) {
  for (const pg::Row row : source.execute(
           fmt::format("SELECT c.oid, n.oid, n.nspname, c.relname, c.relkind"
                       "  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
                       " WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S', 'i', 'I') AND {}"
                       "   AND c.relpersistence <> 't' ORDER BY 3, 4",
                       kUserSchema))) {
    names.relations.push_back({.oid = row.oid(0),
                               .schema_oid = row.oid(1),
                               .schema = std::string(row.text(2)),
                               .name = std::string(row.text(3)),
                               .kind = row.text(4).front()});
  }
}

void read_inheritance(pg::Connection& source, ObjectNames& names) {
  const bool has_partitions = source.server_version() >= pg::since::kPartitions;
  for (const pg::Row row : source.execute(fmt::format("SELECT i.inhrelid, i.inhparent, {} FROM pg_catalog.pg_inherits i"
                                                      " JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid",
                                                      has_partitions ? "c.relispartition" : "false"))) {
    names.parents.emplace(row.oid(0), row.oid(1));
    if (row.boolean(2)) names.partitions.emplace(row.oid(1), row.oid(0));
  }
}

}  // namespace

void ObjectNames::add_with_parents(Oid relation, std::set<Oid>& to) const {
  to.insert(relation);
  const auto [begin, end] = parents.equal_range(relation);
  for (auto parent = begin; parent != end; ++parent) add_with_parents(parent->second, to);
}

void ObjectNames::add_with_partitions(Oid relation, std::set<Oid>& to) const {
  to.insert(relation);
  const auto [begin, end] = partitions.equal_range(relation);
  for (auto partition = begin; partition != end; ++partition) add_with_partitions(partition->second, to);
}

ObjectNames read_object_names(pg::Connection& source) {
  ObjectNames names;
  for (const pg::Row row : source.execute(
           fmt::format("SELECT n.oid, n.nspname FROM pg_catalog.pg_namespace n WHERE {} ORDER BY 2", kUserSchema))) {
    names.schemas.push_back({.oid = row.oid(0), .name = std::string(row.text(1))});
  }
  read_relations(source, names);
  for (const pg::Row row :
       source.execute("SELECT oid, extnamespace, extname FROM pg_catalog.pg_extension WHERE oid >= 16384")) {
    names.extensions.push_back({.oid = row.oid(0), .schema_oid = row.oid(1), .name = std::string(row.text(2))});
  }
  read_inheritance(source, names);
  for (const pg::Row row : source.execute("SELECT oid FROM pg_catalog.pg_constraint"
                                          " WHERE contype IN ('c', 'n') AND convalidated AND oid >= 16384")) {
    names.inline_constraints.insert(row.oid(0));
  }
  return names;
}

}  // namespace pgsluice::schema
