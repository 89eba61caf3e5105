// Memberships of roles, which record since 16 who granted them, and need one who may.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include "tests/cases/case_fixture.h"

namespace pgsluice::test {
namespace {

using ::testing::AnyOf;
using ::testing::HasSubstr;

constexpr const char* kMemberships =
    "SELECT string_agg(concat_ws(' ', roleid::regrole, member::regrole, admin_option), ', ' ORDER BY "
    "roleid::regrole::text,"
    " member::regrole::text) FROM (SELECT roleid, member, bool_or(admin_option) AS admin_option FROM pg_auth_members"
    " WHERE roleid::regrole::text LIKE 'c13%' AND member::regrole::text LIKE 'c13%' GROUP BY 1, 2) m";

class Memberships : public CaseTest {
 protected:
  void TearDown() override {
    for (const Cluster* server : {&source(), &target()}) {
      server->sql("postgres", "DROP DATABASE IF EXISTS cases");
      // Grants of those who have granted others go with these.
      server->sql("postgres", R"sql(
        DO $$ DECLARE m record; BEGIN
          FOR m IN SELECT roleid::regrole AS role, member::regrole AS member, grantor::regrole AS grantor
                     FROM pg_auth_members WHERE roleid::regrole::text LIKE 'c13%' LOOP
            EXECUTE format('REVOKE %s FROM %s GRANTED BY %s CASCADE', m.role, m.member, m.grantor);
          END LOOP; END $$)sql");
      // One at a time: 16 stumbles over the membership of two that go together.
      for (const char* role : {"c13_app", "c13_lead", "c13_staff", "c13_other", "c13_manager"}) {
        server->sql("postgres", std::string("DROP ROLE IF EXISTS ") + role);
      }
    }
  }
  // A user who may make roles has granted one to another, which needs no ADMIN OPTION before 16.
  void make_memberships() {
    TearDown();
    source().sql("postgres", R"sql(
      CREATE ROLE c13_manager CREATEROLE LOGIN; SET ROLE c13_manager;
      CREATE ROLE c13_staff; CREATE ROLE c13_lead LOGIN; CREATE ROLE c13_app LOGIN;
      GRANT c13_staff TO c13_lead WITH ADMIN OPTION; GRANT c13_staff TO c13_app; RESET ROLE;
      SET ROLE c13_lead; GRANT c13_staff TO c13_manager; RESET ROLE)sql");
    make("CREATE TABLE t (i int); ALTER TABLE t OWNER TO c13_staff; INSERT INTO t VALUES (1)");
  }
  SubprocessResult copy_roles() const {
    return run({"copy", "roles", "--source", source().conninfo("postgres"), "--target", target().conninfo("postgres"),
                "--dir", (folder_.path() / "roles").string(), "--pg-bindir", pg_bindir().string()});
  }
};

TEST_F(Memberships, ThatAUserWithCREATEROLEGrantedArrive) {
  // pg_dumpall 15 names who has granted each, which 16 refuses; that of 18 does not.
  for (const auto& [to, client] : std::vector<std::pair<int, int>>{{16, 15}, {18, 18}}) {
    SCOPED_TRACE(to);
    if (!between(15, to)) GTEST_SKIP() << kNoDownloads;
    use_pg_bindir(server_programs(client));
    make_memberships();
    const SubprocessResult cloned = clone({"--roles"});
    EXPECT_EQ(cloned.exit_code, 0) << said(cloned);
    expect_same_answer(kMemberships);
    EXPECT_EQ(at_target("SELECT count(*) FROM t"), "1");
    TearDown();
  }
}

TEST_F(Memberships, ThatAreMissingBetweenRolesThatAreThereArriveOrAreNamed) {
  if (!between(15, 16)) GTEST_SKIP() << kNoDownloads;
  make_memberships();
  target().sql("postgres",
               "CREATE ROLE c13_manager CREATEROLE LOGIN; CREATE ROLE c13_staff; CREATE ROLE c13_lead LOGIN;"
               "CREATE ROLE c13_app LOGIN");
  const SubprocessResult copied = copy_roles();
  EXPECT_THAT(copied.exit_code, AnyOf(0, 22)) << said(copied);
  if (at_target(kMemberships) != at_source(kMemberships)) {
    EXPECT_THAT(said(copied), HasSubstr("c13_staff"));
    EXPECT_THAT(said(copied), HasSubstr("c13_app"));
  }
}

TEST_F(Memberships, AndAttributesOfRolesThatAreThereAreCompared) {
  if (!between(15, 16)) GTEST_SKIP() << kNoDownloads;
  make_memberships();
  target().sql("postgres", "CREATE ROLE c13_app NOLOGIN CREATEDB");
  const SubprocessResult copied = copy_roles();
  EXPECT_THAT(copied.exit_code, AnyOf(0, 22)) << said(copied);
  EXPECT_THAT(said(copied), HasSubstr("c13_app"));
}

TEST_F(Memberships, AndAttributesAreComparedBeforeAndAfter) {
  make_memberships();
  const auto compared = [&] { return run_on_both({"compare", "schema", "--roles"}); };
  target().sql("postgres", "CREATE ROLE c13_staff");
  const SubprocessResult before = compared();
  EXPECT_EQ(before.exit_code, 21) << said(before);
  EXPECT_THAT(said(before), HasSubstr("membership of c13_app in c13_staff"));
  EXPECT_THAT(said(before), HasSubstr("role c13_manager"));
  const SubprocessResult copied = copy_roles();
  ASSERT_EQ(copied.exit_code, 0) << said(copied);
  source().sql("postgres", "ALTER ROLE c13_lead SET work_mem = '7MB'");
  const SubprocessResult after = compared();
  EXPECT_THAT(said(after), ::testing::Not(HasSubstr("membership of c13_app in c13_staff"))) << said(after);
  EXPECT_THAT(said(after), HasSubstr("setting work_mem of role c13_lead"));
  target().sql("postgres", "ALTER ROLE c13_app CREATEDB");
  EXPECT_THAT(said(compared()), HasSubstr("role c13_app"));
}

TEST_F(Memberships, AreNoDifferenceTheSecondTime) {
  if (!between(15, 16)) GTEST_SKIP() << kNoDownloads;
  use_pg_bindir(server_bindir());
  make_memberships();
  for (int i = 0; i < 2; ++i) {
    const SubprocessResult copied = copy_roles();
    EXPECT_EQ(copied.exit_code, 0) << said(copied);
    expect_same_answer(kMemberships);
  }
}

TEST_F(Memberships, AndLimitsThatDifferOfRolesThatAreThereAreNamed) {
  if (!between(18, 18)) GTEST_SKIP() << kNoDownloads;
  TearDown();
  source().sql("postgres",
               "CREATE ROLE c13_app CONNECTION LIMIT 5 VALID UNTIL '2031-05-01 00:00:00+00'; CREATE ROLE"
               " c13_staff; CREATE ROLE c13_lead; GRANT c13_staff TO c13_app WITH ADMIN OPTION;"
               "GRANT c13_lead TO c13_app WITH INHERIT FALSE, SET FALSE");
  target().sql("postgres",
               "CREATE ROLE c13_app CONNECTION LIMIT 7; CREATE ROLE c13_staff; CREATE ROLE c13_lead;"
               "GRANT c13_staff, c13_lead TO c13_app");
  const SubprocessResult copied = copy_roles();
  EXPECT_EQ(copied.exit_code, 0) << said(copied);
  for (const char* named : {"CONNECTION LIMIT 5", "VALID UNTIL", "membership of c13_app in c13_staff",
                            "membership of c13_app in c13_lead"}) {
    EXPECT_THAT(said(copied), HasSubstr(named));
  }
}

}  // namespace
}  // namespace pgsluice::test
