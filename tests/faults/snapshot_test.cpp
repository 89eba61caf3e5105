// A clone that loses the session which keeps its snapshot, on a source that goes on being written to.
#include "pg/snapshot.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "tests/pipeline/clone_fixture.h"
#include "tests/pipeline/running_clone.h"

namespace pgsluice::test {
namespace {

using pipeline::CloneOptions;

constexpr const char* kDatabase = "handing_on";

// Two tables that wait on the target in the middle of their rows, and one after them.
constexpr const char* kTables = R"(
CREATE TABLE one (id int CHECK (pass(id, 1)), text text);
CREATE TABLE two (id int CHECK (pass(id, 2)), text text);
INSERT INTO one SELECT g, repeat('x', 1000) FROM generate_series(1, 20000) g;
INSERT INTO two SELECT g, repeat('x', 1000) FROM generate_series(1, 20000) g;
CREATE TABLE later AS SELECT 1 AS id;
)";

class SnapshotLost : public CloneFixture {
 protected:
  void SetUp() override { make(kDatabase, std::string(kPassFunction) + kTables); }

  CloneOptions wanted() const {
    CloneOptions result = options(kDatabase);
    result.table_jobs = 2;
    result.retry_for = std::chrono::seconds(20);
    result.split.when = copy::SplitOptions::When::kNever;
    return result;
  }

  static void end_sessions_of_source(const std::string& which) {
    shared_source().sql("postgres",
                        "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity"
                        " WHERE datname = 'handing_on' AND application_name " +
                            which);
  }
  static std::string rows() {
    return shared_target().value(kDatabase,
                                 "SELECT (SELECT count(*) FROM one) || ' ' || (SELECT count(*) FROM two) || ' ' ||"
                                 " (SELECT count(*) FROM later)");
  }
};

TEST_F(SnapshotLost, IsHandedOnByAWorkerThatStillSeesIt) {
  Gate one(kDatabase, 1);
  Gate two(kDatabase, 2);
  RunningClone running(wanted(), sink_);
  ASSERT_TRUE(running.meets([&] { return one.is_reached() && two.is_reached(); })) << running.outcome();
  shared_source().sql(kDatabase, "INSERT INTO one SELECT 0; INSERT INTO two SELECT 0; INSERT INTO later SELECT 0");
  end_sessions_of_source("IN ('pgsluice: snapshot', 'pgsluice: copy 2')");
  one.open();
  two.open();
  EXPECT_EQ(running.outcome(), "");
  EXPECT_EQ(rows(), "20000 20000 1") << "as it was when the snapshot was taken";
  EXPECT_NE(sink_.text().find("another one keeps it now"), std::string::npos) << sink_.text();
}

TEST_F(SnapshotLost, ThatNobodySeesAnyMoreEndsTheCloneWithWhatToDo) {
  Gate one(kDatabase, 1);
  Gate two(kDatabase, 2);
  RunningClone running(wanted(), sink_);
  ASSERT_TRUE(running.meets([&] { return one.is_reached() && two.is_reached(); })) << running.outcome();
  shared_source().sql(kDatabase, "INSERT INTO later SELECT 0");
  end_sessions_of_source("LIKE 'pgsluice: %' AND application_name <> 'pgsluice: test'");
  one.open();
  two.open();
  EXPECT_NE(running.outcome(), "");
  EXPECT_TRUE(running.error()->has(Remedy::kResumeInconsistent)) << running.outcome();
  EXPECT_EQ(running.error()->kind(), ErrorKind::kState);
}

// The server may have removed rows that the snapshot shows, and does not tell whoever has imported it.
TEST(SnapshotTooOld, EndsTheCloneBeforeItsRowsAreCommittedAndIsForetold) {
  const Cluster source({.settings = {"old_snapshot_threshold = 0"}});
  source.create_database("aged");
  source.sql("aged", "CREATE TABLE t AS SELECT 1 AS i; CREATE TABLE u AS TABLE t");
  shared_target().create_database("aged");
  CloneOptions wanted;
  const TemporaryFolder folder;
  wanted.source = source.conninfo("aged");
  wanted.target = shared_target().conninfo("aged");
  wanted.work_folder = folder.path();
  RecordingSink sink;
  RunningClone running(wanted, sink);
  EXPECT_NE(running.outcome().find("rows that it shows may be gone (SQLSTATE 72000)"), std::string::npos)
      << running.outcome();
  EXPECT_TRUE(running.error()) << "the other tables are not tried";
  EXPECT_EQ(shared_target().value("aged", "SELECT (SELECT count(*) FROM t) + (SELECT count(*) FROM u)"), "0");
  EXPECT_NE(sink.text().find("WARNING old_snapshot_threshold of the source is 0 min"), std::string::npos);

  pg::Connection holder = source.connect("aged");
  wanted.snapshot = pg::export_snapshot(holder).name;
  shared_target().create_database("aged");
  EXPECT_NE(RunningClone(wanted, sink).outcome().find("how old the snapshot is cannot be told"), std::string::npos);
}

}  // namespace
}  // namespace pgsluice::test
