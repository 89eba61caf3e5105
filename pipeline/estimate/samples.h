#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "pgsluice/bytes.h"
#include "pgsluice/cancel.h"
#include "pgsluice/log.h"
#include "pipeline/prepare/preflight.h"
#include "pipeline/run/pace_control.h"

namespace pgsluice::pipeline {

/// One stream of rows that was measured while others ran beside it.
struct StreamSample {
  std::string table;  ///< its display name
  std::int64_t rows = 0;
  Bytes payload;                            ///< of the COPY stream
  Bytes stored;                             ///< on the target's disk, large values included
  Bytes heap;                               ///< that the index was built on, without large values
  std::chrono::duration<double> copying{};  ///< until the target had answered
  /// How long an index on one of its columns took; zero where none of them is of a type that is sorted.
  std::chrono::duration<double> building{};
};

struct Samples {
  std::vector<StreamSample> streams;  ///< none if there are no rows worth measuring
  /// The time of a table's definition on the target.
  std::chrono::duration<double> definition{};
  /// False if the target's user may only make temporary tables, which write no log.
  bool is_logged = true;
};

/// Measures both servers for about so long: the target makes some tables; as many streams as there are table jobs copy
/// rows of the heaviest tables to the target, all at once, and build an index on them. Each does so in a transaction
/// that is rolled back. The preflight holds the snapshot meanwhile; the pace counts. Throws Error(kServer) where the
/// target's user may not even make temporary tables.
Samples take_samples(const Preflight& preflight, std::chrono::milliseconds time, PaceControl& pace, const Log& log,
                     const CancelToken& cancel);

}  // namespace pgsluice::pipeline
