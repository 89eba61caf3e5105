// What a user does after a clone that has ended with something missing, and whether it then ends well.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <signal.h>

#include <chrono>
#include <regex>

#include "base/wait.h"
#include "tests/cases/case_fixture.h"
#include "tests/support/wait_until.h"

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

// After exit code 22 nothing is left to be read but a key of the target: a shared server writes all the time.
TEST_F(OrphanRows, MayBeMendedOnTheTargetAlthoughAnotherDatabaseWasWritten) {
  source().sql("postgres", "CREATE TABLE of_another_database (i int); DROP TABLE of_another_database");
  target().sql(kDatabase, "DELETE FROM child WHERE parent > 2");
  expect_complete({"--resume"});
}

// Whoever mends them there may go on with either; rows that are mended on the target stay as they are.
TEST_F(OrphanRows, StayMendedOnTheTargetWhereTheSourceHasChanged) {
  source().sql(kDatabase, "INSERT INTO parent VALUES (5, 'five'); INSERT INTO child VALUES (14, 5)");
  target().sql(kDatabase, "DELETE FROM child WHERE parent > 2");
  expect_complete({"--resume", "--not-consistent"});
  EXPECT_EQ(at_target("SELECT string_agg(id::text, ',' ORDER BY id) FROM child"), "10,13");
}

// Keys and triggers that exist by then are dropped before the tables are loaded, and made again afterwards.
TEST_F(OrphanRows, AreCopiedAgainBelowKeysAndTriggersThatAreThere) {
  make(
      "CREATE TABLE parent (id int PRIMARY KEY, name text, grand int); INSERT INTO parent VALUES (1, 'one', NULL);"
      "CREATE TABLE child (id int PRIMARY KEY, parent int CONSTRAINT child_of_parent REFERENCES parent);"
      "CREATE TABLE other (id int CONSTRAINT other_of_parent REFERENCES parent, child int REFERENCES child);"
      "CREATE TABLE heard (what text); INSERT INTO other VALUES (1, NULL);"
      "CREATE FUNCTION hear() RETURNS trigger LANGUAGE plpgsql AS"
      " $$ BEGIN INSERT INTO public.heard VALUES (TG_TABLE_NAME); RETURN NEW; END $$;"
      "CREATE MATERIALIZED VIEW names AS SELECT name FROM parent;"
      "SET session_replication_role = replica; INSERT INTO child VALUES (10, 1), (11, 3);"
      "CREATE TRIGGER heard AFTER INSERT ON parent FOR EACH ROW EXECUTE FUNCTION hear();"
      "CREATE TRIGGER heard AFTER INSERT ON child FOR EACH ROW EXECUTE FUNCTION hear();"
      "COMMENT ON TRIGGER heard ON parent IS 'of a trigger';"
      "COMMENT ON CONSTRAINT other_of_parent ON other IS 'of a key'");
  ASSERT_EQ(clone().exit_code, 22);
  source().sql(kDatabase,
               "SET session_replication_role = replica; INSERT INTO parent VALUES (3, 'three', NULL);"
               "REFRESH MATERIALIZED VIEW names");
  const SubprocessResult resumed = clone({"--resume", "--not-consistent"});
  EXPECT_EQ(resumed.exit_code, 0) << said(resumed);
  for (const char* query :
       {kKeys, "SELECT string_agg(parent::text, ',' ORDER BY id) FROM parent", "SELECT count(*) FROM heard",
        "SELECT string_agg(tgrelid::regclass || tgname || tgenabled::text, ',' ORDER BY tgrelid::regclass::text)"
        " FROM pg_trigger WHERE NOT tgisinternal",
        "SELECT string_agg(name, ',' ORDER BY name) FROM names",
        "SELECT string_agg(description, ',' ORDER BY description) FROM pg_description WHERE description LIKE 'of a "
        "%'"}) {
    expect_same_answer(query);
  }
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

// It is read now, and nothing of it was before.
TEST_F(Interrupted, ContinuesAfterAWriteToATableThatWasNotCopied) {
  mend();
  source().sql(kDatabase, "INSERT INTO bad VALUES (11)");
  const SubprocessResult resumed = clone({"--resume"});
  EXPECT_EQ(resumed.exit_code, 0) << said(resumed);
  EXPECT_EQ(at_target("SELECT count(*) FROM bad"), "11");
}

TEST_F(Interrupted, IsRefusedAfterARowWasDeleted) {
  mend();
  source().sql(kDatabase, "DELETE FROM fine WHERE id = 7");
  const SubprocessResult resumed = clone({"--resume"});
  EXPECT_THAT(resumed.exit_code, Not(AnyOf(0, 12, 124))) << said(resumed);
  EXPECT_THAT(said(resumed), HasSubstr("public.fine"));
}

// A snapshot does not name subtransactions, whose rows are older than it by their number.
TEST_F(Interrupted, IsRefusedAfterASubtransactionThatWasOpenHasWritten) {
  pg::Connection writer = source().connect(kDatabase);
  writer.execute("BEGIN; SELECT txid_current(); SAVEPOINT a; UPDATE fine SET n = 0 WHERE id = 1; RELEASE a");
  source().sql("postgres", "CREATE TABLE of_another_database (i int); DROP TABLE of_another_database");
  target().sql("postgres", "DROP DATABASE cases");
  target().sql("postgres", "CREATE DATABASE cases TEMPLATE template0");
  ASSERT_EQ(clone().exit_code, 22);
  writer.execute("COMMIT");
  mend();
  const SubprocessResult resumed = clone({"--resume"});
  EXPECT_THAT(resumed.exit_code, Not(AnyOf(0, 12, 124))) << said(resumed);
  EXPECT_THAT(said(resumed), HasSubstr("public.fine"));
}

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
    EXPECT_THAT(said(resumed), HasSubstr("verify (was not given, is given)"));
  }
}

