// Clones with filters: what is left out, what goes with it, and that all the rest is there.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "pgsluice/error.h"
#include "tests/pipeline/clone_fixture.h"

namespace pgsluice::pipeline {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;

class FilteredClone : public test::CloneFixture {
 protected:
  CloneSummary clone_with(const std::string& database, const std::string& rules) {
    return clone(database,
                 [&](CloneOptions& options) { options.filters = schema::parse_filter_rules(rules, "filter"); });
  }

  // The target's objects outside extensions, "table public.a", in one line.
  static std::string objects(const std::string& database) {
    return test::shared_target().value(database, R"sql(
      SELECT pg_catalog.string_agg(o, ' ' ORDER BY o) FROM (
        SELECT c.relkind::text || ':' || n.nspname || '.' || c.relname AS o
          FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE n.nspname !~ '^pg_|^information' AND c.relkind IN ('r','p','v','m','f','S','i','I')
           AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e')
        UNION ALL
        SELECT 'fn:' || n.nspname || '.' || p.proname FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
         WHERE n.nspname !~ '^pg_|^information'
           AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = p.oid AND d.deptype = 'e')
        UNION ALL
        SELECT 'c:' || conname FROM pg_constraint WHERE connamespace::regnamespace::text !~ '^pg_|^information'
        UNION ALL SELECT 'tg:' || tgname FROM pg_trigger WHERE NOT tgisinternal) x)sql");
  }

  static std::string count(const std::string& database, const std::string& table) {
    return test::shared_target().value(database, "SELECT count(*) FROM " + table);
  }
};

TEST_F(FilteredClone, WithoutATableGoesWhatDependsOnIt) {
  make("filter_table", R"sql(
    CREATE TABLE secret (id serial PRIMARY KEY, t text); CREATE INDEX secret_t ON secret (t);
    CREATE TABLE kept (id int PRIMARY KEY, other int REFERENCES secret, n int);
    CREATE TABLE uses_sequence (i int DEFAULT nextval('secret_id_seq'));
    CREATE VIEW on_secret AS SELECT t FROM secret; CREATE VIEW on_view AS SELECT t FROM on_secret;
    CREATE MATERIALIZED VIEW on_both AS SELECT k.n FROM kept k JOIN secret s ON s.id = k.other;
    CREATE VIEW on_kept AS SELECT n FROM kept;
    CREATE FUNCTION of_secret(s secret) RETURNS text LANGUAGE sql AS 'SELECT s.t';
    CREATE FUNCTION of_kept(k kept) RETURNS int LANGUAGE sql AS 'SELECT k.n';
    CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
    CREATE TRIGGER on_secret BEFORE INSERT ON secret FOR EACH ROW EXECUTE FUNCTION note();
    CREATE TRIGGER on_kept BEFORE UPDATE ON kept FOR EACH ROW EXECUTE FUNCTION note();
    CREATE POLICY p ON kept USING (EXISTS (SELECT FROM secret));
    COMMENT ON TABLE secret IS 'gone'; COMMENT ON COLUMN secret.t IS 'gone'; GRANT SELECT ON secret TO PUBLIC;
    CREATE PUBLICATION pub FOR TABLE secret, kept;
    INSERT INTO secret SELECT g, 'x' FROM generate_series(1, 10) g;
    INSERT INTO kept SELECT g, g, g FROM generate_series(1, 10) g;
    INSERT INTO uses_sequence VALUES (1); SELECT setval('secret_id_seq', 77);
  )sql");
  const CloneSummary summary = clone_with("filter_table", "[exclude-table]\npublic.secret\n");
  EXPECT_TRUE(summary.complete()) << failures(summary);
  EXPECT_EQ(objects("filter_table"),
            "S:public.secret_id_seq c:kept_pkey fn:public.note fn:public.of_kept i:public.kept_pkey r:public.kept "
            "r:public.uses_sequence tg:on_kept v:public.on_kept");
  EXPECT_EQ(count("filter_table", "kept"), "10");
  EXPECT_EQ(test::shared_target().value("filter_table", "SELECT last_value FROM secret_id_seq"), "77");
  EXPECT_EQ(test::shared_target().value("filter_table", "SELECT count(*) FROM pg_policy"), "0");
  EXPECT_EQ(test::shared_target().value("filter_table", "SELECT count(*) FROM pg_publication_rel"), "1");
  EXPECT_THAT(summary.skipped, Contains("by the filter [exclude-table]: public.secret"));
  for (const char* object :
       {"view public.on_secret", "view public.on_view", "materialized view public.on_both",
        "function public.of_secret(public.secret)", "constraint kept_other_fkey on table public.kept"}) {
    EXPECT_THAT(summary.skipped, Contains(AllOf(HasSubstr(object), HasSubstr(": it needs ")))) << object;
  }
  EXPECT_THAT(summary.skipped, Not(Contains(HasSubstr("secret_t")))) << "a table's index goes without a word";
  EXPECT_THAT(summary.skipped, Not(Contains(HasSubstr("rule ")))) << "so does what a view is made of";
}

