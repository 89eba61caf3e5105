#include "migration/http/connections.h"

#include <algorithm>
#include <map>

namespace pgsluice::migration {

bool Connections::make_room() {
  struct Waiting {
    std::size_t count = 0;
    Entry* oldest = nullptr;
  };
  std::map<std::string, Waiting> waiting_of;
  for (Entry& entry : entries_) {
    if (!entry.is_waiting && !entry.is_taking) continue;
    Waiting& waiting = waiting_of[entry.address];
    ++waiting.count;
    if (waiting.oldest == nullptr || entry.waiting_since < waiting.oldest->waiting_since) waiting.oldest = &entry;
  }
  if (waiting_of.empty()) return false;
  // Among addresses with equally many, the one that has waited for the longest, so that no address is worse off by its
  // name.
  const auto most = std::max_element(waiting_of.begin(), waiting_of.end(), [](const auto& a, const auto& b) {
    if (a.second.count != b.second.count) return a.second.count < b.second.count;
    return a.second.oldest->waiting_since > b.second.oldest->waiting_since;
  });
  Entry* oldest = most->second.oldest;
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
