// What has to wait for what, where the archive does not say it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/pipeline/clone_fixture.h"

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

// The array type of "x1" has the name "_x1", until a table of that name comes.
TEST_F(CloneOrderTest, TablesWithTheNamesOfArrayTypesAreMadeBesideEachOther) {
  make("array_names", R"sql(
    DO $$ BEGIN FOR i IN 1..150 LOOP
      EXECUTE format('CREATE TABLE x%s (i serial PRIMARY KEY)', i); EXECUTE format('CREATE TABLE _x%s (i int)', i);
      EXECUTE format('CREATE VIEW __x%s AS SELECT * FROM _x%s', i, i);
    END LOOP; END $$;
  )sql");
  const pipeline::CloneSummary summary = clone("array_names");
  EXPECT_TRUE(summary.complete()) << failures(summary);
  EXPECT_EQ(differences("array_names"), std::vector<std::string>{});
}

TEST_F(CloneOrderTest, RowsThatNameObjectsComeBehindTheDefinitionsOfThese) {
  make("names", R"sql(
    CREATE DOMAIN a_name AS regclass;
    CREATE TABLE a_names (r regclass, t regtype[], n a_name);
    DO $$ BEGIN FOR i IN 1..300 LOOP EXECUTE format('CREATE TABLE later_%s (i int, t text)', i); END LOOP; END $$;
    INSERT INTO a_names VALUES ('later_300', '{later_299}', 'later_298');
  )sql");
  const pipeline::CloneSummary summary = clone("names");
  EXPECT_TRUE(summary.complete()) << failures(summary);
  EXPECT_EQ(shared_target().value("names", "SELECT r || ' ' || t::text || ' ' || n FROM a_names"),
            "later_300 {later_299} later_298");
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

TEST_F(CloneOrderTest, AnIndexAboveAForeignPartitionStaysInvalidAndIsListed) {
  make("order_foreign_partition", R"sql(
    CREATE EXTENSION postgres_fdw; CREATE SERVER s FOREIGN DATA WRAPPER postgres_fdw;
    CREATE TABLE p (a int, b int) PARTITION BY RANGE (a); CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (10);
    CREATE FOREIGN TABLE p2 PARTITION OF p FOR VALUES FROM (10) TO (20) SERVER s; CREATE INDEX by_b ON p (b);
  )sql");
  const pipeline::CloneSummary summary = clone("order_foreign_partition");
  EXPECT_TRUE(summary.complete()) << failures(summary);
  EXPECT_THAT(summary.skipped, ::testing::Contains(::testing::HasSubstr("index public.by_b is marked invalid")));
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

TEST_F(CloneOrderTest, ASchemaPublicThatTheSourceHasNotIsDroppedWhereItIsEmpty) {
  make("no public", "DROP SCHEMA public; CREATE SCHEMA own; CREATE TABLE own.t (i int)");
  EXPECT_TRUE(clone("no public").complete());
  EXPECT_EQ(differences("no public"), std::vector<std::string>{});
  make("no public", "DROP SCHEMA public; CREATE SCHEMA own");
  shared_target().sql("no public", "CREATE TABLE public.kept (i int)");
  EXPECT_TRUE(clone("no public").complete());
  EXPECT_EQ(shared_target().value("no public", "SELECT count(*) FROM public.kept"), "0");
}

TEST_F(CloneOrderTest, RowsThatNameIndexesAndGoThroughTheRootComeBehindAllIndexes) {
  make("regs", R"sql(
    -- By their OIDs each of the labels goes to one of the two: of so many never all to one.
    CREATE TYPE e AS ENUM ('a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k', 'l', 'm', 'n', 'o', 'p', 'q', 'r', 's',
                           't', 'u', 'v', 'w', 'x', 'y', 'z');
    CREATE TABLE hashed (k e, i int, r regclass) PARTITION BY HASH (k);
    CREATE TABLE hashed_0 PARTITION OF hashed FOR VALUES WITH (MODULUS 2, REMAINDER 0);
    CREATE TABLE hashed_1 PARTITION OF hashed FOR VALUES WITH (MODULUS 2, REMAINDER 1);
    CREATE INDEX ON hashed (i);
    CREATE TABLE other (a int PRIMARY KEY);
    INSERT INTO hashed SELECT k, 1, 'pg_catalog.pg_class' FROM unnest(enum_range(NULL::e)) k;
    UPDATE hashed_0 SET r = 'other_pkey';
    CREATE TABLE arrays (r regclass[]);
    INSERT INTO arrays VALUES (ARRAY['hashed_0_i_idx', NULL]::regclass[]);
  )sql");
  ASSERT_NE(shared_source().value("regs", "SELECT count(*) FROM hashed_0"), "0");
  const pipeline::CloneSummary summary = clone("regs");
  EXPECT_TRUE(summary.complete()) << failures(summary);
  EXPECT_EQ(differences("regs"), std::vector<std::string>{});
}

// Configuration of an extension that is on the target, with its key, before the rows come; the child was made first.
TEST_F(CloneOrderTest, ConfigurationTablesAreFilledInTheOrderOfTheirKeys) {
  const std::string extension = R"sql(
    CREATE EXTENSION hstore;
    CREATE TABLE a_child (i int, p int); CREATE TABLE b_parent (p int PRIMARY KEY);
    ALTER TABLE a_child ADD FOREIGN KEY (p) REFERENCES b_parent;
    ALTER EXTENSION hstore ADD TABLE a_child; ALTER EXTENSION hstore ADD TABLE b_parent;
    UPDATE pg_extension SET extconfig = ARRAY['a_child'::regclass::oid, 'b_parent'::regclass::oid],
                            extcondition = ARRAY['WHERE i > 0', ''] WHERE extname = 'hstore';
  )sql";
  make("config_order", extension +
                           "INSERT INTO b_parent SELECT generate_series(1, 1000);"
                           "INSERT INTO a_child SELECT g - 1, g FROM generate_series(1, 1000) g");
  shared_target().sql("config_order", extension);
  const pipeline::CloneSummary summary = clone("config_order");
  EXPECT_TRUE(summary.complete()) << failures(summary);
  EXPECT_EQ(shared_target().value("config_order", "SELECT count(*) || ' ' || min(i) FROM a_child"), "999 1");
}

}  // namespace
}  // namespace pgsluice::test
