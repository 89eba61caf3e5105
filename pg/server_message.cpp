#include "pg/server_message.h"

#include <fmt/format.h>

namespace pgsluice::pg {

std::string one_line(std::string_view text) {
  std::string result;
  for (char c : text) {
    if (c == '\n') {
      while (!result.empty() && result.back() == ' ') result.pop_back();
      if (!result.empty()) result += "; ";
    } else if (c != '\t' || (!result.empty() && result.back() != ' ')) {
      result += c == '\t' ? ' ' : c;
    }
  }
  while (!result.empty() && (result.back() == ' ' || result.back() == ';')) result.pop_back();
  return result;
}

Error protocol_violation(Side side, std::string_view what) {
  return Error(ErrorKind::kConnection, fmt::format("the server sent what is not the protocol: {}", what))
      .on(side)
      .hint("check what stands between: a proxy or a pooler that does not pass COPY on as it is");
}

ServerMessage ServerMessage::of(const PGresult* result) {
  const auto field = [result](int code) {
    const char* value = PQresultErrorField(result, code);
    return std::string(value == nullptr ? "" : value);
  };
  std::string severity = field(PG_DIAG_SEVERITY_NONLOCALIZED);
  if (severity.empty()) severity = field(PG_DIAG_SEVERITY);  // servers before 9.6
  return {.severity = std::move(severity),
          .sqlstate = field(PG_DIAG_SQLSTATE),
          .text = one_line(field(PG_DIAG_MESSAGE_PRIMARY)),
          .detail = one_line(field(PG_DIAG_MESSAGE_DETAIL)),
          .hint = one_line(field(PG_DIAG_MESSAGE_HINT))};
}

ServerMessage ServerMessage::parse(std::string_view body, Side side) {
  ServerMessage message;
  std::string localized_severity;
  while (!body.empty() && body.front() != '\0') {
    const char code = body.front();
    const std::size_t end = body.find('\0', 1);
    if (end == std::string_view::npos) break;
    const std::string_view value = body.substr(1, end - 1);
    body.remove_prefix(end + 1);
    switch (code) {
      case PG_DIAG_SEVERITY:
        localized_severity = value;
        break;
      case PG_DIAG_SEVERITY_NONLOCALIZED:
        message.severity = value;
        break;
      case PG_DIAG_SQLSTATE:
        message.sqlstate = value;
        break;
      case PG_DIAG_MESSAGE_PRIMARY:
        message.text = one_line(value);
        break;
      case PG_DIAG_MESSAGE_DETAIL:
        message.detail = one_line(value);
        break;
      case PG_DIAG_MESSAGE_HINT:
        message.hint = one_line(value);
        break;
      default:
        break;
    }
  }
  if (body != std::string_view("\0", 1)) {
    throw protocol_violation(side, "an error or a notice of another form");
  }
  if (message.severity.empty()) message.severity = localized_severity;
  return message;
}

Error ServerMessage::as_error(Side side) const {
  // A backend that was ended says so and then closes the socket: that is a lost connection with a reason. (Class 08 in
  // an ERROR is of a connection that the server itself has tried to make, to a foreign server.)
  const bool ended = severity == "FATAL" || severity == "PANIC" || sqlstate.rfind("57P", 0) == 0;
  Error error(ended ? ErrorKind::kConnection : ErrorKind::kServer,
              detail.empty() ? text : fmt::format("{} ({})", text, detail));
  error.on(side).sqlstate(sqlstate).hint(hint);
  return error;
}

void ServerMessage::write_to(const Log& log, Side side) const {
  std::string line = fmt::format("{}: {}", to_string(side), text);
  if (!hint.empty()) line += "; " + hint;
  if (severity == "WARNING") {
    log.warning(line);
  } else {
    log.notice(line);
  }
}

}  // namespace pgsluice::pg
