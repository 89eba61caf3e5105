// What users' expressions see while a database is copied: the settings that the source's database gives its sessions,
// not those that this program needs for values on their way.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <algorithm>

#include "tests/cases/case_fixture.h"
#include "tests/support/wait_until.h"

namespace pgsluice::test {
namespace {

// One setting, objects whose contents depend on it, and what has to be answered alike.
struct Dependent {
  std::string name;
  std::string settings;  ///< what follows "ALTER DATABASE … ", several apart at semicolons
  std::string sql;
  std::vector<std::string> queries;
};

void PrintTo(const Dependent& dependent, std::ostream* out) { *out << dependent.name; }

std::string alter(const std::string& settings) {
  std::string sql;
  for (std::size_t begin = 0; begin < settings.size();) {
    const std::size_t end = std::min(settings.find(';', begin), settings.size());
    sql += "ALTER DATABASE cases " + settings.substr(begin, end - begin) + ";";
    begin = end + 1;
  }
  return sql;
}

const std::vector<Dependent> kDependents = {
    {"DateStyle",
     "SET datestyle = 'SQL, DMY'",
     "CREATE TABLE d (d date); INSERT INTO d SELECT make_date(2024, 3, g) FROM generate_series(1, 28) g;"
     "CREATE MATERIALIZED VIEW m AS SELECT d::text AS x FROM d;"
     "CREATE TABLE c (x text CHECK (x::date > make_date(2024, 1, 1))); INSERT INTO c VALUES ('13/02/2024'), "
     "('04/03/2024');"
     "CREATE FUNCTION f(text) RETURNS date LANGUAGE sql IMMUTABLE AS 'SELECT $1::date';"
     "CREATE TABLE g (x text, y date GENERATED ALWAYS AS (f(x)) STORED); INSERT INTO g VALUES ('01/02/2024');"
     "CREATE INDEX c_f ON c (f(x))",
     {"SELECT string_agg(x, ',' ORDER BY x) FROM m", "SELECT count(*) FROM c",
      "SELECT y - make_date(2024, 1, 1) FROM g",
      "SELECT extract(month FROM f(x)) FROM c WHERE f(x) = make_date(2024, 3, 4)"}},
    {"IntervalStyle",
     "SET intervalstyle = 'sql_standard'",
     "CREATE TABLE i (i interval); INSERT INTO i VALUES ('1 day -02:03:04'), ('-1 year 2 months 3 days'), ('3 h');"
     "CREATE MATERIALIZED VIEW m AS SELECT i::text AS x FROM i",
     {"SELECT string_agg(x, ',' ORDER BY x) FROM m", "SELECT sum(extract(epoch FROM i)) FROM i"}},
    {"BytesInAText",
     "SET bytea_output = 'escape'",
     "CREATE TABLE b (b bytea); INSERT INTO b VALUES ('\\x61ff00'), ('plain');"
     "CREATE MATERIALIZED VIEW m AS SELECT b::text AS x FROM b;"
     "CREATE FUNCTION f(bytea) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT $1::text';"
     "CREATE TABLE g (b bytea, x text GENERATED ALWAYS AS (f(b)) STORED); INSERT INTO g SELECT b FROM b;"
     "CREATE TABLE c (b bytea CHECK (f(b) NOT LIKE '\\\\x%')); INSERT INTO c VALUES ('plain')",
     {"SELECT string_agg(x, ',' ORDER BY x) FROM m", "SELECT string_agg(x, ',' ORDER BY x) FROM g",
      "SELECT count(*) FROM c", "SELECT md5(string_agg(b, '' ORDER BY b)) FROM b"}},
    {"DigitsOfAFloat",
     "SET extra_float_digits = -5",
     "CREATE TABLE r (r float8); INSERT INTO r SELECT g / 7.0 FROM generate_series(1, 100) g;"
     "CREATE MATERIALIZED VIEW m AS SELECT r::text AS x FROM r;"
     "CREATE FUNCTION f(float8) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT $1::text';"
     "CREATE UNIQUE INDEX r_f ON r (f(r))",
     {"SELECT string_agg(x, ',' ORDER BY x) FROM m", "SELECT md5(string_agg(float8send(r), '' ORDER BY r)) FROM r",
      "SET enable_seqscan = off; SELECT count(*) FROM r WHERE f(r) = (5 / 7.0)::float8::text"}},
    {"BytesInXML",
     "SET xmlbinary = 'hex'",
     "CREATE TABLE b (b bytea); INSERT INTO b VALUES ('\\x61ff00');"
     "CREATE MATERIALIZED VIEW m AS SELECT xmlelement(name x, b)::text AS x FROM b",
     {"SELECT x FROM m"}},
    {"ASettingOfTheApplication",
     "SET app.rate = '3'; SET app.tenant = 'north'",
     "CREATE FUNCTION rated(i int) RETURNS int LANGUAGE sql IMMUTABLE AS"
     " $$ SELECT i * current_setting('app.rate')::int $$;"
     "CREATE TABLE a (i int PRIMARY KEY, r int GENERATED ALWAYS AS (rated(i)) STORED);"
     "INSERT INTO a SELECT generate_series(1, 50); CREATE INDEX a_rated ON a (rated(i));"
     "CREATE MATERIALIZED VIEW m AS SELECT current_setting('app.tenant') AS x;"
     "CREATE TABLE c (t text CHECK (t = current_setting('app.tenant'))); INSERT INTO c VALUES ('north')",
     {"SELECT sum(r) FROM a", "SELECT x FROM m", "SELECT count(*) FROM c",
      "SET enable_seqscan = off; SELECT count(*) FROM a WHERE rated(i) = 30"}},
    {"TextSearch",
     "SET default_text_search_config = 'pg_catalog.german'",
     "CREATE TABLE t (t text); INSERT INTO t VALUES ('die Häuser und Gärten'), ('the houses');"
     "CREATE MATERIALIZED VIEW m AS SELECT to_tsvector(t)::text AS x FROM t",
     {"SELECT string_agg(x, '|' ORDER BY x) FROM m"}},
    {"NullsInComparisons",
     "SET transform_null_equals = on; SET array_nulls = off",
     "CREATE FUNCTION is_none(i int) RETURNS text LANGUAGE plpgsql AS $$ BEGIN"
     " RETURN coalesce((i = NULL)::text, 'unknown') || ('{NULL}'::text)::text[]::text; END $$;"
     "CREATE TABLE n (i int); INSERT INTO n VALUES (NULL), (1);"
     "CREATE MATERIALIZED VIEW m AS SELECT is_none(i) AS x FROM n",
     {"SELECT string_agg(x, ',' ORDER BY x) FROM m"}},
    {"ContentOrDocument",
     "SET xmloption = 'document'",
     "CREATE FUNCTION f(text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RETURN $1::xml::text;"
     " EXCEPTION WHEN others THEN RETURN 'no document'; END $$;"
     "CREATE TABLE t (t text, x text GENERATED ALWAYS AS (f(t)) STORED); CREATE INDEX t_f ON t (f(t));"
     "INSERT INTO t VALUES ('<a/>'), ('<a/><b/>'), ('words');"
     "CREATE MATERIALIZED VIEW m AS SELECT f(t) AS x FROM t;"
     "CREATE TABLE contents (x xml); SET xmloption = 'content'; INSERT INTO contents VALUES ('<a/><b/>'), ('words')",
     {"SELECT string_agg(x, ',' ORDER BY x) FROM m", "SELECT string_agg(x, ',' ORDER BY x) FROM t",
      "SET enable_seqscan = off; SELECT count(*) FROM t WHERE f(t) = 'no document'",
      "SELECT string_agg(x::text, ',' ORDER BY x::text) FROM contents"}},
    {"QuotedIdentifiers",
     "SET quote_all_identifiers = on",
     "CREATE TABLE t (c name); INSERT INTO t VALUES ('plain'), ('Large');"
     "CREATE FUNCTION f(name) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT quote_ident($1)';"
     "CREATE TABLE g (c name, x text GENERATED ALWAYS AS (f(c)) STORED); INSERT INTO g SELECT c FROM t;"
     "CREATE MATERIALIZED VIEW m AS SELECT quote_ident(c) AS x FROM t",
     {"SELECT string_agg(x, ',' ORDER BY x) FROM m", "SELECT string_agg(x, ',' ORDER BY x) FROM g"}},
    {"TablesThatPoliciesFilter",
     "SET row_security = on",
     "CREATE TABLE t (i int); INSERT INTO t SELECT generate_series(1, 10); ALTER TABLE t ENABLE ROW LEVEL SECURITY;"
     "CREATE POLICY p ON t TO cases_reader USING (i > 4); GRANT SELECT ON t TO cases_reader;"
     "GRANT CREATE, USAGE ON SCHEMA public TO cases_reader;"
     "CREATE MATERIALIZED VIEW m AS SELECT i FROM t WITH NO DATA; ALTER MATERIALIZED VIEW m OWNER TO cases_reader;"
     "REFRESH MATERIALIZED VIEW m",
     {"SELECT string_agg(i::text, ',' ORDER BY i) FROM m"}},
    {"Compression",
     "SET default_toast_compression = 'lz4'",
     "CREATE TABLE t (c text); INSERT INTO t SELECT string_agg(md5(g::text), '') FROM generate_series(1, 900) g;"
     "CREATE MATERIALIZED VIEW m AS SELECT c FROM t",
     {"SELECT pg_column_compression(c) FROM t", "SELECT pg_column_compression(c) FROM m"}},
    {"ThresholdOfAnExtension",
     "SET pg_trgm.similarity_threshold = 0.8",
     "CREATE EXTENSION pg_trgm; CREATE TABLE t (c text); INSERT INTO t VALUES ('whistle'), ('whistles'), ('whisper');"
     "CREATE FUNCTION f(text) RETURNS bool LANGUAGE sql IMMUTABLE AS $$ SELECT $1 OPERATOR(public.%) 'whistle' $$;"
     "CREATE TABLE g (c text, x bool GENERATED ALWAYS AS (f(c)) STORED); INSERT INTO g SELECT c FROM t;"
     "CREATE INDEX t_f ON t (c) WHERE f(c); CREATE MATERIALIZED VIEW m AS SELECT c FROM t WHERE c % 'whistle'",
     {"SELECT string_agg(c, ',' ORDER BY c) FROM m", "SELECT string_agg(c || x, ',' ORDER BY c) FROM g",
      "SET enable_seqscan = off; SELECT count(*) FROM t WHERE f(c)"}},
    {"NamesInABody",
     "SET plpgsql.variable_conflict = 'use_column'; SET plpgsql.check_asserts = off",
     "CREATE TABLE t (i int); INSERT INTO t VALUES (5);"
     "CREATE FUNCTION f(i int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS"
     " $$ BEGIN ASSERT false; RETURN (SELECT i FROM (VALUES (7)) v (i)); END $$;"
     "CREATE TABLE g (c int, x int GENERATED ALWAYS AS (f(c)) STORED, CHECK (f(c) = 7)); INSERT INTO g VALUES (1);"
     "CREATE MATERIALIZED VIEW m AS SELECT f(i) AS x FROM t",
     {"SELECT x FROM m", "SELECT x FROM g"}},
    {"TimeZone",
     "SET timezone = 'Asia/Kathmandu'",
     "CREATE TABLE e (at timestamptz PRIMARY KEY); CREATE FUNCTION hour_of(timestamptz) RETURNS int LANGUAGE sql"
     " IMMUTABLE AS 'SELECT extract(hour FROM $1)::int';"
     "CREATE TABLE p (at timestamptz) PARTITION BY LIST (hour_of(at)); CREATE TABLE p_0 PARTITION OF p FOR VALUES IN "
     "(0);"
     "CREATE TABLE p_rest PARTITION OF p DEFAULT;"
     "INSERT INTO e SELECT timestamptz '2024-03-01 00:00+00' + g * interval '15 min' FROM generate_series(1, 400) g;"
     "INSERT INTO p SELECT at FROM e; CREATE TABLE s (at timestamptz CHECK (at::date::text NOT LIKE '%-02'));"
     "INSERT INTO s VALUES ('2024-03-02 18:20+00'); CREATE STATISTICS es ON (hour_of(at)), at FROM e;"
     "CREATE UNIQUE INDEX e_part ON e (at) WHERE hour_of(at) = 23",
     {"SELECT count(*) FROM p_0", "SELECT count(*) FROM s",
      "SET enable_seqscan = off; SELECT count(*) FROM e WHERE hour_of(at) = 23"}},
};

class ExpressionSettings : public CaseTest, public ::testing::WithParamInterface<Dependent> {
 protected:
  void TearDown() override {
    for (const Cluster* server : {&source(), &target()}) {
      server->sql("postgres", "DROP DATABASE IF EXISTS cases");
      server->sql("postgres", "DROP ROLE IF EXISTS cases_reader");
    }
  }
  enum class Set { kOnBoth, kOnTheSource };
  void make_dependent(Set where) const {
    make("");
    for (const Cluster* server : {&source(), &target()}) {
      server->sql("postgres", "DROP ROLE IF EXISTS cases_reader; CREATE ROLE cases_reader");
    }
    source().sql("postgres", alter(GetParam().settings));
    if (where == Set::kOnBoth) target().sql("postgres", alter(GetParam().settings));
    source().sql(kDatabase, GetParam().sql);
  }
  void expect_same_answers() const {
    for (const std::string& query : GetParam().queries) expect_same_answer(query);
  }
};

TEST_P(ExpressionSettings, OfBothDatabasesHoldForWhatIsComputedFromThem) {
  make_dependent(Set::kOnBoth);
  expect_clone_to_be_equal();
  expect_same_answers();
}

// As it usually is: the target's database is new, and gets its settings from the source.
TEST_P(ExpressionSettings, OfTheSourcesDatabaseHoldForWhatIsComputedFromThem) {
  make_dependent(Set::kOnTheSource);
  const SubprocessResult cloned = clone({"--verify"});
  EXPECT_EQ(cloned.exit_code, 0) << said(cloned);
  expect_same_answers();
}

INSTANTIATE_TEST_SUITE_P(Each, ExpressionSettings, ::testing::ValuesIn(kDependents),
                         [](const auto& test) { return test.param.name; });

class TimeZones : public CaseTest {
 protected:
  void expect_same_events() const {
    for (const char* query :
         {"SELECT md5(string_agg(p::text, ',' ORDER BY d)) FROM per_day p",
          "SELECT md5(string_agg(t, ',' ORDER BY t)) FROM as_text",
          "SELECT md5(string_agg(concat_ws(',', extract(epoch FROM at), day - date '2024-01-01'), ',' ORDER BY at)) "
          "FROM gen",
          "SELECT count(*) FROM parts_1", "SELECT count(*) FROM parts_2",
          "SET enable_seqscan = off; SELECT count(*) FROM ev WHERE day_of(at) = make_date(2024, 1, 15)",
          "SET enable_indexscan = off; SET enable_bitmapscan = off; SELECT count(*) FROM ev WHERE day_of(at) = "
          "make_date(2024, 1, 15)",
          "SELECT sum(extract(epoch FROM at)) FROM ev"}) {
      expect_same_answer(query);
    }
  }
};

TEST_F(TimeZones, OfBothDatabasesHoldForViewsIndexesGeneratedColumnsAndPartitions) {
  make("");
  for (const Cluster* server : {&source(), &target()}) {
    server->sql("postgres", alter("SET timezone = 'America/New_York'; SET datestyle = 'SQL, DMY'"));
  }
  run_sql_file(source().conninfo(kDatabase), sql_file("time-zone.sql"));
  expect_clone_to_be_equal();
  expect_same_events();
}

TEST_F(TimeZones, OfTheSourcesDatabaseHoldInAMigration) {
  make("");
  source().sql("postgres", alter("SET timezone = 'America/New_York'; SET datestyle = 'SQL, DMY'"));
  run_sql_file(source().conninfo(kDatabase), sql_file("time-zone.sql"));
  const Migrated migrated = migrate();
  EXPECT_EQ(migrated.state, "Succeeded") << said(migrated.result);
  expect_same_events();
}

// Rows that cross as text, in parts, and again after a resume, meet the same expressions.
TEST_F(TimeZones, HoldForRowsThatCrossAsTextAndInParts) {
  make("");
  source().sql("postgres", alter("SET timezone = 'America/New_York'; SET datestyle = 'SQL, DMY'"));
  run_sql_file(source().conninfo(kDatabase), sql_file("time-zone.sql"));
  const SubprocessResult cloned = clone({"--copy-format", "text", "--split-at", "8 kB", "--verify"});
  EXPECT_EQ(cloned.exit_code, 0) << said(cloned);
  expect_same_events();
}

class ServerDefaults : public TimeZones {
 protected:
  static void set(const Cluster& server, const std::string& timezone, const std::string& datestyle) {
    server.sql("postgres", fmt::format("ALTER SYSTEM SET timezone = {}", timezone));
    server.sql("postgres", fmt::format("ALTER SYSTEM SET datestyle = {}", datestyle));
    server.sql("postgres", "SELECT pg_reload_conf()");
    wait_until([&] {
      return server.value("postgres", "SELECT quote_literal(current_setting('datestyle'))")
          .starts_with(datestyle.substr(0, 4));
    });
  }
  void TearDown() override {
    for (const Cluster* server : {&source(), &target()}) {
      server->sql("postgres", "ALTER SYSTEM RESET ALL");
      server->sql("postgres", "SELECT pg_reload_conf()");
    }
  }
  void run_events() const {
    make("");
    run_sql_file(source().conninfo(kDatabase), sql_file("time-zone.sql"));
  }
};

TEST_F(ServerDefaults, OfBothServersHold) {
  for (const Cluster* server : {&source(), &target()}) set(*server, "'America/New_York'", "'SQL, DMY'");
  run_events();
  expect_clone_to_be_equal();
  expect_same_events();
}

// The target's own defaults would give its views other values than the source's have.
TEST_F(ServerDefaults, OfTheSourceHoldWhereTheTargetHasOthers) {
  set(source(), "'America/New_York'", "'SQL, DMY'");
  set(target(), "'Asia/Tokyo'", "'German'");
  run_events();
  const SubprocessResult cloned = clone({"--verify"});
  EXPECT_EQ(cloned.exit_code, 0) << said(cloned);
  set(target(), "'America/New_York'", "'SQL, DMY'");
  expect_same_events();
}

}  // namespace
}  // namespace pgsluice::test
