#pragma once

#include <condition_variable>
#include <optional>
#include <utility>

#include "base/mutex.h"

namespace pgsluice::pipeline {

/// How many sessions one server may have at once: each of them has a slot as long as it is open. Any thread.
class SessionSlots {
 public:
  explicit SessionSlots(int most) : free_(most) {}
  SessionSlots(const SessionSlots&) = delete;
  SessionSlots& operator=(const SessionSlots&) = delete;

  /// Free again with its end. The slots outlive it.
  class Slot {
   public:
    Slot(Slot&& other) noexcept : slots_(std::exchange(other.slots_, nullptr)) {}
    Slot& operator=(Slot&& other) noexcept {
      std::swap(slots_, other.slots_);
      return *this;
    }
    ~Slot() {
      if (slots_ != nullptr) slots_->give_back();
    }

   private:
    friend class SessionSlots;
    explicit Slot(SessionSlots* slots) : slots_(slots) {}
    SessionSlots* slots_;
  };

  /// Waits for one.
  Slot take() {
    MutexLock lock(mutex_);
    while (free_ <= 0) lock.wait(freed_);
    --free_;
    return Slot(this);
  }
  /// Returns nullopt if none is free.
  std::optional<Slot> try_take() {
    const MutexLock lock(mutex_);
    if (free_ <= 0) return std::nullopt;
    --free_;
    return Slot(this);
  }

 private:
  void give_back() {
    {
      const MutexLock lock(mutex_);
      ++free_;
    }
    freed_.notify_one();
  }

  Mutex mutex_;
  std::condition_variable freed_;
  int free_ GUARDED_BY(mutex_);
};

}  // namespace pgsluice::pipeline
