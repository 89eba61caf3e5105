#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "pgsluice/bytes.h"
#include "pgsluice/estimate.h"

namespace pgsluice::pipeline {

/// How a table's rows will be copied.
struct PlannedTable {
  std::string schema;
  std::string name;
  std::string display;        ///< both names, quoted where that is needed
  Bytes size;                 ///< on the source's disk
  double estimated_rows = 0;  ///< by the source's statistics; -1 if it was never analyzed
  std::size_t parts = 0;      ///< that are copied at the same time
  std::string format;         ///< "text" or "binary"
  std::string method;         ///< how they are loaded
  bool is_vacuumed = false;   ///< VACUUM ANALYZE on the target; otherwise ANALYZE, if at all
  std::string reason;         ///< for format and method, where they are not the usual ones
};

/// All tasks of a kind.
struct PlannedStep {
  std::string id;     ///< a stable word: "table-data"
  std::string label;  ///< for people
  std::size_t tasks = 0;
};

/// The plan of a clone, for people and programs.
struct ClonePlan {
  std::string database;
  Bytes size;  ///< of the source's database
  std::vector<PlannedTable> tables;
  std::vector<PlannedStep> steps;
  std::string toast_compression;     ///< empty: the target's default
  Bytes index_memory;                ///< for all index builds together
  int max_parallel_workers = 0;      ///< of PostgreSQL's own, for each index build
  std::vector<std::string> skipped;  ///< what will not be done, and why
  std::vector<std::string> warnings;
  /// Made by Clone::plan_and_estimate() between two servers.
  std::optional<Estimate> estimate = std::nullopt;
};

}  // namespace pgsluice::pipeline
