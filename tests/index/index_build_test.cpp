#include "index/index_build.h"

#include <gtest/gtest.h>

namespace pgsluice::index {
namespace {

schema::Index key(char type) {
  return {.oid = 2,
          .table = 1,
          .schema = "s",
          .name = "t k",
          .definition = "CREATE UNIQUE INDEX",
          .constraint = 3,
          .constraint_name = "t k",
          .constraint_type = type};
}

schema::Relation table() {
  schema::Relation result;
  result.schema = "s";
  result.name = "t";
  return result;
}

TEST(IndexBuild, OnlyPrimaryAndUniqueKeysOfOneTableAreBuiltBefore) {
  EXPECT_TRUE(built_before_constraint(key('p')));
  EXPECT_TRUE(built_before_constraint(key('u')));
  EXPECT_FALSE(built_before_constraint(key('x')));
  schema::Index partitioned = key('p');
  partitioned.on_partitioned_table = true;
  EXPECT_FALSE(built_before_constraint(partitioned));
  schema::Index periods = key('p');
  periods.without_overlaps = true;
  EXPECT_FALSE(built_before_constraint(periods));
  schema::Index plain = key('u');
  plain.constraint = 0;
  EXPECT_FALSE(built_before_constraint(plain));
}

TEST(IndexBuild, TheConstraintKeepsAllThatItsEntryHolds) {
  schema::Index index = key('u');
  index.deferrable = true;
  index.deferred = true;
  index.clustered = true;
  index.replica_identity = true;
  index.extensions = {"my ext"};
  EXPECT_EQ(
      constraint_statement(index, table()),
      "ALTER TABLE ONLY \"s\".\"t\" ADD CONSTRAINT \"t k\" UNIQUE USING INDEX \"t k\" DEFERRABLE INITIALLY DEFERRED;\n"
      "ALTER TABLE \"s\".\"t\" CLUSTER ON \"t k\";\n"
      "ALTER TABLE ONLY \"s\".\"t\" REPLICA IDENTITY USING INDEX \"t k\";\n"
      "ALTER INDEX \"s\".\"t k\" DEPENDS ON EXTENSION \"my ext\";\n");
  EXPECT_EQ(constraint_statement(key('p'), table()),
            "ALTER TABLE ONLY \"s\".\"t\" ADD CONSTRAINT \"t k\" PRIMARY KEY USING INDEX \"t k\";\n");
}

}  // namespace
}  // namespace pgsluice::index
