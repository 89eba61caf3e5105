#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/digest.h"
#include "copy/copy_format.h"
#include "pg/connection.h"
#include "pgsluice/bytes.h"
#include "pgsluice/row_options.h"
#include "schema/catalog/catalog.h"

namespace pgsluice::copy {

/// RangeBounds::by of ranges of blocks; no column of a user's can have this name.
inline constexpr std::string_view kByBlocks = "ctid";

/// RangeBounds::by of rows that begin in some frames of an archive's file; bounds are numbers of frames.
inline constexpr std::string_view kByFrames = "frame of the archive";
/// The content of a frame, which only the last of a part falls short of.
inline constexpr Bytes kFrameSize{2 * 1024 * 1024};

/// Which of a table's rows: all, those of some blocks, or those with some values of an integer key.
struct RangeBounds {
  /// Empty: all rows; kByBlocks: by the number of a block; else the key's name.
  std::string by;
  std::optional<std::int64_t> from;  ///< nullopt: from the first one on
  std::optional<std::int64_t> to;    ///< the first one after the range; nullopt: to the last
  /// The rows that have no key, and no others.
  bool nulls = false;

  bool operator==(const RangeBounds&) const = default;
};

/// For WHERE; empty: all rows.
std::string condition_of(const RangeBounds& bounds);

/// The rows that have arrived of a part.
struct LoadedRows {
  std::int64_t rows = 0;
  Bytes bytes;  ///< of the COPY stream
  /// The sum of the rows' digests, if they were digested.
  std::optional<Digest> digest = std::nullopt;
  /// In which they have crossed.
  CopyFormat format = CopyFormat::kText;
};

/// A part of a table's rows.
struct RowRange {
  RangeBounds bounds = {};
  /// Estimated.
  Bytes size = {};
  /// Set for a part that an earlier run has loaded.
  std::optional<LoadedRows> loaded = std::nullopt;

  std::string condition() const { return condition_of(bounds); }
};

/// The least and the greatest key of a table.
struct KeySpan {
  std::int64_t least = 0;
  std::int64_t greatest = 0;
};

/// The sizes of parts for so many bytes, so that `jobs` workers that take one after another end together: a share of
/// what is left each time, so large ones first, and never less than `smallest`.
std::vector<Bytes> shrinking_sizes(Bytes whole, int jobs, Bytes smallest, int max_parts);
/// Parts of one size each.
std::vector<Bytes> equal_sizes(Bytes whole, Bytes part, int max_parts);

/// Ranges of blocks of these sizes; the last has no end, since blocks may have been added since the snapshot. To be
/// read by a TID range scan, which servers have from 14 on: an older one would read the whole table for each.
std::vector<RowRange> ranges_of_blocks(const std::vector<Bytes>& sizes, Bytes heap, Bytes block);

/// Ranges of the frames of an archive's file with this content.
std::vector<RowRange> ranges_of_frames(const std::vector<Bytes>& sizes, Bytes content);

/// Ranges of an integer key, each as wide as its share of the sizes; the last has no end. Rows without a key are a part
/// of their own, in front.
std::vector<RowRange> ranges_of_keys(const std::vector<Bytes>& sizes, const std::string& key, const KeySpan& span);

/// A table's parts when some are loaded already: those, and what is missing between them, which is cut where `planned`
/// is, if that is cut by the same key.
std::vector<RowRange> around_loaded(const std::vector<RowRange>& planned, std::vector<RowRange> loaded);

/// Reads the span of a table's integer key; nullopt for a table without a row that has one.
std::optional<KeySpan> read_key_span(pg::Connection& source, const schema::Relation& table);

}  // namespace pgsluice::copy
