#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "pgsluice/base/bytes.h"
#include "pgsluice/pg/connection.h"
#include "pgsluice/schema/catalog.h"

namespace pgsluice::copy {

/// A part of a table's rows, in SQL.
struct RowRange {
  /// For WHERE; empty: all rows.
  std::string condition;
  /// Estimated.
  Bytes size;
};

/// When a table is cut into parts that cross at the same time.
struct SplitOptions {
  enum class When {
    kAuto,    ///< a table that is more than one job's fair share of all there is to copy
    kLarger,  ///< a table larger than `size`
    kNever,
  };
  When when = When::kAuto;
  Bytes size;
  /// At most so many parts for a table; 0: no limit.
  int most_parts = 0;
  /// Whether tables may be cut by the place of their rows (ctid).
  bool by_ctid = true;
};

/// The least and the greatest key of a table.
struct KeySpan {
  std::int64_t least = 0;
  std::int64_t greatest = 0;
};

/// The sizes of parts for so many bytes, so that `jobs` workers that take one after another end together: a share of
/// what is left each time, so large ones first, and never less than `smallest`.
std::vector<Bytes> shrinking_sizes(Bytes whole, int jobs, Bytes smallest, int most_parts);
/// Parts of one size each.
std::vector<Bytes> equal_sizes(Bytes whole, Bytes part, int most_parts);

/// Ranges of blocks of these sizes; the last has no end, since blocks may have been added since the snapshot. To be
/// read by a TID range scan, which servers have from 14 on: an older one would read the whole table for each.
std::vector<RowRange> ranges_of_blocks(const std::vector<Bytes>& sizes, Bytes heap, Bytes block);

/// Ranges of an integer key, each as wide as its share of the sizes; the last has no end. Rows without a key are a part
/// of their own, in front.
std::vector<RowRange> ranges_of_keys(const std::vector<Bytes>& sizes, const std::string& key, const KeySpan& span);

/// Reads the span of a table's integer key; nothing for a table without a row that has one.
std::optional<KeySpan> read_key_span(pg::Connection& source, const schema::Relation& table);

}  // namespace pgsluice::copy
