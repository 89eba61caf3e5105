// Objects that need one another although no server has recorded it.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include "tests/cases/case_fixture.h"

namespace pgsluice::test {
namespace {

class UnrecordedOrder : public CaseTest {
 protected:
  void expect_complete() const {
    const SubprocessResult cloned = clone();
    EXPECT_EQ(cloned.exit_code, 0) << said(cloned);
    const SubprocessResult compared = compare_schema();
    EXPECT_EQ(compared.exit_code, 0) << said(compared);
  }
  void expect_same_answers(const std::vector<std::string>& queries) const {
    for (const std::string& query : queries) expect_same_answer(query);
  }
};

TEST_F(UnrecordedOrder, OfTablesFunctionsViewsAndIndexesIsFoundByTryingAgain) {
  make_from_file("unrecorded-order.sql");
  expect_complete();
  // The text and the time that a value has are other ones, since nextval() and now() are.
  expect_same_answers(
      {"SELECT count(DISTINCT id) FROM exp_table", "SELECT sum(x) FROM exp_table",
       "SELECT string_agg(n::text, ',' ORDER BY n) FROM aa_table", "SELECT n FROM zz_totals", "SELECT t FROM aa_report",
       "SELECT count(*) FROM ranked",
       "SELECT bool_and(indisvalid) FROM pg_index WHERE indrelid IN ('ranked'::regclass, 'aa_report'::regclass)",
       "SELECT string_agg(conname || ' ' || convalidated, ',' ORDER BY conname) FROM pg_constraint WHERE conrelid = "
       "'aa_table'::regclass"});
  // The function is taken for a constant: the source has called the sequence twice.
  expect_same_answer("SELECT last_value, is_called FROM my_seq");
}

TEST_F(UnrecordedOrder, OfMaterializedViewsInAChainIsFoundWhateverTheirNames) {
  make(R"sql(
    CREATE TABLE t (i int); INSERT INTO t SELECT generate_series(1, 7);
    CREATE MATERIALIZED VIEW d_first AS SELECT count(*) AS n FROM t;
    CREATE FUNCTION first_of() RETURNS bigint LANGUAGE plpgsql STABLE AS $$ BEGIN RETURN (SELECT n FROM public.d_first); END $$;
    CREATE MATERIALIZED VIEW c_second AS SELECT first_of() * 2 AS n;
    CREATE FUNCTION second_of() RETURNS bigint LANGUAGE plpgsql STABLE AS $$ BEGIN RETURN (SELECT n FROM public.c_second); END $$;
    CREATE VIEW between_them AS SELECT second_of() AS n;
    CREATE MATERIALIZED VIEW b_third AS SELECT n + 1 AS n FROM between_them;
    CREATE FUNCTION third_of() RETURNS bigint LANGUAGE plpgsql STABLE AS $$ BEGIN RETURN (SELECT n FROM public.b_third); END $$;
    CREATE MATERIALIZED VIEW a_fourth AS SELECT third_of() AS n; CREATE UNIQUE INDEX ON a_fourth (n);
    CREATE MATERIALIZED VIEW a_unfilled AS SELECT third_of() AS n WITH NO DATA;
  )sql");
  expect_complete();
  expect_same_answers(
      {"SELECT n FROM d_first", "SELECT n FROM c_second", "SELECT n FROM b_third", "SELECT n FROM a_fourth",
       "SELECT string_agg(relname || relispopulated, ',' ORDER BY relname) FROM pg_class WHERE relkind = 'm'"});
}

TEST_F(UnrecordedOrder, OfChecksAndDomainsThatReadTablesIsFound) {
  make(R"sql(
    CREATE TABLE zz_allowed (k text PRIMARY KEY); INSERT INTO zz_allowed VALUES ('a'), ('b');
    CREATE FUNCTION is_allowed(text) RETURNS bool LANGUAGE plpgsql STABLE AS
      $$ BEGIN RETURN EXISTS (SELECT FROM public.zz_allowed WHERE k = $1); END $$;
    CREATE DOMAIN allowed AS text CHECK (is_allowed(VALUE));
    CREATE TABLE aa_domain (k allowed, many allowed[]); INSERT INTO aa_domain VALUES ('a', '{a,b}'), ('b', NULL);
    CREATE TABLE ab_check (k text CONSTRAINT k_is_allowed CHECK (is_allowed(k))); INSERT INTO ab_check VALUES ('a'), ('b');
    CREATE FUNCTION rows_of_own() RETURNS bigint LANGUAGE plpgsql STABLE AS $$ BEGIN RETURN (SELECT count(*) FROM public.ac_own); END $$;
    CREATE TABLE ac_own (id int, head bool); INSERT INTO ac_own VALUES (1, true), (2, false), (3, false);
    ALTER TABLE ac_own ADD CONSTRAINT never_alone CHECK (head OR rows_of_own() > 1);
    CREATE TABLE ad_not_valid (k text); INSERT INTO ad_not_valid VALUES ('z');
    ALTER TABLE ad_not_valid ADD CONSTRAINT later CHECK (is_allowed(k)) NOT VALID;
  )sql");
  expect_complete();
  expect_same_answers(
      {"SELECT count(*) FROM aa_domain", "SELECT count(*) FROM ab_check", "SELECT count(*) FROM ac_own",
       "SELECT count(*) FROM ad_not_valid",
       "SELECT string_agg(conname || ' ' || convalidated, ',' ORDER BY conname) FROM pg_constraint WHERE contype = 'c'"
       " AND connamespace = 'public'::regnamespace"});
}

// Each is made while another is missing: a default and a view that are evaluated at once, an index over rows.
TEST_F(UnrecordedOrder, OfDefaultsAndIndexesOverFunctionsIsFound) {
  make(R"sql(
    CREATE TABLE zz_settings (name text PRIMARY KEY, value int); INSERT INTO zz_settings VALUES ('size', 5);
    CREATE FUNCTION size_of(int) RETURNS int LANGUAGE sql IMMUTABLE AS
      $$ SELECT $1 * value FROM public.zz_settings WHERE name = 'size' $$;
    CREATE TABLE aa_indexed (i int, j int DEFAULT size_of(1)); INSERT INTO aa_indexed (i) SELECT generate_series(1, 100);
    CREATE INDEX aa_size ON aa_indexed (size_of(i)); CREATE INDEX aa_where ON aa_indexed (j) WHERE size_of(i) > 50;
    CREATE STATISTICS aa_stat ON (size_of(i)), j FROM aa_indexed;
    CREATE TABLE ab_excluded (i int, EXCLUDE USING btree (size_of(i) WITH =)); INSERT INTO ab_excluded SELECT generate_series(1, 10);
  )sql");
  expect_complete();
  expect_same_answers({"SET enable_seqscan = off; SELECT count(*) FROM aa_indexed WHERE size_of(i) = 50",
                       "SET enable_seqscan = off; SELECT count(*) FROM aa_indexed WHERE j = 5 AND size_of(i) > 50",
                       "SELECT count(*) FROM ab_excluded"});
}

}  // namespace
}  // namespace pgsluice::test
