// RolesValidation on real servers that have the fault; where a finding names the statement that mends it, that is run,
// and the finding is gone.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include "tests/migration/validation_fixture.h"

namespace pgsluice::migration {
namespace {

TEST_F(ValidationTest, WhatTheTargetsUserMayNot) {
  shared_target().sql("postgres", "CREATE ROLE azure_pg_admin");
  ValidationRequest wanted = as_plain_user_of_target();
  wanted.roles = true;
  const std::string text = said(wanted, "RolesValidation");
  EXPECT_THAT(text, HasSubstr("Failed: the target's user plain_user may not make databases: ALTER ROLE "
                              "\"plain_user\" CREATEDB\n"));
  EXPECT_THAT(text, HasSubstr("Failed: the target's user plain_user may not make roles: ALTER ROLE "
                              "\"plain_user\" CREATEROLE\n"));
  std::string mend = "ALTER ROLE plain_user CREATEDB; ALTER ROLE plain_user CREATEROLE";
  for (const char* role : {"azure_pg_admin", "pg_read_all_settings", "pg_read_all_stats", "pg_stat_scan_tables"}) {
    const std::string grant = fmt::format("GRANT {} TO \"plain_user\"", role);
    EXPECT_THAT(
        text, HasSubstr(fmt::format("Warning: the target's user plain_user is not a member of {}: {}\n", role, grant)));
    mend += "; " + grant;
  }
  shared_target().sql("postgres", mend);
  EXPECT_EQ(said(wanted, "RolesValidation"), "");
}

TEST_F(ValidationTest, ADatabaseOfTheTargetThatItsUserMayNotDrop) {
  shared_target().sql("postgres", "ALTER ROLE plain_user CREATEDB CREATEROLE");
  ValidationRequest wanted = as_plain_user_of_target();
  EXPECT_THAT(said(wanted, "RolesValidation"), Not(HasSubstr("may not drop")));
  wanted.overwrite = Overwrite::kYes;
  const std::string mend = R"(ALTER DATABASE "validated" OWNER TO "plain_user")";
  ASSERT_THAT(said(wanted, "RolesValidation"),
              HasSubstr("Failed: database validated: is on the target, and plain_user may not drop it: " + mend));
  shared_target().sql("postgres", mend);
  EXPECT_THAT(said(wanted, "RolesValidation"), Not(HasSubstr("may not drop")));
}

TEST_F(ValidationTest, RolesThatTheDatabasesNeedAndSuperusersAmongThem) {
  shared_source().sql("postgres", "CREATE ROLE boss SUPERUSER");
  shared_source().sql(kDatabase, "CREATE TABLE of_boss (); ALTER TABLE of_boss OWNER TO boss");
  shared_target().sql("postgres", "CREATE ROLE azure_pg_admin; ALTER ROLE plain_user CREATEDB CREATEROLE");
  const std::string text = said(as_plain_user_of_target(), "RolesValidation");
  EXPECT_THAT(text, HasSubstr("Failed: role boss (needed by validated): missing on the target; CREATE ROLE \"boss\""));
  EXPECT_THAT(text, HasSubstr("Warning: role boss (needed by validated): a superuser of the source"));
  ValidationRequest with_roles = as_plain_user_of_target();
  with_roles.roles = true;
  EXPECT_THAT(said(with_roles, "RolesValidation"), Not(HasSubstr("missing on the target")));
  ValidationRequest without_owners = as_plain_user_of_target();
  without_owners.engine.restore.owners = false;
  EXPECT_THAT(said(without_owners, "RolesValidation"), Not(HasSubstr("boss")));
}

TEST_F(ValidationTest, ARoleThatOwnsAndIsOutOfTheTargetUsersReach) {
  for (const Cluster* server : {&shared_source(), &shared_target()}) server->sql("postgres", "CREATE ROLE boss");
  shared_source().sql(kDatabase, "CREATE TABLE of_boss (); ALTER TABLE of_boss OWNER TO boss");
  const std::string mend = R"(GRANT "boss" TO "plain_user")";
  const auto text = [&] { return said(as_plain_user_of_target(), "RolesValidation"); };
  EXPECT_THAT(text(),
              HasSubstr("Failed: role boss (needed by validated): owns objects there (table public.of_boss, say), and "
                        "plain_user is no member of it on the target, so that they would be its own; " +
                        mend));
  shared_target().sql("postgres", mend);
  EXPECT_THAT(text(), Not(HasSubstr("owns objects")));
}

TEST_F(ValidationTest, ARoleThatHasGrantedAndIsOutOfTheTargetUsersReach) {
  for (const Cluster* server : {&shared_source(), &shared_target()}) server->sql("postgres", "CREATE ROLE boss");
  shared_source().sql(
      kDatabase,
      "CREATE TABLE granted (i int); GRANT SELECT (i) ON granted TO boss WITH GRANT OPTION;"
      "ALTER TABLE granted OWNER TO plain_user; SET ROLE boss; GRANT SELECT (i) ON granted TO plain_user");
  const std::string mend = R"(GRANT "boss" TO "plain_user"; or set "noAcl" of "engine" to true)";
  ValidationRequest wanted = as_plain_user_of_target();
  const std::string found =
      "role boss (needed by validated): has granted privileges on what others own, and plain_user is no member of it "
      "on "
      "the target, so that they would be the owners' grants; " +
      mend;
  EXPECT_THAT(said(wanted, "RolesValidation"), HasSubstr("Warning: " + found)) << "nothing is compared after the copy";
  wanted.verify = true;
  EXPECT_THAT(said(wanted, "RolesValidation"), HasSubstr("Failed: " + found));
  wanted.engine.restore.owners = false;
  EXPECT_THAT(said(wanted, "RolesValidation"), HasSubstr("Warning: " + found));
  wanted.engine.restore.acls = false;
  EXPECT_THAT(said(wanted, "RolesValidation"), Not(HasSubstr("boss")));
  shared_target().sql("postgres", "GRANT boss TO plain_user");
  EXPECT_THAT(said(as_plain_user_of_target(), "RolesValidation"), Not(HasSubstr("boss")));
}

TEST_F(ValidationTest, RolesThatAreThereWithOtherAttributes) {
  shared_source().sql("postgres", "CREATE ROLE boss LOGIN");
  shared_target().sql("postgres", "CREATE ROLE boss NOLOGIN CREATEDB");
  ValidationRequest wanted = request();
  EXPECT_THAT(said(wanted, "RolesValidation"), Not(HasSubstr("role boss")));
  wanted.roles = true;
  EXPECT_THAT(said(wanted, "RolesValidation"),
              HasSubstr("Warning: role boss: is on the target already and stays as it is there: NOSUPERUSER NOLOGIN"));
}

}  // namespace
}  // namespace pgsluice::migration
