// What an administrator without superuser, as managed services have one, may not do on the target.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include "tests/cases/case_fixture.h"

namespace pgsluice::test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using Json = nlohmann::json;

class ManagedTarget : public CaseTest {
 protected:
  void SetUp() override {
    drop_all();
    target().sql("postgres", "CREATE ROLE mt_admin LOGIN CREATEROLE CREATEDB");
    source().sql("postgres", "CREATE ROLE mt_owner; CREATE ROLE mt_app LOGIN");
    source().create_database(kDatabase);
  }
  void TearDown() override { drop_all(); }
  void drop_all() const {
    for (const Cluster* server : {&source(), &target()}) {
      server->sql("postgres", "DROP DATABASE IF EXISTS cases");
      for (const char* role : {"mt_owner", "mt_app", "mt_admin"}) {
        server->sql("postgres", fmt::format("DO $$ BEGIN IF EXISTS (SELECT FROM pg_roles WHERE rolname = '{0}') THEN"
                                            " DROP OWNED BY {0} CASCADE; DROP ROLE {0}; END IF; END $$",
                                            role));
      }
    }
  }
  void make_target() const { run_as_admin("CREATE DATABASE cases TEMPLATE template0"); }
  void run_as_admin(const std::string& sql) const {
    pg::Connection session = pg::Connection::open(
        pg::ConnInfo::parse(target().conninfo("postgres", "mt_admin"), Side::kTarget), "test", Log(), CancelToken());
    session.execute(sql);
  }
  SubprocessResult as_admin(std::vector<std::string> command) const {
    command.insert(command.end(),
                   {"--source", source().conninfo(kDatabase), "--target", target().conninfo(kDatabase, "mt_admin")});
    return run(std::move(command));
  }
  Migrated migrate_as_admin() const {
    return migrate(
        {{"TargetDbServerResourceId", fmt::format("{}:{}@mt_admin", target().folder().string(), target().port())},
         {"MigrateRoles", "true"}});
  }
};

TEST_F(ManagedTarget, KeepsTheOwnersOfRolesThatTheCloneMakes) {
  source().sql(kDatabase,
               "CREATE SCHEMA s AUTHORIZATION mt_owner; SET ROLE mt_owner; CREATE TABLE s.t (a int PRIMARY KEY);"
               "INSERT INTO s.t VALUES (1); GRANT SELECT ON s.t TO mt_app;"
               "ALTER DEFAULT PRIVILEGES IN SCHEMA s GRANT SELECT ON TABLES TO mt_app; RESET ROLE;"
               "CREATE TABLE public.u (a int); ALTER TABLE public.u OWNER TO mt_owner");
  make_target();
  const SubprocessResult planned = as_admin({"clone", "--roles", "--dry-run"});
  EXPECT_EQ(planned.exit_code, 0) << said(planned);
  const SubprocessResult checked = as_admin({"check", "--roles"});
  EXPECT_EQ(checked.exit_code, 0) << said(checked);
  const SubprocessResult cloned = as_admin({"clone", "--roles", "--progress", "none"});
  EXPECT_EQ(cloned.exit_code, 0) << said(cloned);
  expect_same_answer("SELECT relowner::regrole || relacl::text FROM pg_class WHERE oid = 's.t'::regclass");
  expect_same_answer("SELECT defaclacl::text FROM pg_default_acl");
}

// They belong to a superuser there, and the server only warns.
TEST_F(ManagedTarget, NamesPrivilegesOfExtensionsThatItMayNotChange) {
  source().sql(kDatabase, "CREATE EXTENSION pgcrypto; REVOKE EXECUTE ON FUNCTION crypt(text, text) FROM PUBLIC");
  make_target();
  EXPECT_THAT(said(as_admin({"check"})), HasSubstr("function public.crypt(text,text)"));
  const SubprocessResult cloned = as_admin({"clone", "--progress", "none"});
  EXPECT_EQ(cloned.exit_code, 0) << said(cloned);
  EXPECT_THAT(cloned.output,
              AllOf(HasSubstr("Skipped or done differently"), HasSubstr("mt_admin may not change these privileges")));
  const Migrated migrated = migrate_as_admin();
  EXPECT_EQ(migrated.state, "Succeeded") << migrated.error;
  EXPECT_THAT(said(migrated.result), HasSubstr("mt_admin may not change these privileges"));
}

