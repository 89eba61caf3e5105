// Poolers that give each transaction, or each statement, another session of the server.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include "tests/cases/case_fixture.h"
#include "tests/cases/pooler.h"

namespace pgsluice::test {
namespace {

using ::testing::ContainsRegex;
using ::testing::Each;
using Mode = Pooler::Mode;

constexpr const char* kFresh = "\"$user\", public, on, ISO, MDY, read committed";
constexpr const char* kTakesOptions = "ignore_startup_parameters = extra_float_digits, options";

class PoolerModes : public CaseTest {
 protected:
  void SetUp() override {
    if (!Pooler::is_installed()) GTEST_SKIP() << kNoPooler;
    make(
        "CREATE TABLE t (i int PRIMARY KEY, s text); INSERT INTO t SELECT g, 'x' FROM generate_series(1, 2000) g;"
        "CREATE TABLE u (i int); INSERT INTO u VALUES (1); CREATE INDEX ON t (s); CREATE VIEW v AS TABLE t;"
        "CREATE MATERIALIZED VIEW m AS SELECT count(*) FROM t");
  }

  static std::vector<std::string> command(const std::vector<std::string>& words, const std::string& from,
                                          const std::string& to) {
    std::vector<std::string> arguments = words;
    arguments.insert(arguments.end(), {"--source", from, "--target", to});
    return arguments;
  }

  static void expect_named(const SubprocessResult& refused) {
    EXPECT_NE(refused.exit_code, 0) << said(refused);
    EXPECT_NE(refused.exit_code, 124) << "it was still running after the limit\n" << said(refused);
    EXPECT_THAT(said(refused), ContainsRegex("[Pp]ool|PgBouncer"));
  }

  void expect_untouched_target() const {
    EXPECT_EQ(at_target("SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace"
                        " WHERE nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')"),
              "0");
    EXPECT_EQ(at_target("SELECT count(*) FROM pg_namespace WHERE nspname = 'pgsluice'"), "0");
  }

  void expect_refused_on_the_source(Mode mode, const std::vector<std::string>& settings = {}) const {
    for (const std::vector<std::string>& words :
         std::vector<std::vector<std::string>>{{"check"}, {"clone"}, {"copy", "schema"}, {"compare", "data"}}) {
      SCOPED_TRACE(words.back());
      const Pooler pooler(source(), mode, {}, settings);
      expect_named(run(command(words, pooler.conninfo(kDatabase), target().conninfo(kDatabase))));
      expect_untouched_target();
      EXPECT_THAT(pooler.settings_of_sessions(kDatabase), Each(kFresh));
    }
  }

  void expect_refused_on_the_target(Mode mode, const std::vector<std::string>& settings = {}) const {
    for (const std::vector<std::string>& words :
         std::vector<std::vector<std::string>>{{"check"}, {"clone"}, {"copy", "schema"}}) {
      SCOPED_TRACE(words.back());
      const Pooler pooler(target(), mode, {}, settings);
      expect_named(run(command(words, source().conninfo(kDatabase), pooler.conninfo(kDatabase))));
      expect_untouched_target();
      EXPECT_THAT(pooler.settings_of_sessions(kDatabase), Each(kFresh));
    }
  }
};

TEST_F(PoolerModes, TransactionModeBeforeTheSourceIsRefusedByNameAndLeavesItsSessionsAsTheyWere) {
  expect_refused_on_the_source(Mode::kTransaction);
}

TEST_F(PoolerModes, TransactionModeBeforeTheTargetIsRefusedByNameAndLeavesItsSessionsAsTheyWere) {
  expect_refused_on_the_target(Mode::kTransaction);
}

TEST_F(PoolerModes, TransactionModeIsNoticedAlsoWhereThePoolerTakesStartupOptions) {
  expect_refused_on_the_source(Mode::kTransaction, {kTakesOptions});
  expect_refused_on_the_target(Mode::kTransaction, {kTakesOptions});
}

// One session of the server serves all clients then: its process id alone tells nothing.
TEST_F(PoolerModes, TransactionModeIsNoticedWithAPoolOfOneSession) {
  const Pooler before_source(source(), Mode::kTransaction, {}, {"default_pool_size = 1"});
  expect_named(run(command({"check"}, before_source.conninfo(kDatabase), target().conninfo(kDatabase))));
  EXPECT_THAT(before_source.settings_of_sessions(kDatabase, 1), Each(kFresh));
  const Pooler before_target(target(), Mode::kTransaction, {}, {"default_pool_size = 1"});
  expect_named(run(command({"clone"}, source().conninfo(kDatabase), before_target.conninfo(kDatabase))));
  expect_untouched_target();
  EXPECT_THAT(before_target.settings_of_sessions(kDatabase, 1), Each(kFresh));
}

TEST_F(PoolerModes, StatementModeBeforeTheSourceIsRefusedByNameAtOnce) {
  const Pooler pooler(source(), Mode::kStatement);
  for (const char* word : {"check", "clone"}) {
    SCOPED_TRACE(word);
    expect_named(run(command({word}, pooler.conninfo(kDatabase), target().conninfo(kDatabase))));
    expect_untouched_target();
  }
  EXPECT_THAT(pooler.settings_of_sessions(kDatabase, 1), Each(kFresh));
}

TEST_F(PoolerModes, StatementModeBeforeTheTargetIsRefusedByNameAtOnce) {
  const Pooler pooler(target(), Mode::kStatement);
  for (const char* word : {"check", "clone"}) {
    SCOPED_TRACE(word);
    expect_named(run(command({word}, source().conninfo(kDatabase), pooler.conninfo(kDatabase))));
    expect_untouched_target();
  }
  EXPECT_THAT(pooler.settings_of_sessions(kDatabase, 1), Each(kFresh));
}

TEST_F(PoolerModes, AMigrationThroughTransactionModeIsRefusedBeforeAnythingIsDropped) {
  const Pooler pooler(source(), Mode::kTransaction);
  target().sql(kDatabase, "CREATE TABLE of_before (i int)");
  const Migrated migrated =
      migrate({{"SourceDBServerResourceId", fmt::format("127.0.0.1:{}@postgres", pooler.port())}});
  expect_named(migrated.result);
  EXPECT_EQ(at_target("SELECT to_regclass('of_before') IS NOT NULL"), "t");
  EXPECT_THAT(pooler.settings_of_sessions(kDatabase), Each(kFresh));
}

TEST_F(PoolerModes, SessionModeOnBothSidesCopiesAll) {
  for (const std::vector<std::string>& settings : std::vector<std::vector<std::string>>{{}, {kTakesOptions}}) {
    make(
        "CREATE TABLE t (i int PRIMARY KEY, s text); INSERT INTO t SELECT g, 'x' FROM generate_series(1, 2000) g;"
        "CREATE INDEX ON t (s); CREATE MATERIALIZED VIEW m AS SELECT count(*) FROM t");
    const Pooler before_source(source(), Mode::kSession, {}, settings);
    const Pooler before_target(target(), Mode::kSession, {}, settings);
    std::vector<std::string> words = {"clone", "--verify"};
    const SubprocessResult cloned =
        run(command(words, before_source.conninfo(kDatabase), before_target.conninfo(kDatabase)));
    EXPECT_EQ(cloned.exit_code, 0) << said(cloned);
    expect_same_answer("SELECT md5(string_agg(t::text, ',' ORDER BY i)) FROM t");
    EXPECT_THAT(before_source.settings_of_sessions(kDatabase), Each(kFresh));
    EXPECT_THAT(before_target.settings_of_sessions(kDatabase), Each(kFresh));
  }
}

}  // namespace
}  // namespace pgsluice::test
