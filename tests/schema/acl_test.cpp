#include "pgsluice/schema/acl.h"

#include <gtest/gtest.h>

namespace pgsluice::schema {
namespace {

constexpr const char* kTwoGrantors =
    "REVOKE ALL ON TABLE public.t FROM owner;\n"
    "GRANT SELECT ON TABLE public.t TO a WITH GRANT OPTION;\n"
    "SET SESSION AUTHORIZATION a;\n"
    "GRANT SELECT ON TABLE public.t TO b;\n"
    "RESET SESSION AUTHORIZATION;\n"
    "SET SESSION AUTHORIZATION \"B; \"\"\nRESET SESSION AUTHORIZATION;\";\n"
    "GRANT SELECT ON TABLE public.t TO \"SET SESSION AUTHORIZATION a;\";\n"
    "RESET SESSION AUTHORIZATION;\n";

TEST(Acl, OfAnArchiveIsGrantedInTheNameOfOthersBySetRole) {
  EXPECT_EQ(acl_definition(kTwoGrantors, {}),
            "REVOKE ALL ON TABLE public.t FROM owner;\n"
            "GRANT SELECT ON TABLE public.t TO a WITH GRANT OPTION;\n"
            "SET LOCAL ROLE a;\n"
            "GRANT SELECT ON TABLE public.t TO b;\n"
            "RESET ROLE;\n"
            "SET LOCAL ROLE \"B; \"\"\nRESET SESSION AUTHORIZATION;\";\n"
            "GRANT SELECT ON TABLE public.t TO \"SET SESSION AUTHORIZATION a;\";\n"
            "RESET ROLE;\n");
}

TEST(Acl, OfAnArchiveComesFromTheOwnerWhereTheGrantorIsOutOfReach) {
  EXPECT_EQ(acl_definition(kTwoGrantors, {"a", "B; \"\nRESET SESSION AUTHORIZATION;"}),
            "REVOKE ALL ON TABLE public.t FROM owner;\n"
            "GRANT SELECT ON TABLE public.t TO a WITH GRANT OPTION;\n"
            "GRANT SELECT ON TABLE public.t TO b;\n"
            "GRANT SELECT ON TABLE public.t TO \"SET SESSION AUTHORIZATION a;\";\n");
  EXPECT_EQ(grantors_of(kTwoGrantors), (RoleNames{"a", "B; \"\nRESET SESSION AUTHORIZATION;"}));
}

TEST(Acl, WithoutOtherGrantorsIsLeftAsItIs) {
  const std::string plain = "GRANT ALL ON SCHEMA s TO \"a\"\"b\";\n\n-- behind it";
  EXPECT_EQ(acl_definition(plain, {"a"}), plain);
  EXPECT_EQ(grantors_of(plain), RoleNames{});
}

TEST(Acl, OfACatalogIsMadeInItsOrder) {
  const std::vector<Grant> grants = {
      {.grantee = "a", .privilege = "CONNECT", .with_grant_option = true},
      {.grantee = "", .privilege = "CONNECT", .grantor = "a"},
      {.grantee = "b", .privilege = "TEMPORARY", .grantor = "far"},
  };
  EXPECT_EQ(acl_sql("DATABASE d", "me", grants, {"far", "farther"}),
            "REVOKE ALL ON DATABASE d FROM PUBLIC, \"me\";"
            "GRANT CONNECT ON DATABASE d TO \"a\" WITH GRANT OPTION;"
            "SET LOCAL ROLE \"a\";GRANT CONNECT ON DATABASE d TO PUBLIC;RESET ROLE;"
            "GRANT TEMPORARY ON DATABASE d TO \"b\";");
  EXPECT_EQ(grantors_out_of_reach(grants, {"far", "farther"}), RoleNames{"far"});
}

}  // namespace
}  // namespace pgsluice::schema
