#include "pipeline/compare/table_comparison.h"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>

#include "copy/ledger.h"
#include "pg/quote.h"
#include "pg/version.h"
#include "pipeline/plan/table_plan.h"
#include "schema/catalog/expression_settings.h"

namespace pgsluice::pipeline {

namespace {

using schema::Catalog;
using schema::Relation;
using schema::RelationKind;

// A query of a table plans with its indexes' expressions, and the bodies of functions in these may name others without
// their schema.
std::string search_path_for(const Catalog& catalog, const Relation& relation) {
  const Relation* table = catalog.relation(relation.oid);
  const bool calls = std::any_of(catalog.indexes.begin(), catalog.indexes.end(), [&](const schema::Index& index) {
    return index.calls_functions && table != nullptr && index.table == table->oid;
  });
  return calls ? schema::search_path_sql(catalog.search_path) : "";
}

std::string type_name(const Catalog& catalog, schema::Oid type) {
  const auto found = catalog.types.find(type);
  return found == catalog.types.end() ? "?" : found->second.name;
}

}  // namespace

std::map<RelationName, Relation> tables_to_compare(const Catalog& catalog) {
  std::map<RelationName, Relation> tables;
  const auto add = [&](const Relation& relation) {
    Relation& compared = tables[{relation.schema, relation.name}] = relation;
    compared.columns.insert(compared.columns.end(), relation.generated_columns.begin(),
                            relation.generated_columns.end());
    compared.column_types.insert(compared.column_types.end(), relation.generated_types.begin(),
                                 relation.generated_types.end());
  };
  for (const Relation* table : tables_to_copy(catalog)) {
    if (table->schema == copy::kLedgerSchema) continue;
    const schema::Oid root = table->load_via_root != 0 ? table->load_via_root : table->collation_sensitive_root;
    if (const Relation* whole = root == 0 ? table : catalog.relation(root)) add(*whole);
  }
  for (const Relation& relation : catalog.relations) {
    if (relation.kind == RelationKind::kMaterializedView && relation.populated) add(relation);
  }
  return tables;
}

TableComparison::TableComparison(ComparedTable& result, Relation here, Relation there, const ComparedServer& source,
                                 const ComparedServer& target)
    : result_(result), here_(std::move(here)), there_(std::move(there)), source_(source), target_(target) {
  choose_reading();
}

std::string TableComparison::copy_out(Side side, const std::string& condition) const {
  const ComparedServer& server = side == Side::kSource ? source_ : target_;
  const Relation& relation = side == Side::kSource ? here_ : there_;
  std::string list;
  for (const std::string& column : columns_) list += (list.empty() ? "" : ", ") + column;
  return search_path_for(server.catalog, relation) +
         fmt::format("COPY (SELECT {} FROM {}{}{}) TO STDOUT{}", list, from(), condition.empty() ? "" : " WHERE ",
                     condition, format_ == copy::CopyFormat::kBinary ? " WITH (FORMAT binary)" : "");
}

std::string TableComparison::from() const {
  return (here_.kind == RelationKind::kPartitionedTable ? "" : "ONLY ") + here_.quoted();
}

void TableComparison::choose_reading() {
  for (const auto& [side, relation, server] :
       {std::tuple{"source", &here_, &source_}, std::tuple{"target", &there_, &target_}}) {
    if (!relation->row_security_applies) continue;
    result_.undecided = fmt::format(
        "row-level security hides rows of it on the {} from {}: compare as a role with BYPASSRLS, or as a superuser",
        side, server->session.user());
    return;
  }
  std::map<std::string, schema::Oid> types_there;
  for (std::size_t i = 0; i < there_.columns.size(); ++i) types_there[there_.columns[i]] = there_.column_types[i];
  bool same_types = true;
  for (std::size_t i = 0; i < here_.columns.size(); ++i) {
    const auto found = types_there.find(here_.columns[i]);
    if (found == types_there.end()) {
      result_.trouble = fmt::format("column {} is missing on the target", pg::display_name("", here_.columns[i]));
      return;
    }
    same_types =
        same_types && type_name(source_.catalog, here_.column_types[i]) == type_name(target_.catalog, found->second);
    types_there.erase(found);
  }
  if (!types_there.empty()) {
    result_.trouble =
        fmt::format("column {} is missing on the source", pg::display_name("", types_there.begin()->first));
    return;
  }
  if (same_types) {
    format_ = copy::choose_format(source_.catalog, here_, target_.catalog.server_version, copy::FormatWish::kAuto,
                                  copy::FormatUse::kCompare)
                  .format;
  }
  const bool other_floats =
      std::min(source_.catalog.server_version, target_.catalog.server_version) < pg::since::kShortestFloats;
  for (std::size_t i = 0; i < here_.columns.size(); ++i) {
    std::string column = pg::quote_identifier(here_.columns[i]);
    const std::string type = type_name(source_.catalog, here_.column_types[i]);
    const bool by_bytes = same_types && other_floats && format_ == copy::CopyFormat::kText;
    if (by_bytes && type == "double precision") column = fmt::format("pg_catalog.float8send({})", column);
    if (by_bytes && type == "real") column = fmt::format("pg_catalog.float4send({})", column);
    columns_.push_back(std::move(column));
  }
}

}  // namespace pgsluice::pipeline
