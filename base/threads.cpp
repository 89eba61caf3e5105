#include "base/threads.h"

#include <system_error>
#include <thread>
#include <vector>

#include "pgsluice/error.h"

namespace pgsluice {

void run_in_threads(int count, const std::function<void(int number)>& work) {
  std::vector<std::jthread> threads;
  try {
    for (int number = 1; number <= count; ++number) threads.emplace_back([&work, number] { work(number); });
  } catch (const std::system_error& error) {
    if (threads.empty()) throw system_error("cannot start a thread", error.code().value());
  }
}

}  // namespace pgsluice
