#include "copy/large_objects.h"

#include <gtest/gtest.h>

#include "pg/session_settings.h"
#include "pg/snapshot.h"
#include "tests/support/cluster.h"

namespace pgsluice::copy {
namespace {

constexpr const char* kFingerprint =
    "SELECT md5(string_agg(o.oid || ' ' || md5(lo_get(o.oid)) || pg_get_userbyid(o.lomowner) || "
    "coalesce(o.lomacl::text, '')"
    " || coalesce(obj_description(o.oid, 'pg_largeobject'), ''), ',' ORDER BY o.oid)) || ' of ' || count(*)"
    " FROM pg_largeobject_metadata o";

class LargeObjectsTest : public ::testing::Test {
 protected:
  LargeObjectsTest() {
    for (const test::Cluster* cluster : {&test::shared_source(), &test::shared_target()}) {
      cluster->create_database("lo");
      cluster->sql("lo",
                   "DO $$ BEGIN CREATE ROLE lo_owner; CREATE ROLE \"lo reader\"; CREATE ROLE lo_plain LOGIN;"
                   " EXCEPTION WHEN duplicate_object THEN END $$");
    }
  }

  LargeObjectsOutcome copy(const std::string& target_user = "postgres") {
    pg::Connection source = test::shared_source().connect("lo", Side::kSource);
    pg::Connection target = pg::Connection::open(
        pg::ConnInfo::parse(test::shared_target().conninfo("lo", target_user), Side::kTarget), "test", Log(), {});
    pg::apply_session_settings(source, pg::SessionPurpose::kRead, "UTF8");
    pg::apply_session_settings(target, pg::SessionPurpose::kWrite, "UTF8");
    pg::export_snapshot(source);
    return copy_large_objects(source, target, {}, bytes_);
  }

