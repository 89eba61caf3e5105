#include "pgsluice/schema/ddl_restore.h"

#include <fmt/format.h>

#include <algorithm>

#include "pgsluice/base/error.h"

namespace pgsluice::schema {

namespace {

constexpr int kTries = 5;
constexpr std::size_t kStatementShown = 300;

// Their definitions hold connection strings and passwords.
bool may_hold_secret(std::string_view kind) {
  return kind == "SUBSCRIPTION" || kind == "USER MAPPING" || kind == "SERVER" || kind == "FOREIGN DATA WRAPPER";
}

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

void begin_restore(pg::Connection& target, const Archive& archive) {
  const std::string sql = session_sql(archive);
  if (!sql.empty()) target.execute(sql);
}

bool is_concurrent_change(const Error& error) {
  if (error.sqlstate() == "40P01") return true;
  return error.sqlstate() == "XX000" && std::string_view(error.what()).find("tuple concurrently") == 0;
}

void restore_entry(pg::Connection& target, const Archive& archive, const TocEntry& entry, const RestoreOptions& options,
                   std::string_view definition) {
  const std::string sql = entry_sql(archive, entry, options, definition);
  for (int attempt = 1;; ++attempt) {
    try {
      if (may_hold_secret(entry.kind)) {
        target.execute_unlogged(sql, entry.describe());
      } else {
        target.execute(sql);
      }
      return;
    } catch (Error& error) {
      if (error.poisons_connection()) throw;
      if (is_concurrent_change(error) && attempt < kTries) {
        target.log().notice(fmt::format("{} is tried again: {}", entry.describe(), error.what()));
        continue;
      }
      error.object(entry.describe());
      if (error.hint().empty() && !may_hold_secret(entry.kind)) {
        error.hint(fmt::format("the statement was: {}", shown(definition)));
      }
      throw;
    }
  }
}

void restore_entry(pg::Connection& target, const Archive& archive, const TocEntry& entry,
                   const RestoreOptions& options) {
  restore_entry(target, archive, entry, options, entry.definition);
}

}  // namespace pgsluice::schema
