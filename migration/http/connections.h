#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <list>
#include <string>

namespace pgsluice::migration {

/// The connections that a server has, so that those that keep it waiting make room for others. One thread.
class Connections {
 public:
  struct Entry {
    std::string address;
    /// Ends the connection. Its owner removes the entry.
    std::function<void()> close;
    /// True while nothing but the client's next bytes is waited for.
    bool is_waiting = true;
    /// True while the client takes a response, maybe slowly.
    bool is_taking = false;
    std::chrono::steady_clock::time_point waiting_since = std::chrono::steady_clock::now();
  };
  using Handle = std::list<Entry>::iterator;

  Handle add(Entry entry) { return entries_.insert(entries_.end(), std::move(entry)); }
  void remove(Handle handle) { entries_.erase(handle); }
  std::size_t size() const { return entries_.size(); }

  /// Closes one whose client keeps us waiting, for a request or to take a response: of the address that has most of
  /// these (of several such addresses, the one with the oldest), the one that has done so for the longest. Returns
  /// false if there is none.
  bool make_room();
  /// Closes all that wait.
  void close_waiting();

 private:
  std::list<Entry> entries_;
};

}  // namespace pgsluice::migration
