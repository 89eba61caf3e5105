#include "schema/catalog/roles.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "pgsluice/error.h"
#include "tests/support/cluster.h"

namespace pgsluice::schema {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Kind = RoleStatement::Kind;

constexpr std::string_view kDump = R"(--
-- PostgreSQL database cluster dump; not a statement
--

\restrict a;b

SET default_transaction_read_only = off;
SET client_encoding = 'UTF8';
SELECT pg_catalog.set_config('x', 'y', false);

CREATE ROLE plain;
ALTER ROLE plain WITH SUPERUSER INHERIT NOCREATEROLE NOREPLICATION PASSWORD 'SUPERUSER; x''y' VALID UNTIL '2030-01-01';
CREATE ROLE "odd; ""name""";
ALTER ROLE "odd; ""name""" WITH NOSUPERUSER LOGIN BYPASSRLS PASSWORD E'a\'b;c';
COMMENT ON ROLE plain IS 'two
lines; -- no comment';
ALTER ROLE plain SET search_path TO 'a', 'b;c';
ALTER ROLE plain IN DATABASE shop SET work_mem TO '1MB';
GRANT plain TO "odd; ""name""" WITH ADMIN OPTION GRANTED BY postgres;

\unrestrict a;b
)";

TEST(Roles, StatementsAreTakenApartWithRegardToQuotes) {
  const std::vector<RoleStatement> statements = parse_roles(kDump);
  std::vector<Kind> kinds;
  for (const RoleStatement& statement : statements) kinds.push_back(statement.kind);
  EXPECT_THAT(kinds, ElementsAre(Kind::kCreate, Kind::kAlter, Kind::kCreate, Kind::kAlter, Kind::kComment,
                                 Kind::kSetting, Kind::kGrant));
  EXPECT_EQ(statements[1].role, "plain");
  EXPECT_EQ(statements[3].role, "odd; \"name\"");
  EXPECT_EQ(statements[6].role, "plain");
  EXPECT_EQ(statements[6].member, "odd; \"name\"");
}

TEST(Roles, WhatARoleMaySetAndItsLabelsAreItsSettings) {
  const std::vector<RoleStatement> statements = parse_roles(
      "GRANT SET, ALTER SYSTEM ON PARAMETER work_mem TO \"An app\" WITH GRANT OPTION;\n"
      "REVOKE SET ON PARAMETER work_mem FROM app;\nSECURITY LABEL FOR 'p' ON ROLE app IS 'secret';");
  ASSERT_EQ(statements.size(), 3U);
  for (const RoleStatement& statement : statements) EXPECT_EQ(statement.kind, Kind::kSetting);
  EXPECT_EQ(statements[0].role, "An app");
  EXPECT_EQ(statements[1].role, "app");
  EXPECT_EQ(statements[2].role, "app");
}

TEST(Roles, AStatementThatIsNotKnownIsKeptWithoutItsText) {
  const std::vector<RoleStatement> statements = parse_roles("DROP ROLE secret_name;");
  ASSERT_EQ(statements.size(), 1U);
  EXPECT_EQ(statements[0].kind, Kind::kUnknown);
  EXPECT_EQ(statements[0].role, "DROP");
  EXPECT_EQ(statements[0].sql, "");
}

class RolesOnServer : public ::testing::Test {
 protected:
  void SetUp() override { drop(); }
  void TearDown() override { drop(); }
  static void drop() {
    for (const char* role : {"roles_a", "\"roles_B\"", "roles_manager"}) {
      test::shared_target().sql("postgres", std::string("DROP ROLE IF EXISTS ") + role);
    }
  }
  static std::string target(const std::string& sql) { return test::shared_target().value("postgres", sql); }
};

constexpr std::string_view kRoles = R"(
CREATE ROLE roles_a;
ALTER ROLE roles_a WITH SUPERUSER INHERIT CREATEROLE NOCREATEDB LOGIN REPLICATION NOBYPASSRLS PASSWORD 'hidden-word';
CREATE ROLE "roles_B";
ALTER ROLE "roles_B" WITH NOSUPERUSER INHERIT NOCREATEROLE NOCREATEDB NOLOGIN NOREPLICATION NOBYPASSRLS;
ALTER ROLE "roles_B" SET search_path TO 'x';
GRANT "roles_B" TO roles_a GRANTED BY postgres;
)";

TEST_F(RolesOnServer, AreMadeOnceAndThenLeftAsTheyAre) {
  pg::Connection connection = test::shared_target().connect("postgres");
  const RolesOutcome made = restore_roles(connection, parse_roles(kRoles));
  EXPECT_THAT(made.created, ElementsAre("roles_a", "roles_B"));
  EXPECT_TRUE(made.failed.empty() && made.not_given.empty());
  EXPECT_EQ(
      target(
          "SELECT rolsuper AND rolreplication AND rolpassword LIKE 'SCRAM%' FROM pg_authid WHERE rolname = 'roles_a'"),
      "t");
  EXPECT_EQ(target("SELECT pg_has_role('roles_a', 'roles_B', 'MEMBER')"), "t");
  target("SELECT 1");
  test::shared_target().sql("postgres", "ALTER ROLE roles_a NOLOGIN; ALTER ROLE \"roles_B\" RESET ALL");
  const RolesOutcome again = restore_roles(connection, parse_roles(kRoles));
  EXPECT_TRUE(again.created.empty());
  EXPECT_THAT(again.there_already, ElementsAre("roles_a", "roles_B"));
  EXPECT_EQ(target("SELECT rolcanlogin FROM pg_roles WHERE rolname = 'roles_a'"), "f");
  EXPECT_EQ(target("SELECT rolconfig IS NULL FROM pg_roles WHERE rolname = 'roles_B'"), "t");
}

TEST_F(RolesOnServer, WithoutSuperuserWhatOnlySuperusersGiveIsLeftAway) {
  test::shared_target().sql("postgres", "CREATE ROLE roles_manager LOGIN CREATEROLE");
  {
    pg::Connection connection = test::shared_target().connect("postgres");
    connection.execute("SET SESSION AUTHORIZATION roles_manager");
    const RolesOutcome made = restore_roles(connection, parse_roles(kRoles));
    EXPECT_THAT(made.not_given,
                ElementsAre(HasSubstr("role roles_a: SUPERUSER"), HasSubstr("role roles_a: REPLICATION")));
    EXPECT_TRUE(made.failed.empty()) << made.failed.front().describe();
  }
  EXPECT_EQ(target("SELECT rolsuper FROM pg_roles WHERE rolname = 'roles_a'"), "f");
  EXPECT_EQ(target("SELECT pg_has_role('roles_a', 'roles_B', 'MEMBER')"), "t");
}

TEST_F(RolesOnServer, AnErrorLeavesNoneAndShowsNoPassword) {
  pg::Connection connection = test::shared_target().connect("postgres");
  try {
    restore_roles(connection,
                  parse_roles("CREATE ROLE roles_a; ALTER ROLE roles_a WITH NOSUCH PASSWORD 'hidden-word';"));
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.describe(), HasSubstr("role roles_a"));
    EXPECT_THAT(error.describe(), ::testing::Not(HasSubstr("hidden-word")));
  }
  EXPECT_EQ(target("SELECT count(*) FROM pg_roles WHERE rolname LIKE 'roles_%'"), "0");
}

}  // namespace
}  // namespace pgsluice::schema
