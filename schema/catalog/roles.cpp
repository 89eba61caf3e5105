#include "schema/catalog/roles.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "base/file_descriptor.h"
#include "base/sqlstate.h"
#include "base/subprocess.h"
#include "pg/quote.h"
#include "pg/server_message.h"
#include "pg/transaction.h"
#include "pg/version.h"
#include "schema/archive/statement_scanner.h"

namespace pgsluice::schema {

namespace {

// Attributes that only a superuser may give or take, in each of their two forms.
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
  // Settings that a role may set, and its security labels; the role's name is the last word, or the one after ROLE.
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
    if (ours) return execute(statement, text_of(statement));
    if (statement.kind == RoleStatement::Kind::kAlter) compare_attributes(statement);
    const bool is_setting =
        statement.kind == RoleStatement::Kind::kSetting || statement.kind == RoleStatement::Kind::kComment;
    if (is_setting) compare_setting(statement);
    if (grant) wanted_memberships_[{statement.role, statement.member}].add(statement.sql);
    if (grant && !is_member(statement)) {
      outcome_.not_given.push_back(
          fmt::format("membership: {} is a member of {} on the source, and both were on the target without it; {}",
                      pg::display_name("", statement.member), pg::display_name("", statement.role),
                      without_grantor(statement.sql)));
    }
  }

  RolesOutcome take() {
    compare_memberships();
    return std::move(outcome_);
  }

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

  // The options that a role gets of another one, from all that have granted it.
  struct Membership {
    bool admin = false;
    bool inherit = false;
    bool set = false;
    std::string sql;

    void add(const std::string& grant) {
      const auto has = [&](std::string_view words) { return grant.find(words) != std::string::npos; };
      admin = admin || has("ADMIN OPTION") || has("ADMIN TRUE");
      inherit = inherit || !has("INHERIT FALSE");
      set = set || !has("SET FALSE");
      sql = without_grantor(grant);
    }
  };

  // Memberships of roles that both servers had.
  void compare_memberships() {
    const bool has_options = target_.server_version() >= pg::since::kMembershipOptions;
    for (const auto& [names, wanted] : wanted_memberships_) {
      const std::array<std::string, 2> parameters = {names.first, names.second};
      const pg::Result found = target_.execute(
          fmt::format("SELECT pg_catalog.bool_or(m.admin_option), {}, {} FROM pg_catalog.pg_auth_members m"
                      " JOIN pg_catalog.pg_roles r ON r.oid = m.roleid JOIN pg_catalog.pg_roles u ON u.oid = m.member"
                      " WHERE r.rolname = $1 AND u.rolname = $2 HAVING count(*) > 0",
                      has_options ? "pg_catalog.bool_or(m.inherit_option)" : "NULL",
                      has_options ? "pg_catalog.bool_or(m.set_option)" : "NULL"),
          parameters);
      if (found.empty()) continue;  // said already
      const pg::Row there = found[0];
      const bool is_same = there.boolean(0) == wanted.admin &&
                           (!has_options || (there.boolean(1) == wanted.inherit && there.boolean(2) == wanted.set));
      if (is_same) continue;
      outcome_.not_given.push_back(fmt::format("membership of {} in {}: it was on the target with other options; {}",
                                               pg::display_name("", names.second), pg::display_name("", names.first),
                                               wanted.sql));
    }
  }

  // A role that was there stays as it is, and what it may not do, or may, is said.
  void compare_attributes(const RoleStatement& statement) {
    const std::vector<std::string> words = StatementScanner::tokens(statement.sql);
    const std::array<std::string, 1> name = {statement.role};
    const pg::Result there = target_.execute(
        "SELECT rolsuper, rolinherit, rolcreaterole, rolcreatedb, rolcanlogin, rolreplication, rolbypassrls"
        " FROM pg_catalog.pg_roles WHERE rolname = $1",
        name);
    constexpr std::array<std::string_view, 7> kAttributes = {"SUPERUSER", "INHERIT",     "CREATEROLE", "CREATEDB",
                                                             "LOGIN",     "REPLICATION", "BYPASSRLS"};
    std::string other;
    for (std::size_t i = 0; i < kAttributes.size() && !there.empty(); ++i) {
      const std::string without = "NO" + std::string(kAttributes[i]);
      const bool is_given = std::find(words.begin(), words.end(), kAttributes[i]) != words.end();
      const bool is_taken = std::find(words.begin(), words.end(), without) != words.end();
      if (is_given == is_taken || is_given == there[0].boolean(static_cast<int>(i))) continue;
      other += " " + (is_given ? std::string(kAttributes[i]) : without);
    }
    other += other_limits(statement.role, words);
    if (other.empty()) return;
    outcome_.not_given.push_back(fmt::format("role {}: it was on the target with other attributes; ALTER ROLE {}{}",
                                             pg::display_name("", statement.role), pg::quote_identifier(statement.role),
                                             other));
  }

  // "CONNECTION LIMIT 5 VALID UNTIL '…'", where the target's role has others.
  std::string other_limits(const std::string& role, const std::vector<std::string>& words) {
    std::string limit = "-1";
    std::string until = "'infinity'";
    for (std::size_t i = 0; i + 2 < words.size(); ++i) {
      if (words[i] == "CONNECTION" && words[i + 1] == "LIMIT") limit = words[i + 2];
      if (words[i] == "VALID" && words[i + 1] == "UNTIL") until = words[i + 2];
    }
    const std::array<std::string, 1> name = {role};
    const pg::Result there =
        target_.execute(fmt::format("SELECT rolconnlimit = {}, coalesce(rolvaliduntil, 'infinity') = {}::timestamptz"
                                    " FROM pg_catalog.pg_roles WHERE rolname = $1",
                                    limit, until),
                        name);
    if (there.empty()) return "";
    return (there[0].boolean(0) ? "" : " CONNECTION LIMIT " + limit) +
           (there[0].boolean(1) ? "" : " VALID UNTIL " + until);
  }

