#include "pipeline/plan/table_plan.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>

#include "pg/quote.h"
#include "pg/version.h"

namespace pgsluice::pipeline {

namespace {

using copy::SplitOptions;
using schema::Relation;
using schema::RelationKind;

constexpr Bytes kSmallestSplit{1024LL * 1024 * 1024};  // by kAuto: below, FREEZE saves more than a second stream does
constexpr Bytes kSmallestPart{64 * 1024 * 1024};
constexpr std::int64_t kMostPartsByThemselves = 256;

enum class SplitBy { kNothing, kBlocks, kKey, kFrames };

struct Split {
  SplitBy by = SplitBy::kNothing;
  std::string reason;
};

Bytes size_of_all(const schema::Catalog& catalog) {
  Bytes sum;
  for (const Relation* table : tables_to_copy(catalog)) sum += table->size();
  return sum;
}

// Returns how much one stream may carry without the run's end waiting for it: with two jobs a fair share of all. The
// more jobs there are, the sooner all rows have crossed, and the more of the run's time passes with what comes after a
// large table's rows: its indexes, statistics and keys begin when its last row is there. A quarter of the share is
// where simulated runs come within a tenth of the shortest one possible (docs/performance.md, Order).
Bytes longest_stream(const TablePlanInput& input) {
  const std::int64_t fair_share = size_of_all(input.source).count / std::max(input.table_jobs, 1);
  return {fair_share * 2 / std::clamp(input.table_jobs, 2, 8)};
}

class TablePlanner {
 public:
  explicit TablePlanner(const TablePlanInput& input) : input_(input), longest_stream_(longest_stream(input)) {}

  TablePlan plan(const Relation& table) const {
    TablePlan plan{.table = &table, .into = &table, .format = {}, .loading = {}, .ranges = {}};
    std::vector<std::string> reasons;
    plan.method = "COPY";
    if (const Relation* root = table.load_via_root == 0 ? nullptr : input_.source.relation(table.load_via_root)) {
      plan.into = root;
      plan.method = "COPY through " + root->display();
      reasons.emplace_back(table.collation_sensitive_root == table.load_via_root
                               ? "the target sorts the partitions' key in another way"
                               : "the hash of its key (an enum's value, or a text in a nondeterministic collation) is "
                                 "another one on the target");
    }
    copy::FormatChoice format =
        copy::choose_format(input_.source, table, input_.target_version, input_.format, input_.use);
    if (input_.framed) format = {copy::CopyFormat::kText, "text: as the archive has it"};
    if (input_.other_types.contains(table.oid)) {
      format = {copy::CopyFormat::kText, "text: the target's columns have other types"};
    }
    plan.format = format.format;
    choose_ranges(plan, reasons);
    choose_loading(plan, reasons);
    if (!format.reason.empty()) reasons.push_back(format.reason);
    plan.reason = fmt::format("{}", fmt::join(reasons, "; "));
    return plan;
  }

  Split how_to_split(const Relation& table) const {
    if (!is_large(table)) return {};
    if (table.access_method != "heap") return {SplitBy::kNothing, "not split: only heap tables are"};
    if (table.columns.empty() || table.extension_condition) return {};
    if (input_.one_stream.contains(table.oid)) {
      return {SplitBy::kNothing, "not split: the target has triggers on it, or a foreign key to itself"};
    }
    if (input_.framed) {
      if (input_.framed->contains(table.oid)) return {SplitBy::kFrames, "by ranges of frames"};
      return {SplitBy::kNothing, "not split: pgsluice has not made the archive"};
    }
    const bool blocks = input_.split.by_ctid && input_.source.server_version >= pg::since::kTidRangeScan;
    const bool key = !table.integer_key.empty();
    // A size that was asked for is applied as pgcopydb does: keys first.
    const bool key_first = input_.split.when == SplitOptions::When::kLarger;
    if (key && (key_first || !blocks)) return {SplitBy::kKey, "by ranges of " + table.integer_key};
    if (blocks) return {SplitBy::kBlocks, "by ranges of blocks"};
    if (!input_.split.by_ctid) return {SplitBy::kNothing, "not split: no unique integer key, and not by ctid as asked"};
    return {SplitBy::kNothing, "not split: a source before 14 needs a unique integer key for that"};
  }

 private:
  bool is_large(const Relation& table) const {
    switch (input_.split.when) {
      case SplitOptions::When::kNever:
        return false;
      case SplitOptions::When::kLarger:
        return table.size() > input_.split.size;
      case SplitOptions::When::kAuto:
        return input_.table_jobs > 1 && table.size() > longest_stream_ && table.size() >= kSmallestSplit;
    }
    return false;
  }