// The parent is made only now, and has to be filled as well.
TEST_F(CaseTest, AResumeGoesOnWhereTheParentOfAKeyCouldNotBeMade) {
  make(
      "CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE c (id int REFERENCES p); INSERT INTO p VALUES (1), (2);"
      "INSERT INTO c VALUES (1)");
  target().sql(kDatabase,
               "CREATE FUNCTION refuse() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN IF EXISTS (SELECT FROM"
               " pg_event_trigger_ddl_commands() WHERE object_identity = 'public.p') THEN RAISE 'no p'; END IF; END $$;"
               "CREATE EVENT TRIGGER refuse ON ddl_command_end EXECUTE FUNCTION refuse()");
  const SubprocessResult cloned = clone();
  ASSERT_EQ(cloned.exit_code, 22) << said(cloned);
  target().sql(kDatabase, "DROP EVENT TRIGGER refuse; DROP FUNCTION refuse");
  source().sql(kDatabase, "INSERT INTO c VALUES (2)");
  const SubprocessResult resumed = clone({"--resume", "--not-consistent"});
  EXPECT_EQ(resumed.exit_code, 0) << said(resumed);
  EXPECT_EQ(
      at_target("SELECT concat_ws(' ', (SELECT count(*) FROM p), convalidated) FROM pg_constraint WHERE contype = 'f'"),
      "2 t");
}

// A key that was not reached yet is no key that rows kept from being made.
TEST_F(CaseTest, AResumeAfterCtrlCKeepsTablesThatAreWhole) {
  make(
      "CREATE TABLE whole (id int PRIMARY KEY, n int); INSERT INTO whole SELECT g, 0 FROM generate_series(1, 1000) g;"
      "CREATE FUNCTION wait() RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN"
      " PERFORM pg_advisory_xact_lock_shared(4711); RETURN 1; END $$;"
      "CREATE TABLE slow (i int, j int CHECK (i + wait() > 0)); INSERT INTO slow VALUES (1)");
  const pg::Connection gate = [&] {
    pg::Connection session = target().connect("cases", Side::kTarget);
    session.execute("SELECT pg_advisory_lock(4711)");
    return session;
  }();
  Subprocess process(
      {.command = {PGSLUICE_PROGRAM, "clone", "--progress", "none", "--dir", (folder_.path() / "run").string(),
                   "--source", source().conninfo(kDatabase), "--target", target().conninfo(kDatabase)},
       .environment = {{"TMPDIR", folder_.path().string()}}});
  const bool is_loaded =
      wait_until([&] { return at_target("SELECT count(*) FROM pgsluice.part").substr(0, 1) == "1"; });
  ::kill(process.pid(), SIGINT);
  EXPECT_EQ(process.wait({}).exit_code, 130);
  ASSERT_TRUE(is_loaded);
  source().sql(kDatabase, "UPDATE whole SET n = 1 WHERE id = 1");
  target().sql("postgres", "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'");
  const SubprocessResult resumed = clone({"--resume", "--not-consistent", "--dir", (folder_.path() / "run").string()});
  EXPECT_EQ(resumed.exit_code, 0) << said(resumed);
  EXPECT_EQ(at_target("SELECT sum(n) FROM whole"), "0") << "it was whole, and stays as it was";
  EXPECT_EQ(at_target("SELECT count(*) FROM pg_constraint WHERE conname = 'whole_pkey'"), "1");
}

