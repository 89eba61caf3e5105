#include "schema/catalog/archived_properties.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <string>

#include "pg/quote.h"
#include "schema/archive/definition_reader.h"
#include "schema/archive/statement_scanner.h"

namespace pgsluice::schema {

namespace {

// "ALTER DATABASE shop SET work_mem TO '9MB'", or of a role in it.
struct DatabaseSetting {
  std::string role;  ///< empty: for all
  std::string name;
  std::string value;  ///< SQL: a literal, or several
};

// "a" or "a.b", the name of a setting.
std::optional<std::string> setting_name(DefinitionReader& reader) {
  const std::optional<QualifiedName> name = reader.qualified_name();
  if (!name) return std::nullopt;
  return name->schema.empty() ? name->name : name->schema + "." + name->name;
}

std::optional<DatabaseSetting> read_setting(std::string_view statement) {
  DefinitionReader reader(statement);
  DatabaseSetting setting;
  if (reader.take("ALTER ROLE")) {
    setting.role = reader.name().value_or("");
    if (!reader.take("IN DATABASE")) return std::nullopt;
  } else if (!reader.take("ALTER DATABASE")) {
    return std::nullopt;
  }
  if (!reader.name() || !reader.take("SET")) return std::nullopt;
  const std::optional<std::string> name = setting_name(reader);
  if (!name || !reader.take("TO")) return std::nullopt;
  setting.name = *name;
  const std::string_view rest = reader.rest();
  setting.value = rest.substr(std::min(rest.find_first_not_of(" \n"), rest.size()));
  return setting;
}

// The name of the database, where a statement has it, in the place of which another one goes.
std::string with_database(std::string_view sql, std::string_view name, std::string_view other) {
  constexpr std::string_view kBefore = "DATABASE ";
  std::string result;
  while (!sql.empty()) {
    if (sql.front() == '\'' || sql.front() == '"') {
      const std::size_t end = std::min(sql.find(sql.front(), 1), sql.size() - 1);
      result += sql.substr(0, end + 1);
      sql.remove_prefix(end + 1);
      continue;
    }
    if (sql.starts_with(kBefore)) {
      DefinitionReader reader(sql.substr(kBefore.size()));
      if (reader.name() == name) {
        result += fmt::format("{}{}", kBefore, pg::quote_identifier(other));
        sql = reader.rest();
        continue;
      }
    }
    result += sql.front();
    sql.remove_prefix(1);
  }
  return result;
}

class ArchivedProperties {
 public:
  ArchivedProperties(const Archive& archive, std::string_view target_database, const RestoreOptions& options)
      : archive_(archive), target_(target_database), options_(options) {}

  std::vector<DatabaseProperty> read() {
    for (const TocEntry& entry : archive_.entries) {
      if (entry.kind == EntryKind::kDatabase) add_owner(entry);
      if (entry.kind == EntryKind::kDatabaseProperties) add_general(entry);
      const bool is_about_it = entry.tag.starts_with("DATABASE ");
      if (!is_about_it) continue;
      if (entry.kind == EntryKind::kComment && options_.comments) add("comment on the database", entry.definition);
      if (entry.kind == EntryKind::kSecurityLabel) add("security label of the database", entry.definition);
      if (entry.kind == EntryKind::kAcl && options_.acls) add_acl(entry);
    }
    // Last, so that none of them is in force while the others are made.
    for (const TocEntry& entry : archive_.entries) {
      if (entry.kind == EntryKind::kDatabaseProperties) add_settings(entry);
    }
    return std::move(properties_);
  }

 private:
  void add(std::string description, std::string_view sql) {
    properties_.push_back({std::move(description), with_database(sql, archive_.database, target_)});
  }

  void add_owner(const TocEntry& entry) {
    if (!options_.owners || entry.owner.empty() || options_.out_of_reach.contains(entry.owner)) return;
    properties_.push_back(
        {"owner of the database", fmt::format("ALTER DATABASE {} OWNER TO {}", pg::quote_identifier(target_),
                                              pg::quote_identifier(entry.owner))});
  }

