// What the fuzzers (tools/fuzz) begin with, and every input one byte away from it: in all presets.
#include <gtest/gtest.h>

#include "tests/fuzz/targets.h"

namespace pgsluice::test {
namespace {

TEST(Fuzz, SeedsAndWhatIsOneByteAwayFromThemAreTakenOrRefused) {
  for (const FuzzTarget& target : fuzz_targets()) {
    SCOPED_TRACE(target.name);
    for (const std::string& seed : target.seeds()) {
      for (std::size_t size = 0; size <= seed.size(); ++size) target.run(std::string_view(seed).substr(0, size));
      for (std::size_t at = 0; at < seed.size(); ++at) {
        for (const char byte : {'\0', '\x7f', '\xff', '\'', '%'}) {
          std::string other = seed;
          other[at] = byte;
          target.run(other);
        }
      }
    }
  }
}

}  // namespace
}  // namespace pgsluice::test
