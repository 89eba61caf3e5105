#pragma once

#include "pgsluice/options.h"

namespace pgsluice::pipeline {

/// The options of a run after preparation: filters, for example, may be those of the command that began the copy. Read
/// by everything that plans and runs; made from CloneOptions by the functions that take these.
struct ResolvedOptions : Endpoints, WhatToCopy, HowToCopy, Continuing {
  ResolvedOptions() = default;
  explicit ResolvedOptions(const CloneOptions& given)
      : Endpoints(given), WhatToCopy(given), HowToCopy(given), Continuing(given) {}
};

}  // namespace pgsluice::pipeline
