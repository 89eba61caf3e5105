// Archives of pgsluice's and of pg_dump's, of every format, compression and release, restored: equal to the source.
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <thread>

#include "store/manifest.h"
#include "tests/pipeline/archive/restore_fixture.h"
#include "tests/support/downloads.h"
#include "tests/support/fidelity.h"
#include "tests/support/wait_until.h"

namespace pgsluice::test {
namespace {

namespace fs = std::filesystem;
using pipeline::CloneOptions;
using pipeline::CloneSummary;

struct Way {
  int version;
  const char* name;
  std::vector<std::string> options;  ///< of pg_dump; none: an archive of pgsluice's
};
void PrintTo(const Way& way, std::ostream* out) { *out << way.name << " of " << way.version; }

std::string name_of(const ::testing::TestParamInfo<Way>& info) {
  return fmt::format("{}{}", info.param.name, info.param.version);
}

// One of everything, from and into each release.
class RestoreOfEverything : public RestoreFixture, public ::testing::WithParamInterface<Way> {};

TEST_P(RestoreOfEverything, EqualsTheSource) {
  const Way& way = GetParam();
  const fs::path bindir = server_programs(way.version);
  if (bindir.empty()) GTEST_SKIP() << kNoDownloads;
  const Cluster cluster({.settings = {"jit = off"}, .bindir = bindir});
  make_fidelity(cluster, "one of everything", Fidelity::kWhole);
  // pgsluice's own archives keep what pg_dump writes nowhere, as a clone does: columns of children in an order of their
  // own, and rows that name an index of their table.
  if (!way.options.empty()) {
    cluster.sql("one of everything",
                "DROP TABLE beyond.parent, beyond.dropping_parent CASCADE; DROP TABLE beyond.regs_late CASCADE");
  }
  const std::string source = cluster.conninfo("one of everything");
  const fs::path archive = way.options.empty()
                               ? create(source, "archive", [&](auto& options) { options.pg_bindir = bindir; })
                               : dump(bindir, source, "archive", way.options);
  make_fidelity_target(cluster, "restored", Fidelity::kWhole);
  CloneOptions options = restoring(archive, cluster.conninfo("restored"));
  options.verify = way.options.empty();
  restore(options);
  expect_equal(source, cluster.conninfo("restored"), bindir);
}

INSTANTIATE_TEST_SUITE_P(Ways, RestoreOfEverything,
                         ::testing::Values(Way{15, "Own", {}}, Way{15, "File", {"--format=custom"}}, Way{18, "Own", {}},
                                           Way{18, "Folder", {"--format=directory", "--compress=zstd"}}),
                         name_of);

// Each format and compression of each release, read by one that pg_restore of that release reads too.
class RestoreOfADump : public RestoreFixture, public ::testing::WithParamInterface<Way> {};

TEST_P(RestoreOfADump, EqualsTheSource) {
  const Way& way = GetParam();
  const fs::path bindir = server_programs(way.version);
  if (bindir.empty()) GTEST_SKIP() << kNoDownloads;
  if (!fs::exists(bindir / "pg_dump")) GTEST_SKIP() << "no pg_dump of " << way.version << " is to be had";
  const Cluster cluster({.settings = {"jit = off"}, .bindir = bindir});
  cluster.create_database("dumped");
  cluster.create_database("restored");
  cluster.sql("dumped", kDatabaseToArchive);
  const std::string source = cluster.conninfo("dumped");
  const fs::path archive = dump(bindir, source, "archive", way.options);
  const CloneSummary summary = restore(restoring(archive, cluster.conninfo("restored")));
  EXPECT_EQ(summary.large_objects, 203);
  EXPECT_THAT(summary.warnings, ::testing::Contains(::testing::HasSubstr("not pgsluice's")));
  expect_equal(source, cluster.conninfo("restored"), bindir);
}

INSTANTIATE_TEST_SUITE_P(Ways, RestoreOfADump,
                         ::testing::Values(Way{13, "File", {"--format=custom"}},
                                           Way{13, "Folder", {"--format=directory"}},
                                           Way{15, "PlainFile", {"--format=custom", "--compress=0"}},
                                           Way{15, "PlainFolder", {"--format=directory", "--compress=0"}},
                                           Way{17, "Lz4File", {"--format=custom", "--compress=lz4"}},
                                           Way{17, "Lz4Folder", {"--format=directory", "--compress=lz4", "--jobs=2"}},
                                           Way{18, "ZstdFile", {"--format=custom", "--compress=zstd:long"}},
                                           Way{18, "GzipFolder", {"--format=directory", "--compress=gzip:1"}}),
                         name_of);

class RestoreTest : public RestoreFixture {
 protected:
  static void SetUpTestSuite() {
    shared_source().create_database("dumped");
    shared_source().sql("dumped", kDatabaseToArchive);
    shared_source().sql("dumped",
                        "CREATE TABLE large (id int PRIMARY KEY, text text);"
                        "INSERT INTO large SELECT g, repeat(md5(g::text), 10) FROM generate_series(1, 60000) g;"
                        // Parts of it have no rows, whether it is cut by keys or by blocks.
                        "CREATE TABLE holes (id int PRIMARY KEY, text text);"
                        "INSERT INTO holes SELECT g, repeat(md5(g::text), 10) FROM generate_series(1, 60000) g;"
                        "DELETE FROM holes WHERE id BETWEEN 5000 AND 50000;"
                        "CREATE TABLE holes_in_blocks AS SELECT id, text FROM large;"
                        "DELETE FROM holes_in_blocks WHERE id BETWEEN 5000 AND 50000;"
                        "ANALYZE large, holes, holes_in_blocks");
  }
  void SetUp() override { shared_target().create_database("restored"); }