  void add_general(const TocEntry& entry) {
    StatementScanner scanner(entry.definition);
    while (const std::optional<std::string> statement = scanner.next_statement()) {
      if (read_setting(*statement)) continue;
      const bool is_limit = statement->find(" CONNECTION LIMIT ") != std::string::npos;
      const bool is_flag = statement->find(" IS_TEMPLATE ") != std::string::npos;
      if (is_limit) add("connection limit of the database", *statement);
      if (is_flag) add("template flag of the database", *statement);
    }
  }

  void add_settings(const TocEntry& entry) {
    StatementScanner scanner(entry.definition);
    while (const std::optional<std::string> statement = scanner.next_statement()) {
      const std::optional<DatabaseSetting> setting = read_setting(*statement);
      if (!setting) continue;
      const std::size_t dot = setting->name.find('.');
      const std::string name = dot == std::string::npos
                                   ? pg::quote_identifier(setting->name)
                                   : pg::quote_qualified(setting->name.substr(0, dot), setting->name.substr(dot + 1));
      const bool of_database = setting->role.empty();
      const std::string database = pg::quote_identifier(target_);
      properties_.push_back(
          {of_database ? fmt::format("setting {} of the database", setting->name)
                       : fmt::format("setting {} of role {} in the database", setting->name, setting->role),
           fmt::format("ALTER {} SET {} TO {}",
                       of_database
                           ? "DATABASE " + database
                           : fmt::format("ROLE {} IN DATABASE {}", pg::quote_identifier(setting->role), database),
                       name, setting->value)});
    }
  }

  // The owner's part is the owner's only where the database is given to him.
  void add_acl(const TocEntry& entry) {
    const bool is_given = options_.owners && !options_.out_of_reach.contains(entry.owner);
    add("privileges on the database",
        acl_definition(entry, options_, is_given ? OwnersPart::kByOwner : OwnersPart::kByCurrentUser));
    for (const std::string& grantor : grantors_of(entry)) {
      if (options_.out_of_reach.contains(grantor)) properties_.back().grantors_left_out.insert(grantor);
    }
  }

  const Archive& archive_;
  const std::string target_;
  const RestoreOptions& options_;
  std::vector<DatabaseProperty> properties_;
};

// A literal of pg_dump's without its quotes; nullopt for several, or one in another form.
std::optional<std::string> literal_value(std::string_view literal, bool backslashes_escape) {
  if (literal.size() < 2 || literal.front() != '\'' || literal.back() != '\'') return std::nullopt;
  literal.remove_prefix(1);
  literal.remove_suffix(1);
  std::string value;
  for (std::size_t at = 0; at < literal.size(); ++at) {
    const bool is_doubled = literal[at] == '\'' || (backslashes_escape && literal[at] == '\\');
    if (is_doubled && (at + 1 == literal.size() || literal[at + 1] != literal[at])) return std::nullopt;
    value += literal[at];
    if (is_doubled) ++at;
  }
  return value;
}

}  // namespace

std::vector<DatabaseProperty> properties_of_archive(const Archive& archive, std::string_view target_database,
                                                    const RestoreOptions& options) {
  return ArchivedProperties(archive, target_database, options).read();
}

ExpressionSettings expression_settings_of(const Archive& archive) {
  const bool backslashes_escape = archive.definition_of(EntryKind::kStdStrings).find("'off'") != std::string_view::npos;
  ExpressionSettings settings;
  StatementScanner scanner(archive.definition_of(EntryKind::kDatabaseProperties));
  while (const std::optional<std::string> statement = scanner.next_statement()) {
    const std::optional<DatabaseSetting> setting = read_setting(*statement);
    if (!setting || !setting->role.empty() || !may_matter_to_expressions(setting->name)) continue;
    if (const auto value = literal_value(setting->value, backslashes_escape)) settings[setting->name] = *value;
  }
  return settings;
}

}  // namespace pgsluice::schema
