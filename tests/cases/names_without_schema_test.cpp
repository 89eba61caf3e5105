// Bodies of functions that name others without a schema: the source's data prove that its own search_path finds them.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include "tests/cases/case_fixture.h"

namespace pgsluice::test {
namespace {

using ::testing::ContainsRegex;
using ::testing::HasSubstr;

class NamesWithoutSchema : public CaseTest {
 protected:
  void expect_same_rows(const std::string& table) const {
    expect_same_answer(
        fmt::format("SELECT count(*) || ' ' || md5(string_agg(x::text, ',' ORDER BY x::text)) FROM {} x", table));
  }
};

TEST_F(NamesWithoutSchema, AreFoundByTheSourceDatabasesSearchPath) {
  make_from_file("names-without-schema.sql");
  expect_clone_to_be_equal();
  for (const char* relation :
       {"tokens", "places", "people", "sliced", "clean_names", "short_tokens", "of_tokens", "fine"}) {
    expect_same_rows(relation);
  }
  EXPECT_EQ(
      at_target("SELECT count(*) FROM pg_index WHERE indexrelid::regclass::text IN ('people_clean', 'sliced_same')"
                " AND indisvalid"),
      "2");
}

constexpr const char* kApplication = R"sql(
  CREATE SCHEMA app; CREATE SCHEMA lib;
  CREATE FUNCTION lib.norm(text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT lower($1)';
  CREATE FUNCTION app.key(text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT norm($1) || ''!''';
  CREATE TABLE app.rates (k text PRIMARY KEY, v int); INSERT INTO app.rates VALUES ('a', 1), ('b', 2);
  CREATE FUNCTION app.rate(text) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$ DECLARE r rates; BEGIN
    SELECT * INTO r FROM rates WHERE k = $1; RETURN r.v; END $$;
  CREATE TABLE app.items (n text, k text GENERATED ALWAYS AS (app.key(n)) STORED, CHECK (app.key(n) <> 'x'));
  INSERT INTO app.items SELECT 'N' || g FROM generate_series(1, 50) g;
  CREATE TABLE app.a_priced (k text, price int GENERATED ALWAYS AS (app.rate(k)) STORED); INSERT INTO app.a_priced VALUES ('a'), ('b');
  CREATE INDEX items_key ON app.items (app.key(n)); CREATE UNIQUE INDEX rates_rate ON app.a_priced (app.rate(k));
  CREATE MATERIALIZED VIEW app.keys AS SELECT app.key(n) AS k FROM app.items;
)sql";

TEST_F(NamesWithoutSchema, AreFoundBySearchPathsThatTheDatabaseSets) {
  make("");
  source().sql("postgres", "ALTER DATABASE cases SET search_path = app, lib, public");
  source().sql(kDatabase, kApplication);
  expect_clone_to_be_equal();
  for (const char* relation : {"app.items", "app.rates", "app.a_priced", "app.keys"}) expect_same_rows(relation);
}

// The path of one session made these; nothing of the database tells of it.
TEST_F(NamesWithoutSchema, ThatNoPathFindsAreNamedWithTheReasonAndComeAfterTheyWereMended) {
  make("");
  source().sql(kDatabase, std::string("SET search_path = app, lib, public;") + kApplication);
  const SubprocessResult cloned = clone();
  EXPECT_EQ(cloned.exit_code, 22) << said(cloned);
  EXPECT_THAT(said(cloned), ContainsRegex("42883|42P01|42704"));
  EXPECT_THAT(said(cloned), HasSubstr("search_path"));
  EXPECT_THAT(said(cloned), HasSubstr("app.items"));
  expect_same_rows("app.rates");
  source().sql(
      kDatabase,
      "CREATE OR REPLACE FUNCTION app.key(text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT lib.norm($1) || ''!''';"
      "CREATE OR REPLACE FUNCTION app.rate(text) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$ DECLARE r app.rates; "
      "BEGIN"
      " SELECT * INTO r FROM app.rates WHERE k = $1; RETURN r.v; END $$");
  const SubprocessResult resumed = clone({"--resume", "--not-consistent"});
  EXPECT_EQ(resumed.exit_code, 0) << said(resumed);
  for (const char* relation : {"app.items", "app.rates", "app.a_priced", "app.keys"}) expect_same_rows(relation);
  expect_same_answer(
      "SELECT string_agg(prosrc, '|' ORDER BY proname) FROM pg_proc WHERE pronamespace = 'app'::regnamespace");
  EXPECT_EQ(compare_schema().exit_code, 0);
}

}  // namespace
}  // namespace pgsluice::test
