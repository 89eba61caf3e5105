#include "pgsluice/pg/snapshot.h"

#include <gtest/gtest.h>

#include "pgsluice/base/error.h"
#include "support/cluster.h"

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
  Connection importer = cluster.connect("postgres");
  EXPECT_THROW(import_snapshot(importer, snapshot), Error);
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

}  // namespace
}  // namespace pgsluice::pg
