#include "pg/uring_io.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <liburing.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <system_error>

#include "pg/poll_io.h"
#include "pgsluice/error.h"

namespace pgsluice::pg {

namespace {

constexpr unsigned kEntries = 16;  // two wires with two ways each, a cancellation, and what takes these back

// The subject of a completion: the wire's number and the direction, or the cancellation.
enum class Way : std::uint64_t { kReceive = 0, kSend = 1, kCancelled = 100, kTakenBack = 101 };

std::uint64_t tag(std::size_t port, Way way) { return port * 2 + static_cast<std::uint64_t>(way); }

}  // namespace

struct UringIo::Ring {
  // A wire whose bytes the ring moves. libpq keeps its sockets non-blocking, which io_uring would take for "do not
  // wait".
  struct Port {
    Wire* wire = nullptr;
    int flags = 0;
    bool receiving = false;
    bool sending = false;
  };

  io_uring ring{};
  std::array<Port, 2> ports;
  bool watches_cancel = false;

  io_uring_sqe* next_entry() {
    io_uring_sqe* entry = io_uring_get_sqe(&ring);
    if (entry == nullptr) throw Error(ErrorKind::kInternal, "the ring is full");
    return entry;
  }

  std::size_t port_of(const Wire* wire) const {
    for (std::size_t i = 0; i < ports.size(); ++i) {
      if (ports[i].wire == wire) return i;
    }
    throw Error(ErrorKind::kInternal, "a wire that the ring does not know");
  }