// A CHECK that rows of the source do not pass: its function was another one when they came.
class RefusingCheck : public CaseTest {
 protected:
  static constexpr const char* kChecks =
      "SELECT string_agg(conname || ' ' || convalidated, ',' ORDER BY conname) FROM pg_constraint WHERE contype = 'c'"
      " AND conrelid::regclass::text IN ('t', 'u')";

  void SetUp() override {
    make(
        "CREATE FUNCTION is_small(i int) RETURNS bool LANGUAGE sql IMMUTABLE AS 'SELECT true';"
        "CREATE TABLE t (i int PRIMARY KEY, CONSTRAINT small CHECK (is_small(i)));"
        "INSERT INTO t SELECT generate_series(1, 10);"
        "CREATE OR REPLACE FUNCTION is_small(i int) RETURNS bool LANGUAGE sql IMMUTABLE AS 'SELECT $1 < 9';"
        "CREATE TABLE u (i int CONSTRAINT positive CHECK (i > 0)); INSERT INTO u VALUES (1);"
        "ALTER TABLE u ADD CONSTRAINT unproven CHECK (i > 5) NOT VALID");
    expect_incomplete(clone());
  }
  void expect_incomplete(const SubprocessResult& run) const {
    EXPECT_EQ(run.exit_code, 22) << said(run);
    EXPECT_THAT(said(run), HasSubstr("check constraint small of public.t"));
    EXPECT_EQ(at_target("SELECT count(*) FROM t"), "10");
    EXPECT_EQ(at_target(kChecks), "positive true,small false,unproven false");
  }
};

TEST_F(RefusingCheck, IsRefusedAgainAsLongAsNobodyMendsItsRows) {
  for (int again = 0; again < 2; ++again) expect_incomplete(clone({"--resume"}));
}

TEST_F(RefusingCheck, HoldsAfterItsRowsWereMendedOnTheTarget) {
  target().sql(kDatabase, "DELETE FROM t WHERE i >= 9");
  const SubprocessResult resumed = clone({"--resume"});
  EXPECT_EQ(resumed.exit_code, 0) << said(resumed);
  EXPECT_EQ(at_target(kChecks), "positive true,small true,unproven false");
}

