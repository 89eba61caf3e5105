#include "tests/support/randomness.h"

#include <cstdlib>
#include <iostream>

namespace pgsluice::test {

int number_from_environment(const char* name, int otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::atoi(text);
}

int test_seed() {
  const int seed = number_from_environment("PGSLUICE_TEST_SEED", static_cast<int>(std::random_device{}() & 0xFFFFU));
  std::cout << "PGSLUICE_TEST_SEED=" << seed << "\n";
  return seed;
}

}  // namespace pgsluice::test
