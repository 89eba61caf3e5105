#include "copy/row_digest.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <initializer_list>
#include <memory>

#include "copy/libpq_copy.h"
#include "pg/wire.h"
#include "pgsluice/error.h"

namespace pgsluice::copy {

namespace {

constexpr std::size_t kMessageHeader = 5;  // type and length
constexpr std::size_t kLengthSize = 4;
// Signature, flags, and the length of an extension: PostgreSQL's documentation, COPY, "Binary Format".
constexpr std::size_t kFileHeader = 11 + 4 + 4;
constexpr std::size_t kTrailer = 2;  // in the place of a row's number of columns: -1

std::size_t big_endian(std::string_view bytes) {
  std::size_t value = 0;
  for (const char byte : bytes) value = (value << 8U) | static_cast<unsigned char>(byte);
  return value;
}

void check_count(const RowsDigest& digest, std::int64_t counted, const pg::Connection& connection) {
  if (digest.rows == counted) return;
  throw Error(ErrorKind::kMismatch, fmt::format("the server says that it sent {} rows, {} came", counted, digest.rows))
      .on(connection.side());
}

// Streams that are read from the sockets.
class WireStream {
 public:
  explicit WireStream(const DigestRequest& request)
      : request_(request), wire_(request.connection), digester_(request.format, request.sink) {
    request.connection.log_statement(request.copy_out);
    wire_.send_query(request.copy_out);
  }

  pg::Wire& wire() { return wire_; }
  bool done() const { return done_; }

  // True if anything has come.
  bool take() {
    const std::optional<pg::Wire::Event> event = wire_.next_event();
    if (!event) return false;
    if (event->kind == pg::Wire::Event::Kind::kCopyData) {
      digester_.add_messages(event->copy.bytes);
      request_.flow.passed(event->copy.payload, request_.connection.cancel_token());
      return true;
    }
    event->answer.throw_if_failed();
    check_count(digester_.result(), event->answer.rows(), request_.connection);
    done_ = true;
    return true;
  }

  RowsDigest result() const { return digester_.result(); }

 private:
  const DigestRequest& request_;
  pg::Wire wire_;
  RowDigester digester_;
  bool done_ = false;
};

RowsDigest digest_by_libpq(const DigestRequest& request) {
  CopyReader reader(request.connection, request.copy_out);
  RowDigester digester(request.format, request.sink);
  for (CopyReader::Status status = reader.next(); status != CopyReader::Status::kEnd; status = reader.next()) {
    if (status == CopyReader::Status::kData) {
      digester.add_row(reader.data());
      request.flow.passed(reader.data().size(), request.connection.cancel_token());
      continue;
    }
    std::array<WaitFor, 1> set{WaitFor{.fd = reader.socket(), .want_read = true}};
    request.connection.wait(set);
    reader.receive();
  }
  check_count(digester.result(), reader.finish(), request.connection);
  return digester.result();
}

}  // namespace

RowsDigest& RowsDigest::operator+=(const RowsDigest& other) {
  rows += other.rows;
  sum += other.sum;
  return *this;
}

void RowDigester::add_messages(std::string_view bytes) {
  while (!bytes.empty()) {
    if (left_ == 0) {
      const std::size_t missing = kMessageHeader - header_.size();
      header_.append(bytes.substr(0, missing));
      bytes.remove_prefix(std::min(missing, bytes.size()));
      if (header_.size() < kMessageHeader) return;
      left_ = big_endian(std::string_view(header_).substr(1)) - kLengthSize;
      header_.clear();
      if (left_ == 0) end_row();
      continue;
    }
    const std::string_view piece = bytes.substr(0, left_);
    bytes.remove_prefix(piece.size());
    left_ -= piece.size();
    add_piece(piece);
    if (left_ == 0) end_row();
  }
}

void RowDigester::add_row(std::string_view payload) {
  add_piece(payload);
  end_row();
}

// The header of the binary format comes in front of the first row, in its message.
void RowDigester::add_piece(std::string_view piece) {
  if (sink_) sink_(piece);
  if (format_ == CopyFormat::kBinary && !file_header_done_) {
    const std::size_t missing = std::min(kFileHeader - file_header_.size(), piece.size());
    file_header_.append(piece.substr(0, missing));
    piece.remove_prefix(missing);
    if (file_header_.size() < kFileHeader) return;
    skip_ = big_endian(std::string_view(file_header_).substr(kFileHeader - kLengthSize));
    file_header_done_ = true;
  }
  const std::size_t skipped = std::min(skip_, piece.size());
  skip_ -= skipped;
  piece.remove_prefix(skipped);
  if (row_size_ + piece.size() <= kTrailer) short_row_.append(piece);
  row_size_ += piece.size();
  digester_.add(piece);
}

void RowDigester::end_row() {
  const Digest digest = digester_.finish();
  const bool is_row = format_ == CopyFormat::kText ||
                      (row_size_ > 0 && !(row_size_ == kTrailer && short_row_ == std::string_view("\xff\xff", 2)));
  row_size_ = 0;
  short_row_.clear();
  if (!is_row) return;
  ++result_.rows;
  result_.sum += digest;
}

RowsDigest RowDigester::result() const {
  if (left_ > 0 || !header_.empty()) throw Error(ErrorKind::kInternal, "a row has not come to its end");
  return result_;
}

std::vector<RowsDigest> digest_rows(std::span<const DigestRequest> requests) {
  std::vector<RowsDigest> results;
  const bool by_wire = std::all_of(requests.begin(), requests.end(), [](const DigestRequest& request) {
    return pg::Wire::available(request.connection);
  });
  if (!by_wire) {
    for (const DigestRequest& request : requests) results.push_back(digest_by_libpq(request));
    return results;
  }
  std::vector<std::unique_ptr<WireStream>> streams;
  for (const DigestRequest& request : requests) streams.push_back(std::make_unique<WireStream>(request));
  std::vector<pg::Wire*> waiting;
  do {
    waiting.clear();
    for (const std::unique_ptr<WireStream>& stream : streams) {
      while (!stream->done() && stream->take()) {
      }
      if (!stream->done()) waiting.push_back(&stream->wire());
    }
    if (!waiting.empty()) pg::Wire::wait(waiting);
  } while (!waiting.empty());
  for (const std::unique_ptr<WireStream>& stream : streams) results.push_back(stream->result());
  return results;
}

}  // namespace pgsluice::copy
