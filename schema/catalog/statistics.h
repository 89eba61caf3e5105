#pragma once

#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "pg/connection.h"
#include "schema/catalog/catalog.h"

namespace pgsluice::schema {

// The planner's statistics of a source's tables, for a target that takes them in the place of ANALYZE
// (pg::since::kRestoresStatistics). Source: PostgreSQL 18's documentation, "Statistics Manipulation Functions" and
// "pg_stats".

/// The statistics of one column: of a table, or of an index's expression.
struct ColumnStatistics {
  std::string relation;               ///< the table, or an index of it, in the table's schema
  std::optional<std::string> column;  ///< of a table
  std::optional<std::string> number;  ///< of an index's column, which has another name on the target at times
  std::string inherited;              ///< "t" where they are of a partitioned table's partitions together
  /// As text, in the order of the columns that statistics.cpp lists; nullopt for what ANALYZE did not gather.
  std::vector<std::optional<std::string>> values;
};

struct TableStatistics {
  const Relation* table = nullptr;
  std::string rows;  ///< pg_class.reltuples
  std::vector<ColumnStatistics> columns;
};

/// Returns the statistics of those tables whose statistics can stand for an ANALYZE on the target. Omitted are tables
/// - that were never analyzed, or of which at least 50 rows and a tenth have changed since: autovacuum's own measure;
/// - with a column without statistics, or with those of a kind that no function restores: types that gather their own
///   (PostGIS's), ranges before 17, extended statistics, a parent's of its inheritance children;
/// - whose statistics the user may not read: of other owners under row-level security.
/// The tables are of one database; `source` has an empty search path. Throws Error(kServer).
std::vector<TableStatistics> read_statistics(pg::Connection& source, std::span<const Relation* const> tables);

/// Writes them in one transaction. `all_visible`: tables whose pages COPY FREEZE has marked so. Throws Error(kServer),
/// or Error(kState) naming a table of which the target refuses some; nothing was written then.
void write_statistics(pg::Connection& target, int source_version, std::span<const TableStatistics> statistics,
                      const std::set<Oid>& all_visible);

}  // namespace pgsluice::schema
