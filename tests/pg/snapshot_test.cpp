#include "pg/snapshot.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <optional>

#include "pgsluice/error.h"
#include "tests/support/cluster.h"
#include "tests/support/wait_until.h"

namespace pgsluice::pg {
namespace {

using test::shared_source;

TEST(Snapshot, AnImporterSeesWhatTheExporterSaw) {
  const test::Cluster& cluster = shared_source();
  cluster.create_database("snapshot");
  cluster.sql("snapshot", "CREATE TABLE t AS SELECT 1 AS i");
  Connection holder = cluster.connect("snapshot");
  const SnapshotIdentity snapshot = export_snapshot(holder);
  cluster.sql("snapshot", "INSERT INTO t VALUES (2)");
  Connection importer = cluster.connect("snapshot");
  import_snapshot(importer, snapshot);
  EXPECT_EQ(importer.execute("SELECT count(*) FROM t")[0].integer(0), 1);
  EXPECT_FALSE(snapshot.system_identifier.empty());
}

TEST(Snapshot, ASnapshotThatIsGoneIsNamed) {
  const test::Cluster& cluster = shared_source();
  SnapshotIdentity snapshot;
  {
    Connection holder = cluster.connect("postgres");
    snapshot = export_snapshot(holder);
  }
  // The server takes a moment to end a session, and its snapshot with it.
  std::optional<Error> refused;
  EXPECT_TRUE(test::wait_until([&] {
    Connection importer = cluster.connect("postgres");
    try {
      import_snapshot(importer, snapshot);
    } catch (const Error& error) {
      refused = error;
    }
    return refused.has_value();
  }));
  EXPECT_NE(refused->describe().find(snapshot.name), std::string::npos);
}

TEST(Snapshot, AnotherSnapshotOfTheSameNameIsRefused) {
  const test::Cluster& cluster = shared_source();
  Connection holder = cluster.connect("postgres");
  const SnapshotIdentity snapshot = export_snapshot(holder);
  for (int field = 0; field < 3; ++field) {
    SnapshotIdentity stored = snapshot;
    (field == 0 ? stored.text : field == 1 ? stored.system_identifier : stored.server_started) += "0";
    Connection importer = cluster.connect("postgres");
    try {
      import_snapshot(importer, stored);
      ADD_FAILURE() << "accepted with field " << field << " changed";
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kState);
      EXPECT_NE(error.describe().find(snapshot.name), std::string::npos);
    }
  }
}

SnapshotMark mark_now(const test::Cluster& cluster, std::string_view user = "postgres") {
  Connection holder = Connection::open(ConnInfo::parse(cluster.conninfo("postgres", user), Side::kSource), "test",
                                       Log(), CancelToken());
  return mark_snapshot(holder, export_snapshot(holder));
}

TEST(SnapshotMark, TellsWhetherANewSnapshotShowsTheSame) {
  const test::Cluster cluster({.settings = {"autovacuum = off"}});
  cluster.sql("postgres", "CREATE TABLE t (i int); CREATE ROLE plain LOGIN");
  cluster.sql("postgres", "CHECKPOINT");  // which may log by itself
  const SnapshotMark earlier = mark_now(cluster);
  EXPECT_TRUE(earlier.log_is_on_disk);
  EXPECT_FALSE(earlier.checkpointer_started.empty());
  EXPECT_EQ(why_not_the_same(earlier, mark_now(cluster), true), std::nullopt);
  cluster.sql("postgres", "INSERT INTO t VALUES (1)");
  EXPECT_NE(why_not_the_same(earlier, mark_now(cluster), false), std::nullopt);
}

// Whoever reads the catalogs then tidies up their pages and logs that, with no commit that brings it to disk.
TEST(SnapshotMark, DoesNotWaitForWhatReadingTheCatalogsLogs) {
  const test::Cluster cluster({.settings = {"autovacuum = off"}});
  Connection session = cluster.connect("postgres");
  for (int i = 0; i < 300; ++i) {
    session.execute(fmt::format("CREATE TABLE t{} (i int, t text DEFAULT 'x')", i));
    if (i % 2 == 0) session.execute(fmt::format("DROP TABLE t{}", i));
  }
  session.execute("CHECKPOINT");
  Connection holder = cluster.connect("postgres");
  const SnapshotMark begun = begin_mark(holder, export_snapshot(holder));
  EXPECT_TRUE(begun.definitions.empty());
  SnapshotMark mark = begun;
  complete_mark(holder, mark);
  EXPECT_TRUE(mark.log_is_on_disk);
  EXPECT_FALSE(mark.definitions.empty());
  EXPECT_EQ(mark.log_position, begun.log_position);
  const SnapshotMark again = mark_now(cluster);
  EXPECT_EQ(again.definitions, mark.definitions);
}

TEST(SnapshotMark, OutlivesACrashButForUnloggedTables) {
  test::Cluster cluster({.settings = {"autovacuum = off"}});
  const SnapshotMark earlier = mark_now(cluster);
  cluster.kill();
  cluster.start();
  const SnapshotMark later = mark_now(cluster);
  EXPECT_EQ(why_not_the_same(earlier, later, false), std::nullopt);
  EXPECT_NE(why_not_the_same(earlier, later, true), std::nullopt);
  // A log that was not on disk may have been written anew, with the same numbers.
  SnapshotMark in_memory = earlier;
  in_memory.log_is_on_disk = false;
  EXPECT_NE(why_not_the_same(in_memory, later, false), std::nullopt);
}

TEST(SnapshotMark, OfAPlainUserProvesNothingAboutUnloggedTables) {
  const test::Cluster cluster({.settings = {"autovacuum = off"}});
  cluster.sql("postgres", "CREATE ROLE plain LOGIN");
  const SnapshotMark earlier = mark_now(cluster, "plain");
  EXPECT_EQ(earlier.checkpointer_started, "");
  EXPECT_EQ(why_not_the_same(earlier, mark_now(cluster, "plain"), false), std::nullopt);
  EXPECT_NE(why_not_the_same(earlier, mark_now(cluster, "plain"), true), std::nullopt);
}

TEST(SnapshotMark, EachOfItsPartsCounts) {
  const SnapshotMark mark{.snapshot = {.name = "1", .text = "5:5:", .system_identifier = "7", .server_started = "t"},
                          .database = "9",
                          .timeline = "00000001",
                          .log_position = "0/1",
                          .log_is_on_disk = true,
                          .checkpointer_started = "c"};
  EXPECT_EQ(why_not_the_same(mark, mark, true), std::nullopt);
  const auto differs = [&](auto change) {
    SnapshotMark other = mark;
    change(other);
    return why_not_the_same(mark, other, true).has_value() && why_not_the_same(other, mark, true).has_value();
  };
  EXPECT_TRUE(differs([](SnapshotMark& m) { m.snapshot.text = "6:6:"; }));
  EXPECT_TRUE(differs([](SnapshotMark& m) { m.snapshot.system_identifier = "8"; }));
  EXPECT_TRUE(differs([](SnapshotMark& m) { m.database = "10"; }));
  EXPECT_TRUE(differs([](SnapshotMark& m) { m.timeline = "00000002"; }));
  EXPECT_TRUE(differs([](SnapshotMark& m) { m.timeline = ""; })) << "a standby";
  EXPECT_TRUE(differs([](SnapshotMark& m) { m.checkpointer_started = "d"; }));
}

}  // namespace
}  // namespace pgsluice::pg
