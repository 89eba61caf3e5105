// Extensions that want more than CREATE EXTENSION. They cannot be had here: others under their names stand in for them,
// with functions of the same signatures that write down when they were called.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/pipeline/clone_fixture.h"

namespace pgsluice::pipeline {
namespace {

class ExtensionCareTest : public test::CloneFixture {};

constexpr const char* kTimescale = R"sql(
  CREATE EXTENSION hstore;
  CREATE FUNCTION timescaledb_pre_restore() RETURNS bool LANGUAGE plpgsql AS $$ BEGIN
    EXECUTE format('ALTER DATABASE %I SET my.restoring = on', current_database()); SET my.restoring = on;
    INSERT INTO care.calls VALUES ('pre', (SELECT count(*) FROM pg_class WHERE relname IN ('t', 'u', 'by_n')), NULL);
    RETURN true; END $$;
  CREATE FUNCTION timescaledb_post_restore() RETURNS bool LANGUAGE plpgsql AS $$ BEGIN
    EXECUTE format('ALTER DATABASE %I RESET my.restoring', current_database());
    INSERT INTO care.calls VALUES ('post', (SELECT count(*) FROM pg_class WHERE relname IN ('t', 'u', 'by_n')),
                                   (SELECT count(*) FROM public.t));
    RETURN true; END $$;
  ALTER EXTENSION hstore ADD FUNCTION timescaledb_pre_restore(); ALTER EXTENSION hstore ADD FUNCTION timescaledb_post_restore();
  UPDATE pg_extension SET extname = 'timescaledb' WHERE extname = 'hstore';
)sql";

TEST_F(ExtensionCareTest, TimescaleKnowsOfTheRestore) {
  make("timescale", std::string(kTimescale) + R"sql(
    CREATE TABLE t (n int); INSERT INTO t SELECT generate_series(1, 100); CREATE INDEX by_n ON t (n); CREATE TABLE u (i int);
  )sql");
  test::shared_target().sql(
      "timescale",
      std::string(kTimescale) + "CREATE SCHEMA care; CREATE TABLE care.calls (call text, relations int, rows int)");
  const CloneSummary summary = clone("timescale");
  EXPECT_TRUE(summary.complete()) << failures(summary);
  EXPECT_EQ(test::shared_target().value(
                "timescale", "SELECT string_agg(concat_ws(' ', call, relations, rows), ', ') FROM care.calls"),
            "pre 0, post 3 100");
  EXPECT_EQ(test::shared_target().value("timescale", "SELECT current_setting('my.restoring', true)"), "(null)");
}

constexpr const char* kCitus = R"sql(
  CREATE EXTENSION hstore;
  CREATE TABLE public.dist (t regclass, kind text, col text, colocation int, shards int);
  CREATE VIEW public.citus_tables AS SELECT t AS table_name, kind AS citus_table_type, col AS distribution_column,
    colocation AS colocation_id, shards::bigint AS shard_count FROM dist;
  CREATE FUNCTION pg_catalog.create_reference_table(regclass) RETURNS void LANGUAGE plpgsql AS $$ DECLARE n int; BEGIN
    EXECUTE format('SELECT count(*) FROM %s', $1) INTO n;
    INSERT INTO care.calls VALUES (format('%s reference', $1), n); END $$;
  CREATE FUNCTION pg_catalog.create_distributed_table(table_name regclass, col text, colocate_with text, shard_count int = NULL)
    RETURNS void LANGUAGE plpgsql AS $$ DECLARE n int; BEGIN
    EXECUTE format('SELECT count(*) FROM %s', $1) INTO n;
    INSERT INTO care.calls VALUES (concat_ws(' ', $1, $2, $3, $4), n); END $$;
  ALTER EXTENSION hstore ADD TABLE dist; ALTER EXTENSION hstore ADD VIEW citus_tables;
  ALTER EXTENSION hstore ADD FUNCTION pg_catalog.create_reference_table(regclass);
  ALTER EXTENSION hstore ADD FUNCTION pg_catalog.create_distributed_table(regclass, text, text, int);
  UPDATE pg_extension SET extname = 'citus' WHERE extname = 'hstore';
)sql";

TEST_F(ExtensionCareTest, CitusTablesAreDistributedBeforeTheirRowsCome) {
  make("citus", std::string(kCitus) + R"sql(
    CREATE TABLE items (id int, tenant int, PRIMARY KEY (tenant, id)); CREATE TABLE "Orders" (tenant int, n text);
    CREATE TABLE other (k int); CREATE TABLE countries (c text PRIMARY KEY); CREATE TABLE plain (i int);
    CREATE TABLE single (i int);
    INSERT INTO items SELECT g, g % 7 FROM generate_series(1, 500) g; INSERT INTO "Orders" VALUES (1, 'x');
    INSERT INTO countries VALUES ('no'); INSERT INTO plain VALUES (1);
    INSERT INTO dist VALUES ('items', 'distributed', 'tenant', 4, 16), ('"Orders"', 'distributed', 'tenant', 4, 16),
      ('other', 'distributed', 'k', 5, 8), ('countries', 'reference', NULL, 1, 1),
      ('single', 'distributed', '<none>', 6, 1), ('plain', 'schema', '<none>', 7, 1);
  )sql");
  test::shared_target().sql("citus",
                            std::string(kCitus) + "CREATE SCHEMA care; CREATE TABLE care.calls (call text, rows int)");
  const CloneSummary summary = clone("citus");
  EXPECT_TRUE(summary.complete()) << failures(summary);
  EXPECT_EQ(test::shared_target().value("citus", "SELECT string_agg(call, ', ') FROM care.calls"),
            "public.countries reference, public.items tenant none 16,"
            " public.\"Orders\" tenant \"public\".\"items\", public.other k none 8, public.single none");
  EXPECT_THAT(summary.skipped, ::testing::Contains(::testing::HasSubstr("distribution of public.plain")));
  EXPECT_EQ(test::shared_target().value("citus", "SELECT sum(rows) FROM care.calls"), "0");
  EXPECT_EQ(test::shared_target().value("citus", "SELECT count(*) FROM items"), "500");
}

}  // namespace
}  // namespace pgsluice::pipeline
