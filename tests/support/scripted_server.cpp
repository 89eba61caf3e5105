#include "tests/support/scripted_server.h"

#include <fmt/format.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>

#include "base/wait.h"
#include "tests/support/sockets.h"

namespace pgsluice::test {

namespace {

constexpr std::uint32_t kCancelRequest = 80877102;

std::string four_bytes(std::size_t number) {
  std::string bytes;
  for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(number >> shift & 0xff);
  return bytes;
}

std::uint32_t number_of(std::string_view bytes) {
  std::uint32_t number = 0;
  for (const char byte : bytes.substr(0, 4)) number = number << 8 | static_cast<unsigned char>(byte);
  return number;
}

std::string field(char code, std::string_view text) { return code + std::string(text) + '\0'; }

}  // namespace

std::string message(char type, std::string_view body) { return type + four_bytes(body.size() + 4) + std::string(body); }
std::string ready(char status) { return message('Z', std::string(1, status)); }
std::string complete(std::string_view tag) { return message('C', std::string(tag) + '\0'); }
std::string server_error(std::string_view severity, std::string_view sqlstate, std::string_view text) {
  return message('E', field('S', severity) + field('V', severity) + field('C', sqlstate) + field('M', text) + '\0');
}
std::string notice(std::string_view text) {
  return message('N', field('S', "NOTICE") + field('V', "NOTICE") + field('C', "00000") + field('M', text) + '\0');
}
std::string parameter(std::string_view name, std::string_view value) {
  return message('S', std::string(name) + '\0' + std::string(value) + '\0');
}
std::string copy_out_response() { return message('H', std::string("\0\0\1\0\0", 5)); }
std::string copy_in_response() { return message('G', std::string("\0\0\1\0\0", 5)); }
std::string copy_data(std::string_view row) { return message('d', row); }

std::optional<std::string> ScriptedServer::Session::read_exactly(std::size_t count) {
  std::string bytes;
  std::array<char, 65536> piece;
  while (bytes.size() < count) {
    if (!readable_before(socket_.get(), stop_)) return std::nullopt;
    const ssize_t got = ::recv(socket_.get(), piece.data(), std::min(piece.size(), count - bytes.size()), 0);
    if (got <= 0) return std::nullopt;
    bytes.append(piece.data(), static_cast<std::size_t>(got));
  }
  return bytes;
}

std::optional<std::pair<char, std::string>> ScriptedServer::Session::read() {
  const std::optional<std::string> header = read_exactly(5);
  if (!header) return std::nullopt;
  const std::optional<std::string> body = read_exactly(number_of(std::string_view(*header).substr(1)) - 4);
  if (!body) return std::nullopt;
  return std::pair(header->front(), *body);
}

bool ScriptedServer::Session::discard(std::size_t count) {
  std::vector<char> piece(1024 * 1024);
  while (count > 0) {
    if (!readable_before(socket_.get(), stop_)) return false;
    const ssize_t got = ::recv(socket_.get(), piece.data(), std::min(piece.size(), count), 0);
    if (got <= 0) return false;
    count -= static_cast<std::size_t>(got);
  }
  return true;
}

void ScriptedServer::Session::await_client() const { readable_before(socket_.get(), stop_); }

void ScriptedServer::Session::write(std::string_view bytes) {
  while (!bytes.empty()) {
    std::array<WaitFor, 1> set{WaitFor{.fd = socket_.get(), .want_write = true}};
    if (wait_for(set, stop_, std::nullopt) == WaitResult::kCancelled) return;
    const ssize_t sent = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0) return;
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
}

void ScriptedServer::Session::stay_silent() {
  char byte = 0;
  const auto closed = [&] { return ::recv(socket_.get(), &byte, 1, MSG_PEEK | MSG_DONTWAIT) <= 0 && errno != EAGAIN; };
  while (!stop_.cancelled() && !closed()) {
    wait_for({}, stop_, std::chrono::milliseconds(5));
  }
}

ScriptedServer::ScriptedServer(std::function<void(Session&)> script)
    : script_(std::move(script)), listener_(listen_on_loopback()), acceptor_([this] {
        while (readable_before(listener_.get(), stop_.token())) {
          FileDescriptor socket(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
          if (!socket.valid()) continue;
          sessions_.emplace_back([this, owned = std::move(socket)]() mutable { serve(std::move(owned)); });
        }
      }) {}

ScriptedServer::~ScriptedServer() {
  stop_.cancel();
  acceptor_.join();
  sessions_.clear();
}

std::string ScriptedServer::conninfo() const {
  return fmt::format("host=127.0.0.1 port={} user=u dbname=d sslmode=disable gssencmode=disable", port_of(listener_));
}

void ScriptedServer::serve(FileDescriptor socket) {
  Session session(std::move(socket), stop_.token());
  const std::optional<std::string> length = session.read_exactly(4);
  if (!length) return;
  const std::optional<std::string> startup = session.read_exactly(number_of(*length) - 4);
  if (!startup) return;
  if (number_of(*startup) == kCancelRequest) {
    ++cancel_requests_;
    return;
  }
  session.write(message('R', four_bytes(0)) + parameter("server_version", "15.0") +
                parameter("client_encoding", "UTF8") + parameter("standard_conforming_strings", "on") +
                message('K', four_bytes(1) + four_bytes(2)) + ready());
  script_(session);
}

}  // namespace pgsluice::test
