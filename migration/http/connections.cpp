#include "migration/http/connections.h"

#include <algorithm>
#include <map>

namespace pgsluice::migration {

bool Connections::make_room() {
  std::map<std::string, std::size_t> waiting_of;
  for (const Entry& entry : entries_) {
    if (entry.is_waiting || entry.is_taking) ++waiting_of[entry.address];
  }
  if (waiting_of.empty()) return false;
  const auto most = std::max_element(waiting_of.begin(), waiting_of.end(),
                                     [](const auto& a, const auto& b) { return a.second < b.second; });
  Entry* oldest = nullptr;
  for (Entry& entry : entries_) {
    if ((!entry.is_waiting && !entry.is_taking) || entry.address != most->first) continue;
    if (oldest == nullptr || entry.waiting_since < oldest->waiting_since) oldest = &entry;
  }
  oldest->is_waiting = oldest->is_taking = false;  // it is not chosen twice
  oldest->close();
  return true;
}

void Connections::close_waiting() {
  for (Entry& entry : entries_) {
    if (!entry.is_waiting) continue;
    entry.is_waiting = false;
    entry.close();
  }
}

}  // namespace pgsluice::migration
