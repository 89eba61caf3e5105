#pragma once

#include <condition_variable>
#include <mutex>
#include <optional>
#include <utility>

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
    std::unique_lock lock(mutex_);
    freed_.wait(lock, [&] { return free_ > 0; });
    --free_;
    return Slot(this);
  }
  /// Returns nullopt if none is free.
  std::optional<Slot> try_take() {
    const std::lock_guard lock(mutex_);
    if (free_ <= 0) return std::nullopt;
    --free_;
    return Slot(this);
  }

 private:
  void give_back() {
    {
      const std::lock_guard lock(mutex_);
      ++free_;
    }
    freed_.notify_one();
  }

  std::mutex mutex_;
  std::condition_variable freed_;
  int free_;
};

}  // namespace pgsluice::pipeline
