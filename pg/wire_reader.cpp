#include "pg/wire_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "pg/server_message.h"

namespace pgsluice::pg {

namespace {

constexpr std::size_t kFirstCapacity = 16 * 1024;
// A row of COPY, and of an answer, can be as long as one allocation of the server.
constexpr std::size_t kLongestRow = 0x3fffffff;
// Texts of errors and notices may quote what a user's function says.
constexpr std::size_t kLongestText = 64 * 1024 * 1024;
// The limit that libpq has for all other messages.
constexpr std::size_t kLongestOther = 30000;

// The limit of the body, by the types that may answer a simple query; 0 for other types.
std::size_t longest_body(char type) {
  switch (type) {
    case 'd':  // CopyData
    case 'D':  // DataRow
      return kLongestRow;
    case 'E':  // ErrorResponse
    case 'N':  // NoticeResponse
    case 'A':  // NotificationResponse
    case 'T':  // RowDescription
    case 'S':  // ParameterStatus
      return kLongestText;
    case 'C':  // CommandComplete
    case 'G':  // CopyInResponse
    case 'H':  // CopyOutResponse
    case 'I':  // EmptyQueryResponse
    case 'Z':  // ReadyForQuery
    case 'c':  // CopyDone
      return kLongestOther;
    default:
      return 0;
  }
}

}  // namespace

WireReader::WireReader(Side side) : side_(side), capacity_(kFirstCapacity), buffer_(new char[kFirstCapacity]) {}

void WireReader::enlarge(std::size_t capacity) {
  if (capacity <= capacity_) return;
  std::unique_ptr<char[]> larger(new char[capacity]);
  std::memcpy(larger.get(), buffer_.get() + begin_, end_ - begin_);
  buffer_ = std::move(larger);
  capacity_ = capacity;
  end_ -= begin_;
  begin_ = 0;
}

std::span<char> WireReader::space() {
  if (begin_ > 0) {
    std::memmove(buffer_.get(), buffer_.get() + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
  }
  // Full with the beginning of one message: next() has checked its length.
  if (end_ == capacity_) enlarge(capacity_ * 2);
  return {buffer_.get() + end_, capacity_ - end_};
}

void WireReader::received(std::size_t count) { end_ += count; }

WireReader::Header WireReader::header_at(std::size_t at) const {
  const char type = buffer_[at];
  std::uint32_t length = 0;
  for (std::size_t i = 1; i < kHeaderSize; ++i) length = length << 8 | static_cast<unsigned char>(buffer_[at + i]);
  const std::size_t longest = longest_body(type);
  if (longest == 0 || length < 4 || length - 4 > longest) {
    throw protocol_violation(
        side_, fmt::format("a message of type 0x{:02x}, {} bytes long", static_cast<unsigned char>(type), length));
  }
  return {type, std::size_t{length} + 1};
}

WireReader::Item WireReader::next() {
  if (copy_left_ > 0) return next_copy_run();
  pass_over();
  if (pass_left_ == 0 && has_header()) {
    const Header header = header_at(begin_);
    if (header.type == 'd') return next_copy_run();
    if (header.type == 'D') {
      pass_left_ = header.size;
      pass_over();
      return {.kind = Item::Kind::kMessage, .type = header.type, .body = {}, .copy = {}};
    }
    if (end_ - begin_ < header.size) return {};
    const std::string_view body(buffer_.get() + begin_ + kHeaderSize, header.size - kHeaderSize);
    begin_ += header.size;
    return {.kind = Item::Kind::kMessage, .type = header.type, .body = body, .copy = {}};
  }
  return {};
}

void WireReader::pass_over() {
  const std::size_t passed = std::min(pass_left_, end_ - begin_);
  begin_ += passed;
  pass_left_ -= passed;
}

WireReader::Item WireReader::next_copy_run() {
  const std::size_t from = begin_;
  std::size_t headers = 0;
  while (begin_ < end_) {
    if (copy_left_ == 0) {
      if (!has_header() || buffer_[begin_] != 'd') break;
      copy_left_ = header_at(begin_).size;
      headers += kHeaderSize;
    }
    const std::size_t taken = std::min(copy_left_, end_ - begin_);
    begin_ += taken;
    copy_left_ -= taken;
  }
  if (begin_ == from) return {};
  const std::size_t size = begin_ - from;
  return {.kind = Item::Kind::kCopyData,
          .type = 'd',
          .body = {},
          .copy = {.bytes = {buffer_.get() + from, size}, .payload = size - headers, .missing = copy_left_}};
}

}  // namespace pgsluice::pg
