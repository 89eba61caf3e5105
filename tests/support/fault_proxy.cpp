#include "tests/support/fault_proxy.h"

#include <fmt/format.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <utility>

#include "base/wait.h"

namespace pgsluice::test {

namespace {

constexpr std::chrono::milliseconds kDelay{100};
constexpr std::chrono::milliseconds kClosingMayTake{50};

constexpr std::size_t index_of(Fault::Way way) { return way == Fault::Way::kToServer ? 0 : 1; }

std::string_view to_string(Fault::Kind kind) {
  switch (kind) {
    case Fault::Kind::kDelay:
      return "delay";
    case Fault::Kind::kCut:
      return "cut";
    case Fault::Kind::kReset:
      return "reset";
    case Fault::Kind::kTruncate:
      return "truncation";
    case Fault::Kind::kHalfOpen:
      break;
  }
  return "half-open line";
}

bool would_block() { return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR; }

void reset(FileDescriptor& socket) {
  const linger at_once{1, 0};
  ::setsockopt(socket.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  socket.reset();
}

// One way between two sockets, a piece at a time.
struct Path {
  int from = -1;
  int to = -1;
  std::string in_hand = {};  // received and not sent yet
  std::string after = {};    // what came after the fault's byte in one piece with it
  bool open = true;          // more may come
  bool ended = false;        // nothing more is sent
};

// Once a receiver has gone, or after a truncation: what comes from now on is thrown away.
void end(Path& path) {
  ::shutdown(path.to, SHUT_WR);
  path.in_hand.clear();
  path.after.clear();
  path.ended = true;
}

}  // namespace

std::string describe(const Fault& fault) {
  return fmt::format("{}{} after byte {} to the {}", to_string(fault.kind),
                     fault.reach == Fault::Reach::kAllSessions ? " of all sessions" : "", fault.byte,
                     fault.way == Fault::Way::kToServer ? "server" : "client");
}

// Of one thread, but for call().
class FaultProxy::Session {
 public:
  Session(FaultProxy& proxy, FileDescriptor client, FileDescriptor server, CancelToken stop)
      : proxy_(proxy),
        client_(std::move(client)),
        server_(std::move(server)),
        stop_(std::move(stop)),
        paths_{Path{.from = client_.get(), .to = server_.get()}, Path{.from = server_.get(), .to = client_.get()}},
        called_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    const std::lock_guard lock(proxy_.mutex_);
    proxy_.sessions_.push_back(this);
  }

  ~Session() {
    const std::lock_guard lock(proxy_.mutex_);
    std::erase(proxy_.sessions_, this);
  }

  void run() {
    while (!paths_[0].ended || !paths_[1].ended) {
      if (due_ && paths_[index_of(due_->way)].in_hand.empty()) {
        if (!strike(*std::exchange(due_, std::nullopt))) return;
        continue;
      }
      const bool to_server = move(Fault::Way::kToServer);
      const bool to_client = move(Fault::Way::kToClient);
      if (!to_server && !to_client && !wait()) return;
    }
  }

  /// The fault is this session's, too. Under the proxy's lock.
  void call(const Fault& fault) {
    called_for_ = fault;
    const std::uint64_t one = 1;
    [[maybe_unused]] const ssize_t written = ::write(called_.get(), &one, sizeof one);
  }

 private:
  // Whether anything was done.
  bool move(Fault::Way way) {
    Path& path = paths_[index_of(way)];
    if (!path.in_hand.empty()) return send(path);
    if (!path.open) {
      if (path.ended) return false;
      end(path);
      return true;
    }
    return receive(path, way);
  }

  static bool send(Path& path) {
    const ssize_t sent = ::send(path.to, path.in_hand.data(), path.in_hand.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && would_block()) return false;
    if (sent < 0) {
      end(path);
    } else {
      path.in_hand.erase(0, static_cast<std::size_t>(sent));
    }
    return true;
  }

  bool receive(Path& path, Fault::Way way) {
    const ssize_t count = ::recv(path.from, piece_.data(), piece_.size(), MSG_DONTWAIT);
    if (count < 0 && would_block()) return false;
    path.open = count > 0;
    if (!path.open || path.ended) return true;
    const std::string_view bytes(piece_.data(), static_cast<std::size_t>(count));
    Passage passage = proxy_.let_pass(way, bytes.size(), *this);
    path.in_hand = bytes.substr(0, passage.bytes);
    path.after = bytes.substr(passage.bytes);
    if (passage.fault) due_ = std::move(passage.fault);
    return true;
  }

