#pragma once

#include <stdexcept>
#include <string>
#include <string_view>

namespace pgsluice {

/// Which server, if any, an error came from.
enum class Side { kLocal, kSource, kTarget };

/// "source", "target", or "" for kLocal.
std::string_view to_string(Side side);

/// What went wrong, as far as a caller would act differently on it.
enum class ErrorKind {
  kUsage,       ///< arguments that cannot be meant
  kConfig,      ///< something outside is not as it must be: a program missing, a file unreadable
  kState,       ///< the work directory or the target is not in a state to begin
  kConnection,  ///< a connection could not be made, or was lost
  kServer,      ///< a server refused a statement; sqlstate() says why
  kMismatch,    ///< the two ends of a copy do not agree
  kCancelled,   ///< somebody asked to stop
  kSystem,      ///< the operating system refused
  kInternal,    ///< a defect of pgsluice
};

/// The one error type of the project. Thrown between modules; at the end of a thread it is caught and kept as a value.
///
/// Messages are in lower case without a full stop and never hold a password; the hint says what to do. The setters
/// return the error, so that it is built where it is thrown:
///     throw Error(ErrorKind::kServer, "permission denied").on(Side::kSource).sqlstate("42501").object("table a.b");
class Error : public std::runtime_error {
 public:
  Error(ErrorKind kind, const std::string& message);

  Error& on(Side side);
  Error& sqlstate(std::string_view code);
  Error& hint(std::string_view text);
  /// The database object or file concerned, with its kind: "table public.orders".
  Error& object(std::string_view text);
  /// What was being done: "copying data", "connecting".
  Error& step(std::string_view text);
  /// What an unfinished run has copied is of no use any more.
  Error& begin_anew();

  ErrorKind kind() const { return kind_; }
  Side side() const { return side_; }
  /// Five characters where a server gave them, else empty.
  const std::string& sqlstate() const { return sqlstate_; }
  const std::string& hint() const { return hint_; }
  const std::string& object() const { return object_; }
  const std::string& step() const { return step_; }

  /// Whether the same work may succeed when it is tried again, on a new connection where poisons_connection().
  bool is_retryable() const;

  /// Whether the work can only be begun anew: no resume will come further, the source having changed, say.
  bool must_begin_anew() const { return must_begin_anew_; }

  /// Whether the connection on which this happened can no longer be used.
  bool poisons_connection() const;

  /// One line for a person: side, object, step, message, SQLSTATE and hint, as far as known.
  std::string describe() const;

 private:
  ErrorKind kind_;
  Side side_ = Side::kLocal;
  std::string sqlstate_;
  std::string hint_;
  std::string object_;
  std::string step_;
  bool must_begin_anew_ = false;
};

/// An error for a failed system call, from errno: "cannot open x: no such file or directory".
Error system_error(std::string_view what, int error_number);

}  // namespace pgsluice
