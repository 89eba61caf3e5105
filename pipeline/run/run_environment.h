#pragma once

#include <functional>

namespace pgsluice::pipeline {

class JobPool;
class PaceControl;

/// The environment that a run gets from the process that it is a part of.
struct RunEnvironment {
  /// The jobs that runs share, set by ServerClone alone; outlives them. nullptr: the run has jobs of its own.
  JobPool* pool = nullptr;
  /// The pace, which a pool that runs share follows already; outlives them. nullptr: the clone has a pace of its own.
  PaceControl* pace = nullptr;
  /// Called once, on the run's thread, when preparation has ended and the tasks start.
  std::function<void()> on_begin;
};

}  // namespace pgsluice::pipeline
