#pragma once

#include <chrono>
#include <optional>
#include <span>

#include "pgsluice/cancel.h"

namespace pgsluice {

/// One descriptor to wait for. After wait_for(), `readable` and `writable` say what is possible without blocking
/// (an error or a hang-up counts as both, so that the next call on the descriptor reports it).
struct WaitFor {
  int fd = -1;
  bool want_read = false;
  bool want_write = false;
  bool readable = false;
  bool writable = false;
};

enum class WaitResult { kReady, kTimeout, kCancelled };

/// Waits until one of the descriptors is ready, the token is cancelled, or the time is up (none: no limit).
/// At most 8 descriptors. Throws Error(kSystem) when ppoll(2) fails.
WaitResult wait_for(std::span<WaitFor> set, const CancelToken& cancel, std::optional<std::chrono::microseconds> limit);

/// Lets some time pass. Throws Error(kCancelled) when a cancellation comes meanwhile.
void pause(const CancelToken& cancel, std::chrono::milliseconds time);

}  // namespace pgsluice
