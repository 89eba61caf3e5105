#pragma once

#include <functional>

namespace pgsluice {

/// Runs `work` in so many threads, which take what there is to do from one place, and waits for all of them. Fewer do
/// where the system gives no more threads. Throws Error(kSystem) when it gives none. `work` gets the thread's number,
/// from 1, and does not throw.
void run_in_threads(int count, const std::function<void(int number)>& work);

}  // namespace pgsluice
