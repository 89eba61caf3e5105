#include "tests/support/proxy.h"

#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cstring>

#include "tests/support/sockets.h"

namespace pgsluice::test {

namespace {

FileDescriptor connect_to(const sockaddr* address, socklen_t length) {
  FileDescriptor socket(::socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (::connect(socket.get(), address, length) != 0) {
    return FileDescriptor();  // the client's connection is closed, as by a server that is away
  }
  return socket;
}

FileDescriptor connect_to(const ServerPlace& server) {
  if (server.unix_socket.empty()) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(static_cast<std::uint16_t>(server.port));
    return connect_to(reinterpret_cast<const sockaddr*>(&address), sizeof address);
  }
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, server.unix_socket.c_str(), sizeof address.sun_path - 1);
  return connect_to(reinterpret_cast<const sockaddr*>(&address), sizeof address);
}

}  // namespace

Proxy::Proxy(ServerPlace server, Carry carry)
    : server_(std::move(server)), carry_(std::move(carry)), listener_(listen_on_loopback()), acceptor_([this] {
        while (readable_before(listener_.get(), stop_.token())) {
          FileDescriptor client(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
          if (client.valid()) begin_session(std::move(client));
        }
      }) {}

Proxy::~Proxy() {
  stop_.cancel();
  acceptor_.join();
  sessions_.clear();
}

void Proxy::begin_session(FileDescriptor client) {
  sessions_.emplace_back([this, owned = std::move(client)]() mutable {
    FileDescriptor server = connect_to(server_);
    if (!server.valid()) return;
    const int at_once = 1;
    ::setsockopt(owned.get(), IPPROTO_TCP, TCP_NODELAY, &at_once, sizeof at_once);
    carry_(std::move(owned), std::move(server), stop_.token());
  });
}

int Proxy::port() const { return port_of(listener_); }

std::string Proxy::conninfo(std::string_view database) const {
  return fmt::format("host=127.0.0.1 port={} dbname='{}' gssencmode=disable {}", port(), database, server_.login);
}

}  // namespace pgsluice::test
