#include "pipeline/prepare/existing_rows.h"

#include <fmt/format.h>

#include <array>
#include <atomic>
#include <map>
#include <optional>
#include <utility>

#include "base/counted.h"
#include "copy/copy_statement.h"
#include "pg/quote.h"
#include "pgsluice/error.h"
#include "schema/catalog/extension_tables.h"

namespace pgsluice::pipeline {

namespace {

// The server truncates no table without those that refer to it, be they empty. One with rows of this run stays as it
// is.
void add_empty_referrers(const schema::Catalog& catalog, const ExistingTarget& existing,
                         const std::set<schema::Oid>& loaded, std::set<schema::Oid>& tables) {
  std::map<schema::Oid, schema::Oid> parents;
  for (const schema::Inheritance& link : catalog.inheritance) parents[link.child] = link.parent;
  std::set<schema::Oid> holding = loaded;  // rows of this run, by themselves or below them
  for (const schema::Oid table : loaded) {
    for (auto parent = parents.find(table); parent != parents.end(); parent = parents.find(parent->second)) {
      holding.insert(parent->second);
    }
  }
  for (std::size_t before = tables.size() + 1; before != tables.size();) {
    before = tables.size();
    for (const auto& [child, parent] : existing.foreign_keys) {
      if (tables.contains(parent) && !holding.contains(child)) tables.insert(child);
    }
  }
}

}  // namespace

std::set<schema::Oid> tables_to_empty(const schema::Catalog& catalog, const ExistingTarget& existing,
                                      const std::set<schema::Oid>& loaded) {
  std::set<schema::Oid> roots_loaded;
  for (const schema::Relation* table : tables_to_copy(catalog)) {
    if (loaded.contains(table->oid)) roots_loaded.insert(table->load_via_root);
  }
  std::set<schema::Oid> result;
  for (const schema::Relation* table : tables_to_copy(catalog)) {
    const schema::Oid into = table->load_via_root == 0 ? table->oid : table->load_via_root;
    const bool ours = loaded.contains(into) || (table->load_via_root != 0 && roots_loaded.contains(into));
    if (existing.filled.contains(into) && !ours && !table->extension_condition) result.insert(into);
  }
  add_empty_referrers(catalog, existing, loaded, result);
  return result;
}

void refuse_rows_that_are_there(const PlanInput& input) {
  std::vector<std::string> names;
  for (const schema::Oid table : input.tables_to_empty) {
    if (input.existing->filled.contains(table)) names.push_back(input.catalog.relation(table)->display());
  }
  if (names.empty()) return;
  throw Error(ErrorKind::kState, fmt::format("tables hold rows already: {}", some_of(names)))
      .on(Side::kTarget)
      .remedy(Remedy::kReplaceExisting)
      .remedy(Remedy::kResume);
}

void refuse_keys_in_a_circle(const PlanInput& input, const std::set<schema::Oid>& loaded) {
  std::set<std::pair<schema::Oid, schema::Oid>> left;
  std::set<schema::Oid> in_a_circle;
  for (const auto& [child, parent] : input.existing->foreign_keys) {
    if (loaded.contains(child) || loaded.contains(parent)) continue;
    if (child != parent) {
      left.insert({child, parent});
    } else if (input.catalog.relation(child)->kind == schema::RelationKind::kPartitionedTable) {
      in_a_circle.insert(child);  // one partition's rows may refer to another's
    }
  }
  // A key whose parent has none itself, or whose child is no parent, is in no circle.
  for (std::size_t before = left.size() + 1; left.size() < before;) {
    before = left.size();
    std::set<schema::Oid> children;
    std::set<schema::Oid> parents;
    for (const auto& [child, parent] : left) {
      children.insert(child);
      parents.insert(parent);
    }
    std::erase_if(left,
                  [&](const auto& key) { return !children.contains(key.second) || !parents.contains(key.first); });
  }
  for (const auto& [child, parent] : left) in_a_circle.insert(child);
  if (in_a_circle.empty()) return;
  std::vector<std::string> names;
  for (const schema::Oid table : in_a_circle) names.push_back(input.catalog.relation(table)->display());
  throw Error(
      ErrorKind::kState,
      fmt::format("foreign keys refer to one another in a circle, so that none of these can be filled first: {}",
                  some_of(names)))
      .on(Side::kTarget)
      .hint(
          "drop one of the keys until the rows are there; or restore the definitions in two halves, pre-data before "
          "loading rows and post-data afterwards");
}

copy::RowsDigest digest_of_configuration(pg::Connection& connection, const schema::Relation& table) {
  std::atomic<std::int64_t> bytes{0};
  const std::array<copy::DigestRequest, 1> request = {
      copy::DigestRequest{.connection = connection,
                          .copy_out = copy::copy_out_statement(table, copy::CopyFormat::kText, ""),
                          .format = copy::CopyFormat::kText,
                          .flow = bytes}};
  return copy::digest_rows(request)[0];
}

bool has_same_configuration(const schema::Relation& table, pg::Connection& target,
                            const std::map<std::string, std::string, std::less<>>& extensions_before,
                            const std::function<copy::RowsDigest()>& digest_of_source) {
  const std::optional<schema::OwnerOfTable> owner = schema::find_owner_of_table(target, table.schema, table.name);
  if (!owner || !extensions_before.contains(owner->extension)) return false;
  const copy::RowsDigest there = digest_of_configuration(target, table);
  if (there.rows == 0) return false;
  if (there == digest_of_source()) return true;
  throw Error(ErrorKind::kState,
              fmt::format("{}, configuration of the extension {}, holds other rows than the source's", table.display(),
                          pg::display_name("", owner->extension)))
      .on(Side::kTarget)
      .hint("delete them there")
      .remedy(Remedy::kOmitExtension);
}

}  // namespace pgsluice::pipeline
