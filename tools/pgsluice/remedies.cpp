#include "tools/pgsluice/remedies.h"

#include <fmt/format.h>

namespace pgsluice::tools {

namespace {

std::string_view words_of(Remedy remedy) {
  switch (remedy) {
    case Remedy::kResume:
      return "run the same command again with --resume";
    case Remedy::kResumeInconsistent:
      return "after a change on the source, run it with --resume --not-consistent, which keeps complete tables and "
             "copies "
             "the others as they are now";
    case Remedy::kStartOver:
      return "start over: drop and create the target's database, and clone without --resume";
    case Remedy::kForgetRun:
      return "or drop and create the database (or empty it), and forget the earlier run with --restart";
    case Remedy::kReplaceExisting:
      return "--drop-if-exists replaces what is there";
    case Remedy::kMakeTables:
      return "'pgsluice copy schema' makes them, 'pgsluice restore pre-data', or an archive that has their definitions";
    case Remedy::kMakeRoles:
      return "--roles makes them, or 'pgsluice copy roles' before; --no-owner and --no-acl do without owners and "
             "grantees, but not without roles that a policy, a user mapping or ALTER ROLE … IN DATABASE names";
    case Remedy::kCopyRoles:
      return "or copy the roles with --roles";
    case Remedy::kMakeExtensions:
      return "'pgsluice copy extensions' makes them";
    case Remedy::kOmitExtension:
      return "or leave the extension out ([exclude-extension] in a file for --filters)";
    case Remedy::kOmitRows:
      return "or leave the table's rows out ([exclude-table-data] in a file for --filters)";
    case Remedy::kOmitLargeObjects:
      return "or leave them out with --skip-large-objects";
    case Remedy::kOmitTablespaces:
      return "or clone with --no-tablespaces";
    case Remedy::kOmitOwners:
      return "or clone with --no-owner";
    case Remedy::kOmitPrivileges:
      return "or clone with --no-acl";
    case Remedy::kOmitProperties:
      return "--skip-db-properties leaves the database's own properties out";
    case Remedy::kOmitPasswords:
      return "--no-role-passwords does without";
    case Remedy::kOmitLedger:
      return "or clone with --no-ledger, which cannot be resumed and ends with a lost connection";
    case Remedy::kUseLedger:
      return "omit --no-ledger, or drop and create the database again";
    case Remedy::kOwnSnapshot:
      return "or omit --snapshot";
    case Remedy::kKeepSnapshot:
      return "run 'pgsluice snapshot' again";
    case Remedy::kDumpDefinitions:
      return "run 'pgsluice dump schema' into this work directory (--dir)";
    case Remedy::kDumpRoles:
      return "run 'pgsluice dump roles' into this work directory (--dir)";
    case Remedy::kOtherWorkFolder:
      return "choose another work directory with --dir";
    case Remedy::kNameServers:
      return "give --source and --target, or set PGSLUICE_SOURCE_PGURI and PGSLUICE_TARGET_PGURI";
    case Remedy::kCheckServers:
      return "check --source and --target";
    case Remedy::kFewerTableJobs:
      return "or use fewer --table-jobs";
    case Remedy::kNameClientPrograms:
      return "or name their folder with --pg-bindir";
    case Remedy::kWaitLonger:
      return "--retry-for sets how long it is tried";
    case Remedy::kCompareData:
      return "'pgsluice compare data' shows what differs";
  }
  return "";
}

}  // namespace

std::string describe(const Error& error) {
  std::string text = error.describe();
  for (const Remedy remedy : error.remedies()) text += fmt::format("; {}", words_of(remedy));
  if (error.is_unchanged()) text += "; nothing was changed";
  return text;
}

}  // namespace pgsluice::tools
