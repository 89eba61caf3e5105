#pragma once

#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace pgsluice {

/// Which server, if any, an error came from.
enum class Side { kLocal, kSource, kTarget };

/// "source", "target", or "" for kLocal.
std::string_view to_string(Side side);

/// The kind of an error, as far as a caller would act differently on it.
enum class ErrorKind {
  kUsage,       ///< arguments that cannot be meant
  kConfig,      ///< something outside is not as it must be: a program missing, a file unreadable
  kState,       ///< the work directory or the target is not in a state to begin
  kConnection,  ///< a connection could not be made, or was lost
  kServer,      ///< a server refused a statement; sqlstate() says why
  kMismatch,    ///< the two ends of a copy do not agree
  kCancelled,   ///< a user or program asked to stop
  kSystem,      ///< the operating system refused
  kInternal,    ///< a defect of pgsluice
};

/// A way out of an error. The library names it; the program that shows the error words it for its users: the command as
/// an option, a migration as a key of the properties file. The error's hint says what else can be done.
enum class Remedy {
  kResume,              ///< run again, and continue what was begun
  kResumeInconsistent,  ///< the same after a change on the source: complete tables stay, the others are copied again
  kStartOver,           ///< drop and create the target's database, then clone: no resume can succeed
  kForgetRun,           ///< forget what an earlier run has done
  kReplaceExisting,     ///< drop what is on the target, or empty it
  kMakeTables,          ///< restore the definitions first
  kMakeRoles,           ///< create the roles, or do without owners and privileges
  kCopyRoles,           ///< copy the roles, too
  kMakeExtensions,      ///< create the extensions first
  kOmitExtension,       ///< leave an extension out
  kOmitRows,            ///< leave the rows of a table out
  kOmitLargeObjects,
  kOmitTablespaces,
  kOmitOwners,
  kOmitPrivileges,
  kOmitProperties,   ///< leave the properties of the database itself out
  kOmitPasswords,    ///< copy roles without their passwords
  kOmitLedger,       ///< clone without a ledger, which cannot be resumed
  kUseLedger,        ///< clone with one
  kOwnSnapshot,      ///< take a snapshot instead of using one that is given
  kKeepSnapshot,     ///< have another session hold the snapshot again
  kDumpDefinitions,  ///< dump the definitions into the work directory again
  kDumpRoles,        ///< dump the roles into the work directory
  kOtherWorkFolder,  ///< use another work directory
  kNameServers,      ///< say which source and target are meant
  kCheckServers,     ///< look whether source and target are the right ones
  kFewerTableJobs,
  kNameClientPrograms,  ///< say where PostgreSQL's client programs are
  kWaitLonger,          ///< try longer after a lost connection
  kCompareData,         ///< compare the rows of both databases
};

/// A stable word for documents, such as "resume".
std::string_view id_of(Remedy remedy);

/// The one error type of the project. Thrown between modules; at the end of a thread it is caught and kept as a value.
///
/// Messages are in lower case without a full stop and never hold a password; the hint says what to do. The setters
/// return the error, so that it is built where it is thrown:
///     throw Error(ErrorKind::kServer, "permission denied").on(Side::kSource).sqlstate("42501").object("table a.b");
/// describe() has no words for remedies(): see LogSink::describe().
class Error : public std::runtime_error {
 public:
  Error(ErrorKind kind, const std::string& message);

  Error& on(Side side);
  Error& sqlstate(std::string_view code);
  Error& hint(std::string_view text);
  /// The database object or file concerned, with its kind: "table public.orders".
  Error& object(std::string_view text);
  /// The step in which it happened: "copying data", "connecting".
  Error& step(std::string_view text);
  /// Adds a remedy after those that it has.
  Error& remedy(Remedy remedy);
  /// Says that neither server was changed.
  Error& unchanged();

  ErrorKind kind() const { return kind_; }
  Side side() const { return side_; }
  /// Five characters where a server gave them, else empty.
  const std::string& sqlstate() const { return sqlstate_; }
  const std::string& hint() const { return hint_; }
  const std::string& object() const { return object_; }
  const std::string& step() const { return step_; }

  /// True if the same work may succeed when it is tried again, on a new connection where poisons_connection().
  bool is_retryable() const;

  const std::vector<Remedy>& remedies() const { return remedies_; }
  bool has(Remedy remedy) const;
  /// True if no resume can succeed, because the source has changed, for example: Remedy::kStartOver.
  bool cannot_resume() const { return has(Remedy::kStartOver); }
  /// True if it is known that neither server was changed.
  bool is_unchanged() const { return is_unchanged_; }

  /// True if the connection on which this happened can no longer be used.
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
  std::vector<Remedy> remedies_;
  bool is_unchanged_ = false;
};

/// An error for a failed system call, from errno: "cannot open x: no such file or directory".
Error system_error(std::string_view what, int error_number);

}  // namespace pgsluice
