#include "schema/archive/drops.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <optional>
#include <string_view>

#include "base/sqlstate.h"
#include "pg/quote.h"
#include "pgsluice/error.h"

namespace pgsluice::schema {

namespace {

// Entries after the data that are not dropped with their table, or would keep it from being dropped.
constexpr auto kApartFromTables = {EntryKind::kFkConstraint, EntryKind::kEventTrigger, EntryKind::kPublication};
constexpr auto kStay = {EntryKind::kSchema, EntryKind::kExtension, EntryKind::kProceduralLanguage,
                        EntryKind::kSubscription};

bool insert_behind(std::string& text, std::string_view words, std::size_t from = 0) {
  const std::size_t at = text.find(words, from);
  if (at == std::string::npos) return false;
  text.insert(at + words.size(), "IF EXISTS ");
  return true;
}

// Empty for what is not dropped by itself.
std::string if_exists(const TocEntry& entry) {
  std::string text = entry.drop_statement;
  while (!text.empty() && text.back() == '\n') text.pop_back();
  if (text.rfind("ALTER ", 0) == 0) {
    if (text.rfind("ALTER TABLE ", 0) == 0) insert_behind(text, "ALTER TABLE ");
    if (entry.kind == EntryKind::kDefault) return text;
    return insert_behind(text, " DROP CONSTRAINT ") ? text : "";
  }
  const EntryKind kind = entry.kind == EntryKind::kShellType ? EntryKind::kType : entry.kind;
  const std::string drop = fmt::format("DROP {} ", kind.words());
  return text.rfind(drop, 0) == 0 && insert_behind(text, drop) ? text : "";
}

// A view that needs a primary key comes as one without a query, and its query as a rule after the key. What drops that
// rule makes the view one without a query again: so nothing that it was made of is kept by it.
std::optional<std::string> freed_view(const TocEntry& entry) {
  constexpr std::string_view kRule = " _RETURN";
  constexpr std::string_view kReplace = "CREATE OR REPLACE VIEW ";
  const bool is_query =
      entry.kind == EntryKind::kRule && entry.tag.ends_with(kRule) && entry.drop_statement.starts_with(kReplace);
  if (!is_query) return std::nullopt;
  return pg::quote_qualified(entry.schema.value_or(""), entry.tag.substr(0, entry.tag.size() - kRule.size()));
}

// Throws if others' objects depend on a type, or on its own functions, once all of the archive's are dropped.
void refuse_to_take_others_along(pg::Connection& target, const std::string& type) {
  const std::array<std::string, 1> parameters = {type};
  const pg::Result others = target.execute(
      "WITH type AS (SELECT oid, typarray, ARRAY[typinput, typoutput, typreceive, typsend, typmodin, typmodout,"
      "                     typanalyze]::oid[] AS functions"
      "                FROM pg_catalog.pg_type WHERE oid = pg_catalog.to_regtype($1))"
      " SELECT DISTINCT pg_catalog.pg_describe_object(d.classid, d.objid, d.objsubid)"
      "   FROM type t JOIN pg_catalog.pg_depend d ON d.deptype <> 'i'"
      "    AND (d.refclassid = 'pg_catalog.pg_type'::regclass AND d.refobjid IN (t.oid, t.typarray)"
      "         OR d.refclassid = 'pg_catalog.pg_proc'::regclass AND d.refobjid = ANY (t.functions))"
      "  WHERE NOT (d.classid = 'pg_catalog.pg_proc'::regclass AND d.objid = ANY (t.functions))"
      "    AND NOT (d.classid = 'pg_catalog.pg_type'::regclass AND d.objid IN (t.oid, t.typarray)) ORDER BY 1 LIMIT 5",
      parameters);
  if (others.empty()) return;
  std::vector<std::string_view> names;
  for (const pg::Row row : others) names.push_back(row.text(0));
  throw Error(ErrorKind::kState, fmt::format("others' objects need the type {}: {}", type, fmt::join(names, ", ")))
      .on(Side::kTarget)
      .step("dropping what is there")
      .hint("drop these first, or change them");
}

}  // namespace

namespace {

// Entries that may use a function which has to be dropped before its table. A partition's trigger goes only with its
// parent's: its entry makes none, but alters its state.
bool stands_in_the_way(const TocEntry& entry) {
  const bool makes_trigger = entry.kind == EntryKind::kTrigger && entry.definition.find("CREATE ") < 2;
  return entry.kind.is_one_of({EntryKind::kRule, EntryKind::kPolicy}) || makes_trigger;
}

}  // namespace

std::vector<Drop> drop_statements(const Archive& archive, const RestoreOptions& options) {
  std::vector<Drop> statements;
  for (auto entry = archive.entries.rbegin(); entry != archive.entries.rend(); ++entry) {
    if (entry->pass() == RestorePass::kAcl || !is_restored(*entry, options) || entry->kind.is_one_of(kStay)) continue;
    if (const auto view = freed_view(*entry)) {
      statements.push_back({.sql = entry->drop_statement, .cascading_type = "", .only_with = *view});
      continue;
    }
    const bool goes_with_its_table = !entry->kind.is_one_of(kApartFromTables) && !stands_in_the_way(*entry);
    if (entry->section == Section::kPostData && goes_with_its_table) continue;
    std::string text = if_exists(*entry);
    if (text.empty()) continue;
    const bool cascades = entry->kind == EntryKind::kType && text.ends_with(" CASCADE;");
    const std::string name = pg::quote_qualified(entry->schema.value_or(""), entry->tag);
    statements.push_back({.sql = std::move(text), .cascading_type = cascades ? name : ""});
  }
  return statements;
}

namespace {

void carry_out(pg::Connection& target, const std::vector<Drop>& drops) {
  constexpr std::size_t kStatementsInAMessage = 500;
  std::string message;
  std::size_t statements = 0;
  const auto send = [&] {
    if (!message.empty()) target.execute(message);
    message.clear();
    statements = 0;
  };
  for (const Drop& drop : drops) {
    if (!drop.only_with.empty()) {
      send();
      const std::array<std::string, 1> name = {drop.only_with};
      if (target.execute("SELECT pg_catalog.to_regclass($1) IS NULL", name)[0].boolean(0)) continue;
    }
    if (!drop.cascading_type.empty()) {
      send();
      refuse_to_take_others_along(target, drop.cascading_type);
    }
    message += drop.sql + "\n";
    if (++statements == kStatementsInAMessage) send();
  }
  send();
}

}  // namespace

void drop(pg::Connection& target, const std::vector<Drop>& drops) {
  try {
    carry_out(target, drops);
  } catch (Error& error) {
    if (error.sqlstate() == sqlstate::kOutOfMemory) {
      error.hint(
          "what is dropped is locked until all of it is: set max_locks_per_transaction to a multiple of what it is and "
          "restart the server, or drop and create the database");
    }
    throw;
  }
}

}  // namespace pgsluice::schema
