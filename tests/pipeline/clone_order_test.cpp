// What has to wait for what, where the archive does not say it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "pipeline/clone_fixture.h"

namespace pgsluice::test {
namespace {

using CloneOrderTest = CloneFixture;

TEST_F(CloneOrderTest, AnIndexOnAFunctionThatReadsAnotherTableComesAfterTheRowsOfThat) {
  make("functions", R"sql(
    CREATE TABLE factors (k text PRIMARY KEY, f int, filler text);
    INSERT INTO factors VALUES ('a', 10);
    INSERT INTO factors SELECT 'x' || n, n, repeat(md5(n::text), 100) FROM generate_series(1, 20000) n;
    CREATE FUNCTION factor(text) RETURNS int LANGUAGE plpgsql IMMUTABLE
      AS 'BEGIN RETURN (SELECT f FROM public.factors WHERE k = $1); END';
    CREATE TABLE needs (k text);
    INSERT INTO needs VALUES ('a');
    CREATE INDEX ON needs (factor(k));
  )sql");
  EXPECT_TRUE(clone("functions").complete());
  const char* by_index = "SELECT count(*) FROM needs WHERE factor(k) = 10";
  pg::Connection target = shared_target().connect("functions");
  target.execute("SET enable_seqscan = off");
  EXPECT_EQ(target.execute(by_index)[0].integer(0), 1);
}

TEST_F(CloneOrderTest, StatisticsAreNotGatheredFromForeignChildren) {
  make("foreign", R"sql(
    CREATE EXTENSION postgres_fdw;
    CREATE SERVER s FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '/nowhere');
    CREATE USER MAPPING FOR PUBLIC SERVER s;
    CREATE TABLE p (a int);
    CREATE FOREIGN TABLE c () INHERITS (p) SERVER s;
    CREATE TABLE parts (a int) PARTITION BY LIST (a);
    CREATE FOREIGN TABLE parts_1 PARTITION OF parts FOR VALUES IN (1) SERVER s;
    CREATE TABLE no_parts (a int) PARTITION BY LIST (a);
  )sql");
  const pipeline::CloneSummary summary = clone("foreign");
  EXPECT_TRUE(summary.complete()) << failures(summary);
  EXPECT_EQ(differences("foreign"), std::vector<std::string>{});
  int reported = 0;
  for (const std::string& skipped : summary.skipped)
    reported += skipped.rfind("statistics of public.p", 0) == 0 ? 1 : 0;
  EXPECT_EQ(reported, 2);
}

TEST_F(CloneOrderTest, UserMappingsThatTheSourcesUserMayNotSeeAreListed) {
  shared_source().sql("postgres", "CREATE ROLE mapping_owner LOGIN; CREATE ROLE mapped");
  shared_target().sql("postgres", "CREATE ROLE mapping_owner LOGIN; CREATE ROLE mapped");
  for (const Cluster* cluster : {&shared_source(), &shared_target()}) {
    cluster->create_database("mappings", "TEMPLATE template0 OWNER mapping_owner");
    cluster->sql("mappings",
                 "CREATE EXTENSION postgres_fdw; GRANT USAGE ON FOREIGN DATA WRAPPER postgres_fdw"
                 " TO mapping_owner");
  }
  pg::Connection::open(pg::ConnInfo::parse(shared_source().conninfo("mappings", "mapping_owner"), Side::kSource),
                       "test", Log(), {})
      .execute(
          "CREATE SERVER s FOREIGN DATA WRAPPER postgres_fdw;"
          "CREATE USER MAPPING FOR mapped SERVER s OPTIONS (user 'x', password 's3cr3t')");
  const pipeline::CloneSummary summary = clone("mappings", [](pipeline::CloneOptions& wanted) {
    wanted.source = shared_source().conninfo("mappings", "mapping_owner");
    wanted.target = shared_target().conninfo("mappings", "mapping_owner");
  });
  EXPECT_THAT(summary.skipped, ::testing::Contains(::testing::HasSubstr("options of the user mapping of mapped for")));
}

}  // namespace
}  // namespace pgsluice::test
