// A clone that has not come to its end, and the next one into the same target.
#include <future>
#include <thread>

#include "pg/snapshot.h"
#include "pipeline/prepare/target_claim.h"
#include "tests/pipeline/clone_fixture.h"

namespace pgsluice::test {
namespace {

using pipeline::CloneOptions;
using pipeline::CloneSummary;
using pipeline::EarlierRun;

// A view that cannot be filled as long as the target's database says so: everything else is there then, and the ledger.
constexpr const char* kMayBreak = R"(
CREATE FUNCTION breaks() RETURNS int LANGUAGE plpgsql AS $$
BEGIN
  IF current_setting('test.broken', true) = 'yes' THEN RAISE 'broken'; END IF;
  RETURN 1;
END $$;
CREATE TABLE t AS SELECT generate_series(1, 1000) AS id;
CREATE TABLE cut (id int PRIMARY KEY, text text);
INSERT INTO cut SELECT g, repeat('x', 100) FROM generate_series(1, 3000) g;
CREATE MATERIALIZED VIEW v AS SELECT breaks();
)";

class Resume : public CloneFixture {
 protected:
  void make_half_a_clone(const std::function<void(CloneOptions&)>& change = {}, const std::string& more = "") {
    make("resume", kMayBreak + more);
    shared_target().sql("resume", "ALTER DATABASE resume SET test.broken = 'yes'");
    const CloneSummary summary = clone("resume", [&](CloneOptions& wanted) {
      wanted.database_properties = false;
      if (change) change(wanted);
    });
    ASSERT_EQ(summary.failed.size(), 1U) << failures(summary);
    ASSERT_NE(summary.failed[0].name.find("v"), std::string::npos);
  }

  void mend() { shared_target().sql("resume", "ALTER DATABASE resume RESET test.broken"); }

  CloneOptions next(EarlierRun earlier) const {
    CloneOptions wanted = options("resume");
    wanted.database_properties = false;
    wanted.earlier_run = earlier;
    return wanted;
  }

  CloneSummary run(const CloneOptions& wanted) { return pipeline::Clone(wanted, sink_).run(); }

  static std::string target(const std::string& query) { return shared_target().value("resume", query); }

  static bool has_ledger() { return target("SELECT to_regclass('pgsluice.run') IS NOT NULL") == "t"; }

  static void split_cut(CloneOptions& wanted) {
    wanted.split = {.when = copy::SplitOptions::When::kLarger, .size = {100 * 1024}};
  }

