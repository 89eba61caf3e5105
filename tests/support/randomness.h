#pragma once

#include <cstdint>
#include <iterator>
#include <random>

namespace pgsluice::test {

/// A number that the environment gives for a test.
int number_from_environment(const char* name, int otherwise);

/// PGSLUICE_TEST_SEED, or another one each time. Written to the standard output, so that a run can be repeated.
int test_seed();

/// From 0 to `below` - 1, the same on every machine.
template <class Integer>
Integer any_below(std::mt19937& random, Integer below) {
  return static_cast<Integer>(((std::uint64_t{random()} << 32U) | random()) % static_cast<std::uint64_t>(below));
}

template <class Choices>
auto any_of(std::mt19937& random, const Choices& choices) {
  return choices[any_below(random, std::size(choices))];
}

}  // namespace pgsluice::test
