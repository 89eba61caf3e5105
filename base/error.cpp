#include "pgsluice/error.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <system_error>

#include "base/sqlstate.h"

namespace pgsluice {

std::string_view to_string(Side side) {
  switch (side) {
    case Side::kSource:
      return "source";
    case Side::kTarget:
      return "target";
    case Side::kLocal:
      break;
  }
  return "";
}

std::string_view id_of(Remedy remedy) {
  switch (remedy) {
    case Remedy::kResume:
      return "resume";
    case Remedy::kResumeInconsistent:
      return "resume-inconsistent";
    case Remedy::kStartOver:
      return "start-over";
    case Remedy::kForgetRun:
      return "forget-run";
    case Remedy::kReplaceExisting:
      return "replace-existing";
    case Remedy::kMakeTables:
      return "make-tables";
    case Remedy::kMakeRoles:
      return "make-roles";
    case Remedy::kCopyRoles:
      return "copy-roles";
    case Remedy::kMakeExtensions:
      return "make-extensions";
    case Remedy::kOmitExtension:
      return "omit-extension";
    case Remedy::kOmitRows:
      return "omit-rows";
    case Remedy::kOmitLargeObjects:
      return "omit-large-objects";
    case Remedy::kOmitTablespaces:
      return "omit-tablespaces";
    case Remedy::kOmitOwners:
      return "omit-owners";
    case Remedy::kOmitPrivileges:
      return "omit-privileges";
    case Remedy::kOmitProperties:
      return "omit-properties";
    case Remedy::kOmitPasswords:
      return "omit-passwords";
    case Remedy::kOmitLedger:
      return "omit-ledger";
    case Remedy::kUseLedger:
      return "use-ledger";
    case Remedy::kOwnSnapshot:
      return "own-snapshot";
    case Remedy::kKeepSnapshot:
      return "keep-snapshot";
    case Remedy::kDumpDefinitions:
      return "dump-definitions";
    case Remedy::kDumpRoles:
      return "dump-roles";
    case Remedy::kOtherWorkFolder:
      return "other-work-folder";
    case Remedy::kNameServers:
      return "name-servers";
    case Remedy::kCheckServers:
      return "check-servers";
    case Remedy::kFewerTableJobs:
      return "fewer-table-jobs";
    case Remedy::kNameClientPrograms:
      return "name-client-programs";
    case Remedy::kWaitLonger:
      return "wait-longer";
    case Remedy::kCompareData:
      return "compare-data";
  }
  return "";
}

Error::Error(ErrorKind kind, const std::string& message) : std::runtime_error(message), kind_(kind) {}

Error& Error::on(Side side) {
  side_ = side;
  return *this;
}

Error& Error::sqlstate(std::string_view code) {
  sqlstate_ = code;
  return *this;
}

Error& Error::hint(std::string_view text) {
  hint_ = text;
  return *this;
}

Error& Error::object(std::string_view text) {
  object_ = text;
  return *this;
}

Error& Error::step(std::string_view text) {
  step_ = text;
  return *this;
}

Error& Error::remedy(Remedy remedy) {
  if (!has(remedy)) remedies_.push_back(remedy);
  return *this;
}

Error& Error::unchanged() {
  is_unchanged_ = true;
  return *this;
}

bool Error::has(Remedy remedy) const {
  return std::find(remedies_.begin(), remedies_.end(), remedy) != remedies_.end();
}

bool Error::is_retryable() const {
  if (kind_ == ErrorKind::kConnection) {
    // Without an SQLSTATE the socket was lost or never made; with one, the server gave a reason.
    if (sqlstate_.empty()) return true;
  }
  // Class 08: the connection failed. 57P01-57P03: the server or an administrator ended it, or it starts up.
  // 53300: no connection slot is free at this moment. 40P01: a deadlock with another session, which continues.
  // Everything else would fail again in the same way.
  static constexpr std::array<std::string_view, 5> kPassing = {
      sqlstate::kAdminShutdown, sqlstate::kCrashShutdown, sqlstate::kCannotConnectNow, sqlstate::kTooManyConnections,
      sqlstate::kDeadlockDetected};
  if (sqlstate_.rfind("08", 0) == 0) return true;
  for (std::string_view code : kPassing) {
    if (sqlstate_ == code) return true;
  }
  // Two sessions have changed one row of a catalog; the server has no code of its own for that.
  return sqlstate_ == sqlstate::kInternalError && std::string_view(what()).rfind("tuple concurrently ", 0) == 0;
}

bool Error::poisons_connection() const {
  return kind_ == ErrorKind::kConnection || kind_ == ErrorKind::kCancelled || kind_ == ErrorKind::kInternal ||
         sqlstate_.rfind("57P", 0) == 0;
}

std::string Error::describe() const {
  std::string line;
  if (side_ != Side::kLocal) line += fmt::format("{}: ", to_string(side_));
  if (!object_.empty()) line += fmt::format("{}: ", object_);
  if (!step_.empty()) line += fmt::format("{}: ", step_);
  line += what();
  if (!sqlstate_.empty()) line += fmt::format(" (SQLSTATE {})", sqlstate_);
  if (!hint_.empty()) line += fmt::format("; {}", hint_);
  return line;
}

Error system_error(std::string_view what, int error_number) {
  return Error(ErrorKind::kSystem,
               fmt::format("{}: {}", what, std::error_code(error_number, std::generic_category()).message()));
}

}  // namespace pgsluice