  // False when the proxy is being ended.
  bool wait() {
    std::array<WaitFor, 3> set;
    for (std::size_t i = 0; i < 2; ++i) {
      set[i].want_read = paths_[i].open && paths_[i].in_hand.empty();
      set[i].want_write = !paths_[1 - i].in_hand.empty();
      // A hang-up is reported whatever is asked for, and may be all that there is.
      set[i].fd = set[i].want_read || set[i].want_write ? paths_[i].from : -1;
    }
    set[2] = {.fd = called_.get(), .want_read = true};
    if (wait_for(set, stop_, std::nullopt) == WaitResult::kCancelled) return false;
    if (set[2].readable) {
      std::uint64_t count = 0;
      [[maybe_unused]] const ssize_t read = ::read(called_.get(), &count, sizeof count);
      const std::lock_guard lock(proxy_.mutex_);
      if (!due_) due_ = std::exchange(called_for_, std::nullopt);
    }
    return true;
  }

  // Whether the session goes on.
  bool strike(const Fault& fault) {
    Path& path = paths_[index_of(fault.way)];
    switch (fault.kind) {
      case Fault::Kind::kDelay:
        path.in_hand = std::exchange(path.after, {});
        return wait_for({}, stop_, kDelay) != WaitResult::kCancelled;
      case Fault::Kind::kTruncate:
        end(path);
        return true;
      case Fault::Kind::kCut:
        close_in_order();
        return false;
      case Fault::Kind::kHalfOpen:
        proxy_.keep_open(std::move(server_));
        break;
      case Fault::Kind::kReset:
        break;
    }
    reset(client_);
    server_.reset();
    return false;
  }

  // Closing a socket with something to read in it would be a reset.
  void close_in_order() {
    for (Path& path : paths_) end(path);
    const auto end_of_time = std::chrono::steady_clock::now() + kClosingMayTake;
    while ((paths_[0].open || paths_[1].open) && std::chrono::steady_clock::now() < end_of_time) {
      std::array<WaitFor, 2> set;
      for (std::size_t i = 0; i < 2; ++i) set[i] = {.fd = paths_[i].open ? paths_[i].from : -1, .want_read = true};
      if (wait_for(set, stop_, kClosingMayTake) == WaitResult::kCancelled) return;
      for (std::size_t i = 0; i < 2; ++i) {
        if (set[i].readable) receive(paths_[i], i == 0 ? Fault::Way::kToServer : Fault::Way::kToClient);
      }
    }
  }

  FaultProxy& proxy_;
  FileDescriptor client_;
  FileDescriptor server_;
  const CancelToken stop_;
  std::array<Path, 2> paths_;
  std::array<char, 65536> piece_;
  std::optional<Fault> due_;         // when what is in hand for its way has gone
  std::optional<Fault> called_for_;  // under the proxy's lock
  FileDescriptor called_;
};

FaultProxy::FaultProxy(ServerPlace place)
    : proxy_(std::move(place), [this](FileDescriptor client, FileDescriptor server, const CancelToken& stop) {
        Session(*this, std::move(client), std::move(server), stop).run();
      }) {}

void FaultProxy::arm(const std::optional<Fault>& fault) {
  const std::lock_guard lock(mutex_);
  fault_ = fault;
  has_happened_ = false;
  passed_ = {};
}

std::int64_t FaultProxy::passed(Fault::Way way) const {
  const std::lock_guard lock(mutex_);
  return passed_[index_of(way)];
}

bool FaultProxy::has_happened() const {
  const std::lock_guard lock(mutex_);
  return has_happened_;
}

FaultProxy::Passage FaultProxy::let_pass(Fault::Way way, std::size_t bytes, const Session& session) {
  const std::lock_guard lock(mutex_);
  std::int64_t& passed = passed_[index_of(way)];
  const std::int64_t before = passed;
  passed += static_cast<std::int64_t>(bytes);
  if (!fault_ || fault_->way != way || passed < fault_->byte) return {.bytes = bytes, .fault = std::nullopt};
  has_happened_ = true;
  Passage passage{.bytes = static_cast<std::size_t>(fault_->byte - before),
                  .fault = std::exchange(fault_, std::nullopt)};
  if (passage.fault->reach == Fault::Reach::kAllSessions) {
    for (Session* other : sessions_) {
      if (other != &session) other->call(*passage.fault);
    }
  }
  return passage;
}

void FaultProxy::keep_open(FileDescriptor server) {
  const std::lock_guard lock(mutex_);
  half_open_.push_back(std::move(server));
}

}  // namespace pgsluice::test
