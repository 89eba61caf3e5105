#include "copy/row_ranges.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include "pg/quote.h"

namespace pgsluice::copy {

namespace {

constexpr std::int64_t kMostParts = 10000;  // each is a task, whatever size was asked for

// Where each part begins, as a share of the whole: 0, …, and none at 1.
std::vector<double> beginnings(const std::vector<Bytes>& sizes) {
  double whole = 0;
  for (const Bytes size : sizes) whole += static_cast<double>(size.count);
  std::vector<double> result;
  double before = 0;
  for (const Bytes size : sizes) {
    result.push_back(whole > 0 ? before / whole : 0);
    before += static_cast<double>(size.count);
  }
  return result;
}

// The limits between parts, in order and each once; sizes of parts that have become empty go to the part before.
template <class Limit>
std::vector<RowRange> cut(const std::vector<Bytes>& sizes, std::string_view by, Limit limit) {
  std::vector<RowRange> ranges;
  RangeBounds bounds{.by = std::string(by)};
  const std::vector<double> shares = beginnings(sizes);
  Bytes size;
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    size += sizes[i];
    bounds.to.reset();
    if (i + 1 < sizes.size()) {
      bounds.to = limit(shares[i + 1]);
      if (bounds.to == bounds.from || bounds.to == limit(0.0)) continue;
    }
    ranges.push_back({bounds, size});
    bounds.from = bounds.to;
    size = {};
  }
  return ranges;
}

}  // namespace

std::string condition_of(const RangeBounds& bounds) {
  if (bounds.by.empty()) return "";
  const bool blocks = bounds.by == kByBlocks;
  const std::string column = blocks ? std::string(kByBlocks) : pg::quote_identifier(bounds.by);
  if (bounds.nulls) return column + " IS NULL";
  if (!bounds.from && !bounds.to) return blocks ? "" : column + " IS NOT NULL";
  const auto limit = [&](std::int64_t at) {
    return blocks ? fmt::format("'({},0)'::pg_catalog.tid", at) : fmt::format("{}", at);
  };
  std::string condition;
  if (bounds.from) condition = fmt::format("{} >= {}", column, limit(*bounds.from));
  if (bounds.to) condition += fmt::format("{}{} < {}", bounds.from ? " AND " : "", column, limit(*bounds.to));
  return condition;
}

std::vector<Bytes> shrinking_sizes(Bytes whole, int jobs, Bytes smallest, int max_parts) {
  const auto most = static_cast<std::size_t>(max_parts > 0 ? max_parts : std::numeric_limits<int>::max());
  std::vector<Bytes> sizes;
  std::int64_t left = whole.count;
  while (left > 0) {
    std::int64_t part = std::max(left / (2 * jobs), smallest.count);
    // No crumb after the last one, and no more parts than wanted.
    if (left - part < smallest.count / 2 || sizes.size() + 1 == most) part = left;
    sizes.push_back({part});
    left -= part;
  }
  // With a limit the rest has become one large part: even ones serve better.
  if (sizes.size() == most && sizes.size() > 1 && sizes.back() > sizes.front()) {
    return equal_sizes(whole, {(whole.count + max_parts - 1) / max_parts}, max_parts);
  }
  return sizes;
}

std::vector<Bytes> equal_sizes(Bytes whole, Bytes part, int max_parts) {
  std::int64_t parts = std::max<std::int64_t>(1, (whole.count + part.count - 1) / part.count);
  parts = std::min(parts, kMostParts);
  if (max_parts > 0) parts = std::min<std::int64_t>(parts, max_parts);
  return std::vector<Bytes>(static_cast<std::size_t>(parts), Bytes{whole.count / parts});
}

namespace {

std::vector<RowRange> ranges_of_units(const std::vector<Bytes>& sizes, std::string_view by, Bytes whole, Bytes unit) {
  const auto units = static_cast<double>(whole.count / std::max<std::int64_t>(unit.count, 1));
  std::vector<RowRange> ranges =
      cut(sizes, by, [&](double share) { return static_cast<std::int64_t>(std::floor(units * share)); });
  if (ranges.size() == 1) ranges.front().bounds = {};
  return ranges;
}

}  // namespace