  // What a crash of the target does that has lost the last commits.
  static void lose(const std::string& table, const std::string& rows = "true") {
    shared_target().sql("resume", fmt::format("DELETE FROM {} WHERE {}", table, rows));
  }
  static std::string oid_of(const std::string& table) {
    return shared_source().value("resume", fmt::format("SELECT '{}'::regclass::oid", table));
  }
};

TEST_F(Resume, AHalfDoneCloneIsNotOverlooked) {
  make_half_a_clone();
  EXPECT_TRUE(has_ledger());
  const Error error = error_of(next(EarlierRun::kRefuse));
  EXPECT_EQ(error.kind(), ErrorKind::kState);
  EXPECT_TRUE(error.has(Remedy::kResume)) << error.describe();
  EXPECT_TRUE(error.is_unchanged());
  EXPECT_FALSE(target_changed_);
  EXPECT_TRUE(has_ledger());
}

TEST_F(Resume, DoesOnlyWhatIsMissing) {
  make_half_a_clone();
  mend();
  const std::string made = target("SELECT xmin FROM pg_class WHERE relname = 't'");
  const CloneSummary summary = run(next(EarlierRun::kResume));
  EXPECT_TRUE(summary.complete()) << failures(summary);
  EXPECT_EQ(summary.rows, 4000) << "what was there already counts in the summary";
  EXPECT_EQ(target("SELECT xmin FROM pg_class WHERE relname = 't'"), made);
  EXPECT_FALSE(has_ledger());
  EXPECT_EQ(differences("resume"), std::vector<std::string>());
}

TEST_F(Resume, LoadsAgainWhatTheTargetHasLost) {
  make_half_a_clone();
  mend();
  lose("t");
  shared_target().sql("resume", "DELETE FROM pgsluice.part WHERE relation = " + oid_of("t"));
  const CloneSummary summary = run(next(EarlierRun::kResume));
  EXPECT_TRUE(summary.complete()) << failures(summary);
  EXPECT_EQ(differences("resume"), std::vector<std::string>());
}

TEST_F(Resume, LoadsTheMissingPartsOfASplitTable) {
  make_half_a_clone(split_cut);
  mend();
  ASSERT_EQ(target("SELECT count(*) > 3 FROM pgsluice.part WHERE relation = " + oid_of("cut")), "t");
  const std::string low =
      target("SELECT low FROM pgsluice.part WHERE high IS NOT NULL AND low > 0 AND relation = " + oid_of("cut") +
             " ORDER BY low LIMIT 1");
  const std::string high = target("SELECT high FROM pgsluice.part WHERE low = " + low);
  lose("cut", fmt::format("id >= {} AND id < {}", low, high));
  shared_target().sql("resume", "DELETE FROM pgsluice.part WHERE low = " + low);
  CloneOptions wanted = next(EarlierRun::kResume);
  split_cut(wanted);
  const CloneSummary summary = run(wanted);
  EXPECT_TRUE(summary.complete()) << failures(summary);
  EXPECT_EQ(summary.rows, 4000);
  EXPECT_EQ(differences("resume"), std::vector<std::string>());
}

TEST_F(Resume, WantsTheOptionsOfTheFirstTime) {
  make_half_a_clone();
  CloneOptions wanted = next(EarlierRun::kResume);
  wanted.restore.acls = false;
  split_cut(wanted);
  const Error error = error_of(wanted);
  EXPECT_EQ(error.kind(), ErrorKind::kState);
  EXPECT_NE(error.describe().find("no-acl (was not given, is given)"), std::string::npos) << error.describe();
  EXPECT_NE(error.describe().find("split-tables-larger-than (was auto"), std::string::npos) << error.describe();
}

TEST_F(Resume, IsRefusedWhenTheSourceHasChanged) {
  make_half_a_clone();
  mend();
  lose("t");
  shared_target().sql("resume", "DELETE FROM pgsluice.part WHERE relation = " + oid_of("t"));
  shared_source().sql("resume", "INSERT INTO t VALUES (5000); INSERT INTO cut VALUES (5000)");
  const Error error = error_of(next(EarlierRun::kResume));
  EXPECT_EQ(error.kind(), ErrorKind::kState);
  EXPECT_EQ(error.remedies(), (std::vector{Remedy::kResumeInconsistent, Remedy::kStartOver})) << error.describe();
  EXPECT_TRUE(error.cannot_resume());
  EXPECT_EQ(target("SELECT count(*) FROM t"), "0");

  CloneOptions wanted = next(EarlierRun::kResume);
  wanted.not_consistent = true;
  const CloneSummary summary = run(wanted);
  EXPECT_TRUE(summary.complete()) << failures(summary);
  EXPECT_EQ(target("SELECT count(*) FROM t"), "1001") << "as it is now";
  EXPECT_EQ(target("SELECT count(*) FROM cut"), "3000") << "as it was";
}

TEST_F(Resume, ThatIsNotConsistentCopiesHalfATableAnew) {
  make_half_a_clone(split_cut);
  mend();
  const std::string low = target("SELECT min(low) FROM pgsluice.part WHERE high IS NOT NULL AND low > 0");
  shared_target().sql("resume",
                      "DELETE FROM pgsluice.part WHERE low = " + low);  // its rows are there twice, if appended
  shared_source().sql("resume", "UPDATE cut SET id = id + 10000 WHERE id < 500");
  CloneOptions wanted = next(EarlierRun::kResume);
  split_cut(wanted);
  wanted.not_consistent = true;
  const CloneSummary summary = run(wanted);
  EXPECT_TRUE(summary.complete()) << failures(summary);
  EXPECT_EQ(differences("resume"), std::vector<std::string>());
}

TEST_F(Resume, BeginsAnewWhereThereIsNothing) {
  make("resume", kMayBreak);
  EXPECT_TRUE(run(next(EarlierRun::kResume)).complete());
  EXPECT_EQ(differences("resume"), std::vector<std::string>());
}

TEST_F(Resume, OfWhatIsDoneDoesNothing) {
  make("resume", kMayBreak);
  ASSERT_TRUE(run(next(EarlierRun::kRefuse)).complete());
  EXPECT_TRUE(run(next(EarlierRun::kResume)).steps.empty());
  // Another database of that name is another target.
  shared_target().create_database("resume");
  EXPECT_EQ(run(next(EarlierRun::kResume)).rows, 4000);
}

TEST_F(Resume, CanBeForgotten) {
  make_half_a_clone();
  const Error error = error_of(next(EarlierRun::kForget));
  EXPECT_NE(error.describe().find("not empty"), std::string::npos) << error.describe();
  EXPECT_TRUE(has_ledger()) << "nothing was changed";
  shared_target().create_database("resume");
  EXPECT_TRUE(run(next(EarlierRun::kForget)).complete());
}

TEST_F(Resume, OfWhatIsDoneTheRowsAreReadWhereThatIsAsked) {
  make("resume",
       "CREATE TABLE t (i int PRIMARY KEY); INSERT INTO t SELECT generate_series(1, 1000);"
       "CREATE TABLE whole (i int) PARTITION BY LIST (i); CREATE TABLE leaf PARTITION OF whole DEFAULT; INSERT INTO "
       "whole VALUES (1)");
  ASSERT_TRUE(run(next(EarlierRun::kRefuse)).complete());
  CloneOptions verified = next(EarlierRun::kResume);
  verified.verify = true;
  EXPECT_TRUE(run(verified).complete());
  shared_target().sql("resume", "DELETE FROM t WHERE i = 7; DELETE FROM whole");
  EXPECT_TRUE(run(next(EarlierRun::kResume)).complete());
  EXPECT_NE(sink_.text().find("their rows were not"), std::string::npos) << "it says that it has not looked";
  const pipeline::CloneSummary found = run(verified);
  ASSERT_EQ(found.failed.size(), 2U);
  EXPECT_EQ(found.failed[0].error.kind(), ErrorKind::kMismatch);
  EXPECT_EQ(found.failed[0].name, "table public.leaf");
  EXPECT_EQ(found.failed[1].name, "table public.t");
}

TEST_F(Resume, OfWhatIsDoneWithAFilterOnlyWhatWasCopiedIsRead) {
  make(
      "resume",
      "CREATE TABLE t AS SELECT 1 AS i; CREATE TABLE not_wanted AS SELECT 2 AS i; CREATE TABLE empty AS SELECT 3 AS i");
  CloneOptions filtered = next(EarlierRun::kRefuse);
  filtered.filters =
      schema::parse_filter_rules("[exclude-table]\npublic.not_wanted\n[exclude-table-data]\npublic.empty\n", "f");
  filtered.large_objects = false;
  ASSERT_TRUE(run(filtered).complete());
  shared_target().sql("resume", "CREATE TABLE of_target (i int)");
  filtered.earlier_run = EarlierRun::kResume;
  filtered.verify = true;
  const pipeline::CloneSummary summary = run(filtered);
  EXPECT_TRUE(summary.complete()) << failures(summary);
}

TEST_F(Resume, BehindAnEndOfAnotherMomentThereIsNothingToGoOnWith) {
  make("resume", "CREATE TABLE t (i int)");
  ASSERT_TRUE(run(next(EarlierRun::kRefuse)).complete());
  shared_source().sql("resume", "INSERT INTO t VALUES (1)");
  const Error error = error_of(next(EarlierRun::kResume));
  EXPECT_NE(error.describe().find("has come to its end, and the source has changed since"), std::string::npos)
      << error.describe();
  EXPECT_FALSE(target_changed_);
}

TEST_F(Resume, FilledViewsAreFilledAnewWhereTablesShowAnotherMoment) {
  make_half_a_clone({}, "CREATE TABLE a AS SELECT 1 AS i; CREATE MATERIALIZED VIEW filled AS SELECT i FROM a");
  ASSERT_EQ(target("SELECT count(*) FROM filled"), "1") << "before the run has ended";
  mend();
  shared_source().sql("resume", "INSERT INTO a VALUES (2)");
  CloneOptions wanted = next(EarlierRun::kResume);
  wanted.not_consistent = true;
  const pipeline::CloneSummary summary = run(wanted);
  EXPECT_TRUE(summary.complete()) << failures(summary);
  EXPECT_EQ(target("SELECT count(*) FROM filled"), target("SELECT count(*) FROM a"));
}

TEST_F(Resume, TwoRunsIntoOneTargetKeepApart) {
  make("resume", kMayBreak);
  pg::Connection other = shared_target().connect("resume");
  other.execute("SELECT pg_advisory_lock(1885827948, 1)");
  for (const EarlierRun earlier : {EarlierRun::kRefuse, EarlierRun::kResume, EarlierRun::kForget}) {
    const Error error = error_of(next(earlier));
    EXPECT_EQ(error.kind(), ErrorKind::kState);
    EXPECT_NE(error.describe().find("another clone"), std::string::npos) << error.describe();
  }
}

TEST_F(Resume, AForeignSchemaOfTheLedgersNameIsLeftAlone) {
  make("resume", "CREATE TABLE t (i int)");
  shared_target().sql("resume", "CREATE SCHEMA pgsluice; CREATE TABLE pgsluice.mine (i int)");
  EXPECT_EQ(error_of(next(EarlierRun::kForget)).kind(), ErrorKind::kState);
  CloneOptions wanted = next(EarlierRun::kRefuse);
  EXPECT_EQ(error_of(wanted).kind(), ErrorKind::kState);
  wanted.ledger = false;
  EXPECT_TRUE(run(wanted).complete());
  EXPECT_EQ(target("SELECT to_regclass('pgsluice.mine') IS NOT NULL"), "t");
}

TEST_F(Resume, ASourceWithASchemaOfTheLedgersNameIsRefused) {
  make("resume", "CREATE SCHEMA pgsluice");
  const Error error = error_of(next(EarlierRun::kRefuse));
  EXPECT_TRUE(error.has(Remedy::kOmitLedger)) << error.describe();
  EXPECT_FALSE(target_changed_);
}

TEST_F(Resume, WithoutTheRightToASchemaTheClonesSaysWhatToDo) {
  make("resume", "CREATE TABLE t AS SELECT 1 AS i");
  shared_target().sql("resume",
                      "DROP ROLE IF EXISTS plain; CREATE ROLE plain LOGIN; GRANT CREATE ON SCHEMA public TO plain");
  CloneOptions wanted = next(EarlierRun::kRefuse);
  wanted.target = shared_target().conninfo("resume", "plain");
  wanted.restore.owners = false;
  wanted.restore.acls = false;
  wanted.restore.comments = false;
  const Error error = error_of(wanted);
  EXPECT_EQ(error.sqlstate(), "42501");
  EXPECT_NE(error.describe().find("GRANT CREATE ON DATABASE"), std::string::npos) << error.describe();
  EXPECT_TRUE(error.has(Remedy::kOmitLedger)) << error.describe();
  EXPECT_FALSE(target_changed_);
  wanted.ledger = false;
  EXPECT_TRUE(run(wanted).complete());
  EXPECT_EQ(target("SELECT count(*) FROM t"), "1");
  shared_target().create_database("resume");
  shared_target().sql("resume", "DROP ROLE plain");
}

TEST_F(Resume, ASnapshotThatSomebodyElseHoldsIsCloned) {
  make("resume", "CREATE TABLE t AS SELECT 1 AS i");
  pg::Connection other = shared_source().connect("resume");
  const pg::SnapshotIdentity snapshot = pg::export_snapshot(other);
  shared_source().sql("resume", "INSERT INTO t VALUES (2)");
  CloneOptions wanted = next(EarlierRun::kRefuse);
  wanted.snapshot = snapshot.name;
  EXPECT_EQ(run(wanted).rows, 1);
  shared_target().create_database("resume");
  wanted.snapshot = "00000000-00000000-1";
  EXPECT_EQ(error_of(wanted).kind(), ErrorKind::kServer);
}

TEST_F(Resume, ThatFindsNoLedgerBelievesTheEndOfARunOnlyWhileItsObjectsAreThere) {
  make("resume", kMayBreak);
  ASSERT_TRUE(run(next(EarlierRun::kRefuse)).complete());
  shared_target().sql("resume", "DROP TABLE t CASCADE");
  EXPECT_EQ(error_of(next(EarlierRun::kResume)).kind(), ErrorKind::kState);
  shared_source().create_database("another");
  CloneOptions wanted = next(EarlierRun::kResume);
  wanted.source = shared_source().conninfo("another");
  EXPECT_FALSE(run(wanted).steps.empty()) << "another source's end is not this one's";
}

TEST_F(Resume, OfAnotherSourceIsRefusedHoweverInconsistent) {
  make_half_a_clone();
  shared_source().create_database("twin", "TEMPLATE resume");
  for (const bool not_consistent : {false, true}) {
    CloneOptions wanted = next(EarlierRun::kResume);
    wanted.source = shared_source().conninfo("twin");
    wanted.not_consistent = not_consistent;
    EXPECT_NE(error_of(wanted).describe().find("another source"), std::string::npos);
  }
  shared_source().sql("postgres", "DROP DATABASE twin");
}

TEST_F(Resume, SetsTheSequencesAgain) {
  make_half_a_clone();
  mend();
  shared_source().sql("resume",
                      "CREATE TABLE fresh (id serial, x int); INSERT INTO fresh (x) SELECT generate_series(1, 50)");
  CloneOptions wanted = next(EarlierRun::kResume);
  wanted.not_consistent = true;
  EXPECT_TRUE(run(wanted).complete());
  EXPECT_EQ(target("SELECT last_value FROM fresh_id_seq"), "50");
}

TEST_F(Resume, OfAPublicationOfAllTablesWorks) {
  make("resume", std::string(kMayBreak) + "; CREATE PUBLICATION p FOR ALL TABLES");
  shared_target().sql("resume", "ALTER DATABASE resume SET test.broken = 'yes'");
  CloneOptions wanted = next(EarlierRun::kRefuse);
  ASSERT_EQ(run(wanted).failed.size(), 1U);
  mend();
  EXPECT_TRUE(run(next(EarlierRun::kResume)).complete());
  EXPECT_EQ(differences("resume"), std::vector<std::string>());
}

TEST_F(Resume, ARunThatWasTakenOverLeavesTheRestToTheOther) {
  make_half_a_clone();
  pg::Connection connection = shared_target().connect("resume", Side::kTarget);
  try {
    pipeline::take_target_again(connection, "the first", {});
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kState);
    EXPECT_FALSE(error.is_retryable());
  }
}