TEST_F(RefusingCheck, HoldsAfterItsRowsWereMendedOnTheSource) {
  source().sql(kDatabase, "UPDATE t SET i = i - 20 WHERE i >= 9");
  const SubprocessResult resumed = clone({"--resume", "--not-consistent"});
  EXPECT_EQ(resumed.exit_code, 0) << said(resumed);
  EXPECT_EQ(at_target(kChecks), "positive true,small true,unproven false");
  expect_same_answer("SELECT string_agg(i::text, ',' ORDER BY i) FROM t");
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

// Of a key to a partitioned table: before 18 it cannot be added first and validated later.
TEST_F(CaseTest, OrphansOfAKeyToAPartitionedTableAreShownAndMended) {
  for (const int version : {15, 18}) {
    SCOPED_TRACE(version);
    if (!between(15, version)) GTEST_SKIP() << kNoDownloads;
    make(
        "CREATE TABLE par (a int PRIMARY KEY) PARTITION BY LIST (a); CREATE TABLE par1 PARTITION OF par FOR VALUES IN "
        "(1);"
        "INSERT INTO par VALUES (1); CREATE TABLE chi (a int, CONSTRAINT cfk FOREIGN KEY (a) REFERENCES par);"
        "SET session_replication_role = replica; INSERT INTO chi VALUES (1), (9)");
    const std::string dir = (folder_.path() / std::to_string(version)).string();
    const SubprocessResult cloned = clone({"--dir", dir});
    EXPECT_EQ(cloned.exit_code, 22) << said(cloned);
    EXPECT_THAT(said(cloned), HasSubstr("1 row has no parent: the key is there, but NOT VALID"));
    EXPECT_EQ(at_target("SELECT convalidated FROM pg_constraint WHERE conname = 'cfk'"), "f");
    target().sql(kDatabase, "DELETE FROM chi WHERE a = 9");
    const SubprocessResult resumed = clone({"--dir", dir, "--resume"});
    EXPECT_EQ(resumed.exit_code, 0) << said(resumed);
    EXPECT_EQ(at_target("SELECT convalidated FROM pg_constraint WHERE conname = 'cfk'"), "t");
    make(
        "CREATE TABLE par (a int PRIMARY KEY) PARTITION BY LIST (a); CREATE TABLE par1 PARTITION OF par FOR VALUES IN "
        "(1);"
        "CREATE TABLE chi (a int, CONSTRAINT cfk FOREIGN KEY (a) REFERENCES par);"
        "SET session_replication_role = replica; INSERT INTO chi VALUES (9)");
    const SubprocessResult allowed = clone({"--allow-orphans", "--dir", dir + "-allowed"});
    EXPECT_EQ(allowed.exit_code, 0) << said(allowed);
    EXPECT_EQ(at_target("SELECT convalidated FROM pg_constraint WHERE conname = 'cfk'"), "f");
  }
}

// A partition that came, owners and a view that changed, while an orphan was mended.
TEST_F(CaseTest, AResumeOnAChangedSourceTakesWhatItCanAndNamesTheRest) {
  if (!between(15, 18)) GTEST_SKIP() << kNoDownloads;
  for (const Cluster* server : {&source(), &target()}) {
    server->sql("postgres", "DROP DATABASE IF EXISTS cases");
    server->sql("postgres", "DROP ROLE IF EXISTS chg_one, chg_two; CREATE ROLE chg_one; CREATE ROLE chg_two");
  }
  make(R"sql(
    CREATE TABLE ev (id int, d int, PRIMARY KEY (id, d)) PARTITION BY LIST (d);
    CREATE TABLE ev1 PARTITION OF ev FOR VALUES IN (1); CREATE INDEX ev_d_idx ON ev (d); INSERT INTO ev VALUES (1, 1);
    CREATE TABLE pa (a int PRIMARY KEY); CREATE TABLE ch (a int, CONSTRAINT fk FOREIGN KEY (a) REFERENCES pa);
    CREATE VIEW vv AS SELECT 1 AS a; CREATE FUNCTION ff() RETURNS int LANGUAGE sql AS 'SELECT 1';
    SET session_replication_role = replica; INSERT INTO ch VALUES (5))sql");
  EXPECT_EQ(clone().exit_code, 22);
  source().sql(kDatabase, R"sql(
    INSERT INTO pa VALUES (5); CREATE TABLE ev2 PARTITION OF ev FOR VALUES IN (2); INSERT INTO ev VALUES (2, 2);
    ALTER TABLE ev OWNER TO chg_one; ALTER FUNCTION ff() OWNER TO chg_two;
    CREATE OR REPLACE VIEW vv AS SELECT 1 AS a, 2 AS b)sql");
  const SubprocessResult resumed = clone({"--resume", "--not-consistent"});
  EXPECT_EQ(resumed.exit_code, 22) << said(resumed);
  EXPECT_THAT(said(resumed), HasSubstr("DROP VIEW public.vv on the target"));
  EXPECT_THAT(said(resumed), Not(HasSubstr("ev2_")));
  target().sql(kDatabase, "DROP VIEW vv");
  const SubprocessResult again = clone({"--resume", "--not-consistent"});
  EXPECT_EQ(again.exit_code, 0) << said(again);
  const SubprocessResult schema = compare_schema();
  EXPECT_EQ(schema.exit_code, 0) << said(schema);
  EXPECT_EQ(compare_data().exit_code, 0);
  for (const Cluster* server : {&source(), &target()}) {
    server->sql("postgres", "DROP DATABASE cases");
    server->sql("postgres", "DROP ROLE chg_one, chg_two");
  }
}

// What changes no row and no definition.
TEST_F(Interrupted, ContinuesAfterTheSourcesTablesWereRewritten) {
  for (const char* maintenance : {"REINDEX DATABASE cases", "VACUUM FULL", "ANALYZE"}) {
    source().sql(kDatabase, maintenance);
  }
  mend();
  const SubprocessResult resumed = clone({"--resume"});
  EXPECT_EQ(resumed.exit_code, 0) << said(resumed);
}

TEST_F(CaseTest, AResumeOfWhatIsDoneLooksAtItsOwnDatabaseOnly) {
  make(
      "CREATE TABLE t (i int PRIMARY KEY); INSERT INTO t SELECT generate_series(1, 100); CREATE MATERIALIZED VIEW m AS"
      " SELECT count(*) FROM t");
  ASSERT_EQ(clone().exit_code, 0);
  source().sql("postgres", "CREATE TABLE IF NOT EXISTS elsewhere (i int); INSERT INTO elsewhere VALUES (1)");
  source().sql(kDatabase, "ANALYZE");
  source().sql(kDatabase, "REFRESH MATERIALIZED VIEW m");
  const SubprocessResult again = clone({"--resume"});
  EXPECT_EQ(again.exit_code, 0) << said(again);
  EXPECT_THAT(said(again), HasSubstr("nothing is left to do"));
  source().sql(kDatabase, "UPDATE t SET i = 1000 WHERE i = 7");
  const SubprocessResult refused = clone({"--resume"});
  EXPECT_NE(refused.exit_code, 0);
  EXPECT_THAT(said(refused), HasSubstr("the source has changed since"));
  source().sql("postgres", "DROP TABLE elsewhere");
}

}  // namespace
}  // namespace pgsluice::test