constexpr const char* kSchemas = R"sql(
    CREATE SCHEMA app; CREATE SCHEMA old; CREATE SCHEMA tools;
    CREATE EXTENSION hstore SCHEMA tools;
    CREATE TYPE old.mood AS ENUM ('good', 'bad'); CREATE FUNCTION old.one() RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 1';
    CREATE TABLE old.t (i int PRIMARY KEY);
    CREATE TABLE app.t (i int PRIMARY KEY, h tools.hstore); CREATE TABLE app.moody (m old.mood);
    CREATE TABLE app.checked (i int CHECK (i > old.one())); CREATE TABLE app.defaulted (i int DEFAULT old.one());
    CREATE TABLE public.p (i int); CREATE VIEW app.v AS SELECT i FROM old.t;
    CREATE TABLE tools.own (i int);
    INSERT INTO app.t SELECT g, 'a=>1' FROM generate_series(1, 5) g; INSERT INTO old.t VALUES (1);
)sql";

// The names of sequences begin with those of their tables.
TEST_F(FilteredClone, AnExpressionTakesNoSequenceThatATableOwnsOrUses) {
  make("filter_sequences", R"sql(
    CREATE TABLE orders (order_id serial, y int) PARTITION BY LIST (y);
    CREATE TABLE orders_2020 PARTITION OF orders FOR VALUES IN (2020);
    CREATE SEQUENCE orders_free; CREATE TABLE uses (i int DEFAULT nextval('orders_free'));
    CREATE SEQUENCE orders_alone; CREATE TABLE orders_own (i serial);
  )sql");
  EXPECT_TRUE(clone_with("filter_sequences", "[exclude-table]\npublic.~/^orders_/\n").complete());
  EXPECT_EQ(objects("filter_sequences"),
            "S:public.orders_free S:public.orders_order_id_seq p:public.orders r:public.uses");
  test::shared_target().create_database("filter_sequences");
  EXPECT_TRUE(clone_with("filter_sequences", "[exclude-table]\npublic.orders_free\n").complete());
  EXPECT_THAT(objects("filter_sequences"), Not(HasSubstr("uses")));
}

TEST_F(FilteredClone, WithoutASchemaGoesWhatNeedsItsTypesAndFunctions) {
  make("filter_schema", kSchemas);
  const CloneSummary summary = clone_with("filter_schema", "[exclude-schema]\n~/^old$/\n");
  EXPECT_TRUE(summary.complete()) << failures(summary);
  EXPECT_EQ(objects("filter_schema"), "c:t_pkey i:app.t_pkey r:app.t r:public.p r:tools.own");
  EXPECT_EQ(count("filter_schema", "pg_namespace WHERE nspname = 'old'"), "0");
  EXPECT_EQ(count("filter_schema", "app.t"), "5");
  EXPECT_THAT(summary.skipped, Contains(HasSubstr("table app.moody: it needs type old.mood")));
  EXPECT_THAT(summary.skipped, Contains(HasSubstr("table app.checked: it needs function old.one()")));
  EXPECT_THAT(summary.skipped, Contains(HasSubstr("table app.defaulted: it needs function old.one()")));
}

