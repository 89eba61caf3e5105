#include "migration/http/statistics.h"

#include <algorithm>
#include <array>

namespace pgsluice::migration {

void HttpStatistics::count_response(const std::string& method, int status) {
  constexpr std::array<const char*, 6> kMethods = {"GET", "HEAD", "PUT", "PATCH", "POST", "DELETE"};
  const bool is_known = std::find(kMethods.begin(), kMethods.end(), method) != kMethods.end();
  const MutexLock lock(mutex_);
  ++counts_.responses[{is_known ? method : "other", status}];
  if (status == 401 || status == 403) ++counts_.refused;
}

void HttpStatistics::set_open_connections(std::int64_t count) {
  const MutexLock lock(mutex_);
  counts_.open_connections = count;
}

HttpStatistics::Counts HttpStatistics::read() const {
  const MutexLock lock(mutex_);
  return counts_;
}

}  // namespace pgsluice::migration
