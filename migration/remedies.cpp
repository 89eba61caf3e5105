#include "migration/remedies.h"

#include <fmt/format.h>

namespace pgsluice::migration {

namespace {

std::string_view words_of(Remedy remedy) {
  switch (remedy) {
    case Remedy::kResume:
      return "resume the migration";
    case Remedy::kResumeInconsistent:
    case Remedy::kStartOver:
      return "resume the migration: it copies the database again";
    case Remedy::kMakeRoles:
      return "create them, or set MigrateRoles to true";
    case Remedy::kCopyRoles:
      return "or set MigrateRoles to true";
    case Remedy::kMakeExtensions:
      return "create them in the target's database template1, or as a superuser";
    case Remedy::kOmitExtension:
      return "or leave the extension out by \"filters\" of \"engine\"";
    case Remedy::kOmitRows:
      return "or leave the table's rows out by \"filters\" of \"engine\"";
    case Remedy::kOmitLargeObjects:
      return "or leave them out by \"skipLargeObjects\" of \"engine\"";
    case Remedy::kOmitTablespaces:
      return "or set \"noTablespaces\" of \"engine\" to true";
    case Remedy::kOmitOwners:
      return "or set \"noOwner\" of \"engine\" to true";
    case Remedy::kOmitPrivileges:
      return "or set \"noAcl\" of \"engine\" to true";
    case Remedy::kOmitProperties:
      return "\"skipDbProperties\" of \"engine\" leaves the database's own properties out";
    case Remedy::kOmitPasswords:
      return "\"noRolePasswords\" of \"engine\" does without";
    case Remedy::kFewerTableJobs:
      return "or set a smaller \"tableJobs\" of \"engine\"";
    case Remedy::kWaitLonger:
      return "\"retryFor\" of \"engine\" sets how long it is tried";
    case Remedy::kNameServers:
    case Remedy::kCheckServers:
      return "check SourceDBServerResourceId (or SourceArchive) and TargetDbServerResourceId";
    case Remedy::kNameClientPrograms:
    case Remedy::kForgetRun:
    case Remedy::kReplaceExisting:
    case Remedy::kMakeTables:
    case Remedy::kOmitLedger:
    case Remedy::kUseLedger:
    case Remedy::kOwnSnapshot:
    case Remedy::kKeepSnapshot:
    case Remedy::kDumpDefinitions:
    case Remedy::kDumpRoles:
    case Remedy::kOtherWorkFolder:
    case Remedy::kCompareData:
      break;
  }
  return "";
}

}  // namespace

std::string describe(const Error& error) {
  std::string text = error.describe();
  for (const Remedy remedy : error.remedies()) {
    const std::string_view words = words_of(remedy);
    if (!words.empty()) text += fmt::format("; {}", words);
  }
  return text;
}

}  // namespace pgsluice::migration
