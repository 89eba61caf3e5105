#pragma once

#include <condition_variable>
#include <mutex>

// Which mutex guards a member stands in its declaration, and clang checks it (tools/lint, -Wthread-safety): it is read
// and written only where a MutexLock of that mutex lives, or in functions that say REQUIRES. Other compilers see
// nothing of it. https://clang.llvm.org/docs/ThreadSafetyAnalysis.html
#if defined(__clang__)
#define PGSLUICE_ANNOTATE(x) __attribute__((x))
#else
#define PGSLUICE_ANNOTATE(x)
#endif

#ifndef GUARDED_BY
#define GUARDED_BY(x) PGSLUICE_ANNOTATE(guarded_by(x))
#endif
#ifndef REQUIRES
#define REQUIRES(...) PGSLUICE_ANNOTATE(requires_capability(__VA_ARGS__))
#endif

namespace pgsluice {

class MutexLock;

/// A mutex whose guarded members clang knows.
class PGSLUICE_ANNOTATE(capability("mutex")) Mutex {
 private:
  friend class MutexLock;
  std::mutex mutex_;
};

/// Holds a mutex as long as it lives.
class PGSLUICE_ANNOTATE(scoped_lockable) MutexLock {
 public:
  explicit MutexLock(Mutex& mutex) PGSLUICE_ANNOTATE(acquire_capability(mutex)) : lock_(mutex.mutex_) {}
  ~MutexLock() PGSLUICE_ANNOTATE(release_capability()) = default;
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;

  /// Lets the mutex go until the condition is notified (or for no reason), and holds it again. The caller looks again
  /// whether what it waits for is so.
  void wait(std::condition_variable& condition) { condition.wait(lock_); }

 private:
  std::unique_lock<std::mutex> lock_;
};

}  // namespace pgsluice
