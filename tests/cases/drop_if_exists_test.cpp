// A target that was cloned before, cloned into again.
#include <gmock/gmock.h>

#include "tests/cases/case_fixture.h"
#include "tests/support/database_comparison.h"

namespace pgsluice::test {
namespace {

class DropIfExists : public CaseTest {
 protected:
  void expect_cloned_anew(int times) const {
    for (int i = 0; i < times; ++i) {
      const SubprocessResult cloned = clone({"--drop-if-exists", "--verify"});
      EXPECT_EQ(cloned.exit_code, 0) << "time " << i << "\n" << said(cloned);
      EXPECT_EQ(compare_databases(source().conninfo(kDatabase), target().conninfo(kDatabase), server_bindir()),
                std::vector<std::string>{});
    }
  }
};

TEST_F(DropIfExists, ViewsThatNeedAKeyTypesCollationsAndCyclicThings) {
  make_from_file("drop-if-exists.sql");
  expect_cloned_anew(3);
}

TEST_F(DropIfExists, TriggersOnViewsAndWhatTheyCall) {
  make(R"sql(
    CREATE TABLE base (id int PRIMARY KEY, n int); INSERT INTO base VALUES (1, 2);
    CREATE VIEW face AS SELECT id, n FROM base; CREATE VIEW over_face AS SELECT id FROM face;
    CREATE FUNCTION instead() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;
    CREATE TRIGGER face_insert INSTEAD OF INSERT ON face FOR EACH ROW EXECUTE FUNCTION instead();
    CREATE TRIGGER over_insert INSTEAD OF UPDATE ON over_face FOR EACH ROW EXECUTE FUNCTION instead();
    CREATE FUNCTION of_face(f face) RETURNS int LANGUAGE sql AS 'SELECT $1.n';
    CREATE VIEW calls AS SELECT of_face(f) FROM face f;
    CREATE FUNCTION all_calls() RETURNS SETOF calls LANGUAGE sql AS 'SELECT * FROM public.calls';
  )sql");
  expect_cloned_anew(2);
}

// Each holds another that is made before it, or that holds it too.
TEST_F(DropIfExists, ThingsThatHoldOneAnother) {
  make(R"sql(
    CREATE FUNCTION is_fine(text) RETURNS bool LANGUAGE sql IMMUTABLE AS 'SELECT $1 <> ''bad''';
    CREATE DOMAIN fine AS text CHECK (is_fine(VALUE)); CREATE TYPE pair AS (a fine, b fine);
    CREATE TABLE pairs (p pair, q pair[], CHECK ((p).a <> 'x')); INSERT INTO pairs VALUES (ROW('a', 'b'), '{}');
    CREATE FUNCTION default_pair() RETURNS pair LANGUAGE sql AS $$ SELECT ROW('a', 'b')::pair $$;
    ALTER TABLE pairs ALTER p SET DEFAULT default_pair();
    CREATE FUNCTION count_pairs() RETURNS bigint LANGUAGE sql BEGIN ATOMIC SELECT count(*) FROM pairs; END;
    CREATE FUNCTION less(pair, pair) RETURNS bool LANGUAGE sql IMMUTABLE AS 'SELECT ($1).a < ($2).a';
    CREATE OPERATOR <<< (FUNCTION = less, LEFTARG = pair, RIGHTARG = pair);
    CREATE FUNCTION as_number(pair) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT length(($1).a)';
    CREATE CAST (pair AS int) WITH FUNCTION as_number(pair); CREATE INDEX pairs_n ON pairs ((as_number(p)));
    CREATE SCHEMA deep; CREATE TABLE deep.up (id int PRIMARY KEY); CREATE TABLE down (id int REFERENCES deep.up);
    CREATE SEQUENCE shared_seq; CREATE TABLE deep.uses (i int DEFAULT nextval('shared_seq')); ALTER SEQUENCE shared_seq OWNED BY down.id;
    CREATE TEXT SEARCH DICTIONARY dict (TEMPLATE = simple); CREATE TEXT SEARCH CONFIGURATION conf (COPY = simple);
    ALTER TEXT SEARCH CONFIGURATION conf ALTER MAPPING FOR asciiword WITH dict;
    CREATE TABLE texts (t text); CREATE INDEX ON texts USING gin (to_tsvector('conf', t));
    CREATE TABLE root (i int, k text) PARTITION BY LIST (k); CREATE TABLE leaf PARTITION OF root FOR VALUES IN ('x');
    CREATE VIEW of_root AS SELECT k, count(*) FROM root GROUP BY k; CREATE POLICY pol ON pairs USING (count_pairs() > 0);
    CREATE RULE note AS ON DELETE TO deep.up DO ALSO INSERT INTO texts VALUES ('gone');
  )sql");
  expect_cloned_anew(2);
}

}  // namespace
}  // namespace pgsluice::test
