#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string_view>

#include "pgsluice/error.h"

namespace pgsluice::pg {

/// CopyData messages as they came, headers included, to be handed on unread: they have the same form both ways.
struct CopyRun {
  std::string_view bytes;
  std::size_t payload = 0;  ///< bytes without the headers
  /// Bytes of the last message that have not been received yet: they begin the next run.
  std::size_t missing = 0;
};

/// Cuts what a server sends into messages. Memory only, no socket: bytes are received into space(), then taken by
/// next(). One thread.
///
/// A message (PostgreSQL's documentation, "Message Formats"):
///   type    one byte
///   length  four bytes, most significant first, counts itself and the body
///   body    length - 4 bytes
///
/// A DataRow comes without its body, which is skipped: code that needs rows uses libpq.
class WireReader {
 public:
  /// The side is for messages.
  explicit WireReader(Side side);

  /// Where the next bytes go; never empty. Moves what is there.
  std::span<char> space();
  /// Like the above, but moves nothing, so that views stay valid; empty if there is no more room.
  std::span<char> tail_space() { return {buffer_.get() + end_, capacity_ - end_}; }
  void received(std::size_t count);
  /// True if next() has taken all that was received, to the end of a message.
  bool empty() const { return begin_ == end_ && copy_left_ == 0 && pass_left_ == 0; }
  /// Receives up to so many bytes at a time from here on.
  void enlarge(std::size_t capacity);

  struct Item {
    enum class Kind { kNothing, kMessage, kCopyData };
    Kind kind = Kind::kNothing;
    char type = 0;          ///< of a message
    std::string_view body;  ///< of a message
    CopyRun copy;
  };
  /// Returns what stands next in the received bytes; kNothing when more have to be received first. Views are valid
  /// until space() is called. Throws Error(kConnection) for what cannot be a message: a type that no server sends here,
  /// or a length that its type cannot have.
  Item next();

 private:
  struct Header {
    char type;
    std::size_t size;  // of the whole message
  };
  bool has_header() const { return end_ - begin_ >= kHeaderSize; }
  Header header_at(std::size_t at) const;
  Item next_copy_run();
  void pass_over();

  static constexpr std::size_t kHeaderSize = 5;

  const Side side_;
  std::size_t capacity_;
  std::unique_ptr<char[]> buffer_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  std::size_t copy_left_ = 0;  // of the CopyData message that a run has ended in
  std::size_t pass_left_ = 0;  // of a DataRow
};

}  // namespace pgsluice::pg
