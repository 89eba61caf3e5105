#include "pg/wire_channel.h"

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <system_error>

#include "pgsluice/error.h"

namespace pgsluice::pg {

namespace {

SSL* tls_session(const Connection& connection) {
  return static_cast<SSL*>(PQsslStruct(connection.handle(), "OpenSSL"));
}

bool would_block(int error) { return error == EAGAIN || error == EWOULDBLOCK || error == EINTR; }

}  // namespace

bool WireChannel::available(const Connection& connection) {
  if (PQgssEncInUse(connection.handle()) != 0) return false;
  return PQsslInUse(connection.handle()) == 0 || tls_session(connection) != nullptr;
}

WireChannel::WireChannel(const Connection& connection)
    : socket_(PQsocket(connection.handle())),
      tls_(PQsslInUse(connection.handle()) == 0 ? nullptr : tls_session(connection)),
      side_(connection.side()) {}

Error WireChannel::lost(std::string_view reason) const {
  return Error(ErrorKind::kConnection, fmt::format("the connection was lost: {}", reason)).on(side_);
}

std::size_t WireChannel::read(std::span<char> space) {
  if (tls_ != nullptr) return read_tls(space);
  const ssize_t count = ::recv(socket_, space.data(), space.size(), MSG_DONTWAIT);
  if (count > 0) return static_cast<std::size_t>(count);
  if (count == 0) throw lost("the server closed it");
  if (would_block(errno)) return 0;
  throw lost(std::generic_category().message(errno));
}

std::size_t WireChannel::write(std::string_view bytes) {
  if (broken_ || bytes.empty()) return 0;
  if (tls_ != nullptr) return write_tls(bytes);
  const ssize_t count = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  if (count >= 0) return static_cast<std::size_t>(count);
  if (!would_block(errno)) broken_ = true;
  return 0;
}

std::size_t WireChannel::read_tls(std::span<char> space) {
  ERR_clear_error();
  errno = 0;  // stays 0 when the server has closed
  const int count = SSL_read(tls_, space.data(), static_cast<int>(std::min<std::size_t>(space.size(), INT_MAX)));
  read_wants_write_ = false;
  if (count > 0) return static_cast<std::size_t>(count);
  const int saved_errno = errno;
  switch (SSL_get_error(tls_, count)) {
    case SSL_ERROR_WANT_READ:
      return 0;
    case SSL_ERROR_WANT_WRITE:
      read_wants_write_ = true;
      return 0;
    case SSL_ERROR_ZERO_RETURN:
      throw lost("the server closed it");
    case SSL_ERROR_SYSCALL:
      throw lost(saved_errno == 0 ? "the server closed it" : std::generic_category().message(saved_errno));
    default:
      char reason[256];
      ERR_error_string_n(ERR_get_error(), reason, sizeof reason);
      throw lost(reason);
  }
}

std::size_t WireChannel::write_tls(std::string_view bytes) {
  // A call takes all or nothing: small pieces, so that progress is seen. A repeated one may be longer, not shorter.
  constexpr std::size_t kAtOnce = 64 * 1024;
  ERR_clear_error();
  const int count = SSL_write(tls_, bytes.data(), static_cast<int>(std::min(bytes.size(), kAtOnce)));
  write_wants_read_ = false;
  if (count > 0) return static_cast<std::size_t>(count);
  const int error = SSL_get_error(tls_, count);
  write_wants_read_ = error == SSL_ERROR_WANT_READ;
  if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE) broken_ = true;
  return 0;
}

WaitFor WireChannel::interest(Wanted wanted) const {
  const bool sending = wanted == Wanted::kReadAndWrite && !broken_ && !write_wants_read_;
  return {.fd = socket_, .want_read = true, .want_write = sending || read_wants_write_};
}

bool WireChannel::has_more() const { return tls_ != nullptr && SSL_pending(tls_) > 0; }

}  // namespace pgsluice::pg
