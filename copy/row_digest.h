#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/digest.h"
#include "copy/copy_format.h"
#include "copy/flow.h"
#include "pg/connection.h"

namespace pgsluice::copy {

/// Digests the rows of a COPY TO stream: what a server puts into one CopyData message is a row. One thread.
class RowDigester {
 public:
  /// `sink` gets the messages' payload as it comes, cut anywhere.
  explicit RowDigester(CopyFormat format, std::function<void(std::string_view)> sink = {})
      : format_(format), sink_(std::move(sink)) {}

  /// CopyData messages as they stand on the wire, cut anywhere.
  void add_messages(std::string_view bytes);
  /// The payload of one message.
  void add_row(std::string_view payload);
  /// The payload of one message in pieces, and its end.
  void add_piece(std::string_view piece);
  void end_row();

  /// Returns the digest of whole messages. Throws Error(kInternal) in the middle of one.
  RowsDigest result() const;

 private:
  const CopyFormat format_;
  const std::function<void(std::string_view)> sink_;
  Digester digester_;
  RowsDigest result_;
  std::string header_;        // of a message, as far as it has come
  std::size_t left_ = 0;      // of a message
  std::size_t row_size_ = 0;  // so far
  std::string file_header_;   // of the binary format, as far as it has come
  std::size_t skip_ = 0;      // of its extension
  bool file_header_done_ = false;
  std::string short_row_;  // a row of two bytes at most, which may be the binary format's end
};

/// A table's rows, or some of them, to be read and digested. The session is ready for a statement.
struct DigestRequest {
  pg::Connection& connection;
  std::string copy_out;
  CopyFormat format = CopyFormat::kText;
  /// Gets the payload as it passes.
  Flow flow;
  /// Gets the payload as it comes, cut anywhere; what it throws ends the reading.
  std::function<void(std::string_view)> sink = {};
};

/// Reads the streams of one or two sessions, of two at the same time where both sockets can be had. Throws Error, also
/// for a stream of which the server counted other rows than it sent.
std::vector<RowsDigest> digest_rows(std::span<const DigestRequest> requests);

}  // namespace pgsluice::copy
