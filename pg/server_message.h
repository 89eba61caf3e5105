#pragma once

#include <libpq-fe.h>

#include <string>
#include <string_view>

#include "pgsluice/error.h"
#include "pgsluice/log.h"

namespace pgsluice::pg {

/// The contents of an ErrorResponse or a NoticeResponse; texts are on one line. Fields that the server left out are
/// empty.
struct ServerMessage {
  std::string severity;  ///< "ERROR", "WARNING", …: never translated
  std::string sqlstate;
  std::string text;
  std::string detail;
  std::string hint;

  /// From an answer that libpq has read.
  static ServerMessage of(const PGresult* result);
  /// From a message's body: fields of a code byte and a text that ends with a zero byte, and a zero byte after the last
  /// (PostgreSQL's documentation, "Error and Notice Message Fields"). Fields that are not known are passed over.
  /// Throws protocol_violation() of the side for a body of another form.
  static ServerMessage parse(std::string_view body, Side side);

  /// As an Error of the side: kConnection where the server says that it ends the session (FATAL, PANIC, class 57P),
  /// else kServer.
  Error as_error(Side side) const;
  /// As a line in the log: a warning, or a notice.
  void write_to(const Log& log, Side side) const;
};

/// An Error(kConnection) for bytes that no server sends: the connection has to be closed, and its work may be tried
/// again on another one.
Error protocol_violation(Side side, std::string_view what);

/// A text of several lines on one, as messages want it.
std::string one_line(std::string_view text);

}  // namespace pgsluice::pg
