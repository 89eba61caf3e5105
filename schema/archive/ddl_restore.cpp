#include "schema/archive/ddl_restore.h"

#include <fmt/format.h>

#include "pgsluice/error.h"

namespace pgsluice::schema {

namespace {

constexpr std::size_t kStatementShown = 300;

std::string shown(std::string_view definition) {
  std::string result;
  for (char c : definition.substr(0, kStatementShown)) {
    const bool blank = c == '\n' || c == '\t' || c == ' ';
    if (!blank) result += c;
    if (blank && !result.empty() && result.back() != ' ') result += ' ';
  }
  while (!result.empty() && (result.back() == ' ' || result.back() == ';')) result.pop_back();
  return definition.size() > kStatementShown ? result + " …" : result;
}

}  // namespace

bool may_hold_secret(const EntryKind& kind) {
  return kind.is_one_of(
      {EntryKind::kSubscription, EntryKind::kUserMapping, EntryKind::kServer, EntryKind::kForeignDataWrapper});
}

void begin_restore(pg::Connection& target, const Archive& archive) {
  const std::string sql = session_sql(archive);
  if (!sql.empty()) target.execute(sql);
}

ArchivesLiterals::ArchivesLiterals(pg::Connection& target, const Archive& archive) : target_(target) {
  const std::string sql(archive.definition_of(EntryKind::kStdStrings));
  if (!sql.empty()) target_.execute(sql);
}

ArchivesLiterals::~ArchivesLiterals() {
  try {
    if (target_.alive()) target_.execute("SET standard_conforming_strings = on");
  } catch (const Error&) {
    // The session is lost, or in a failed transaction: it is not used again as it is.
  }
}

pg::Statement entry_statement(const Archive& archive, const TocEntry& entry, const RestoreOptions& options,
                              std::string_view definition) {
  pg::Statement statement{entry_sql(archive, entry, options, definition)};
  if (may_hold_secret(entry.kind)) statement.shown = entry.describe();
  return statement;
}

void explain(Error& error, const TocEntry& entry, std::string_view definition) {
  error.object(entry.describe());
  if (error.hint().empty() && !may_hold_secret(entry.kind)) {
    error.hint(fmt::format("the statement was: {}", shown(definition)));
  }
}

}  // namespace pgsluice::schema
