#pragma once

#include <cstddef>
#include <span>
#include <string_view>

#include "base/wait.h"
#include "pg/connection.h"

struct ssl_st;  // OpenSSL's SSL

namespace pgsluice::pg {

/// The bytes of a connection's socket, in the clear or through libpq's TLS session; never blocks. Same thread as the
/// connection, which outlives it.
class WireChannel {
 public:
  /// True if a connection's bytes can be had: not under GSS encryption, nor under a TLS library other than OpenSSL.
  static bool available(const Connection& connection);

  explicit WireChannel(const Connection& connection);

  int socket() const { return socket_; }
  bool in_the_clear() const { return tls_ == nullptr; }
  /// An error for a connection that was lost.
  Error lost(std::string_view reason) const;
  /// True if nothing more can be sent; what the server has said before can still be read.
  void give_up_writing() { broken_ = true; }
  bool broken() const { return broken_; }

  /// Receives into `space`: the number of bytes, 0 when there are none now. Throws Error(kConnection) when the server
  /// has closed the connection or it was lost.
  std::size_t read(std::span<char> space);
  /// Sends from `bytes`: the number taken, 0 when there is no room now. A call that took nothing has to be repeated
  /// with the same bytes at the beginning, and not fewer (TLS has encrypted them already). A lost connection is not
  /// reported here but by read(), after what the server may have said before.
  std::size_t write(std::string_view bytes);

  /// Returns what to wait for before the next read(), and write() if something is to be sent. Whatever has become
  /// possible: both have to be tried, since TLS may need the other way for either.
  enum class Wanted { kRead, kReadAndWrite };
  WaitFor interest(Wanted wanted) const;
  /// True if read() has something without the socket being readable: TLS has decrypted more than was asked for.
  bool has_more() const;

 private:
  std::size_t read_tls(std::span<char> space);
  std::size_t write_tls(std::string_view bytes);

  const int socket_;
  ssl_st* const tls_;  // libpq's
  const Side side_;
  bool broken_ = false;  // for writing
  // TLS may have to send before it can receive, and the other way round (a change of keys).
  bool read_wants_write_ = false;
  bool write_wants_read_ = false;
};

}  // namespace pgsluice::pg
