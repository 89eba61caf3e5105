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

TEST_F(OrphanRows, HaveAMessageThatSaysWhatToDoOnWhichSide) {
  EXPECT_THAT(said_, ContainsRegex("on the source"));
  EXPECT_THAT(said_, ContainsRegex("on the target"));
  EXPECT_THAT(said_, HasSubstr("--not-consistent"));
}

TEST_F(OrphanRows, GetParentsThatWereAddedOnTheSource) {
  source().sql(kDatabase, "INSERT INTO parent VALUES (3, 'three'), (4, 'four')");
  expect_complete({"--resume", "--not-consistent"});
  expect_same_answer("SELECT string_agg(parent::text, ',' ORDER BY id) FROM parent");
  expect_same_answer("SELECT string_agg(child::text, ',' ORDER BY id) FROM child");
}

TEST_F(OrphanRows, AreGoneAfterTheyWereDeletedOnTheSource) {
  source().sql(kDatabase, "DELETE FROM child WHERE parent > 2");
  expect_complete({"--resume", "--not-consistent"});
  expect_same_answer("SELECT string_agg(child::text, ',' ORDER BY id) FROM child");
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

TEST_F(Interrupted, ContinuesAfterAWriteToAnotherDatabaseOfTheServer) {
  mend();
  source().create_database("cases_other");
  source().sql("cases_other", "CREATE TABLE of_others (i int); INSERT INTO of_others SELECT generate_series(1, 100)");
  source().sql("postgres", "CREATE ROLE c27_other; DROP ROLE c27_other");
  const SubprocessResult resumed = clone({"--resume"});
  EXPECT_EQ(resumed.exit_code, 0) << said(resumed);
  EXPECT_EQ(at_target("SELECT count(*) FROM bad"), "10");
  source().sql("postgres", "DROP DATABASE cases_other");
}

TEST_F(Interrupted, DoesNotCallTablesTextThatHadCrossedInBinary) {
  ASSERT_THAT(line_of(first_output_, "public.fine"), HasSubstr("binary")) << first_output_;
  mend();
  const SubprocessResult resumed = clone({"--resume", "--copy-format", "text"});
  if (resumed.exit_code != 0) {
    EXPECT_THAT(said(resumed), HasSubstr("--copy-format"));
    return;
  }
  EXPECT_THAT(line_of(resumed.output, "public.fine"), Not(HasSubstr("text"))) << resumed.output;
  EXPECT_EQ(at_target("SELECT count(*) FROM bad"), "10");
}

// After exit code 22 nothing is left to be read but a key of the target: a shared server writes all the time.
TEST_F(OrphanRows, MayBeMendedOnTheTargetAlthoughAnotherDatabaseWasWritten) {
  source().sql("postgres", "CREATE TABLE of_another_database (i int); DROP TABLE of_another_database");
  target().sql(kDatabase, "DELETE FROM child WHERE parent > 2");
  expect_complete({"--resume"});
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

}  // namespace
}  // namespace pgsluice::test
