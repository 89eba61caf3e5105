#include "index/lock_claims.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace pgsluice::index {
namespace {

using schema::Oid;
using schema::TocEntry;

TocEntry entry(int dump_id, const char* kind, schema::CatalogId id, std::vector<int> dependencies = {}) {
  TocEntry result;
  result.dump_id = dump_id;
  result.kind = schema::EntryKind(kind);
  result.catalog_id = id;
  result.dependencies = std::move(dependencies);
  return result;
}

// Table 100 with partitions 101 and 102 (and 103 below 102), table 200; indexes 300 (of 101), 301 (of 100), 302 (of
// 200, replica identity); foreign key 400 from 100 to 200.
class LockClaimsTest : public ::testing::Test {
 protected:
  LockClaimsTest() {
    catalog_.inheritance = {{101, 100}, {102, 100}, {103, 102}};
    catalog_.indexes = {
        {.oid = 300, .table = 101}, {.oid = 301, .table = 100}, {.oid = 302, .table = 200, .replica_identity = true}};
    catalog_.foreign_keys = {{.oid = 400, .name = "fk", .child = 100, .parent = 200}};
    archive_.entries = {entry(1, "TABLE", {1259, 100}),         entry(2, "TABLE", {1259, 101}),
                        entry(3, "TABLE", {1259, 200}),         entry(4, "INDEX", {1259, 300}, {2}),
                        entry(5, "INDEX", {1259, 301}, {1}),    entry(6, "INDEX ATTACH", {0, 0}, {4, 5}),
                        entry(7, "FK CONSTRAINT", {2606, 400}), entry(8, "COMMENT", {0, 0}, {4}),
                        entry(9, "TRIGGER", {2620, 1}, {1}),    entry(10, "INDEX", {1259, 302}, {3}),
                        entry(11, "EVENT TRIGGER", {3466, 1})};
  }

  std::vector<Oid> relations(const EntryRelations& known, int dump_id) {
    std::vector<Oid> result = known.of(archive_.entries[static_cast<std::size_t>(dump_id - 1)]);
    std::sort(result.begin(), result.end());
    return result;
  }

  schema::Catalog catalog_;
  schema::Archive archive_;
};

TEST_F(LockClaimsTest, FindsTheRelationsOfAnEntryByItsOwnIdOrItsDependencies) {
  const EntryRelations known(archive_, catalog_);
  EXPECT_EQ(relations(known, 4), (std::vector<Oid>{101}));
  EXPECT_EQ(relations(known, 6), (std::vector<Oid>{100, 101}));
  EXPECT_EQ(relations(known, 7), (std::vector<Oid>{100, 200}));
  EXPECT_EQ(relations(known, 8), (std::vector<Oid>{101}));
  EXPECT_TRUE(relations(known, 11).empty());
}

TEST_F(LockClaimsTest, AForeignKeyLocksBothEndsWithAllPartitions) {
  const EntryRelations known(archive_, catalog_);
  const std::vector<LockClaim> claims = known.claims(archive_.entries[6]);
  EXPECT_EQ(claims.size(), 5U);
  for (const LockClaim& claim : claims) EXPECT_EQ(claim.mode, LockMode::kShareRowExclusive);
}

TEST_F(LockClaimsTest, AnIndexSharesItsTableUnlessItsEntryAltersTheTable) {
  const EntryRelations known(archive_, catalog_);
  EXPECT_EQ(known.claims(archive_.entries[3]).at(0).mode, LockMode::kShare);
  EXPECT_EQ(known.claims(archive_.entries[9]).at(0).mode, LockMode::kAccessExclusive);
}

TEST(LockMode, OnlySharedLocksAreHeldTogether) {
  EXPECT_FALSE(conflicts(LockMode::kShare, LockMode::kShare));
  EXPECT_TRUE(conflicts(LockMode::kShare, LockMode::kShareUpdateExclusive));
  EXPECT_TRUE(conflicts(LockMode::kShareUpdateExclusive, LockMode::kShareUpdateExclusive));
  EXPECT_TRUE(conflicts(LockMode::kShareRowExclusive, LockMode::kShare));
  EXPECT_TRUE(conflicts(LockMode::kAccessExclusive, LockMode::kShare));
}

}  // namespace
}  // namespace pgsluice::index
