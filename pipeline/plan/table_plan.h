#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "copy/copy_format.h"
#include "copy/copy_statement.h"
#include "copy/row_ranges.h"
#include "schema/catalog/catalog.h"

namespace pgsluice::pipeline {

/// The maintenance that a table needs once its rows and indexes are there.
enum class Upkeep {
  kAnalyze,        ///< its rows are frozen already, or so few that a scan of them costs nothing
  kVacuumAnalyze,  ///< before, index-only scans would have to look into the table
};

/// How one table's rows cross.
struct TablePlan {
  const schema::Relation* table = nullptr;
  const schema::Relation* into = nullptr;
  copy::CopyFormat format = copy::CopyFormat::kText;
  copy::Loading loading = copy::Loading::kAppend;
  /// One, without a condition, for a table that is not split.
  std::vector<copy::RowRange> ranges;
  Upkeep upkeep = Upkeep::kVacuumAnalyze;

  std::string method;  ///< "COPY FREEZE", for people
  std::string reason;  ///< of method, parts and format, for people
};

/// Up to this size tables travel many in a transaction.
inline constexpr Bytes kSmallTable{4 * 1024 * 1024};
inline constexpr std::size_t kMaxTablesTogether = 100;

struct TablePlanInput {
  const schema::Catalog& source;
  int target_version = 0;
  int table_jobs = 1;
  copy::FormatWish format = copy::FormatWish::kAuto;
  copy::FormatUse use = copy::FormatUse::kCopy;
  copy::SplitOptions split;
  /// The key ranges of the tables of tables_split_by_key().
  std::map<schema::Oid, copy::KeySpan> key_spans;
  /// Parts of tables that an earlier run has loaded.
  std::map<schema::Oid, std::vector<copy::RowRange>> loaded;
  /// Tables that have other types on a target that was made by others: their rows cross as text.
  std::set<schema::Oid> other_types = {};
  /// Tables that COPY FREEZE cannot go into there: foreign keys refer to them, or they are partitioned.
  std::set<schema::Oid> not_frozen = {};
  /// Set where rows come from an archive: the tables in frames, with the bytes of their rows. Others come as one
  /// stream.
  std::optional<std::map<schema::Oid, Bytes>> framed = std::nullopt;
  /// Tables that are not cut into parts: one would wait for the other there.
  std::set<schema::Oid> one_stream = {};
};

/// The tables that are copied: those with rows of their own, extensions' configuration included, unless a filter leaves
/// them out.
std::vector<const schema::Relation*> tables_to_copy(const schema::Catalog& catalog);

/// Returns the tables that are copied in parts.
std::vector<const schema::Relation*> tables_that_are_split(const TablePlanInput& input);

/// Tables of which the span of their integer key has to be known before they can be planned.
std::vector<const schema::Relation*> tables_split_by_key(const TablePlanInput& input);

/// Decides how each table crosses.
std::vector<TablePlan> plan_tables(const TablePlanInput& input);

}  // namespace pgsluice::pipeline
