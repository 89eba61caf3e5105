#include "schema/catalog/database_properties.h"

#include <gtest/gtest.h>

#include "tests/support/cluster.h"

namespace pgsluice::schema {
namespace {

TEST(DatabaseProperties, AreGivenToADatabaseOfAnotherName) {
  const test::Cluster& source = test::shared_source();
  const test::Cluster& target = test::shared_target();
  for (const test::Cluster* cluster : {&source, &target}) {
    cluster->sql(
        "postgres",
        "DO $$ BEGIN CREATE ROLE prop_owner; CREATE ROLE \"prop user\"; EXCEPTION WHEN duplicate_object THEN END $$");
  }
  source.create_database("prop source");
  source.sql("postgres", R"sql(
    ALTER DATABASE "prop source" OWNER TO prop_owner;
    ALTER DATABASE "prop source" CONNECTION LIMIT 7;
    COMMENT ON DATABASE "prop source" IS 'it''s a \ comment';
    ALTER DATABASE "prop source" SET search_path TO "My ""schema""", public, 'a,b';
    ALTER DATABASE "prop source" SET work_mem TO '7MB';
    ALTER DATABASE "prop source" SET my.setting TO 'x';
    ALTER ROLE "prop user" IN DATABASE "prop source" SET DateStyle TO 'SQL, DMY';
    REVOKE ALL ON DATABASE "prop source" FROM PUBLIC;
    GRANT CONNECT ON DATABASE "prop source" TO "prop user" WITH GRANT OPTION;
  )sql");
  target.create_database("prop target");
  pg::Connection from = source.connect("prop source");
  pg::Connection to = target.connect("prop target", Side::kTarget);
  for (const DatabaseProperty& property : read_database_properties(from, "prop target", {})) {
    to.execute(property.statement);
  }
  const char* query =
      "SELECT pg_get_userbyid(datdba) || datconnlimit || shobj_description(oid, 'pg_database') || datacl::text ||"
      " (SELECT string_agg(pg_get_userbyid(setrole) || setconfig::text, ' ' ORDER BY setrole = 0)"
      " FROM pg_db_role_setting WHERE setdatabase = d.oid) FROM pg_database d WHERE datname = current_database()";
  EXPECT_EQ(target.value("prop target", query), source.value("prop source", query));
  EXPECT_NE(source.value("prop source", query).find("My \\\"\\\"schema"), std::string::npos);
}

TEST(DatabaseProperties, AnEmptyAclTakesEverythingAway) {
  const test::Cluster& source = test::shared_source();
  source.create_database("prop_empty");
  source.sql("postgres", "REVOKE ALL ON DATABASE prop_empty FROM PUBLIC, postgres");
  source.create_database("prop_empty_copy");
  pg::Connection from = source.connect("prop_empty");
  for (const DatabaseProperty& property : read_database_properties(from, "prop_empty_copy", {})) {
    from.execute(property.statement);
  }
  EXPECT_EQ(source.value("postgres", "SELECT datacl FROM pg_database WHERE datname = 'prop_empty_copy'"), "{}");
}

}  // namespace
}  // namespace pgsluice::schema