  void choose_ranges(TablePlan& plan, std::vector<std::string>& reasons) const {
    const Relation& table = *plan.table;
    const Split split = how_to_split(table);
    if (split.by == SplitBy::kFrames) {
      plan.ranges = copy::ranges_of_frames(part_sizes(table, input_.split.max_parts), input_.framed->at(table.oid));
    } else if (split.by == SplitBy::kBlocks) {
      plan.ranges =
          copy::ranges_of_blocks(part_sizes(table, input_.split.max_parts), table.heap_size, input_.source.block_size);
    } else if (const auto span = input_.key_spans.find(table.oid);
               split.by == SplitBy::kKey && span != input_.key_spans.end() && input_.split.max_parts != 1) {
      // Rows without a key are a part, too.
      const int of_keys = std::max(input_.split.max_parts - 1, 0);
      plan.ranges = copy::ranges_of_keys(part_sizes(table, of_keys), table.integer_key, span->second);
    }
    if (plan.ranges.empty()) plan.ranges = {{.bounds = {}, .size = table.size()}};
    if (const auto loaded = input_.loaded.find(table.oid); loaded != input_.loaded.end()) {
      plan.ranges = copy::around_loaded(plan.ranges, loaded->second);
      reasons.push_back(fmt::format("{} of {} parts are there already", loaded->second.size(), plan.ranges.size()));
    }
    if (!split.reason.empty()) reasons.push_back(split.reason);
  }

  // At most so many, where that is not 0.
  std::vector<Bytes> part_sizes(const Relation& table, int max_parts) const {
    const Bytes whole = table.size();
    if (input_.split.when == SplitOptions::When::kLarger) {
      return copy::equal_sizes(whole, input_.split.size, max_parts);
    }
    const Bytes smallest{std::max(kSmallestPart.count, whole.count / kMostPartsByThemselves)};
    return copy::shrinking_sizes(whole, input_.table_jobs, smallest, max_parts);
  }

  void choose_loading(TablePlan& plan, std::vector<std::string>& reasons) const {
    const Relation& table = *plan.table;
    if (table.extension_condition) {
      reasons.emplace_back("configuration of an extension");
      return;
    }
    if (table.size() <= kSmallTable) {
      // VACUUM of so few pages costs more than it saves their first readers.
      plan.upkeep = Upkeep::kAnalyze;
      reasons.emplace_back("small: with others in one transaction, no VACUUM");
      return;
    }
    const bool one_stream = plan.into == plan.table && plan.ranges.size() == 1;
    if (!one_stream || table.access_method != "heap") return;
    if (input_.not_frozen.contains(table.oid)) {
      reasons.emplace_back("foreign keys of the target refer to it, or it is partitioned there: no FREEZE");
      return;
    }
    plan.loading = copy::Loading::kFreeze;
    plan.method = "COPY FREEZE";
    if (input_.target_version < pg::since::kFreezeSetsVisibility) {
      reasons.emplace_back("one stream; VACUUM follows, as the target is older than 14");
    } else if (table.toast_size.count > table.heap_size.count / 4) {
      reasons.emplace_back("one stream; VACUUM follows for its TOAST");
    } else {
      plan.upkeep = Upkeep::kAnalyze;
      reasons.emplace_back("one stream, which spares VACUUM");
    }
  }

  const TablePlanInput& input_;
  const Bytes longest_stream_;
};

}  // namespace

std::vector<const Relation*> tables_to_copy(const schema::Catalog& catalog) {
  std::vector<const Relation*> result;
  for (const Relation& relation : catalog.relations) {
    if (relation.kind == RelationKind::kTable && relation.rows_wanted) result.push_back(&relation);
  }
  return result;
}

std::vector<const Relation*> tables_that_are_split(const TablePlanInput& input) {
  const TablePlanner planner(input);
  std::vector<const Relation*> result;
  for (const Relation* table : tables_to_copy(input.source)) {
    if (planner.how_to_split(*table).by != SplitBy::kNothing) result.push_back(table);
  }
  return result;
}

std::vector<const Relation*> tables_split_by_key(const TablePlanInput& input) {
  const TablePlanner planner(input);
  std::vector<const Relation*> result;
  for (const Relation* table : tables_to_copy(input.source)) {
    if (planner.how_to_split(*table).by == SplitBy::kKey) result.push_back(table);
  }
  return result;
}

std::vector<TablePlan> plan_tables(const TablePlanInput& input) {
  const TablePlanner planner(input);
  std::vector<TablePlan> plans;
  for (const Relation* table : tables_to_copy(input.source)) plans.push_back(planner.plan(*table));
  return plans;
}

}  // namespace pgsluice::pipeline
