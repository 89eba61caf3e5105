#include "schema/catalog/catalog.h"

#include <gtest/gtest.h>

#include <thread>

#include "pg/snapshot.h"
#include "pgsluice/error.h"
#include "tests/support/cluster.h"

namespace pgsluice::schema {
namespace {

using test::shared_source;

Catalog catalog_of(const std::string& database, const std::string& sql) {
  shared_source().create_database(database);
  shared_source().sql(database, sql);
  pg::Connection connection = shared_source().connect(database);
  return read_catalog(connection);
}

const Relation& relation(const Catalog& catalog, const std::string& name) {
  for (const Relation& candidate : catalog.relations) {
    if (candidate.name == name) return candidate;
  }
  throw std::runtime_error("no relation " + name);
}

TEST(Catalog, ListsTheColumnsThatCopyCarries) {
  const Catalog catalog = catalog_of("catalog_columns", R"sql(
    CREATE TABLE t (a int, gone int, "B,""" text, g int GENERATED ALWAYS AS (a + 1) STORED, i int GENERATED ALWAYS AS IDENTITY);
    ALTER TABLE t DROP COLUMN gone;
    CREATE TABLE none ();
    CREATE TEMPORARY TABLE temporary (i int);
  )sql");
  EXPECT_EQ(relation(catalog, "t").columns, (std::vector<std::string>{"a", "B,\"", "i"}));
  EXPECT_TRUE(relation(catalog, "none").columns.empty());
  EXPECT_THROW(relation(catalog, "temporary"), std::runtime_error);
}

TEST(Catalog, KnowsKindsAndWhatIsNotTheUsers) {
  const Catalog catalog = catalog_of("catalog_kinds", R"sql(
    CREATE TABLE t (i int); CREATE UNLOGGED TABLE u (i int);
    CREATE TABLE p (i int) PARTITION BY LIST (i); CREATE TABLE p1 PARTITION OF p DEFAULT;
    CREATE VIEW v AS SELECT 1; CREATE MATERIALIZED VIEW m AS SELECT 1;
    CREATE EXTENSION hstore; CREATE SEQUENCE s;
    INSERT INTO t SELECT generate_series(1, 10000); SELECT lo_create(0);
  )sql");
  EXPECT_EQ(relation(catalog, "t").kind, RelationKind::kTable);
  EXPECT_EQ(relation(catalog, "t").access_method, "heap");
  EXPECT_GT(relation(catalog, "t").size().count, 300000);
  EXPECT_TRUE(relation(catalog, "u").unlogged);
  EXPECT_EQ(relation(catalog, "p").kind, RelationKind::kPartitionedTable);
  EXPECT_EQ(relation(catalog, "m").kind, RelationKind::kMaterializedView);
  EXPECT_EQ(catalog.relations.size(), 5U);
  EXPECT_EQ(catalog.sequences.size(), 1U);
  EXPECT_EQ(catalog.large_objects, 1);
  EXPECT_EQ(catalog.extensions,
            (std::map<std::string, std::string, std::less<>>{{"hstore", "public"}, {"plpgsql", "pg_catalog"}}));
  ASSERT_EQ(catalog.inheritance.size(), 1U);
  EXPECT_EQ(catalog.inheritance[0].parent, relation(catalog, "p").oid);
}

TEST(Catalog, LeavesOfAHashOfAnEnumAreLoadedThroughTheRoot) {
  const Catalog catalog = catalog_of("catalog_hash", R"sql(
    CREATE TYPE e AS ENUM ('a', 'b');
    CREATE TABLE root (k e, i int) PARTITION BY LIST (i);
    CREATE TABLE middle PARTITION OF root DEFAULT PARTITION BY HASH (k);
    CREATE TABLE leaf PARTITION OF middle FOR VALUES WITH (MODULUS 1, REMAINDER 0);
    CREATE TABLE plain (i int) PARTITION BY HASH (i);
    CREATE TABLE plain_leaf PARTITION OF plain FOR VALUES WITH (MODULUS 1, REMAINDER 0);
  )sql");
  EXPECT_EQ(relation(catalog, "leaf").load_via_root, relation(catalog, "root").oid);
  EXPECT_EQ(relation(catalog, "plain_leaf").load_via_root, 0U);
}

TEST(Catalog, KeysKnowTheirIndexAndInheritedForeignKeysAreLeftOut) {
  const Catalog catalog = catalog_of("catalog_keys", R"sql(
    CREATE TABLE t (i int CONSTRAINT key PRIMARY KEY, j int CONSTRAINT late UNIQUE DEFERRABLE INITIALLY DEFERRED NOT NULL);
    CREATE UNIQUE INDEX identity ON t (j);
    ALTER TABLE t REPLICA IDENTITY USING INDEX identity;
    ALTER TABLE t CLUSTER ON identity;
    CREATE TABLE p (i int REFERENCES t) PARTITION BY LIST (i);
    CREATE TABLE p1 PARTITION OF p DEFAULT;
  )sql");
  ASSERT_EQ(catalog.indexes.size(), 3U);
  const Index& key = catalog.indexes[0];
  EXPECT_EQ(key.constraint_name, "key");
  EXPECT_EQ(key.constraint_type, 'p');
  EXPECT_TRUE(key.valid);
  EXPECT_FALSE(key.deferrable || key.deferred || key.clustered || key.replica_identity);
  EXPECT_EQ(catalog.indexes[1].constraint_type, 'u');
  EXPECT_TRUE(catalog.indexes[1].deferrable && catalog.indexes[1].deferred);
  const Index& identity = catalog.indexes[2];
  EXPECT_EQ(identity.constraint, 0U);
  EXPECT_TRUE(identity.clustered && identity.replica_identity);
  ASSERT_EQ(catalog.foreign_keys.size(), 1U) << "the partition's own copy of the key is not listed";
  EXPECT_EQ(catalog.foreign_keys[0].child, relation(catalog, "p").oid);
  EXPECT_EQ(catalog.foreign_keys[0].parent, relation(catalog, "t").oid);
}

TEST(Catalog, LockingFindsATableThatWasTruncatedSinceTheSnapshot) {
  shared_source().create_database("catalog_lock");
  shared_source().sql("catalog_lock", "CREATE TABLE steady AS SELECT 1 AS i; CREATE TABLE emptied AS SELECT 1 AS i");
  pg::Connection holder = shared_source().connect("catalog_lock");
  pg::export_snapshot(holder);
  const Catalog catalog = read_catalog(holder);
  std::vector<const Relation*> tables;
  for (const Relation& table : catalog.relations) tables.push_back(&table);
  lock_tables(holder, tables);
  shared_source().sql("catalog_lock", "SET lock_timeout = '100ms'; INSERT INTO steady VALUES (2)");
  EXPECT_THROW(shared_source().sql("catalog_lock", "SET lock_timeout = '100ms'; TRUNCATE steady"), Error);
  holder.execute("ROLLBACK");

  pg::export_snapshot(holder);
  shared_source().sql("catalog_lock", "TRUNCATE emptied");
  try {
    lock_tables(holder, tables);
    FAIL() << "a truncated table would have read as empty";
  } catch (const Error& error) {
    EXPECT_NE(error.describe().find("public.emptied"), std::string::npos) << error.describe();
    EXPECT_EQ(error.describe().find("steady"), std::string::npos) << error.describe();
  }
}

}  // namespace
}  // namespace pgsluice::schema
