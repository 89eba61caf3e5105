// Servers that are far away: a statement that waits for the answer to the one before costs a round trip.
#include <gtest/gtest.h>

#include "tests/pipeline/clone_fixture.h"
#include "tests/support/delaying_proxy.h"

namespace pgsluice::test {
namespace {

constexpr int kTables = 2000;

TEST(Distance, ASchemaOfManyTablesIsRestoredWithoutWaitingForEachAnswer) {
  const Cluster source({.settings = {"max_locks_per_transaction = 512"}});
  source.create_database("distance");
  source.sql("distance", fmt::format("DO $$ BEGIN FOR i IN 1..{} LOOP"
                                     " EXECUTE format('CREATE TABLE t%s (id serial PRIMARY KEY, v text CHECK (id > 0));"
                                     "   COMMENT ON TABLE t%s IS ''number %s''', i, i, i);"
                                     " IF i % 100 = 0 THEN COMMIT; END IF; END LOOP; END $$",
                                     kTables));
  shared_target().create_database("distance");
  // 20 ms there and back.
  const DelayingProxy proxy(shared_target(), std::chrono::milliseconds(10));
  RecordingSink sink;
  const TemporaryFolder folder;
  pipeline::CloneOptions options;
  options.source = source.conninfo("distance");
  options.target = proxy.conninfo("distance");
  options.work_folder = folder.path();
  options.table_jobs = 20;
  const pipeline::CloneSummary summary = pipeline::Clone(options, sink).run();
  EXPECT_TRUE(summary.complete());
  EXPECT_EQ(compare_databases(source.conninfo("distance"), shared_target().conninfo("distance"), server_bindir()),
            std::vector<std::string>{});
  // Table, sequence, its owner, default, comment, index, key, statistics; and the COPY of the rows. Alone in flight are
  // a batch's BEGIN, first COPY and COMMIT, and what begins a session.
  const int queries = 9 * kTables;
  EXPECT_GT(proxy.queries(), queries);
  EXPECT_LT(proxy.lonely_queries(), queries / 10);
  RecordProperty("lonely", proxy.lonely_queries());
  RecordProperty("queries", proxy.queries());
}

}  // namespace
}  // namespace pgsluice::test
