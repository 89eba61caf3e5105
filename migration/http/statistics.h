#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>

#include "base/mutex.h"

namespace pgsluice::migration {

/// Counts of what a server has answered so far. Any thread.
class HttpStatistics {
 public:
  struct Counts {
    /// By method ("other" for those that we have no routes for) and status.
    std::map<std::pair<std::string, int>, std::int64_t> responses;
    /// Requests without the right token, and those that named another host.
    std::int64_t refused = 0;
    std::int64_t open_connections = 0;
  };

  void count_response(const std::string& method, int status);
  void set_open_connections(std::int64_t count);
  Counts read() const;

 private:
  mutable Mutex mutex_;
  Counts counts_ GUARDED_BY(mutex_);
};

}  // namespace pgsluice::migration