TEST_F(FilteredClone, WithSomeSchemasOnlyExtensionsStayWhereTheyAre) {
  make("filter_only_schema", kSchemas);
  const CloneSummary summary = clone_with("filter_only_schema", "[include-only-schema]\napp\n");
  EXPECT_TRUE(summary.complete()) << failures(summary);
  EXPECT_EQ(objects("filter_only_schema"), "c:t_pkey i:app.t_pkey r:app.t");
  EXPECT_EQ(test::shared_target().value("filter_only_schema",
                                        "SELECT extnamespace::regnamespace FROM pg_extension WHERE extname = 'hstore'"),
            "tools");
}

TEST_F(FilteredClone, WithSomeTablesOnlyPartitionsComeAlong) {
  make("filter_only_table", R"sql(
    CREATE TABLE parted (i int) PARTITION BY RANGE (i);
    CREATE TABLE p1 PARTITION OF parted FOR VALUES FROM (0) TO (10) PARTITION BY RANGE (i);
    CREATE TABLE p11 PARTITION OF p1 FOR VALUES FROM (0) TO (5); CREATE TABLE p2 PARTITION OF parted DEFAULT;
    CREATE TABLE other (i int) PARTITION BY LIST (i);
    CREATE TABLE o1 PARTITION OF other FOR VALUES IN (1); CREATE TABLE o2 PARTITION OF other FOR VALUES IN (2);
    CREATE TABLE plain (i int); CREATE VIEW all_plain AS TABLE plain; CREATE MATERIALIZED VIEW m AS SELECT 1;
    CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'; CREATE SEQUENCE s;
    INSERT INTO parted VALUES (1), (50); INSERT INTO other VALUES (1), (2);
  )sql");
  const CloneSummary summary = clone_with("filter_only_table", "[include-only-table]\npublic.parted\npublic.o1\n");
  EXPECT_TRUE(summary.complete()) << failures(summary);
  EXPECT_EQ(objects("filter_only_table"),
            "S:public.s fn:public.f p:public.other p:public.p1 p:public.parted r:public.o1 r:public.p11 r:public.p2");
  EXPECT_EQ(count("filter_only_table", "parted"), "2");
  EXPECT_EQ(count("filter_only_table", "other"), "1");
}

TEST_F(FilteredClone, TheListOfTablesDecidesBesideThatOfSchemas) {
  make("filter_both", kSchemas);
  const CloneSummary summary =
      clone_with("filter_both", "[include-only-schema]\npublic\n[include-only-table]\napp.t\n");
  EXPECT_TRUE(summary.complete()) << failures(summary);
  EXPECT_EQ(objects("filter_both"), "c:t_pkey i:app.t_pkey r:app.t");
}

TEST_F(FilteredClone, RowsAndIndexesAloneMayBeLeftOut) {
  make("filter_rows", R"sql(
    CREATE TABLE log (i int PRIMARY KEY, t text); CREATE INDEX log_t ON log (t); CREATE INDEX log_i ON log (i, t);
    CREATE TABLE parted (i int) PARTITION BY LIST (i); CREATE TABLE part PARTITION OF parted DEFAULT;
    CREATE MATERIALIZED VIEW m AS SELECT 1 AS one; CREATE MATERIALIZED VIEW n AS SELECT one FROM m;
    CREATE TABLE key (i int CONSTRAINT key_i PRIMARY KEY, j int CONSTRAINT key_j UNIQUE);
    CREATE TABLE child (i int REFERENCES key (j));
    INSERT INTO log SELECT g, 'x' FROM generate_series(1, 5) g; INSERT INTO parted VALUES (1);
    INSERT INTO key VALUES (1, 1);
  )sql");
  const CloneSummary summary = clone_with("filter_rows",
                                          "[exclude-table-data]\npublic.log\npublic.parted\npublic.~/^[mn]$/\n"
                                          "[exclude-index]\npublic.log_t\npublic.key_j\n");
  EXPECT_TRUE(summary.complete()) << failures(summary);
  EXPECT_EQ(objects("filter_rows"),
            "c:key_i c:log_pkey i:public.key_i i:public.log_i i:public.log_pkey m:public.m m:public.n p:public.parted "
            "r:public.child r:public.key r:public.log r:public.part");
  EXPECT_EQ(count("filter_rows", "log"), "0");
  EXPECT_EQ(count("filter_rows", "parted"), "0");
  EXPECT_EQ(count("filter_rows", "key"), "1");
  EXPECT_EQ(count("filter_rows", "pg_class WHERE relkind = 'm' AND relispopulated"), "0");
}

