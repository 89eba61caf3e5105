#pragma once

#include <cstddef>

namespace pgsluice::migration {

/// One of a limited number of places, taken as long as it lives. The number outlives it. One thread.
class Place {
 public:
  explicit Place(std::size_t& taken) : taken_(&taken) { ++taken; }
  Place(const Place&) = delete;
  Place& operator=(const Place&) = delete;
  ~Place() { --*taken_; }

 private:
  std::size_t* taken_;
};

}  // namespace pgsluice::migration
