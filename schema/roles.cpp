#include "pgsluice/schema/roles.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <set>
#include <utility>

#include "pgsluice/base/file_descriptor.h"
#include "pgsluice/base/subprocess.h"
#include "pgsluice/pg/quote.h"
#include "pgsluice/pg/server_message.h"
#include "pgsluice/pg/transaction.h"
#include "pgsluice/schema/statement_scanner.h"

namespace pgsluice::schema {

namespace {

// What only a superuser may give or take, in each of its two forms.
constexpr std::array<std::string_view, 6> kAttributesOfSuperusers = {"SUPERUSER",     "NOSUPERUSER", "REPLICATION",
                                                                     "NOREPLICATION", "BYPASSRLS",   "NOBYPASSRLS"};

std::optional<RoleStatement> read_statement(const std::string& sql) {
  using Kind = RoleStatement::Kind;
  const std::vector<std::string> words = StatementScanner::tokens(sql);
  const auto begins = [&](std::initializer_list<const char*> with) {
    return words.size() > with.size() && std::equal(with.begin(), with.end(), words.begin());
  };
  if (words.empty()) return std::nullopt;
  if (begins({"SET"}) || begins({"SELECT"})) return std::nullopt;
  if (begins({"CREATE", "ROLE"})) return RoleStatement{Kind::kCreate, pg::unquote_identifier(words[2]), "", sql};
  if (begins({"COMMENT", "ON", "ROLE"}))
    return RoleStatement{Kind::kComment, pg::unquote_identifier(words[3]), "", sql};
  if (begins({"ALTER", "ROLE"}) && words.size() > 3) {
    // ALTER ROLE x IN DATABASE y SET … goes with the database's own properties.
    if (words[3] == "IN") return std::nullopt;
    return RoleStatement{words[3] == "WITH" ? Kind::kAlter : Kind::kSetting, pg::unquote_identifier(words[2]), "", sql};
  }
  if (begins({"GRANT"}) && words.size() > 3 && words[2] == "TO") {
    return RoleStatement{Kind::kGrant, pg::unquote_identifier(words[1]), pg::unquote_identifier(words[3]), sql};
  }
  // What a role may set, and its security labels; the role's name is the last word, or the one behind ROLE.
  if ((begins({"GRANT"}) || begins({"REVOKE"})) && words.size() > 3) {
    const auto to =
        std::find_if(words.begin(), words.end(), [](const std::string& w) { return w == "TO" || w == "FROM"; });
    if (to != words.end() && to + 1 != words.end())
      return RoleStatement{Kind::kSetting, pg::unquote_identifier(*(to + 1)), "", sql};
  }
  if (begins({"SECURITY", "LABEL"})) {
    const auto role = std::find(words.begin(), words.end(), "ROLE");
    if (role != words.end() && role + 1 != words.end()) {
      return RoleStatement{Kind::kSetting, pg::unquote_identifier(*(role + 1)), "", sql};
    }
  }
  return RoleStatement{Kind::kUnknown, words.front(), "", ""};
}

// Leaves away what only superusers may give, and says which it was.
std::string without_attributes_of_superusers(const std::string& sql, std::vector<std::string>& left_away) {
  std::string result;
  bool in_attributes = true;
  for (const std::string& word : StatementScanner::tokens(sql)) {
    if (word == "PASSWORD") in_attributes = false;
    const auto* known = std::find(kAttributesOfSuperusers.begin(), kAttributesOfSuperusers.end(), word);
    if (in_attributes && known != kAttributesOfSuperusers.end()) {
      if (word.rfind("NO", 0) != 0) left_away.push_back(word);
      continue;
    }
    result += (result.empty() ? "" : " ") + word;
  }
  return result;
}

// Who granted a membership does not matter to what it allows.
std::string without_grantor(const std::string& sql) {
  const std::size_t at = sql.rfind(" GRANTED BY ");
  return at == std::string::npos ? sql : sql.substr(0, at);
}

class RoleRestore {
 public:
  explicit RoleRestore(pg::Connection& target) : target_(target) {
    for (const pg::Row row : target.execute("SELECT rolname FROM pg_catalog.pg_roles")) present_.emplace(row.text(0));
    superuser_ = target.execute("SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user")[0].boolean(0);
  }

