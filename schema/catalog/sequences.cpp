#include "schema/catalog/sequences.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <string>

#include "pg/query_pipeline.h"
#include "pg/quote.h"

namespace pgsluice::schema {

namespace {

constexpr std::size_t kInAStatement = 200;

// Calls `batch` with the texts that `text` makes of up to kInAStatement items each.
template <class Items, class Text, class Batch>
void in_batches(const Items& items, Text text, Batch batch) {
  for (std::size_t begin = 0; begin < items.size(); begin += kInAStatement) {
    std::vector<std::string> texts;
    for (std::size_t i = begin; i < std::min(items.size(), begin + kInAStatement); ++i) texts.push_back(text(i));
    batch(texts);
  }
}

}  // namespace

std::vector<SequenceValue> read_sequences(pg::Connection& source, std::span<const Sequence> sequences) {
  std::vector<SequenceValue> values;
  in_batches(
      sequences,
      [&](std::size_t i) {
        return fmt::format("SELECT {} AS i, last_value, is_called FROM {}", i,
                           pg::quote_qualified(sequences[i].schema, sequences[i].name));
      },
      [&](const std::vector<std::string>& queries) {
        for (const pg::Row row : source.execute(fmt::format("{}", fmt::join(queries, " UNION ALL ")))) {
          values.push_back({.sequence = &sequences[static_cast<std::size_t>(row.integer(0))],
                            .last_value = row.integer(1),
                            .is_called = row.boolean(2)});
        }
      });
  return values;
}

void set_sequences(pg::Connection& target, const std::vector<SequenceValue>& values) {
  pg::QueryPipeline pipeline(target);
  in_batches(
      values,
      [&](std::size_t i) {
        const Sequence& sequence = *values[i].sequence;
        return fmt::format("({}::pg_catalog.regclass, {}::bigint, {})",
                           pg::quote_literal(pg::quote_qualified(sequence.schema, sequence.name)),
                           pg::quote_literal(std::to_string(values[i].last_value)), values[i].is_called);
      },
      [&](const std::vector<std::string>& rows) {
        pipeline.require({fmt::format(
            "SELECT pg_catalog.setval(v.sequence, v.value, v.called) FROM (VALUES {}) AS v(sequence, value, called)",
            fmt::join(rows, ", "))});
      });
  pipeline.finish();
}

}  // namespace pgsluice::schema
