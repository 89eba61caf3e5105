#include "tools/pgsluice/schema_document.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "pg/quote.h"
#include "schema/catalog/listing.h"
#include "schema/catalog/sequences.h"

namespace pgsluice::tools {

namespace {

using Json = nlohmann::ordered_json;

class SchemaDocument {
 public:
  SchemaDocument(pg::Connection& source, const schema::Catalog& catalog,
                 const std::map<schema::Oid, copy::KeySpan>& spans)
      : source_(source), catalog_(catalog), spans_(spans) {
    for (const schema::ListedColumn& column : schema::list_columns(source)) columns_[column.table].push_back(column);
    for (schema::ListedOwner& owner : schema::list_owners(source)) owners_[owner.relation] = std::move(owner.name);
  }

  Json tables(const std::vector<pipeline::TablePlan>& plans) const {
    std::map<schema::Oid, const pipeline::TablePlan*> by_table;
    for (const pipeline::TablePlan& plan : plans) by_table[plan.table->oid] = &plan;
    std::vector<const schema::Relation*> tables;
    for (const schema::Relation& relation : catalog_.relations) {
      if (relation.kind == schema::RelationKind::kTable) tables.push_back(&relation);
    }
    std::stable_sort(tables.begin(), tables.end(), [](const auto* a, const auto* b) { return a->size() > b->size(); });
    Json list = Json::array();
    for (const schema::Relation* table : tables) {
      const auto plan = by_table.find(table->oid);
      list.push_back(table_of(*table, plan == by_table.end() ? nullptr : plan->second));
    }
    return list;
  }

  Json indexes() const {
    const std::map<schema::Oid, schema::ListedIndexDetails> details = schema::list_index_details(source_);
    Json list = Json::array();
    for (const schema::Index& index : catalog_.indexes) {
      const schema::Relation* table = catalog_.relation(index.table);
      const auto found = details.find(index.oid);
      if (table == nullptr || found == details.end()) continue;
      Json json = named(index.oid, index.schema, index.name);
      json["isPrimary"] = index.constraint_type == 'p';
      json["isUnique"] = found->second.unique;
      json["columns"] = found->second.columns;
      json["sql"] = index.definition;
      json["restore-list-name"] = index.constraint == 0 ? list_name(index.schema, index.name, table->oid) : "";
      json["table"] = named(table->oid, table->schema, table->name);
      if (index.constraint != 0) {
        json["constraint"] = {{"oid", index.constraint},
                              {"name", index.constraint_name},
                              {"sql", found->second.constraint},
                              {"restore-list-name", ""}};
      }
      list.push_back(std::move(json));
    }
    return list;
  }

  Json sequences() const {
    Json list = Json::array();
    for (const schema::SequenceValue& value : schema::read_sequences(source_, catalog_.sequences)) {
      Json json = named(value.sequence->oid, value.sequence->schema, value.sequence->name);
      json["last-value"] = value.last_value;
      json["is-called"] = value.is_called;
      json["restore-list-name"] = list_name(value.sequence->schema, value.sequence->name, value.sequence->oid);
      list.push_back(std::move(json));
    }
    return list;
  }

 private:
  static Json named(schema::Oid oid, const std::string& schema, const std::string& name) {
    return {{"oid", oid}, {"schema", schema}, {"name", name}, {"qname", pg::quote_qualified(schema, name)}};
  }

  // As pg_restore --list names it.
  std::string list_name(const std::string& schema, const std::string& name, schema::Oid owned) const {
    const auto owner = owners_.find(owned);
    return fmt::format("{} {} {}", schema, name, owner == owners_.end() ? "" : owner->second);
  }

  Json table_of(const schema::Relation& table, const pipeline::TablePlan* plan) const {
    Json json = named(table.oid, table.schema, table.name);
    json["reltuples"] = static_cast<std::int64_t>(table.estimated_rows);
    json["bytes"] = table.size().count;
    json["bytes-pretty"] = to_string(table.size());
    json["exclude-data"] = !table.rows_wanted;
    json["restore-list-name"] = list_name(table.schema, table.name, table.oid);
    const bool by_blocks = plan != nullptr && plan->ranges.back().bounds.by == copy::kByBlocks;
    json["part-key"] = by_blocks ? std::string(copy::kByBlocks) : table.integer_key;
    json["cols"] = Json::array();
    if (const auto columns = columns_.find(table.oid); columns != columns_.end()) {
      for (const schema::ListedColumn& column : columns->second) {
        json["cols"].push_back({{"attnum", column.number},
                                {"atttypid", column.type},
                                {"attname", column.name},
                                {"attisprimary", column.primary},
                                {"attisgenerated", column.generated}});
      }
    }
    if (plan != nullptr && plan->ranges.size() > 1) json["parts"] = parts_of(*plan);
    return json;
  }

  Json parts_of(const pipeline::TablePlan& plan) const {
    const auto found = spans_.find(plan.table->oid);
    const std::optional<copy::KeySpan> span = found == spans_.end() ? std::nullopt : std::optional(found->second);
    Json list = Json::array();
    for (std::size_t i = 0; i < plan.ranges.size(); ++i) {
      const PartBounds bounds = part_bounds(plan.ranges[i], span);
      list.push_back({{"number", i + 1},
                      {"total", plan.ranges.size()},
                      {"min", bounds.first},
                      {"max", bounds.last},
                      {"count", bounds.count}});
    }
    return list;
  }

  pg::Connection& source_;
  const schema::Catalog& catalog_;
  const std::map<schema::Oid, copy::KeySpan>& spans_;
  std::map<schema::Oid, std::vector<schema::ListedColumn>> columns_;
  std::map<schema::Oid, std::string> owners_;
};

}  // namespace

PartBounds part_bounds(const copy::RowRange& range, const std::optional<copy::KeySpan>& span) {
  PartBounds result;
  if (range.bounds.nulls) return result;
  result.first = range.bounds.from.value_or(span ? span->least : 0);
  if (range.bounds.to) {
    result.last = *range.bounds.to - 1;
    result.count = *range.bounds.to - result.first;
  }
  return result;
}

std::string schema_document(pg::Connection& source, const schema::Catalog& catalog,
                            const std::vector<pipeline::TablePlan>& plans,
                            const std::map<schema::Oid, copy::KeySpan>& spans, const SchemaDocumentSetup& setup) {
  const SchemaDocument document(source, catalog, spans);
  Json json;
  if (!setup.snapshot.empty()) json["setup"]["snapshot"] = setup.snapshot;
  json["setup"]["source_pguri"] = setup.source;
  json["setup"]["target_pguri"] = setup.target;
  json["setup"]["table-jobs"] = setup.table_jobs;
  json["setup"]["index-jobs"] = setup.index_jobs;
  json["setup"]["split-tables-larger-than"] = setup.split_larger_than.count;
  json["tables"] = document.tables(plans);
  json["indexes"] = document.indexes();
  json["sequences"] = document.sequences();
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace pgsluice::tools
