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

namespace pgsluice::schema {

namespace {

// What only a superuser may give or take, in each of its two forms.
constexpr std::array<std::string_view, 6> kAttributesOfSuperusers = {"SUPERUSER",     "NOSUPERUSER", "REPLICATION",
                                                                     "NOREPLICATION", "BYPASSRLS",   "NOBYPASSRLS"};

// Splits at semicolons and reads words, with regard to quotes.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : rest_(text) {}

  /// Comments and psql's commands are lines by themselves between statements.
  std::optional<std::string> next_statement() {
    skip_between();
    if (rest_.empty()) return std::nullopt;
    std::size_t at = 0;
    while (at < rest_.size() && rest_[at] != ';') at = behind_token(rest_, at);
    std::string statement(rest_.substr(0, at));
    rest_.remove_prefix(std::min(at + 1, rest_.size()));
    return statement;
  }

  /// Of a statement: words, quoted names and literals with their quotes, in their order.
  static std::vector<std::string> tokens(std::string_view text) {
    std::vector<std::string> result;
    for (std::size_t at = 0; at < text.size();) {
      if (is_space(text[at])) {
        ++at;
        continue;
      }
      std::size_t end = at;
      while (end < text.size() && !is_space(text[end])) end = behind_token(text, end);
      result.emplace_back(text.substr(at, end - at));
      at = end;
    }
    return result;
  }

 private:
  static bool is_space(char c) { return c == ' ' || c == '\n' || c == '\t' || c == '\r'; }

  // Where a quoted text or another character ends.
  static std::size_t behind_token(std::string_view text, std::size_t at) {
    const char quote = text[at];
    if (quote != '\'' && quote != '"') return at + 1;
    const bool escapes = quote == '\'' && at > 0 && (text[at - 1] == 'E' || text[at - 1] == 'e');
    for (++at; at < text.size(); ++at) {
      if (escapes && text[at] == '\\') {
        ++at;
      } else if (text[at] == quote) {
        if (at + 1 < text.size() && text[at + 1] == quote) {
          ++at;
        } else {
          return at + 1;
        }
      }
    }
    return text.size();
  }

  void skip_between() {
    while (!rest_.empty()) {
      if (is_space(rest_.front())) {
        rest_.remove_prefix(1);
      } else if (rest_.front() == '\\' || rest_.rfind("--", 0) == 0) {
        rest_.remove_prefix(std::min(rest_.find('\n'), rest_.size()));
      } else {
        return;
      }
    }
  }

  std::string_view rest_;
};

// A name as the server has it.
std::string unquoted(const std::string& token) {
  if (token.size() < 2 || token.front() != '"') return token;
  std::string name;
  for (std::size_t i = 1; i + 1 < token.size(); ++i) {
    name += token[i];
    if (token[i] == '"') ++i;
  }
  return name;
}

std::optional<RoleStatement> read_statement(const std::string& sql) {
  using Kind = RoleStatement::Kind;
  const std::vector<std::string> words = Scanner::tokens(sql);
  const auto begins = [&](std::initializer_list<const char*> with) {
    return words.size() > with.size() && std::equal(with.begin(), with.end(), words.begin());
  };
  if (words.empty()) return std::nullopt;
  if (begins({"SET"}) || begins({"SELECT"})) return std::nullopt;
  if (begins({"CREATE", "ROLE"})) return RoleStatement{Kind::kCreate, unquoted(words[2]), "", sql};
  if (begins({"COMMENT", "ON", "ROLE"})) return RoleStatement{Kind::kComment, unquoted(words[3]), "", sql};
  if (begins({"ALTER", "ROLE"}) && words.size() > 3) {
    // ALTER ROLE x IN DATABASE y SET … goes with the database's own properties.
    if (words[3] == "IN") return std::nullopt;
    return RoleStatement{words[3] == "WITH" ? Kind::kAlter : Kind::kSetting, unquoted(words[2]), "", sql};
  }
  if (begins({"GRANT"}) && words.size() > 3 && words[2] == "TO") {
    return RoleStatement{Kind::kGrant, unquoted(words[1]), unquoted(words[3]), sql};
  }
  // What a role may set, and its security labels; the role's name is the last word, or the one behind ROLE.
  if ((begins({"GRANT"}) || begins({"REVOKE"})) && words.size() > 3) {
    const auto to =
        std::find_if(words.begin(), words.end(), [](const std::string& w) { return w == "TO" || w == "FROM"; });
    if (to != words.end() && to + 1 != words.end()) return RoleStatement{Kind::kSetting, unquoted(*(to + 1)), "", sql};
  }
  if (begins({"SECURITY", "LABEL"})) {
    const auto role = std::find(words.begin(), words.end(), "ROLE");
    if (role != words.end() && role + 1 != words.end()) {
      return RoleStatement{Kind::kSetting, unquoted(*(role + 1)), "", sql};
    }
  }
  return RoleStatement{Kind::kUnknown, words.front(), "", ""};
}

// Leaves away what only superusers may give, and says which it was.
std::string without_attributes_of_superusers(const std::string& sql, std::vector<std::string>& left_away) {
  std::string result;
  bool in_attributes = true;
  for (const std::string& word : Scanner::tokens(sql)) {
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
  Scanner scanner(dump);
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