  static std::string source() { return shared_source().conninfo("dumped"); }
  static std::string target() { return shared_target().conninfo("restored"); }
  static std::string objects_on_target() {
    return shared_target().value("restored",
                                 "SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace"
                                 " WHERE n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'");
  }

  Error error_of_restoring(const CloneOptions& options) {
    try {
      pipeline::Clone(options, sink_).run();
    } catch (const Error& error) {
      return error;
    }
    return Error(ErrorKind::kInternal, "it was restored");
  }
};

TEST_F(RestoreTest, LargeTablesComeInPartsAndAreVerified) {
  for (const char* compression : {"zstd:1", "none", "gzip:1"}) {
    const fs::path archive = create(source(), fmt::format("archive {}", compression),
                                    [&](auto& options) { options.compression = compression; });
    shared_target().create_database("restored");
    CloneOptions options = restoring(archive, target());
    options.verify = true;
    options.split = {.when = copy::SplitOptions::When::kLarger, .size = {4 << 20}};
    const CloneSummary summary = restore(options);
    const auto large = std::find_if(summary.tables.begin(), summary.tables.end(),
                                    [](const auto& table) { return table.name == "public.large"; });
    ASSERT_NE(large, summary.tables.end());
    EXPECT_EQ(large->parts, 5);
    EXPECT_EQ(large->rows, 60000);
    expect_equal(source(), target());
  }
}

// As `pg_dump --format=custom | cat` writes it: the table of contents does not say where data begins.
TEST_F(RestoreTest, AFileThatWentThroughAPipeIsReadThrough) {
  const fs::path file = folder_.path() / "piped";
  run({"/bin/sh", "-c",
       fmt::format("'{}' --format=custom --dbname='{}' | cat >'{}'", (server_bindir() / "pg_dump").string(), source(),
                   file.string())});
  restore(restoring(file, target()));
  expect_equal(source(), target());
}

// However many parts a table is read in and restored in.
TEST_F(RestoreTest, PartsOfTheArchiveAndOfTheRestoreNeedNotMatch) {
  const copy::SplitOptions in_parts{.when = copy::SplitOptions::When::kLarger, .size = {3 << 20}};
  const fs::path archive = create(source(), "in parts", [&](auto& options) { options.split = in_parts; });
  for (const bool split : {true, false}) {
    shared_target().create_database("restored");
    CloneOptions options = restoring(archive, target());
    options.verify = true;
    if (split) options.split = in_parts;
    restore(options);
    expect_equal(source(), target());
  }
}

// What the manifest says of rows holds for a table in parts, too, with --verify and without.
TEST_F(RestoreTest, OtherRowsThanTheManifestSaysAreADifference) {
  const fs::path archive = create(source(), "archive");
  const std::string manifest = read_file(archive / store::kManifestFile);
  const auto changed = [&](const std::string& what, const std::string& to) {
    std::string text = manifest;
    const std::size_t at = text.find(what, text.find("\"large\""));
    EXPECT_NE(at, std::string::npos);
    return text.replace(at, what.size(), to);
  };
  const std::size_t digest = manifest.find("\"digest\"", manifest.find("\"large\""));
  const std::string other_digest = manifest.substr(digest, 12);
  struct Case {
    std::string manifest;
    bool verify;
    bool split;
  };
  for (const Case& tested :
       {Case{changed("\"rows\": 60000", "\"rows\": 59999"), false, false},
        Case{changed("\"rows\": 60000", "\"rows\": 59999"), false, true},
        Case{changed("\"rows\": 60000", "\"rows\": 60001"), false, true},
        Case{changed(other_digest, "\"digest\": \"" + std::string(other_digest.ends_with('0') ? "1" : "0")), true,
             true}}) {
    std::ofstream(archive / store::kManifestFile, std::ios::trunc) << tested.manifest;
    shared_target().create_database("restored");
    CloneOptions options = restoring(archive, target());
    options.verify = tested.verify;
    if (tested.split) options.split = {.when = copy::SplitOptions::When::kLarger, .size = {4 << 20}};
    const CloneSummary summary = pipeline::Clone(options, sink_).run();
    ASSERT_FALSE(summary.complete());
    EXPECT_NE(failures(summary).find("large"), std::string::npos) << failures(summary);
  }
}

TEST_F(RestoreTest, DamageIsNamedAndTheOtherTablesAreComplete) {
  const fs::path archive = create(source(), "archive");
  const store::Manifest manifest = store::read_manifest(archive);
  const auto large = std::find_if(manifest.tables.begin(), manifest.tables.end(),
                                  [](const auto& table) { return table.name == "large"; });
  std::string bytes = read_file(archive / large->file.name);
  bytes[bytes.size() / 2] ^= 0x10;
  std::ofstream(archive / large->file.name, std::ios::binary | std::ios::trunc) << bytes;
  const CloneSummary summary = pipeline::Clone(restoring(archive, target()), sink_).run();
  EXPECT_FALSE(summary.complete());
  EXPECT_NE(failures(summary).find("large"), std::string::npos) << failures(summary);
  EXPECT_NE(failures(summary).find("frame "), std::string::npos) << failures(summary);
  EXPECT_EQ(shared_target().value("restored", "SELECT count(*) FROM large"), "0");
  EXPECT_EQ(shared_target().value("restored", "SELECT count(*) FROM child"), "1000");
  // Mended, it is completed.
  bytes[bytes.size() / 2] ^= 0x10;
  std::ofstream(archive / large->file.name, std::ios::binary | std::ios::trunc) << bytes;
  CloneOptions again = restoring(archive, target());
  again.earlier_run = pipeline::EarlierRun::kResume;
  restore(again);
  expect_equal(source(), target());
}

TEST_F(RestoreTest, WhatCannotBeRestoredIsRefusedBeforeAnythingIsDone) {
  const std::string before = objects_on_target();
  const fs::path inserts = dump(server_bindir(), source(), "inserts", {"--format=custom", "--inserts"});
  EXPECT_NE(error_of_restoring(restoring(inserts, target())).describe().find("--inserts"), std::string::npos);
  EXPECT_EQ(error_of_restoring(restoring(folder_.path() / "nowhere", target())).kind(), ErrorKind::kConfig);
  const fs::path data = dump(server_bindir(), source(), "data", {"--format=custom", "--data-only"});
  EXPECT_NE(error_of_restoring(restoring(data, target())).describe().find("is not there: "), std::string::npos);

  const fs::path cut = dump(server_bindir(), source(), "cut", {"--format=custom"});
  fs::resize_file(cut, 3000);  // in its table of contents
  EXPECT_EQ(error_of_restoring(restoring(cut, target())).kind(), ErrorKind::kConfig);

  const fs::path changed = create(source(), "changed");
  std::ofstream(changed / store::kTocFile, std::ios::binary | std::ios::app) << "x";
  EXPECT_NE(error_of_restoring(restoring(changed, target())).describe().find("toc.dat"), std::string::npos);
  EXPECT_EQ(objects_on_target(), before);

  // A database that is not empty.
  const fs::path archive = create(source(), "archive");
  shared_target().sql("restored", "CREATE TABLE large (precious int); INSERT INTO large VALUES (1)");
  const Error error = error_of_restoring(restoring(archive, target()));
  EXPECT_EQ(error.kind(), ErrorKind::kState) << error.describe();
  EXPECT_EQ(shared_target().value("restored", "SELECT precious FROM large"), "1");
  // Unless it is to be replaced.
  CloneOptions replacing = restoring(archive, target());
  replacing.drop_if_exists = true;
  restore(replacing);
  expect_equal(source(), target());
}

// The file is cut off after its table of contents: tables that are in it come, the others are named.
TEST_F(RestoreTest, AFileThatLacksDataIsIncomplete) {
  const fs::path file = dump(server_bindir(), source(), "file", {"--format=custom"});
  fs::resize_file(file, fs::file_size(file) * 2 / 3);
  const CloneSummary summary = pipeline::Clone(restoring(file, target()), sink_).run();
  EXPECT_FALSE(summary.complete());
  EXPECT_NE(failures(summary).find("ends too early"), std::string::npos) << failures(summary);
}

TEST_F(RestoreTest, ACancelledOneIsResumed) {
  const fs::path archive = create(source(), "archive");
  CloneOptions options = restoring(archive, target());
  options.table_jobs = 1;
  pipeline::Clone first(options, sink_);
  // It cannot end by itself: an index waits for a lock that this test holds.
  shared_target().sql("restored",
                      "CREATE FUNCTION hold() RETURNS event_trigger LANGUAGE plpgsql"
                      " AS 'BEGIN PERFORM pg_advisory_xact_lock(4711); END';"
                      "CREATE EVENT TRIGGER hold ON ddl_command_start WHEN TAG IN ('CREATE INDEX')"
                      " EXECUTE FUNCTION hold()");
  pg::Connection other = shared_target().connect("restored");
  other.execute("SELECT pg_advisory_lock(4711)");
  std::thread canceller([&] {
    EXPECT_TRUE(wait_until([] {
      return shared_target().value("restored",
                                   "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted") != "0";
    }));
    first.cancel();
  });
  try {
    first.run();
    ADD_FAILURE() << "it was not cancelled";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kCancelled) << error.describe();
  }
  canceller.join();
  other.execute("SELECT pg_advisory_unlock(4711)");
  shared_target().sql("restored", "DROP EVENT TRIGGER hold; DROP FUNCTION hold()");
  // Another archive is not what was begun. (Made in the same second it may be the same to the last byte.)
  const fs::path another = create(source(), "another", [](auto& wanted) { wanted.compression = "zstd:1"; });
  CloneOptions again = restoring(another, target());
  again.earlier_run = pipeline::EarlierRun::kResume;
  const Error error = error_of_restoring(again);
  EXPECT_EQ(error.kind(), ErrorKind::kState) << error.describe();
  again.archive = archive;
  restore(again);
  expect_equal(source(), target());
  // And once more: there is nothing to do.
  EXPECT_TRUE(pipeline::Clone(again, sink_).run().complete());
}

// A restore that has come to its end is verified by the archive, too: there is no source to ask.
TEST_F(RestoreTest, AFinishedOneIsVerifiedAfterwards) {
  shared_source().create_database("verified_later");
  shared_source().sql(
      "verified_later",
      "CREATE TABLE t AS SELECT g AS a FROM generate_series(1, 1000) g; CREATE TABLE u AS SELECT 1 AS a;"
      "CREATE TABLE p (a int) PARTITION BY HASH (a); CREATE TABLE p0 PARTITION OF p FOR VALUES WITH "
      "(MODULUS 2, REMAINDER 0); CREATE TABLE p1 PARTITION OF p FOR VALUES WITH (MODULUS 2, REMAINDER 1);"
      "INSERT INTO p SELECT generate_series(1, 100)");
  const fs::path archive = create(shared_source().conninfo("verified_later"), "archive");
  shared_target().create_database("verified_later");
  CloneOptions options = restoring(archive, shared_target().conninfo("verified_later"));
  restore(options);
  options.earlier_run = pipeline::EarlierRun::kResume;
  options.verify = true;
  restore(options);
  EXPECT_THAT(sink_.text(), ::testing::HasSubstr("4 tables of the target are read back"));
  shared_target().sql("verified_later", "UPDATE t SET a = -a WHERE a = 7");
  const CloneSummary differing = pipeline::Clone(options, sink_).run();
  ASSERT_EQ(differing.failed.size(), 1U);
  EXPECT_EQ(differing.failed[0].error.kind(), ErrorKind::kMismatch);
  EXPECT_EQ(differing.failed[0].error.object(), "table public.t");
}

TEST_F(RestoreTest, FiltersApplyToArchives) {
  const schema::FilterRules rules = schema::parse_filter_rules(
      "[exclude-table]\npublic.child\n[exclude-table-data]\npublic.large\n[exclude-schema]\nother\n[exclude-index]\n"
      "public.part1_i_idx\n",
      "x");
  for (const bool own : {true, false}) {
    const fs::path archive =
        own ? create(source(), "own") : dump(server_bindir(), source(), "dump", {"--format=custom"});
    shared_target().create_database("restored");
    CloneOptions options = restoring(archive, target());
    options.filters = rules;
    const CloneSummary summary = restore(options);
    const std::string skipped = fmt::format("{}", fmt::join(summary.skipped, "\n"));
    EXPECT_NE(skipped.find("[exclude-table]: public.child"), std::string::npos) << skipped;
    EXPECT_NE(skipped.find("counts: it needs"), std::string::npos) << skipped;
    const auto there = [](const char* name) {
      return shared_target().value("restored", fmt::format("SELECT to_regclass('{}') IS NOT NULL", name));
    };
    EXPECT_EQ(there("child"), "f");
    EXPECT_EQ(there("counts"), "f");
    EXPECT_EQ(there("other.child"), "f");
    EXPECT_EQ(there("unfilled"), "t");
    EXPECT_EQ(shared_target().value("restored", "SELECT count(*) FROM large"), "0");
    EXPECT_EQ(shared_target().value("restored", "SELECT count(*) FROM \"T, (x)\""), "5000");
    EXPECT_EQ(shared_target().value("restored", "SELECT nextval('\"T, (x)_id_seq\"')"), "5001");
  }
}

TEST_F(RestoreTest, RolesComeAlongWhereTheyAreWanted) {
  shared_source().sql("postgres",
                      "DROP ROLE IF EXISTS \"archived role\"; CREATE ROLE \"archived role\" LOGIN CONNECTION LIMIT 7"
                      " PASSWORD 'x'");
  shared_target().sql("postgres", "DROP ROLE IF EXISTS \"archived role\"");
  shared_source().create_database("owned");
  shared_source().sql("owned", "CREATE TABLE t (a int); ALTER TABLE t OWNER TO \"archived role\"");
  const auto make = [&](const char* name, bool roles) {
    return create(shared_source().conninfo("owned"), name, [&](auto& options) { options.roles = roles; });
  };
  CloneOptions options = restoring(make("without", false), target());
  EXPECT_NE(error_of_restoring(options).describe().find("roles"), std::string::npos);
  options.roles = true;
  EXPECT_NE(error_of_restoring(options).describe().find("there are no roles in it"), std::string::npos);
  options.archive = make("with", true);
  EXPECT_EQ(fs::status(options.archive / "globals.sql").permissions(), fs::perms::owner_read | fs::perms::owner_write);
  restore(options);
  EXPECT_EQ(shared_target().value("restored", "SELECT tableowner FROM pg_tables WHERE tablename = 't'"),
            "archived role");
  EXPECT_EQ(shared_target().value("postgres", "SELECT rolconnlimit FROM pg_roles WHERE rolname = 'archived role'"),
            "7");
  shared_target().sql("restored", "DROP TABLE t");
  shared_source().sql("owned", "DROP TABLE t");
}

// A user without superuser, into a database of his own: all objects become his.
TEST_F(RestoreTest, APlainUserRestoresWithoutOwners) {
  shared_target().sql("postgres", "DROP DATABASE IF EXISTS plain");
  shared_target().sql("postgres", "DROP ROLE IF EXISTS plain; CREATE ROLE plain LOGIN");
  shared_target().sql("postgres", "CREATE DATABASE plain OWNER plain");
  const fs::path archive = dump(server_bindir(), source(), "dump", {"--format=directory"});
  CloneOptions options = restoring(archive, shared_target().conninfo("plain", "plain"));
  options.restore.owners = false;
  restore(options);
  EXPECT_EQ(shared_target().value("plain", "SELECT count(*) FROM large"), "60000");
  EXPECT_EQ(shared_target().value("plain", "SELECT count(*) FROM pg_largeobject_metadata"), "203");
  EXPECT_EQ(shared_target().value("plain", "SELECT tableowner FROM pg_tables WHERE tablename = 'large'"), "plain");
  shared_target().sql("postgres", "DROP DATABASE plain");
  shared_target().sql("postgres", "DROP ROLE plain");
}

}  // namespace
}  // namespace pgsluice::test