std::vector<RowRange> ranges_of_blocks(const std::vector<Bytes>& sizes, Bytes heap, Bytes block) {
  return ranges_of_units(sizes, kByBlocks, heap, block);
}

std::vector<RowRange> ranges_of_frames(const std::vector<Bytes>& sizes, Bytes content) {
  return ranges_of_units(sizes, kByFrames, content, kFrameSize);
}

std::vector<RowRange> ranges_of_keys(const std::vector<Bytes>& sizes, const std::string& key, const KeySpan& span) {
  // The span may be wider than an int64_t can say.
  const auto least = static_cast<std::uint64_t>(span.least);
  const std::uint64_t width = static_cast<std::uint64_t>(span.greatest) - least;
  std::vector<RowRange> ranges = cut(sizes, key, [&](double share) {
    const auto from = static_cast<std::uint64_t>(static_cast<long double>(width) * static_cast<long double>(share));
    return static_cast<std::int64_t>(least + from);
  });
  const RangeBounds nulls{.by = key, .nulls = true};
  ranges.insert(ranges.begin(), {.bounds = nulls});
  return ranges;
}

std::vector<RowRange> around_loaded(const std::vector<RowRange>& planned, std::vector<RowRange> loaded) {
  if (loaded.empty()) return planned;
  const std::string by = loaded.front().bounds.by;
  if (by.empty()) return {loaded.front()};
  std::set<std::int64_t> limits;
  Bytes size;
  for (const RowRange& range : planned) {
    if (range.bounds.by == by && range.bounds.from) limits.insert(*range.bounds.from);
    size += range.size;
  }
  size.count /= static_cast<std::int64_t>(std::max<std::size_t>(planned.size(), 1));

  std::vector<RowRange> missing;
  const auto add_gap = [&](RangeBounds gap) {
    const std::optional<std::int64_t> end = gap.to;
    for (const std::int64_t limit : limits) {
      if ((gap.from && limit <= *gap.from) || (end && limit >= *end)) continue;
      gap.to = limit;
      missing.push_back({gap, size});
      gap.from = limit;
    }
    gap.to = end;
    missing.push_back({gap, size});
  };
  std::sort(loaded.begin(), loaded.end(),
            [](const RowRange& a, const RowRange& b) { return a.bounds.from < b.bounds.from; });
  // A missing number sorts before every number, so the first part sorts first.
  std::optional<std::int64_t> covered;
  bool nothing_covered = true;
  bool nulls_are_there = by == kByBlocks || by == kByFrames;  // where no row is without a number
  bool end_is_there = false;
  for (const RowRange& range : loaded) {
    if (range.bounds.nulls) {
      nulls_are_there = true;
      continue;
    }
    const bool gap = nothing_covered ? range.bounds.from.has_value() : covered < range.bounds.from;
    if (gap && !end_is_there) add_gap({.by = by, .from = covered, .to = range.bounds.from});
    nothing_covered = false;
    covered = range.bounds.to;
    end_is_there = end_is_there || !range.bounds.to;
  }
  if (!end_is_there) add_gap({.by = by, .from = covered, .to = std::nullopt});
  if (!nulls_are_there) {
    const RangeBounds nulls{.by = by, .nulls = true};
    missing.push_back({.bounds = nulls});
  }
  loaded.insert(loaded.end(), missing.begin(), missing.end());
  return loaded;
}

std::optional<KeySpan> read_key_span(pg::Connection& source, const schema::Relation& table) {
  const std::string column = pg::quote_identifier(table.integer_key);
  const pg::Row row = source.execute(
      // Not after a session that waits for the snapshot's holder; see table_copy.cpp.
      fmt::format("LOCK TABLE ONLY {1} IN ACCESS SHARE MODE NOWAIT;"
                  " SELECT pg_catalog.min({0}), pg_catalog.max({0}) FROM ONLY {1}",
                  column, table.quoted()))[0];
  if (row.is_null(0)) return std::nullopt;
  return KeySpan{row.integer(0), row.integer(1)};
}

}  // namespace pgsluice::copy