  // Properties of a role besides its attributes: settings, privileges on parameters, a comment, security labels.
  std::string settings_of(const std::string& role) {
    const std::array<std::string, 1> name = {role};
    const std::string parameters =
        target_.server_version() < pg::since::kParameterPrivileges
            ? "''"
            : "(SELECT pg_catalog.string_agg(p.parname || ' ' || a.privilege_type || ' ' || a.is_grantable, ', '"
              "   ORDER BY p.parname, a.privilege_type) FROM pg_catalog.pg_parameter_acl p,"
              "   pg_catalog.aclexplode(p.paracl) a WHERE a.grantee = r.oid)";
    const pg::Result found = target_.execute(
        fmt::format("SELECT pg_catalog.concat_ws(E'\\n', (SELECT s.setconfig::text FROM pg_catalog.pg_db_role_setting s"
                    "  WHERE s.setrole = r.oid AND s.setdatabase = 0), {},"
                    "  pg_catalog.shobj_description(r.oid, 'pg_authid'),"
                    "  (SELECT pg_catalog.string_agg(l.provider || ' ' || l.label, ', ' ORDER BY l.provider)"
                    "     FROM pg_catalog.pg_shseclabel l WHERE l.objoid = r.oid"
                    "      AND l.classoid = 'pg_catalog.pg_authid'::pg_catalog.regclass))"
                    "  FROM pg_catalog.pg_roles r WHERE r.rolname = $1",
                    parameters),
        name);
    return found.empty() ? "" : std::string(found[0].text(0));
  }

  // A change of a role that was there is tried, and undone.
  void compare_setting(const RoleStatement& statement) {
    const std::string before = settings_of(statement.role);
    target_.execute("SAVEPOINT pgsluice_setting");
    const std::optional<Error> error = try_to_execute(statement, statement.sql);
    const bool changes = !error && settings_of(statement.role) != before;
    target_.execute("ROLLBACK TO SAVEPOINT pgsluice_setting");
    if (!error && !changes) return;
    outcome_.not_given.push_back(
        fmt::format("role {}: it was on the target {}; {}", pg::display_name("", statement.role),
                    error ? fmt::format("and cannot be given what it has on the source: {}", error->what())
                          : "without what it has on the source",
                    statement.sql));
  }

  bool is_member(const RoleStatement& grant) {
    const std::array<std::string, 2> names = {grant.role, grant.member};
    return !target_
                .execute(
                    "SELECT FROM pg_catalog.pg_auth_members m JOIN pg_catalog.pg_roles r ON r.oid = m.roleid"
                    " JOIN pg_catalog.pg_roles u ON u.oid = m.member WHERE r.rolname = $1 AND u.rolname = $2",
                    names)
                .empty();
  }

  void execute(const RoleStatement& statement, const std::string& sql) {
    if (sql.empty()) return;
    std::optional<Error> error = try_to_execute(statement, sql);
    if (!error) return;
    const bool needed = statement.kind == RoleStatement::Kind::kCreate || statement.kind == RoleStatement::Kind::kAlter;
    if (needed) throw Error(*error);
    const bool grant = statement.kind == RoleStatement::Kind::kGrant;
    // From 16 on only those who may administer a role may have granted it, which before CREATEROLE sufficed for.
    if (grant && without_grantor(sql) != sql) error = try_to_execute(statement, without_grantor(sql));
    if (!error) return;
    if (!grant && error->sqlstate() == sqlstate::kInsufficientPrivilege) {
      outcome_.not_given.push_back(
          fmt::format("role {}: {}; {}", pg::display_name("", statement.role), error->what(), statement.sql));
      return;
    }
    if (!grant) {
      outcome_.failed.push_back(*error);
      return;
    }
    outcome_.not_given.push_back(fmt::format("membership of {} in {}: {}; {}", pg::display_name("", statement.member),
                                             pg::display_name("", statement.role), error->what(),
                                             without_grantor(statement.sql)));
  }

  // The server's error, after which the statement is undone. The log gets no password, and an error no text.
  std::optional<Error> try_to_execute(const RoleStatement& statement, const std::string& sql) {
    const std::string what = "role " + pg::display_name("", statement.role);
    target_.execute("SAVEPOINT pgsluice");
    try {
      target_.execute_unlogged(sql, what);
      return std::nullopt;
    } catch (Error& error) {
      if (error.kind() != ErrorKind::kServer || error.poisons_connection()) throw;
      target_.execute("ROLLBACK TO SAVEPOINT pgsluice");
      return error.object(what).step("copying roles");
    }
  }

  pg::Connection& target_;
  std::set<std::string> present_;
  std::set<std::string> made_;
  bool superuser_ = false;
  std::map<std::pair<std::string, std::string>, Membership> wanted_memberships_;  ///< by role and member
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
      .hint("only a superuser can read passwords")
      .remedy(Remedy::kOmitPasswords);
}

RolesOutcome restore_roles(pg::Connection& target, const std::vector<RoleStatement>& statements) {
  pg::Transaction transaction(target);
  RoleRestore restore(target);
  for (const RoleStatement& statement : statements) restore.carry_out(statement);
  transaction.commit();
  return restore.take();
}

}  // namespace pgsluice::schema
