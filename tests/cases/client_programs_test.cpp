// Which pg_dump is used, and what it writes that no server is meant to run. Since November 2026 (15.20 and its sisters)
// each column of each relation has an internal option, pg_attver, which only a pg_dump of that release leaves out.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <cstdlib>

#include "tests/cases/case_fixture.h"

namespace pgsluice::test {
namespace {

using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr const char* kRelations = R"sql(
  CREATE TABLE t (id int PRIMARY KEY, s text DEFAULT 'SET (pg_attver=1)', n numeric);
  ALTER TABLE t ALTER s SET (n_distinct = 5), ALTER n SET (n_distinct_inherited = -0.5, n_distinct = -1);
  ALTER TABLE t ADD later int DEFAULT 3; ALTER TABLE t DROP n; ALTER TABLE t ALTER s SET STATISTICS 7;
  INSERT INTO t (id) SELECT generate_series(1, 10);
  CREATE VIEW v AS SELECT id, s FROM t; CREATE MATERIALIZED VIEW m AS SELECT id FROM t; ALTER MATERIALIZED VIEW m ALTER id SET (n_distinct = 3);
  CREATE TYPE pair AS (a int, b text); CREATE INDEX ON t ((lower(s)), id);
  CREATE TABLE p (i int, k text) PARTITION BY LIST (k); CREATE TABLE p1 PARTITION OF p FOR VALUES IN ('x'); CREATE TABLE child (c int) INHERITS (t);
  CREATE FUNCTION body() RETURNS text LANGUAGE plpgsql AS $$ BEGIN
    -- ALTER TABLE ONLY public.t ALTER COLUMN s SET (pg_attver=7);
    RETURN 'ALTER TABLE ONLY public.t ALTER COLUMN s SET (pg_attver=7);'; END $$;
  COMMENT ON TABLE t IS 'ALTER TABLE ONLY public.t ALTER COLUMN s SET (pg_attver=7);
ALTER TABLE ONLY public.t ALTER COLUMN s SET (n_distinct=5, pg_attver=7);';
)sql";

constexpr const char* kOptionsOfUsers =
    "SELECT string_agg(format('%s %s %s', attrelid::regclass, attname, options), ', ' ORDER BY "
    "attrelid::regclass::text, attname)"
    " FROM pg_attribute, LATERAL (SELECT string_agg(o, ' ' ORDER BY o) AS options FROM unnest(attoptions) o"
    " WHERE o NOT LIKE 'pg\\_attver%') u WHERE options IS NOT NULL AND NOT attisdropped";

class ClientPrograms : public CaseTest {
 protected:
  void expect_right_copy() const {
    expect_same_answer("SELECT count(*) FROM t");
    expect_same_answer(kOptionsOfUsers);
    expect_same_answer("SELECT body() || prosrc FROM pg_proc WHERE proname = 'body'");
    expect_same_answer("SELECT obj_description('t'::regclass)");
    expect_same_answer(
        "SELECT column_default FROM information_schema.columns WHERE table_name = 't' AND column_name = 's'");
  }
};

TEST_F(ClientPrograms, OlderThanTheSourcesMinorReleaseWriteNothingThatTheTargetDoesNotKnow) {
  for (const auto& [to, dump] : std::vector<std::pair<int, int>>{{18, 18}, {15, 18}, {17, 17}}) {
    SCOPED_TRACE(fmt::format("15 to {} with pg_dump {}", to, dump));
    if (!between(15, to)) GTEST_SKIP() << kNoDownloads;
    use_pg_bindir(server_programs(dump));
    make(kRelations);
    const SubprocessResult cloned = clone({"--verify"});
    EXPECT_EQ(cloned.exit_code, 0) << said(cloned);
    expect_right_copy();
    const SubprocessResult compared = compare_schema();
    EXPECT_EQ(compared.exit_code, 0) << said(compared);
  }
}

TEST_F(ClientPrograms, OlderThanTheSourcesMinorReleaseAreAWarning) {
  if (!between(15, 15)) GTEST_SKIP() << kNoDownloads;
  use_pg_bindir(server_programs(18));
  if (pg_bindir().empty()) GTEST_SKIP() << kNoDownloads;
  make("CREATE TABLE t (i int)");
  EXPECT_THAT(said(clone()), ContainsRegex("pg_dump[^\n]*18[.]6"));
}

// A newer one that comes first in PATH is not the better one.
TEST_F(ClientPrograms, ThatFitTheSourceBestAreChosenAndNamed) {
  const std::filesystem::path newer = server_programs(18);
  if (newer.empty()) GTEST_SKIP() << kNoDownloads;
  make(kRelations);
  const char* path = std::getenv("PATH");
  const SubprocessResult cloned =
      run({"clone", "--source", source().conninfo(kDatabase), "--target", target().conninfo(kDatabase), "--notice"},
          {{"PATH", newer.string() + ":" + (path == nullptr ? "/usr/bin:/bin" : path)}});
  EXPECT_EQ(cloned.exit_code, 0) << said(cloned);
  EXPECT_THAT(said(cloned), ContainsRegex("pg_dump[^\n]*15[.]"));
  EXPECT_THAT(said(cloned), Not(HasSubstr("pg_attver")));
  expect_right_copy();
}

}  // namespace
}  // namespace pgsluice::test
