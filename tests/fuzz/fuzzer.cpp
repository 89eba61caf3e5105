// A libFuzzer program over the target that PGSLUICE_FUZZ_TARGET names. With --write-seeds DIR it writes that one's
// seeds.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "tests/fuzz/targets.h"

namespace {

const pgsluice::test::FuzzTarget& target() {
  const char* name = std::getenv("PGSLUICE_FUZZ_TARGET");
  for (const pgsluice::test::FuzzTarget& found : pgsluice::test::fuzz_targets()) {
    if (name != nullptr && std::string(name) == found.name) return found;
  }
  std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerInitialize(int* argc, char*** argv) {
  if (*argc == 3 && std::string((*argv)[1]) == "--write-seeds") {
    const std::filesystem::path folder = (*argv)[2];
    int number = 0;
    for (const std::string& seed : target().seeds()) {
      std::ofstream(folder / ("seed" + std::to_string(++number)), std::ios::binary) << seed;
    }
    std::exit(0);
  }
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  target().run({reinterpret_cast<const char*>(data), size});
  return 0;
}
