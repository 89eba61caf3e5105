#include "schema/archive/acl.h"

#include <gtest/gtest.h>

namespace pgsluice::schema {
namespace {

const TocEntry kTwoGrantors = {.kind = EntryKind::kAcl,
                               .definition =
                                   "GRANT SELECT ON TABLE public.t TO a WITH GRANT OPTION;\n"
                                   "SET SESSION AUTHORIZATION a;\n"
                                   "GRANT SELECT ON TABLE public.t TO b;\n"
                                   "RESET SESSION AUTHORIZATION;\n"
                                   "GRANT SELECT ON TABLE public.t TO c;\n"
                                   "SET SESSION AUTHORIZATION \"B; \"\"\nRESET SESSION AUTHORIZATION;\";\n"
                                   "GRANT SELECT ON TABLE public.t TO \"SET SESSION AUTHORIZATION a;\";\n"
                                   "RESET SESSION AUTHORIZATION;\n",
                               .owner = "Owner"};

TEST(Acl, OfAnArchiveIsGrantedInTheNameOfOthersBySetRole) {
  EXPECT_EQ(acl_definition(kTwoGrantors, {}, OwnersPart::kByOwner),
            "GRANT SELECT ON TABLE public.t TO a WITH GRANT OPTION;\n"
            "SET LOCAL ROLE a;\n"
            "GRANT SELECT ON TABLE public.t TO b;\n"
            "RESET ROLE;\n"
            "GRANT SELECT ON TABLE public.t TO c;\n"
            "SET LOCAL ROLE \"B; \"\"\nRESET SESSION AUTHORIZATION;\";\n"
            "GRANT SELECT ON TABLE public.t TO \"SET SESSION AUTHORIZATION a;\";\n"
            "RESET ROLE;\n");
  EXPECT_EQ(grantors_of(kTwoGrantors), (RoleNames{"a", "B; \"\nRESET SESSION AUTHORIZATION;"}));
}

TEST(Acl, ComesFromTheOwnerWhereTheGrantorIsOutOfReach) {
  EXPECT_EQ(acl_definition(kTwoGrantors, {.out_of_reach = {"B; \"\nRESET SESSION AUTHORIZATION;", "postgres"}},
                           OwnersPart::kByOwner),
            "SET LOCAL ROLE \"Owner\";\n"
            "GRANT SELECT ON TABLE public.t TO a WITH GRANT OPTION;\n"
            "SET LOCAL ROLE a;\n"
            "GRANT SELECT ON TABLE public.t TO b;\n"
            "SET LOCAL ROLE \"Owner\";\n"
            "GRANT SELECT ON TABLE public.t TO c;\n"
            "GRANT SELECT ON TABLE public.t TO \"SET SESSION AUTHORIZATION a;\";\n"
            "RESET ROLE;\n");
}

TEST(Acl, IsTheUsersOwnWhereTheOwnerIsOutOfReachOrOwnersAreLeftOut) {
  const std::string as_user =
      "GRANT SELECT ON TABLE public.t TO a WITH GRANT OPTION;\n"
      "GRANT SELECT ON TABLE public.t TO b;\n"
      "GRANT SELECT ON TABLE public.t TO c;\n"
      "GRANT SELECT ON TABLE public.t TO \"SET SESSION AUTHORIZATION a;\";\n";
  const RoleNames grantors = grantors_of(kTwoGrantors);
  RoleNames all = grantors;
  all.insert("Owner");
  EXPECT_EQ(acl_definition(kTwoGrantors, {.out_of_reach = all}, OwnersPart::kByOwner), as_user);
  EXPECT_EQ(acl_definition(kTwoGrantors, {.owners = false, .out_of_reach = grantors}, OwnersPart::kByOwner), as_user);
  EXPECT_EQ(acl_definition(kTwoGrantors, {.out_of_reach = grantors}, OwnersPart::kByCurrentUser), as_user);
  EXPECT_EQ(acl_as_current_user(kTwoGrantors), as_user);
}

TEST(Acl, OfDefaultPrivilegesIsLeftAsItIs) {
  const TocEntry entry = {.kind = EntryKind::kDefaultAcl,
                          .definition = "ALTER DEFAULT PRIVILEGES FOR ROLE o GRANT SELECT ON TABLES  TO a;\n",
                          .owner = "o"};
  EXPECT_EQ(acl_definition(entry, {.out_of_reach = {"postgres"}}, OwnersPart::kByOwner), entry.definition);
}

TEST(Acl, OfACatalogIsMadeInItsOrder) {
  const std::vector<Grant> grants = {
      {.grantee = "a", .privilege = "CONNECT", .with_grant_option = true},
      {.grantee = "", .privilege = "CONNECT", .grantor = "a"},
      {.grantee = "b", .privilege = "TEMPORARY", .grantor = "far"},
  };
  EXPECT_EQ(acl_sql("DATABASE d", "me", grants, {}),
            "REVOKE ALL ON DATABASE d FROM PUBLIC, \"me\";\n"
            "GRANT CONNECT ON DATABASE d TO \"a\" WITH GRANT OPTION;\n"
            "SET LOCAL ROLE \"a\";\nGRANT CONNECT ON DATABASE d TO PUBLIC;\n"
            "SET LOCAL ROLE \"far\";\nGRANT TEMPORARY ON DATABASE d TO \"b\";\nRESET ROLE;\n");
  const RestoreOptions plain{.out_of_reach = {"far", "farther"}};
  EXPECT_EQ(acl_sql("DATABASE d", "me", grants, plain),
            "SET LOCAL ROLE \"me\";\nREVOKE ALL ON DATABASE d FROM PUBLIC, \"me\";\n"
            "GRANT CONNECT ON DATABASE d TO \"a\" WITH GRANT OPTION;\n"
            "SET LOCAL ROLE \"a\";\nGRANT CONNECT ON DATABASE d TO PUBLIC;\n"
            "SET LOCAL ROLE \"me\";\nGRANT TEMPORARY ON DATABASE d TO \"b\";\nRESET ROLE;\n");
  EXPECT_EQ(grantors_out_of_reach(grants, plain), RoleNames{"far"});
}

}  // namespace
}  // namespace pgsluice::schema
