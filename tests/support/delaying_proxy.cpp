#include "tests/support/delaying_proxy.h"

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <deque>
#include <functional>
#include <optional>

#include "base/wait.h"

namespace pgsluice::test {

namespace {

using Clock = std::chrono::steady_clock;

// Calls back with the type of each message of one direction, whatever pieces the bytes come in.
class MessageTypes {
 public:
  // The first message of a client has no type.
  MessageTypes(char first_type, std::function<void(char)> seen)
      : type_(first_type), header_left_(first_type == 0 ? 5 : 4), seen_(std::move(seen)) {}

  void pass(std::string_view bytes) {
    while (!bytes.empty()) {
      if (header_left_ > 0) {
        if (header_left_ == 5) {
          type_ = bytes.front();
        } else {
          length_ = length_ << 8 | static_cast<unsigned char>(bytes.front());
        }
        bytes.remove_prefix(1);
        if (--header_left_ > 0) continue;
        seen_(type_);
        body_left_ = length_ - 4;
      }
      const std::size_t passed = std::min(body_left_, bytes.size());
      bytes.remove_prefix(passed);
      body_left_ -= passed;
      if (body_left_ == 0) {
        header_left_ = 5;
        length_ = 0;
      }
    }
  }

 private:
  char type_;
  int header_left_;
  std::size_t length_ = 0;
  std::size_t body_left_ = 0;
  std::function<void(char)> seen_;
};

// One way between two sockets. Messages are seen when the client sends or receives them.
class Direction {
 public:
  enum class Seen { kWhenSent, kWhenReceived };
  Direction(int from, int to, const Line& line, Seen seen, MessageTypes types)
      : from_(from), to_(to), line_(line), seen_(seen), types_(std::move(types)) {}

  // False when the sender has closed and all has been delivered.
  bool move() {
    std::array<char, 65536> piece;
    while (open_ && bytes_on_the_way_ < kMostOnTheWay) {
      const ssize_t count = ::recv(from_, piece.data(), piece.size(), MSG_DONTWAIT);
      if (count < 0 && (errno == EAGAIN || errno == EINTR)) break;
      if (count <= 0) {
        open_ = false;
        break;
      }
      const std::string_view bytes(piece.data(), static_cast<std::size_t>(count));
      if (seen_ == Seen::kWhenSent) types_.pass(bytes);
      on_the_way_.push_back({arrival_of(bytes.size()), std::string(bytes)});
      bytes_on_the_way_ += bytes.size();
    }
    while (!on_the_way_.empty() && on_the_way_.front().arrival <= Clock::now()) {
      std::string& bytes = on_the_way_.front().bytes;
      const ssize_t sent = ::send(to_, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
      if (sent < 0) {
        if (errno != EAGAIN && errno != EINTR) return false;
        break;
      }
      if (seen_ == Seen::kWhenReceived) types_.pass(std::string_view(bytes).substr(0, static_cast<std::size_t>(sent)));
      bytes.erase(0, static_cast<std::size_t>(sent));
      bytes_on_the_way_ -= static_cast<std::size_t>(sent);
      if (bytes.empty()) on_the_way_.pop_front();
    }
    return open_ || !on_the_way_.empty();
  }

  WaitFor interest_in_sender() const { return {.fd = from_, .want_read = open_ && bytes_on_the_way_ < kMostOnTheWay}; }
  std::optional<Clock::time_point> next_arrival() const {
    if (on_the_way_.empty()) return std::nullopt;
    return on_the_way_.front().arrival;
  }

 private:
  struct Piece {
    Clock::time_point arrival;
    std::string bytes;
  };

  // As a TCP window would have it.
  static constexpr std::size_t kMostOnTheWay = 4 * 1024 * 1024;

  Clock::time_point arrival_of(std::size_t bytes) {
    const auto now = Clock::now();
    line_free_ = std::max(line_free_, now);
    if (line_.bytes_per_second > 0) {
      line_free_ += std::chrono::duration_cast<Clock::duration>(
          std::chrono::duration<double>(static_cast<double>(bytes) / line_.bytes_per_second));
    }
    return line_free_ + line_.each_way;
  }

  int from_;
  int to_;
  const Line line_;
  const Seen seen_;
  MessageTypes types_;
  bool open_ = true;
  std::deque<Piece> on_the_way_;
  std::size_t bytes_on_the_way_ = 0;
  Clock::time_point line_free_{};
};

}  // namespace

DelayingProxy::DelayingProxy(const Cluster& cluster, std::chrono::milliseconds each_way)
    : DelayingProxy(cluster.socket_path(), {.each_way = each_way, .bytes_per_second = 0}) {}

DelayingProxy::DelayingProxy(std::string server_socket, const Line& line)
    : line_(line),
      proxy_({.unix_socket = std::move(server_socket)},
             [this](FileDescriptor client, FileDescriptor server, const CancelToken& stop) {
               carry(client, server, stop);
             }) {}

void DelayingProxy::carry(const FileDescriptor& client, const FileDescriptor& server, const CancelToken& stop) {
  int unanswered = 0;
  Direction up(client.get(), server.get(), line_, Direction::Seen::kWhenSent, MessageTypes('?', [&](char type) {
                 if (type != 'Q') return;
                 ++queries_;
                 if (unanswered++ == 0) ++lonely_queries_;
               }));
  Direction down(server.get(), client.get(), line_, Direction::Seen::kWhenReceived, MessageTypes(0, [&](char type) {
                   if (type == 'Z' && unanswered > 0) --unanswered;
                 }));
  while (up.move() && down.move()) {
    std::optional<std::chrono::milliseconds> limit;
    for (const Direction* direction : {&up, &down}) {
      if (const auto arrival = direction->next_arrival()) {
        const auto left = std::max(std::chrono::ceil<std::chrono::milliseconds>(*arrival - Clock::now()),
                                   std::chrono::milliseconds(1));
        limit = std::min(limit.value_or(left), left);
      }
    }
    std::array<WaitFor, 2> set = {up.interest_in_sender(), down.interest_in_sender()};
    if (wait_for(set, stop, limit) == WaitResult::kCancelled) return;
  }
}

}  // namespace pgsluice::test
