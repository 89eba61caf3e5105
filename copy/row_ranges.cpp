#include "pgsluice/copy/row_ranges.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "pgsluice/pg/quote.h"

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

std::string between(const std::string& column, const std::optional<std::string>& from,
                    const std::optional<std::string>& to) {
  std::string condition;
  if (from) condition = fmt::format("{} >= {}", column, *from);
  if (to) condition += fmt::format("{}{} < {}", from ? " AND " : "", column, *to);
  return condition;
}

// The limits between parts, in order and each once; sizes of parts that have become empty go to the part before.
template <class Limit>
std::vector<RowRange> cut(const std::vector<Bytes>& sizes, const std::string& column, Limit limit) {
  std::vector<RowRange> ranges;
  std::optional<std::string> from;
  const std::vector<double> shares = beginnings(sizes);
  Bytes size;
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    size += sizes[i];
    std::optional<std::string> to;
    if (i + 1 < sizes.size()) {
      to = limit(shares[i + 1]);
      if (to == from || to == limit(0.0)) continue;
    }
    ranges.push_back({between(column, from, to), size});
    from = to;
    size = {};
  }
  return ranges;
}

}  // namespace

std::vector<Bytes> shrinking_sizes(Bytes whole, int jobs, Bytes smallest, int most_parts) {
  const auto most = static_cast<std::size_t>(most_parts > 0 ? most_parts : std::numeric_limits<int>::max());
  std::vector<Bytes> sizes;
  std::int64_t left = whole.count;
  while (left > 0) {
    std::int64_t part = std::max(left / (2 * jobs), smallest.count);
    // No crumb behind the last one, and no more parts than wanted.
    if (left - part < smallest.count / 2 || sizes.size() + 1 == most) part = left;
    sizes.push_back({part});
    left -= part;
  }
  // With a limit the rest has become one large part: even ones serve better.
  if (sizes.size() == most && sizes.size() > 1 && sizes.back() > sizes.front()) {
    return equal_sizes(whole, {(whole.count + most_parts - 1) / most_parts}, most_parts);
  }
  return sizes;
}

std::vector<Bytes> equal_sizes(Bytes whole, Bytes part, int most_parts) {
  std::int64_t parts = std::max<std::int64_t>(1, (whole.count + part.count - 1) / part.count);
  parts = std::min(parts, kMostParts);
  if (most_parts > 0) parts = std::min<std::int64_t>(parts, most_parts);
  return std::vector<Bytes>(static_cast<std::size_t>(parts), Bytes{whole.count / parts});
}

std::vector<RowRange> ranges_of_blocks(const std::vector<Bytes>& sizes, Bytes heap, Bytes block) {
  const auto blocks = static_cast<double>(heap.count / std::max<std::int64_t>(block.count, 1));
  return cut(sizes, "ctid", [&](double share) {
    return fmt::format("'({},0)'::pg_catalog.tid", static_cast<std::int64_t>(std::floor(blocks * share)));
  });
}

std::vector<RowRange> ranges_of_keys(const std::vector<Bytes>& sizes, const std::string& key, const KeySpan& span) {
  const std::string column = pg::quote_identifier(key);
  // The span may be wider than an int64_t can say.
  const auto least = static_cast<std::uint64_t>(span.least);
  const std::uint64_t width = static_cast<std::uint64_t>(span.greatest) - least;
  std::vector<RowRange> ranges = cut(sizes, column, [&](double share) {
    const auto from = static_cast<std::uint64_t>(static_cast<long double>(width) * static_cast<long double>(share));
    return fmt::format("{}", static_cast<std::int64_t>(least + from));
  });
  ranges.insert(ranges.begin(), {column + " IS NULL", {}});
  // What is not null but below or above the span, or all of it where there is one range only.
  for (RowRange& range : ranges) {
    if (range.condition.empty()) range.condition = column + " IS NOT NULL";
  }
  return ranges;
}

std::optional<KeySpan> read_key_span(pg::Connection& source, const schema::Relation& table) {
  const std::string column = pg::quote_identifier(table.integer_key);
  const pg::Row row = source.execute(
      fmt::format("SELECT pg_catalog.min({0}), pg_catalog.max({0}) FROM ONLY {1}", column, table.quoted()))[0];
  if (row.is_null(0)) return std::nullopt;
  return KeySpan{row.integer(0), row.integer(1)};
}

}  // namespace pgsluice::copy