  void carry_out(const RoleStatement& statement) {
    const bool grant = statement.kind == RoleStatement::Kind::kGrant;
    if (statement.kind == RoleStatement::Kind::kUnknown) {
      outcome_.not_given.push_back(fmt::format("a statement of pg_dumpall that is not known, {} …", statement.role));
      return;
    }
    if (statement.kind == RoleStatement::Kind::kCreate) {
      if (present_.contains(statement.role)) {
        outcome_.there_already.push_back(statement.role);
        return;
      }
      made_.insert(statement.role);
      outcome_.created.push_back(statement.role);
    }
    const bool ours = made_.contains(statement.role) || (grant && made_.contains(statement.member));
    if (ours) execute(statement, text_of(statement));
  }

  RolesOutcome take() { return std::move(outcome_); }

 private:
  std::string text_of(const RoleStatement& statement) {
    if (statement.kind == RoleStatement::Kind::kGrant) {
      return superuser_ ? statement.sql : without_grantor(statement.sql);
    }
    if (statement.kind != RoleStatement::Kind::kAlter || superuser_) return statement.sql;
    std::vector<std::string> left_away;
    std::string sql = without_attributes_of_superusers(statement.sql, left_away);
    for (const std::string& attribute : left_away) {
      outcome_.not_given.push_back(
          fmt::format("role {}: {}, which only a superuser may give", pg::display_name("", statement.role), attribute));
    }
    return sql.ends_with(" WITH") ? "" : sql;
  }

  // The log gets no password, and an error no text.
  void execute(const RoleStatement& statement, const std::string& sql) {
    if (sql.empty()) return;
    const std::string what = "role " + pg::display_name("", statement.role);
    target_.execute("SAVEPOINT pgsluice");
    try {
      target_.execute_unlogged(sql, what);
    } catch (Error& error) {
      if (error.kind() != ErrorKind::kServer) throw;
      error.object(what).step("copying roles");
      const bool needed =
          statement.kind == RoleStatement::Kind::kCreate || statement.kind == RoleStatement::Kind::kAlter;
      if (needed) throw;
      target_.execute("ROLLBACK TO SAVEPOINT pgsluice");
      outcome_.failed.push_back(error);
    }
  }

  pg::Connection& target_;
  std::set<std::string> present_;
  std::set<std::string> made_;
  bool superuser_ = false;
  RolesOutcome outcome_;
};

}  // namespace

std::vector<RoleStatement> parse_roles(std::string_view dump) {
  std::vector<RoleStatement> statements;
  StatementScanner scanner(dump);
  while (const std::optional<std::string> sql = scanner.next_statement()) {
    if (std::optional<RoleStatement> statement = read_statement(*sql)) statements.push_back(std::move(*statement));
  }
  return statements;
}

std::string dump_roles(const RoleDumpRequest& request, const CancelToken& cancel) {
  pg::ConnInfo::ForProgram connection = request.source.with("application_name", "pgsluice: pg_dumpall").for_program();
  std::vector<std::string> command = {request.program.path.string(), "--roles-only", "--no-password",
                                      "--dbname=" + connection.conninfo};
  if (!request.passwords) command.emplace_back("--no-role-passwords");
  SubprocessResult result =
      run_command({.command = std::move(command), .environment = std::move(connection.environment)}, cancel);
  if (result.exit_code == 0) return std::move(result.output);
  throw Error(ErrorKind::kServer,
              fmt::format("pg_dumpall failed with exit code {}: {}", result.exit_code, pg::one_line(result.errors)))
      .on(Side::kSource)
      .step("reading the roles")
      .hint("passwords are for superusers to read: --no-role-passwords does without");
}

RolesOutcome restore_roles(pg::Connection& target, const std::vector<RoleStatement>& statements) {
  pg::Transaction transaction(target);
  RoleRestore restore(target);
  for (const RoleStatement& statement : statements) restore.carry_out(statement);
  transaction.commit();
  return restore.take();
}

}  // namespace pgsluice::schema
