#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace pgsluice::test {

/// Something that reads bytes from outside. Whatever it is given, it throws Error or nothing, ends, and keeps what it
/// promises; what it does not keep ends the process.
struct FuzzTarget {
  const char* name;
  void (*run)(std::string_view input);
  /// Inputs to begin with: good ones, and those that once went wrong.
  std::vector<std::string> (*seeds)();
};

const std::vector<FuzzTarget>& fuzz_targets();

}  // namespace pgsluice::test
