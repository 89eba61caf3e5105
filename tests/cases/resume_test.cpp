// What a user does after a clone that has ended with something missing, and whether it then ends well.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <signal.h>

#include <chrono>
#include <regex>

#include "cases/case_fixture.h"
#include "pgsluice/base/wait.h"
#include "support/wait_until.h"

namespace pgsluice::test {
namespace {

using ::testing::AnyOf;
using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr const char* kKeys =
    "SELECT string_agg(conname || ' ' || convalidated, ',' ORDER BY conname) FROM pg_constraint WHERE contype = 'f'";

class OrphanRows : public CaseTest {
 protected:
  void SetUp() override {
    make(
        "CREATE TABLE parent (id int PRIMARY KEY, name text); INSERT INTO parent VALUES (1, 'one'), (2, 'two');"
        "CREATE TABLE child (id int, parent int CONSTRAINT child_of_parent REFERENCES parent);"
        "SET session_replication_role = replica; INSERT INTO child VALUES (10, 1), (11, 3), (12, 4), (13, NULL)");
    const SubprocessResult cloned = clone();
    ASSERT_EQ(cloned.exit_code, 22) << said(cloned);
    said_ = said(cloned);
  }
  void expect_complete(std::vector<std::string> more) const {
    const SubprocessResult resumed = clone(std::move(more));
    EXPECT_EQ(resumed.exit_code, 0) << said(resumed);
    EXPECT_EQ(at_target(kKeys), "child_of_parent true");
  }
  std::string said_;
};

TEST_F(OrphanRows, AreShownByTheQueryThatTheMessagePrints) {
  std::smatch found;
  // Up to the end of the condition, whose parentheses are closed.
  ASSERT_TRUE(std::regex_search(said_, found, std::regex(R"(SELECT [^;\n]*FROM ONLY [^;\n]*)"))) << said_;
  std::string query = found[0];
  int open = 0;
  std::size_t end = 0;
  for (std::size_t i = 0; i < query.size() && open >= 0; ++i) {
    if (query[i] == '(') ++open;
    if (query[i] == ')' && --open == 0) end = i + 1;
  }
  query.resize(end);
  EXPECT_EQ(at_target(fmt::format("SELECT count(*) FROM ({}) q", query)), "2") << query;
  EXPECT_THAT(at_target(fmt::format("SELECT string_agg(q::text, ' ' ORDER BY q::text) FROM ({}) q", query)),
              ContainsRegex("3.*4"))
      << query;
}

TEST_F(OrphanRows, GetParentsThatWereAddedOnTheTarget) {
  target().sql(kDatabase, "INSERT INTO parent VALUES (3, 'three'), (4, 'four')");
  expect_complete({"--resume"});
}

TEST_F(OrphanRows, AreGoneAfterTheyWereDeletedOnTheTarget) {
  target().sql(kDatabase, "DELETE FROM child WHERE parent > 2");
  expect_complete({"--resume"});
}

// A clone whose table "bad" fails until the target's function is mended.
class Interrupted : public CaseTest {
 protected:
  void SetUp() override {
    make(fmt::format(
        "CREATE FUNCTION only_there(i int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN"
        " IF current_setting('port') <> '{}' THEN RAISE EXCEPTION 'not on this server'; END IF; RETURN i; END $$;"
        "CREATE TABLE bad (i int, j int GENERATED ALWAYS AS (only_there(i)) STORED);"
        "INSERT INTO bad SELECT generate_series(1, 10);"
        "CREATE TABLE fine (id int PRIMARY KEY, n int); INSERT INTO fine SELECT g, g FROM generate_series(1, 500) g",
        source().port()));
    const SubprocessResult cloned = clone();
    ASSERT_EQ(cloned.exit_code, 22) << said(cloned);
    first_output_ = cloned.output;
  }
  void mend() const {
    target().sql(kDatabase,
                 "CREATE OR REPLACE FUNCTION only_there(i int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS"
                 " $$ BEGIN RETURN i; END $$");
  }
  // The line of a table in the summary.
  static std::string line_of(const std::string& output, const std::string& table) {
    const std::size_t begin = output.find(table + " ");
    return begin == std::string::npos ? "" : output.substr(begin, output.find('\n', begin) - begin);
  }
  std::string first_output_;
};

TEST_F(Interrupted, IsRefusedAfterAWriteToItsOwnDatabase) {
  mend();
  source().sql(kDatabase, "INSERT INTO bad VALUES (11); UPDATE fine SET n = 0 WHERE id = 1");
  const SubprocessResult resumed = clone({"--resume"});
  EXPECT_THAT(resumed.exit_code, Not(AnyOf(0, 12, 124))) << said(resumed);
  EXPECT_THAT(said(resumed), HasSubstr("--not-consistent"));
}

TEST_F(Interrupted, IsRefusedAfterADefinitionOfItsOwnDatabaseHasChanged) {
  mend();
  source().sql(kDatabase, "ALTER TABLE bad ADD more text");
  const SubprocessResult resumed = clone({"--resume"});
  EXPECT_THAT(resumed.exit_code, Not(AnyOf(0, 12, 124))) << said(resumed);
}

TEST_F(Interrupted, IsNotAskedForAnOptionThatNobodyGave) {
  mend();
  const SubprocessResult resumed = clone({"--resume", "--verify"});
  EXPECT_THAT(said(resumed), Not(HasSubstr("--copy-format")));
  if (resumed.exit_code == 0) {
    EXPECT_EQ(at_target("SELECT count(*) FROM bad"), "10");
  } else {
    EXPECT_THAT(said(resumed), HasSubstr("--verify"));
  }
}

class CtrlC : public CaseTest {
 protected:
  // Ends the command by SIGINT while a statement of it waits for a lock, and returns what became of it.
  SubprocessResult interrupt(const std::vector<std::string>& words, std::chrono::milliseconds& took) const {
    pg::Connection holder = source().connect(kDatabase);
    holder.execute("BEGIN; LOCK TABLE t IN ACCESS EXCLUSIVE MODE");
    std::vector<std::string> command = {PGSLUICE_PROGRAM};
    command.insert(command.end(), words.begin(), words.end());
    command.insert(command.end(), {"--source", source().conninfo(kDatabase), "--target", target().conninfo(kDatabase)});
    Subprocess process({.command = command, .environment = {{"TMPDIR", folder_.path().string()}}});
    EXPECT_TRUE(wait_until([&] {
      return source().value("postgres", "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'") != "0";
    }));
    const auto begin = std::chrono::steady_clock::now();
    ::kill(process.pid(), SIGINT);
    const SubprocessResult result = process.wait({});
    took = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - begin);
    return result;
  }
};

TEST_F(CtrlC, EndsACloneAndADryRunWhileTheirPlanIsMade) {
  for (const std::vector<std::string>& words :
       std::vector<std::vector<std::string>>{{"clone"}, {"clone", "--dry-run"}}) {
    make("CREATE TABLE t (i int PRIMARY KEY); INSERT INTO t VALUES (1)");
    std::chrono::milliseconds took{};
    const SubprocessResult ended = interrupt(words, took);
    EXPECT_EQ(ended.exit_code, 130) << said(ended);
    EXPECT_LT(took, std::chrono::seconds(5));
  }
}

// The plan of 1,211 partitions took ten seconds of computing.
TEST_F(CtrlC, EndsADryRunOfManyPartitions) {
  make_from_file("partition-tree.sql");
  Subprocess process({.command = {PGSLUICE_PROGRAM, "clone", "--dry-run", "--source", source().conninfo(kDatabase),
                                  "--target", target().conninfo(kDatabase)},
                      .environment = {{"TMPDIR", folder_.path().string()}}});
  wait_for({}, {}, std::chrono::seconds(5));
  const auto begin = std::chrono::steady_clock::now();
  // It may have ended by itself before.
  ::kill(process.pid(), SIGINT);
  const SubprocessResult ended = process.wait({});
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(2)) << ended.errors;
  EXPECT_THAT(ended.exit_code, AnyOf(0, 130)) << ended.errors;
}

}  // namespace
}  // namespace pgsluice::test