  std::atomic<std::int64_t> bytes_{0};
};

TEST_F(LargeObjectsTest, CrossWithOidContentOwnerPrivilegesAndComment) {
  test::shared_source().sql("lo", R"sql(
    SELECT count(lo_from_bytea(20000 + i, decode(repeat(md5(i::text), i % 300), 'hex'))) FROM generate_series(1, 700) i;
    SELECT lo_create(30000);
    SELECT lo_from_bytea(30001, decode(repeat('abcd', 700000), 'hex'));
    SELECT lo_create(30002); SELECT lo_put(30002, 3000000, 'after a hole');
    ALTER LARGE OBJECT 20007 OWNER TO lo_owner;
    ALTER LARGE OBJECT 20008 OWNER TO lo_owner;
    REVOKE ALL ON LARGE OBJECT 20008 FROM lo_owner;
    GRANT SELECT ON LARGE OBJECT 20008, 20009, 20010 TO "lo reader";
    GRANT UPDATE ON LARGE OBJECT 20011 TO PUBLIC;
    GRANT SELECT ON LARGE OBJECT 20013 TO lo_owner WITH GRANT OPTION;
    SET ROLE lo_owner; GRANT SELECT ON LARGE OBJECT 20013 TO "lo reader"; RESET ROLE;
    COMMENT ON LARGE OBJECT 20012 IS 'it''s a \ comment';
  )sql");
  const LargeObjectsOutcome outcome = copy();
  EXPECT_EQ(outcome.objects, 703);
  EXPECT_TRUE(outcome.skipped.empty());
  EXPECT_EQ(test::shared_target().value("lo", kFingerprint), test::shared_source().value("lo", kFingerprint));
}

TEST_F(LargeObjectsTest, AnObjectLargerThanACopyIsPutTogether) {
  test::shared_source().sql("lo", R"sql(
    SELECT lo_create(40000);
    SELECT count(lo_put(40000, i * 10000000::bigint, decode(repeat(md5(i::text), 300000), 'hex'))) FROM generate_series(0, 14) i;
  )sql");
  EXPECT_EQ(copy().objects, 1);
  EXPECT_EQ(test::shared_target().value("lo", kFingerprint), test::shared_source().value("lo", kFingerprint));
}

TEST_F(LargeObjectsTest, AnOwnerOutOfReachIsReportedAndTheObjectKept) {
  test::shared_source().sql("lo", "SELECT lo_from_bytea(50000, 'x'); ALTER LARGE OBJECT 50000 OWNER TO lo_owner");
  test::shared_target().sql("lo", "GRANT TEMP ON DATABASE lo TO lo_plain");
  const LargeObjectsOutcome outcome = copy("lo_plain");
  EXPECT_EQ(outcome.objects, 1);
  ASSERT_EQ(outcome.skipped.size(), 1U);
  EXPECT_NE(outcome.skipped[0].find("lo_owner"), std::string::npos);
}

TEST_F(LargeObjectsTest, AGrantorOutOfReachIsReportedAndTheGrantMade) {
  test::shared_source().sql("lo", R"sql(
    SELECT lo_from_bytea(50001, 'x');
    ALTER LARGE OBJECT 50001 OWNER TO lo_plain;
    GRANT SELECT ON LARGE OBJECT 50001 TO lo_owner WITH GRANT OPTION;
    SET ROLE lo_owner;
    GRANT SELECT ON LARGE OBJECT 50001 TO "lo reader";
  )sql");
  test::shared_target().sql("lo", "GRANT TEMP ON DATABASE lo TO lo_plain");
  const LargeObjectsOutcome outcome = copy("lo_plain");
  EXPECT_EQ(outcome.objects, 1);
  ASSERT_EQ(outcome.skipped.size(), 1U);
  EXPECT_NE(outcome.skipped[0].find("grantor lo_owner"), std::string::npos) << outcome.skipped[0];
  EXPECT_EQ(test::shared_target().value("lo", "SELECT array_to_string(lomacl, ' ') FROM pg_largeobject_metadata"),
            "lo_plain=rw/lo_plain lo_owner=r*/lo_plain \"lo reader\"=r/lo_plain");
}

TEST_F(LargeObjectsTest, OidsInUseOnTheTargetAreFoundBefore) {
  test::shared_source().sql("lo", "SELECT lo_create(60000); SELECT lo_create(60001)");
  test::shared_target().sql("lo", "SELECT lo_create(60001); SELECT lo_create(60002)");
  pg::Connection source = test::shared_source().connect("lo", Side::kSource);
  pg::Connection target = test::shared_target().connect("lo", Side::kTarget);
  EXPECT_EQ(find_large_object_conflicts(find_large_objects(source), target, 10),
            std::vector<std::string>{"large object 60001"});
}

// A lock each, all at once, are more than the server has room for.
TEST_F(LargeObjectsTest, ManyAreDroppedAndThoseOfOthersStopItBefore) {
  test::shared_source().sql("lo", "SELECT count(lo_create(100000 + i)) FROM generate_series(1, 20000) i");
  test::shared_target().sql("lo", "SELECT count(lo_create(100000 + i)) FROM generate_series(1, 20001) i");
  pg::Connection source = test::shared_source().connect("lo", Side::kSource);
  pg::Connection target = test::shared_target().connect("lo", Side::kTarget);
  const char* count = "SELECT count(*) FROM pg_largeobject_metadata";
  target.execute("SET ROLE lo_plain");
  EXPECT_THROW(find_large_objects_to_drop(find_large_objects(source), target), Error);
  EXPECT_EQ(test::shared_target().value("lo", count), "20001");
  target.execute("RESET ROLE");
  drop_large_objects(target, find_large_objects_to_drop(find_large_objects(source), target));
  EXPECT_EQ(test::shared_target().value("lo", count), "1");
  EXPECT_TRUE(find_large_objects_to_drop(find_large_objects(source), target).empty());
}

}  // namespace
}  // namespace pgsluice::copy