// With a target of the test's own, which it may crash.
class ResumeAfterACrash : public CloneFixture {
 protected:
  void make_half_a_clone(const std::string& sql) {
    shared_source().create_database("crash");
    shared_source().sql("crash", kMayBreak + sql);
    target_.create_database("crash");
    target_.sql("crash", "ALTER DATABASE crash SET test.broken = 'yes'");
    ASSERT_EQ(pipeline::Clone(next(EarlierRun::kRefuse), sink_).run().failed.size(), 1U);
    target_.sql("crash", "ALTER DATABASE crash RESET test.broken");
    target_.kill();
    target_.start();
  }

  CloneOptions next(EarlierRun earlier) {
    CloneOptions wanted = options("crash");
    wanted.target = target_.conninfo("crash");
    wanted.database_properties = false;
    wanted.earlier_run = earlier;
    return wanted;
  }

  Cluster target_;
};

TEST_F(ResumeAfterACrash, UnloggedTablesAndTheirSequencesComeAgain) {
  make_half_a_clone(
      "CREATE UNLOGGED TABLE u (id serial PRIMARY KEY, x int); INSERT INTO u (x) SELECT generate_series(1, 700)");
  EXPECT_TRUE(pipeline::Clone(next(EarlierRun::kResume), sink_).run().complete());
  EXPECT_EQ(target_.value("crash", "SELECT count(*) || ' ' || (SELECT last_value FROM u_id_seq) FROM u"), "700 700");
  EXPECT_EQ(compare_databases(shared_source().conninfo("crash"), target_.conninfo("crash"), server_bindir()),
            std::vector<std::string>());
}

