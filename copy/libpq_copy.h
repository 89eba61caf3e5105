#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "pg/connection.h"

namespace pgsluice::copy {

/// The source's end of a COPY by libpq's calls. Unless finish() was called, the destructor cancels the COPY on the
/// server and takes the connection back to idle (in a failed transaction, if it was in one).
class CopyReader {
 public:
  CopyReader(pg::Connection& connection, std::string_view copy_out);
  CopyReader(const CopyReader&) = delete;
  CopyReader& operator=(const CopyReader&) = delete;
  ~CopyReader();

  enum class Status { kData, kWait, kEnd };
  /// Takes the next row of the stream without blocking; kWait when the socket has to become readable first.
  Status next();
  /// Returns what next() has taken; valid until it is called again.
  std::string_view data() const { return {buffer_.get(), size_}; }
  /// To be called when the socket is readable. Throws Error(kConnection).
  void receive();
  int socket() const;

  /// After kEnd: the number of rows that the server says it has sent. Throws Error(kServer).
  std::int64_t finish();

 private:
  pg::Connection& connection_;
  std::unique_ptr<char, decltype(&PQfreemem)> buffer_;
  std::size_t size_ = 0;
  bool open_ = true;
};

/// The target's end. Unless finish() was called, the destructor fails the COPY, so that nothing of it is kept.
class CopyWriter {
 public:
  CopyWriter(pg::Connection& connection, std::string_view copy_in);
  CopyWriter(const CopyWriter&) = delete;
  CopyWriter& operator=(const CopyWriter&) = delete;
  ~CopyWriter();

  /// Takes bytes of the stream into libpq's buffer. The caller flushes now and then: the buffer grows without limit.
  void write(std::string_view data);
  /// Bytes taken since the last flush() that returned true.
  std::size_t unflushed() const { return unflushed_; }
  /// Sends what the socket takes; true when nothing is left. Throws Error(kConnection).
  bool flush();
  /// Waits until the server has taken what was written. Throws Error(kConnection), Error(kCancelled).
  void flush_all();
  /// To be called when the socket is readable.
  void receive();
  int socket() const;

  /// Ends the stream and returns the number of rows that the server says it has taken. Throws Error(kServer).
  std::int64_t finish();

 private:
  pg::Connection& connection_;
  std::size_t unflushed_ = 0;
  bool open_ = true;
};

}  // namespace pgsluice::copy
