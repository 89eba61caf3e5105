#include "tests/support/sockets.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <cstdint>
#include <fstream>
#include <random>
#include <stdexcept>
#include <utility>

#include "base/wait.h"

namespace pgsluice::test {

namespace {

// Port 0: any that is free. An invalid one if the port is taken.
FileDescriptor try_to_listen(int port) {
  FileDescriptor socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const bool listens = ::bind(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0 &&
                       ::listen(socket.get(), 64) == 0;
  return listens ? std::move(socket) : FileDescriptor();
}

// The first port of those that the system gives to connections and to listeners on port 0.
int first_port_of_anybody() {
  std::ifstream in("/proc/sys/net/ipv4/ip_local_port_range");
  int first = 0;
  if (!(in >> first)) throw std::runtime_error("cannot read ip_local_port_range");
  return first;
}

}  // namespace

FileDescriptor listen_on_loopback() {
  FileDescriptor socket = try_to_listen(0);
  if (!socket.valid()) throw std::runtime_error("cannot listen on 127.0.0.1");
  return socket;
}

int free_server_port() {
  constexpr int kLowest = 10000;
  static const int end = first_port_of_anybody();
  if (end <= kLowest) return port_of(listen_on_loopback());
  // From different ones, so that test programs that run beside each other seldom look at the same.
  static std::random_device random;
  static int next = kLowest + std::uniform_int_distribution<>(0, end - kLowest - 1)(random);
  for (int tries = kLowest; tries < end; ++tries) {
    const int port = next;
    next = next + 1 < end ? next + 1 : kLowest;
    if (try_to_listen(port).valid()) return port;
  }
  throw std::runtime_error("no port is free on 127.0.0.1");
}

int port_of(const FileDescriptor& socket) {
  sockaddr_in address{};
  socklen_t size = sizeof address;
  if (::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    throw std::runtime_error("a socket without an address");
  }
  return ntohs(address.sin_port);
}

bool readable_before(int fd, const CancelToken& stop) {
  std::array<WaitFor, 1> set{WaitFor{.fd = fd, .want_read = true}};
  return wait_for(set, stop, std::nullopt) == WaitResult::kReady;
}

}  // namespace pgsluice::test