TEST_F(FilteredClone, AnExtensionThatIsThereMayBeLeftOut) {
  constexpr const char* kExtensions = R"sql(
    CREATE EXTENSION hstore; CREATE EXTENSION citext; CREATE TABLE h (h hstore); CREATE TABLE c (c citext);
    INSERT INTO h VALUES ('a=>1'); INSERT INTO c VALUES ('a');)sql";
  make("filter_extension", kExtensions);
  const CloneSummary without = clone_with("filter_extension", "[exclude-extension]\nhstore\n");
  EXPECT_TRUE(without.complete()) << failures(without);
  EXPECT_EQ(objects("filter_extension"), "r:public.c");

  make("filter_extension", kExtensions);
  test::shared_target().sql("filter_extension", "CREATE EXTENSION hstore");
  const CloneSummary there = clone_with("filter_extension", "[include-only-extension]\ncitext\n");
  EXPECT_TRUE(there.complete()) << failures(there);
  EXPECT_EQ(objects("filter_extension"), "r:public.c r:public.h");
  EXPECT_EQ(differences("filter_extension"), std::vector<std::string>{});
}

TEST_F(FilteredClone, SkippedExtensionsHaveToBeThereWhereTheyAreNeeded) {
  make("filter_skip", "CREATE EXTENSION hstore; CREATE EXTENSION citext; CREATE TABLE h (h hstore);");
  CloneOptions wanted = options("filter_skip");
  wanted.extensions = false;
  const Error error = error_of(wanted);
  EXPECT_THAT(error.what(), AllOf(HasSubstr("hstore"), Not(HasSubstr("citext"))));
  EXPECT_FALSE(target_changed_);
  test::shared_target().sql("filter_skip", "CREATE EXTENSION hstore");
  const CloneSummary summary = clone("filter_skip", [](CloneOptions& options) { options.extensions = false; });
  EXPECT_TRUE(summary.complete()) << failures(summary);
  EXPECT_EQ(objects("filter_skip"), "r:public.h");
}

TEST_F(FilteredClone, WhatNamesNothingIsAWarningUnlessItIsAnExpression) {
  make("filter_unused", R"sql(CREATE TABLE "Orders" (i int);)sql");
  const CloneSummary summary =
      clone_with("filter_unused", "[exclude-table]\npublic.nothing\npublic.Orders\npublic.~/none/\n");
  EXPECT_TRUE(summary.complete());
  EXPECT_THAT(summary.warnings, Contains(AllOf(HasSubstr("public.nothing"), HasSubstr("names nothing"))));
  EXPECT_THAT(summary.warnings, Contains(AllOf(HasSubstr("public.Orders"), HasSubstr("have to be quoted"))));
  EXPECT_THAT(summary.warnings, Not(Contains(HasSubstr("none"))));
}

// Their owners and grantees need not be on the target, nor what may not be read be readable.
TEST_F(FilteredClone, WhatIsLeftOutAsksForNothing) {
  test::shared_source().sql("postgres", "DROP ROLE IF EXISTS filter_owner; DROP ROLE IF EXISTS filter_reader");
  make("filter_roles", R"sql(
    CREATE ROLE filter_owner; CREATE ROLE filter_reader LOGIN;
    CREATE SCHEMA hidden AUTHORIZATION filter_owner;
    CREATE TABLE hidden.t (i int); ALTER TABLE hidden.t OWNER TO filter_owner;
    CREATE TABLE t (i int); GRANT SELECT ON t TO filter_reader; CREATE TABLE u (i int);
    GRANT SELECT ON u TO filter_owner; INSERT INTO t VALUES (1);
    ALTER TABLE u OWNER TO filter_owner; ALTER TABLE u ENABLE ROW LEVEL SECURITY;
  )sql");
  const CloneSummary summary = clone("filter_roles", [&](CloneOptions& options) {
    options.source = test::shared_source().conninfo("filter_roles") + " user=filter_reader";
    options.filters = schema::parse_filter_rules("[exclude-schema]\nhidden\n[exclude-table]\npublic.u\n", "filter");
    options.restore.acls = false;
    options.database_properties = false;
  });
  EXPECT_TRUE(summary.complete()) << failures(summary);
  EXPECT_EQ(objects("filter_roles"), "r:public.t");
  EXPECT_EQ(count("filter_roles", "t"), "1");
  test::shared_source().create_database("filter_roles");
  test::shared_source().sql("postgres", "DROP ROLE filter_owner; DROP ROLE filter_reader");
}

