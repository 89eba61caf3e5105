// A catalog that is read from an archive, beside the one that is read from the server.
#include "schema/catalog/archived_catalog.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gtest/gtest.h>

#include <set>

#include "base/file_descriptor.h"
#include "base/subprocess.h"
#include "schema/archive/definition_reader.h"
#include "tests/support/cluster.h"
#include "tests/support/downloads.h"
#include "tests/support/fidelity.h"

namespace pgsluice::schema {
namespace {

namespace fs = std::filesystem;

Archive dump(const fs::path& bindir, const std::string& conninfo) {
  const TemporaryFolder folder;
  const std::string file = (folder.path() / "dump").string();
  const SubprocessResult result = run_command(
      {.command = {(bindir / "pg_dump").string(), "--format=custom", "--file=" + file, "--dbname=" + conninfo}});
  EXPECT_EQ(result.exit_code, 0) << result.errors;
  return read_archive(file);
}

std::string name_of(const Catalog& catalog, Oid oid) {
  const Relation* relation = catalog.relation(oid);
  return relation == nullptr ? "?" : relation->display();
}

// What both know, a line each. Tables of extensions are in an archive only if they have rows there.
std::set<std::string> facts_of(const Catalog& catalog) {
  std::set<std::string> facts;
  for (const Relation& relation : catalog.relations) {
    if (relation.extension_condition) continue;
    const bool has_rows = relation.kind == RelationKind::kTable && relation.rows_wanted;
    facts.insert(fmt::format("relation {} {} {} {} {} ({})", relation.oid, relation.display(),
                             static_cast<int>(relation.kind), relation.unlogged, relation.access_method,
                             has_rows ? fmt::format("{}", fmt::join(relation.columns, ", ")) : ""));
    // pg_dump does not load through the root where a collation decides, and so the archive does not say it.
    if (relation.load_via_root != 0 && !relation.name.starts_with("collated_parts")) {
      facts.insert(fmt::format("{} through {}", relation.display(), name_of(catalog, relation.load_via_root)));
    }
  }
  for (const Inheritance& link : catalog.inheritance) {
    facts.insert(fmt::format("{} below {}", name_of(catalog, link.child), name_of(catalog, link.parent)));
  }
  for (const Index& index : catalog.indexes) {
    if (!index.valid || catalog.relation(index.table) == nullptr) continue;
    facts.insert(fmt::format("index {} on {}, {}{}{}{}{}{}{}", index.display(), name_of(catalog, index.table),
                             index.constraint == 0 ? "plain" : fmt::format("of {}", index.constraint),
                             index.on_partitioned_table ? ", of partitions" : "", index.clustered ? ", clustered" : "",
                             index.replica_identity ? ", identity" : "", index.deferrable ? ", deferrable" : "",
                             index.deferred ? ", deferred" : "", index.complete ? "" : ", incomplete"));
  }
  for (const ForeignKey& key : catalog.foreign_keys) {
    if (catalog.relation(key.child) == nullptr || catalog.relation(key.parent) == nullptr) continue;
    facts.insert(fmt::format("key {} {} of {} ({}) to {} ({}){}", key.oid, key.name, name_of(catalog, key.child),
                             fmt::join(key.child_columns, ", "), name_of(catalog, key.parent),
                             fmt::join(key.parent_columns, ", "), key.match_full ? " full" : ""));
  }
  for (const auto& [name, schema] : catalog.extensions) {
    if (name != "plpgsql") facts.insert(fmt::format("extension {} in {}", name, schema));
  }
  facts.insert(fmt::format("version {}, encoding {}", catalog.server_version, catalog.database.encoding));
  return facts;
}

std::set<std::string> indexes_that_call(const Catalog& catalog) {
  std::set<std::string> names;
  for (const Index& index : catalog.indexes) {
    if (index.calls_functions) names.insert(index.display());
  }
  return names;
}

class ArchivedCatalogTest : public ::testing::TestWithParam<int> {};

TEST_P(ArchivedCatalogTest, SaysWhatTheServerSays) {
  const fs::path bindir = test::server_programs(GetParam());
  if (bindir.empty()) GTEST_SKIP() << test::kNoDownloads;
  std::optional<test::Cluster> own;
  if (GetParam() != 15) own.emplace(test::Cluster::Options{.settings = {"jit = off"}, .bindir = bindir});
  const test::Cluster& cluster = own ? *own : test::shared_source();
  test::make_fidelity(cluster, "archived facts", test::Fidelity::kWhole);
  cluster.sql("archived facts", R"sql(
    CREATE SCHEMA "More, (than) ""one""";
    SET search_path = "More, (than) ""one""";
    CREATE TABLE "T, (x)" ("a, )" int, "b"" (c" text DEFAULT ') PARTITION BY (' UNIQUE,
      late int UNIQUE DEFERRABLE INITIALLY DEFERRED NOT NULL, early int NOT NULL UNIQUE,
      CONSTRAINT "key, (" PRIMARY KEY ("a, )") INCLUDE ("b"" (c") WITH (fillfactor = 70));
    ALTER TABLE "T, (x)" CLUSTER ON "key, (", REPLICA IDENTITY USING INDEX "key, (";
    CREATE TABLE child ("x, y" int REFERENCES "T, (x)" ON DELETE CASCADE, z int, w int,
      FOREIGN KEY (z) REFERENCES "T, (x)"(early) MATCH FULL, CHECK (z::text <> ')'));
    CREATE UNLOGGED TABLE below () INHERITS (child, "T, (x)");
    CREATE TABLE parts (i int, j text) PARTITION BY RANGE (i);
    CREATE TABLE part1 PARTITION OF parts FOR VALUES FROM (0) TO (10) PARTITION BY LIST (j);
    CREATE TABLE part11 PARTITION OF part1 DEFAULT;
    CREATE TABLE part2 PARTITION OF parts DEFAULT;
    CREATE INDEX whole ON parts (i);
    CREATE INDEX half ON ONLY parts (j);
    CREATE INDEX half2 ON part2 (j);
    ALTER INDEX half ATTACH PARTITION half2;
    ALTER TABLE parts ADD PRIMARY KEY (i, j);
  )sql");
  pg::Connection connection = cluster.connect("archived facts");
  const Catalog of_server = read_catalog(connection);
  const Catalog of_archive = catalog_of(dump(bindir, cluster.conninfo("archived facts")));
  const std::set<std::string> expected = facts_of(of_server);
  const std::set<std::string> read = facts_of(of_archive);
  for (const std::string& fact : expected) EXPECT_TRUE(read.contains(fact)) << "not read: " << fact;
  for (const std::string& fact : read) EXPECT_TRUE(expected.contains(fact)) << "not so: " << fact;
  EXPECT_GT(read.size(), 100U);
  // An index that was taken for one that reads other tables comes later than it might, and one that was not, too early.
  const std::set<std::string> calling = indexes_that_call(of_archive);
  for (const std::string& index : indexes_that_call(of_server)) {
    // An operator class that is a type's own is in no entry of the index's.
    EXPECT_TRUE(calling.contains(index) || index == "sup.based_pkey") << index;
  }
  EXPECT_FALSE(calling.empty());
  EXPECT_LT(calling.size(), of_archive.indexes.size() / 2);
}

INSTANTIATE_TEST_SUITE_P(Releases, ArchivedCatalogTest, ::testing::Values(13, 15, 18),
                         [](const auto& tested) { return fmt::format("Of{}", tested.param); });

TEST(ArchivedCatalog, ReadsTheVersionOfTheServer) {
  EXPECT_EQ(server_version_of({.server_version = "16.4 (Debian 16.4-1.pgdg120+1)"}), 160004);
  EXPECT_EQ(server_version_of({.server_version = "19beta1"}), 190000);
  EXPECT_EQ(server_version_of({.server_version = "9.6.24"}), 90624);
  EXPECT_EQ(server_version_of({.server_version = ""}), 0);
  EXPECT_EQ(server_version_of({.server_version = "some fork"}), 0);
}

TEST(DefinitionReader, TakesAStatementApart) {
  DefinitionReader reader("CREATE TABLE \"a \"\"b\".c (\n  x text DEFAULT ')',\n  \"y(\" int\n)\nINHERITS (d.e, f);");
  EXPECT_FALSE(reader.take("CREATE TAB"));
  ASSERT_TRUE(reader.take("CREATE TABLE"));
  EXPECT_EQ(reader.qualified_name(), (QualifiedName{"a \"b", "c"}));
  EXPECT_TRUE(reader.names_in_parentheses().empty());
  EXPECT_EQ(reader.in_parentheses(), "\n  x text DEFAULT ')',\n  \"y(\" int\n");
  ASSERT_TRUE(reader.take("INHERITS ("));
  EXPECT_EQ(reader.qualified_name(), (QualifiedName{"d", "e"}));
  ASSERT_TRUE(reader.take(","));
  EXPECT_EQ(reader.qualified_name(), (QualifiedName{"", "f"}));
  EXPECT_EQ(reader.rest(), ");");
}

TEST(DefinitionReader, ATextThatBreaksOffIsNone) {
  for (const char* text : {"", "(", "(a", "(a,", "(\"a", "\"", "\"a", "a."}) {
    DefinitionReader reader(text);
    EXPECT_FALSE(reader.in_parentheses());
    EXPECT_TRUE(reader.names_in_parentheses().empty());
    EXPECT_EQ(reader.rest(), text);
    reader.qualified_name();
  }
}

}  // namespace
}  // namespace pgsluice::schema
