#include "index/foreign_key.h"

#include <gtest/gtest.h>

namespace pgsluice::index {
namespace {

TEST(ForeignKey, IsAddedNotValid) {
  EXPECT_EQ(not_valid_statement("ALTER TABLE ONLY a\n    ADD CONSTRAINT k FOREIGN KEY (x) REFERENCES b(y);\n"),
            "ALTER TABLE ONLY a\n    ADD CONSTRAINT k FOREIGN KEY (x) REFERENCES b(y) NOT VALID;\n");
  EXPECT_EQ(not_valid_statement("ALTER TABLE a"), std::nullopt);
  EXPECT_EQ(not_valid_statement(""), std::nullopt);
}

TEST(ForeignKey, OrphansAreRowsWithoutAParentByTheRuleOfTheMatch) {
  schema::ForeignKey key{.name = "k",
                         .child_columns = {"x", "y"},
                         .parent_columns = {"a", "b"},
                         .equalities = {"OPERATOR(pg_catalog.=)", "OPERATOR(x.==)"}};
  schema::Relation child{.schema = "s", .name = "c"};
  schema::Relation parent{.schema = "s", .name = "p"};
  const std::string rest =
      " AND NOT EXISTS (SELECT FROM ONLY \"s\".\"p\" p WHERE p.\"a\" OPERATOR(pg_catalog.=) c.\"x\" AND p.\"b\" "
      "OPERATOR(x.==) c.\"y\")";
  EXPECT_EQ(orphans_query(key, child, parent),
            "SELECT c.* FROM ONLY \"s\".\"c\" c WHERE NOT (c.\"x\" IS NULL OR c.\"y\" IS NULL)" + rest);
  key.match_full = true;
  EXPECT_EQ(orphans_query(key, child, parent),
            "SELECT c.* FROM ONLY \"s\".\"c\" c WHERE NOT (c.\"x\" IS NULL AND c.\"y\" IS NULL)" + rest);
}

}  // namespace
}  // namespace pgsluice::index
