#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "pg/connection.h"
#include "schema/catalog/catalog.h"

namespace pgsluice::schema {

struct SequenceValue {
  const Sequence* sequence = nullptr;
  std::int64_t last_value = 0;
  bool is_called = false;
};

/// Reads the values of sequences, which no snapshot holds still, many in a query: to be called after the last row of
/// table data was read. Throws Error(kServer).
std::vector<SequenceValue> read_sequences(pg::Connection& source, std::span<const Sequence> sequences);

/// Sets them, many in a statement. Throws Error(kServer).
void set_sequences(pg::Connection& target, const std::vector<SequenceValue>& values);

}  // namespace pgsluice::schema