  void hand_in(std::size_t number) {
    Port& port = ports[number];
    if (!port.receiving && port.wire->may_receive()) {
      const std::span<char> space = port.wire->begin_receiving();
      io_uring_sqe* entry = next_entry();
      io_uring_prep_recv(entry, port.wire->socket(), space.data(), space.size(), 0);
      io_uring_sqe_set_data64(entry, tag(number, Way::kReceive));
      port.receiving = true;
    }
    if (!port.sending && port.wire->may_send()) {
      const std::string_view bytes = port.wire->begin_sending();
      io_uring_sqe* entry = next_entry();
      io_uring_prep_send(entry, port.wire->socket(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      io_uring_sqe_set_data64(entry, tag(number, Way::kSend));
      port.sending = true;
    }
  }

  void watch(const CancelToken& cancel) {
    if (watches_cancel || cancel.fd() < 0) return;
    io_uring_sqe* entry = next_entry();
    io_uring_prep_poll_add(entry, cancel.fd(), POLLIN);
    io_uring_sqe_set_data64(entry, static_cast<std::uint64_t>(Way::kCancelled));
    watches_cancel = true;
  }

  // Nothing: without a limit.
  void submit_and_wait(std::optional<std::chrono::microseconds> limit) {
    __kernel_timespec time{.tv_sec = 0, .tv_nsec = limit ? std::chrono::nanoseconds(*limit).count() : 0};
    io_uring_cqe* done = nullptr;
    const int result =
        limit ? io_uring_submit_and_wait_timeout(&ring, &done, 1, &time, nullptr) : io_uring_submit_and_wait(&ring, 1);
    if (result < 0 && result != -EINTR && result != -ETIME) throw system_error("cannot wait for the ring", -result);
  }

  // Takes what has completed. A wire's error is kept until all is taken.
  bool take_completions() {
    bool moved = false;
    std::optional<Error> failed;
    io_uring_cqe* done = nullptr;
    while (io_uring_peek_cqe(&ring, &done) == 0) {
      const std::uint64_t about = io_uring_cqe_get_data64(done);
      const int result = done->res;
      io_uring_cqe_seen(&ring, done);
      if (about == static_cast<std::uint64_t>(Way::kTakenBack)) continue;
      if (about == static_cast<std::uint64_t>(Way::kCancelled)) {
        watches_cancel = false;
        moved = true;
        continue;
      }
      Port& port = ports[about / 2];
      moved = true;
      try {
        if (about % 2 == static_cast<std::uint64_t>(Way::kSend)) {
          port.sending = false;
          port.wire->end_sending(result);
        } else {
          port.receiving = false;
          port.wire->end_receiving(result);
        }
      } catch (const Error& error) {
        if (!failed) failed = error;
      }
    }
    if (failed) throw Error(*failed);
    return moved;
  }

  bool anything_in_flight() const {
    bool any = watches_cancel;
    for (const Port& port : ports) any = any || port.receiving || port.sending;
    return any;
  }

  void take_back_all() noexcept {
    const auto take_back = [&](std::uint64_t about) {
      io_uring_sqe* entry = io_uring_get_sqe(&ring);
      if (entry == nullptr) return;
      io_uring_prep_cancel64(entry, about, 0);
      io_uring_sqe_set_data64(entry, static_cast<std::uint64_t>(Way::kTakenBack));
    };
    for (std::size_t i = 0; i < ports.size(); ++i) {
      if (ports[i].receiving) take_back(tag(i, Way::kReceive));
      if (ports[i].sending) take_back(tag(i, Way::kSend));
    }
    if (watches_cancel) take_back(static_cast<std::uint64_t>(Way::kCancelled));
    // Each ends, taken back or done, before its memory goes.
    while (anything_in_flight()) {
      if (const int result = io_uring_submit_and_wait(&ring, 1); result < 0 && result != -EINTR) std::terminate();
      try {
        take_completions();
      } catch (const Error&) {
        // The wire's connection is closed by now, and says why.
      }
    }
  }
};

std::optional<std::string> UringIo::unavailable_because() {
  io_uring ring{};
  const int result = io_uring_queue_init(kEntries, &ring, 0);
  if (result < 0) return std::generic_category().message(-result);
  io_uring_probe* probe = io_uring_get_probe_ring(&ring);
  const bool complete = probe != nullptr && io_uring_opcode_supported(probe, IORING_OP_RECV) != 0 &&
                        io_uring_opcode_supported(probe, IORING_OP_SEND) != 0;
  if (probe != nullptr) io_uring_free_probe(probe);
  io_uring_queue_exit(&ring);
  return complete ? std::nullopt : std::optional<std::string>("the kernel's cannot send and receive");
}

UringIo::UringIo() : ring_(std::make_unique<Ring>()) {
  const int result = io_uring_queue_init(kEntries, &ring_->ring, 0);
  if (result < 0) throw system_error("cannot make an io_uring", -result);
}

UringIo::~UringIo() { io_uring_queue_exit(&ring_->ring); }

class UringIo::RingSession : public WireIo::Session {
 public:
  RingSession(Ring& ring, Wire& one, Wire& other) : ring_(ring) {
    std::size_t number = 0;
    for (Wire* wire : {&one, &other}) {
      const int flags = ::fcntl(wire->socket(), F_GETFL);
      if (flags < 0 || ::fcntl(wire->socket(), F_SETFL, flags & ~O_NONBLOCK) < 0) {
        throw system_error("cannot change a socket's mode", errno);
      }
      ring_.ports[number++] = {.wire = wire, .flags = flags};
    }
  }
  RingSession(const RingSession&) = delete;
  RingSession& operator=(const RingSession&) = delete;
  ~RingSession() override {
    ring_.take_back_all();
    for (Ring::Port& port : ring_.ports) {
      if (port.wire->alive()) ::fcntl(port.wire->socket(), F_SETFL, port.flags);
      port = {};
    }
  }

  void wait(std::initializer_list<Wire*> wires) override {
    const CancelToken& cancel = (*wires.begin())->cancel_token();
    cancel.throw_if_cancelled();
    ring_.watch(cancel);
    bool moved = false;
    while (!moved) {
      // Asked first: a rest that ends meanwhile must not become a wait without a limit.
      const auto rest = Wire::shortest_rest({wires.begin(), wires.end()});
      for (const Wire* wire : wires) ring_.hand_in(ring_.port_of(wire));
      ring_.submit_and_wait(rest);
      moved = ring_.take_completions();
    }
    cancel.throw_if_cancelled();
  }

 private:
  Ring& ring_;
};

std::unique_ptr<WireIo::Session> UringIo::begin(Wire& one, Wire& other) {
  if (!one.in_the_clear() || !other.in_the_clear()) return PollIo().begin(one, other);
  return std::make_unique<RingSession>(*ring_, one, other);
}

}  // namespace pgsluice::pg