TEST_F(FilteredClone, GoesOnOnlyWithTheSameFilters) {
  make("filter_resume", "CREATE TABLE a (i int); CREATE TABLE b (i int); INSERT INTO a VALUES (1)");
  // A view whose function is not there fails, so the ledger stays.
  test::shared_source().sql(
      "filter_resume",
      "CREATE FUNCTION f() RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 1 / (SELECT count(*)::int FROM a)';"
      "CREATE INDEX on_f ON b ((i + f()))");
  test::shared_source().sql("filter_resume", "INSERT INTO b VALUES (1)");
  CloneOptions first = options("filter_resume");
  first.filters = schema::parse_filter_rules("[exclude-table-data]\npublic.a\n", "filter");
  const CloneSummary summary = Clone(first, sink_).run();
  ASSERT_FALSE(summary.complete());
  CloneOptions again = first;
  again.earlier_run = EarlierRun::kResume;
  again.filters = {};
  EXPECT_THAT(error_of(again).what(), HasSubstr("filters (was rules, is none)"));
}

TEST_F(FilteredClone, APartitionsIndexMayBeLeftOutWithAWarning) {
  make("filter_index", R"sql(
    CREATE TABLE p (i int) PARTITION BY RANGE (i); CREATE TABLE p0 PARTITION OF p DEFAULT; CREATE INDEX p_i ON p (i);
  )sql");
  const CloneSummary summary = clone_with("filter_index", "[exclude-index]\npublic.p0_i_idx\n");
  EXPECT_THAT(summary.warnings, Contains(HasSubstr("stays invalid")));
  EXPECT_EQ(test::shared_target().value("filter_index", "SELECT count(*) FROM pg_index WHERE NOT indisvalid"), "1");
}

TEST_F(FilteredClone, PartitionsInOtherSchemasComeAlongAndChildrenBringTheirParents) {
  make("filter_parts", R"sql(
    CREATE SCHEMA parts; CREATE SCHEMA app; CREATE TABLE app.p (i int) PARTITION BY RANGE (i);
    CREATE TABLE parts.p0 PARTITION OF app.p DEFAULT; INSERT INTO app.p VALUES (1);
    CREATE TABLE above (i int); CREATE TABLE app.child (n int) INHERITS (above); INSERT INTO app.child VALUES (1, 2);
  )sql");
  const CloneSummary summary =
      clone_with("filter_parts", "[include-only-schema]\napp\n[include-only-table]\napp.p\napp.child\n");
  EXPECT_TRUE(summary.complete()) << failures(summary);
  EXPECT_EQ(count("filter_parts", "app.p"), "1");
  EXPECT_EQ(count("filter_parts", "above"), "1");
}

TEST_F(FilteredClone, WhatReadsAnUnfilledViewStaysUnfilled) {
  make("filter_views", R"sql(
    CREATE TABLE t (i int); INSERT INTO t VALUES (1); CREATE MATERIALIZED VIEW a AS SELECT i FROM t;
    CREATE VIEW between AS SELECT i FROM a; CREATE MATERIALIZED VIEW b AS SELECT i FROM between;
    CREATE MATERIALIZED VIEW other AS SELECT i FROM t;
  )sql");
  const CloneSummary summary = clone_with("filter_views", "[exclude-table-data]\npublic.a\n");
  EXPECT_TRUE(summary.complete()) << failures(summary);
  EXPECT_THAT(summary.warnings, Contains(HasSubstr("public.b stays unfilled")));
  EXPECT_EQ(test::shared_target().value(
                "filter_views",
                "SELECT string_agg(relname || relispopulated::text, ' ' ORDER BY 1) FROM pg_class WHERE relkind = 'm'"),
            "afalse bfalse othertrue");
}

}  // namespace
}  // namespace pgsluice::pipeline
