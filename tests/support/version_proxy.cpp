#include "tests/support/version_proxy.h"

#include <sys/socket.h>

#include <array>

#include "base/wait.h"

namespace pgsluice::test {

namespace {

// "15.18 (Debian …)" becomes "9.6.24 …" of the same length.
void carry(const FileDescriptor& client, const FileDescriptor& server, const std::string& version,
           const CancelToken& stop) {
  std::array<WaitFor, 2> ends{WaitFor{.fd = client.get(), .want_read = true},
                              WaitFor{.fd = server.get(), .want_read = true}};
  std::array<char, 65536> piece;
  while (wait_for(ends, stop, std::nullopt) == WaitResult::kReady) {
    for (std::size_t i = 0; i < 2; ++i) {
      if (!ends.at(i).readable) continue;
      const ssize_t count = ::recv(ends.at(i).fd, piece.data(), piece.size(), 0);
      if (count <= 0) return;
      std::string bytes(piece.data(), static_cast<std::size_t>(count));
      constexpr std::string_view kName("server_version\0", 15);
      if (const std::size_t at = bytes.find(kName); at != std::string::npos && i == 1) {
        const std::size_t value = at + kName.size();
        std::string said = version;
        said.resize(bytes.find('\0', value) - value, ' ');
        bytes.replace(value, said.size(), said);
      }
      ::send(ends.at(1 - i).fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    }
  }
}

}  // namespace

VersionProxy::VersionProxy(std::string server_socket, std::string version)
    : version_(std::move(version)),
      proxy_({.unix_socket = std::move(server_socket)},
             [this](const FileDescriptor& client, const FileDescriptor& server, const CancelToken& stop) {
               carry(client, server, version_, stop);
             }) {}

}  // namespace pgsluice::test
