#pragma once

#include <functional>

namespace pgsluice::pipeline {

class JobPool;

/// The environment that a run gets from the process that it is a part of. ServerClone alone sets it.
struct RunEnvironment {
  /// The jobs that runs share; outlives them. nullptr: the run has jobs of its own.
  JobPool* pool = nullptr;
  /// Called once, on the run's thread, when preparation has ended and the tasks start.
  std::function<void()> on_begin;
};

}  // namespace pgsluice::pipeline