TEST_F(ManagedTarget, SucceedsWithRowLevelSecurityThatIsForcedOnItself) {
  source().sql(kDatabase,
               "CREATE TABLE t (a int PRIMARY KEY); INSERT INTO t SELECT generate_series(1, 100);"
               "ALTER TABLE t OWNER TO mt_owner; ALTER TABLE t ENABLE ROW LEVEL SECURITY; ALTER TABLE t FORCE ROW "
               "LEVEL SECURITY");
  const Migrated migrated = migrate_as_admin();
  EXPECT_EQ(migrated.state, "Succeeded") << migrated.error << said(migrated.result);
  EXPECT_THAT(said(migrated.result), HasSubstr("row-level security hides"));
  EXPECT_EQ(at_target("SELECT count(*) FROM t"), "100");
  const SubprocessResult compared = as_admin({"compare", "data"});
  EXPECT_EQ(compared.exit_code, 22) << "not read is not the same as equal: " << said(compared);
  EXPECT_THAT(said(compared), HasSubstr("BYPASSRLS"));
  EXPECT_EQ(compare_data().exit_code, 0) << "a superuser reads it";
  target().sql(kDatabase, "DELETE FROM t WHERE a = 7");
  EXPECT_EQ(compare_data().exit_code, 21);
}

// Their constructors belong to the server's first superuser.
TEST_F(ManagedTarget, TakesRangeTypesAndGivesTheirMultirangesToTheirOwner) {
  source().sql(
      kDatabase,
      "CREATE TYPE span AS RANGE (subtype = numeric); ALTER TYPE span OWNER TO mt_owner;"
      "ALTER TYPE span_multirange OWNER TO mt_owner; CREATE TABLE t (s span); ALTER TABLE t OWNER TO mt_owner");
  const Migrated migrated = migrate_as_admin();
  EXPECT_EQ(migrated.state, "Succeeded") << migrated.error << said(migrated.result);
  EXPECT_THAT(said(migrated.result), Not(HasSubstr("role postgres")));
  expect_same_answer(
      "SELECT string_agg(typowner::regrole::text, ',' ORDER BY typname) FROM pg_type WHERE typname ~ '^span'");
}

TEST_F(ManagedTarget, DoesNotHoldAGrantThatWasRevokedAgainstTheSource) {
  source().sql(
      kDatabase,
      "CREATE TABLE t (a int); ALTER TABLE t OWNER TO mt_owner; GRANT EXECUTE ON FUNCTION pg_sleep(float8) TO mt_app;"
      "REVOKE EXECUTE ON FUNCTION pg_sleep(float8) FROM mt_app");
  const Migrated migrated = migrate_as_admin();
  EXPECT_EQ(migrated.state, "Succeeded") << migrated.error << said(migrated.result);
  source().sql(kDatabase, "GRANT EXECUTE ON FUNCTION pg_sleep(float8) TO mt_app");
  EXPECT_THAT(said(migrate_as_admin().result), HasSubstr("pg_sleep"));
  source().sql(kDatabase, "REVOKE EXECUTE ON FUNCTION pg_sleep(float8) FROM mt_app");
}

TEST_F(ManagedTarget, NamesWhatOnlyASuperuserMakesBeforehand) {
  source().sql(kDatabase,
               "CREATE OPERATOR FAMILY of USING btree; CREATE SCHEMA s; CREATE TABLE s.t (a int);"
               "CREATE PUBLICATION pub FOR TABLES IN SCHEMA s");
  const Migrated migrated = migrate_as_admin();
  EXPECT_EQ(migrated.state, "ValidationFailed") << migrated.error;
  EXPECT_THAT(said(migrated.result), AllOf(HasSubstr("operator family public.of"), HasSubstr("publication pub")));
}

TEST_F(ManagedTarget, NamesPrivilegesOnParametersThatItMayNotGive) {
  source().sql("postgres", "GRANT SET ON PARAMETER log_statement TO mt_app");
  source().sql(kDatabase, "CREATE TABLE t (a int); GRANT SELECT ON t TO mt_app");
  make_target();
  for (int i = 0; i < 2; ++i) {
    const SubprocessResult copied = as_admin({"copy", "roles", "--dir", folder_.path().string()});
    EXPECT_EQ(copied.exit_code, 0) << said(copied);
    EXPECT_THAT(said(copied), HasSubstr("GRANT SET ON PARAMETER log_statement TO mt_app"))
        << "also of a role that is there";
  }
  const SubprocessResult cloned = as_admin({"clone", "--roles", "--progress", "none"});
  EXPECT_EQ(cloned.exit_code, 0) << said(cloned);
  EXPECT_THAT(cloned.output, HasSubstr("log_statement"));
  const SubprocessResult compared = run_on_both({"compare", "schema", "--roles"});
  EXPECT_EQ(compared.exit_code, 21);
  EXPECT_THAT(said(compared), HasSubstr("privileges on parameter log_statement of role mt_app"));
}

}  // namespace
}  // namespace pgsluice::test