TEST_F(ResumeAfterACrash, RowsThatWouldFireTriggersAreRefused) {
  make_half_a_clone(
      "CREATE UNLOGGED TABLE u (id int); INSERT INTO u VALUES (1);"
      "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';"
      "CREATE TRIGGER g BEFORE INSERT ON u FOR EACH ROW EXECUTE FUNCTION f()");
  const Error error = error_of(next(EarlierRun::kResume));
  EXPECT_EQ(error.kind(), ErrorKind::kState);
  EXPECT_NE(error.describe().find("rows of table public.u"), std::string::npos) << error.describe();
}

// Which partition a row is in is decided by a hash that is another one on the target.
TEST_F(ResumeAfterACrash, ATreeThatIsLoadedThroughItsRootAndHasUnloggedPartitionsIsRefused) {
  make_half_a_clone(
      "CREATE TYPE mood AS ENUM ('a', 'b', 'c', 'd', 'e', 'f');"
      "CREATE TABLE tree (m mood, i int) PARTITION BY HASH (m);"
      "CREATE TABLE leaf0 PARTITION OF tree FOR VALUES WITH (MODULUS 2, REMAINDER 0);"
      "CREATE UNLOGGED TABLE leaf1 PARTITION OF tree FOR VALUES WITH (MODULUS 2, REMAINDER 1);"
      "INSERT INTO tree SELECT m, g FROM unnest(enum_range(NULL::mood)) m, generate_series(1, 50) g");
  const Error error = error_of(next(EarlierRun::kResume));
  EXPECT_EQ(error.kind(), ErrorKind::kState);
  EXPECT_NE(error.describe().find("unlogged partitions of public.tree are empty"), std::string::npos)
      << error.describe();
}

TEST_F(ResumeAfterACrash, ARunGoesOnByItselfWhenTheServerIsBack) {
  shared_source().create_database("crash");
  shared_source().sql("crash",
                      "CREATE TABLE t AS SELECT i, repeat('x', 1000) AS v FROM generate_series(1, 100000) i;"
                      "CREATE TABLE s AS SELECT 1 AS i; CREATE INDEX ON t (v, i)");
  target_.create_database("crash");
  CloneOptions wanted = next(EarlierRun::kRefuse);
  wanted.retry_for = std::chrono::seconds(120);
  pipeline::Clone clone(wanted, sink_);
  std::future<CloneSummary> run = std::async(std::launch::async, [&] { return clone.run(); });
  while (clone.progress().copied.count < 1000000) std::this_thread::yield();
  target_.kill();
  target_.start();
  const CloneSummary summary = run.get();
  EXPECT_TRUE(summary.complete()) << failures(summary);
  EXPECT_EQ(summary.rows, 100001);
  EXPECT_EQ(compare_databases(shared_source().conninfo("crash"), target_.conninfo("crash"), server_bindir()),
            std::vector<std::string>());
}

}  // namespace
}  // namespace pgsluice::test
