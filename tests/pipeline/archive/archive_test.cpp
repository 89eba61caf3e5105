// Archives beside those of pg_dump: the same list, the same script, and databases restored from them equal to the
// source.
#include "pgsluice/archive.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>
#include <thread>

#include "base/file_descriptor.h"
#include "base/subprocess.h"
#include "pg/quote.h"
#include "pgsluice/archive_verification.h"
#include "store/manifest.h"
#include "tests/support/cluster.h"
#include "tests/support/database_comparison.h"
#include "tests/support/downloads.h"
#include "tests/support/fidelity.h"
#include "tests/support/recording_sink.h"
#include "tests/support/shop.h"
#include "tests/support/wait_until.h"

namespace pgsluice::pipeline {
namespace {

namespace fs = std::filesystem;
using test::Cluster;

std::string run(std::vector<std::string> command) {
  // Settings that a database may have for its users, and that change how definitions are written: ours has its own.
  const SubprocessResult result =
      run_command({.command = command,
                   .environment = {{"PGOPTIONS", "-c TimeZone=UTC -c bytea_output=hex -c quote_all_identifiers=off"}}});
  EXPECT_EQ(result.exit_code, 0) << command.front() << ": " << result.errors;
  return result.output;
}

// Without what differs from run to run.
std::string comparable(const std::string& text) {
  std::string result;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with(";") && !line.starts_with("--") && !line.starts_with("\\restrict") &&
        !line.starts_with("\\unrestrict")) {
      result += line + "\n";
    }
  }
  return result;
}

// Where two long texts differ first; empty where they are the same.
std::string first_difference(const std::string& ours, const std::string& expected) {
  std::istringstream left(ours);
  std::istringstream right(expected);
  for (int number = 1;; ++number) {
    std::string here;
    std::string there;
    const bool is_here = static_cast<bool>(std::getline(left, here));
    const bool is_there = static_cast<bool>(std::getline(right, there));
    if (!is_here && !is_there) return "";
    if (is_here != is_there || here != there) return fmt::format("line {}: {}\nexpected: {}", number, here, there);
  }
}

class ArchiveFixture : public ::testing::Test {
 protected:
  ArchiveOptions options(const std::string& source) const {
    ArchiveOptions options{.source = source, .folder = folder_.path() / "archive"};
    options.table_jobs = 3;
    return options;
  }
  ArchiveSummary create(const ArchiveOptions& options) { return ArchiveCreation(options, sink_).run(); }
  static std::vector<store::Damage> damage_of(const fs::path& archive) {
    store::VerificationProgress progress;
    return store::verify_archive(archive, 2, progress, {});
  }
  Error error_of(const ArchiveOptions& options) {
    try {
      create(options);
    } catch (const Error& error) {
      return error;
    }
    return Error(ErrorKind::kInternal, "the archive was made");
  }

  TemporaryFolder folder_;
  test::RecordingSink sink_;
};

struct Release {
  int version;
  const char* compression;
};
void PrintTo(const Release& release, std::ostream* out) { *out << release.version << " " << release.compression; }

class EachRelease : public ArchiveFixture, public ::testing::WithParamInterface<Release> {};

// The database that holds one of everything, by each release's own programs.
TEST_P(EachRelease, ArchivesAreAsPgDumpWritesThem) {
  const fs::path bindir = test::server_programs(GetParam().version);
  if (bindir.empty()) GTEST_SKIP() << test::kNoDownloads;
  const Cluster source({.settings = {}, .bindir = bindir});
  test::make_fidelity(source, "one of everything", test::Fidelity::kWhole);
  // Children with columns in another order than pg_dump writes them: here theirs is kept.
  source.sql("one of everything", "DROP TABLE beyond.parent, beyond.dropping_parent CASCADE");
  const std::string conninfo = source.conninfo("one of everything");
  ArchiveOptions wanted = options(conninfo);
  wanted.compression = GetParam().compression;
  wanted.pg_bindir = bindir;
  const ArchiveSummary summary = create(wanted);
  EXPECT_GT(summary.rows, 0);
  EXPECT_GT(summary.large_objects, 0U);
  for (const store::Damage& damage : damage_of(wanted.folder)) ADD_FAILURE() << damage.what << ": " << damage.why;

  const std::string dumped = (folder_.path() / "dumped").string();
  run({(bindir / "pg_dump").string(), "--format=directory", "--file=" + dumped, "--dbname=" + conninfo});
  const std::string pg_restore = (bindir / "pg_restore").string();
  for (const char* output : {"--list", "--file=-"}) {
    const std::string ours = comparable(run({pg_restore, output, wanted.folder.string()}));
    EXPECT_GT(ours.size(), 10000U);
    EXPECT_EQ(first_difference(ours, comparable(run({pg_restore, output, dumped}))), "") << output;
  }
}

INSTANTIATE_TEST_SUITE_P(Releases, EachRelease,
                         ::testing::Values(Release{15, "none"}, Release{15, "gzip"}, Release{17, "zstd"},
                                           Release{18, "zstd"}, Release{18, "gzip"}),
                         [](const auto& tested) {
                           return fmt::format("{}{}", tested.param.compression, tested.param.version);
                         });

class ArchiveTest : public ArchiveFixture {
 protected:
  static void SetUpTestSuite() {
    test::make_shop(test::shared_source(), "archived", 0.02);
    test::make_shop_roles(test::shared_target());
    // Large enough for several frames in each of several parts.
    test::shared_source().sql(
        "archived",
        "CREATE TABLE shop.large (id integer PRIMARY KEY, text text);"
        "INSERT INTO large SELECT i, repeat(md5(i::text), 10) FROM generate_series(1, 60000) i;"
        "CREATE TABLE nothing (); INSERT INTO nothing DEFAULT VALUES;"
        "CREATE TABLE empty (a integer);"
        "CREATE TABLE ends (a text);"
        "INSERT INTO ends VALUES ('\\.'), (E'\\\\.\\n'), (''), (NULL), (E'a\\n\\n\\\\.\\n'), ('\\');"
        "SELECT lo_from_bytea(50001, ''), lo_from_bytea(50002, 'x'),"
        " lo_from_bytea(50003, convert_to(repeat(md5('y'), 100000), 'UTF8'));"
        "ANALYZE");
  }
  std::string source() const { return test::shared_source().conninfo("archived"); }
};

TEST_F(ArchiveTest, RestoredByPgRestoreItEqualsTheSource) {
  ArchiveOptions wanted = options(source());
  wanted.compression = "gzip:1";  // which pg_restore 15 reads
  wanted.split = {.when = copy::SplitOptions::When::kLarger, .size = {4 << 20}};
  create(wanted);
  EXPECT_NE(sink_.text().find("FROM ONLY \"shop\".\"large\" WHERE"), std::string::npos) << "it was not read in parts";
  test::shared_target().sql("postgres", "DROP DATABASE IF EXISTS archived");
  run({(test::server_bindir() / "pg_restore").string(), "--jobs=4", "--exit-on-error", "--create",
       "--dbname=" + test::shared_target().conninfo("postgres"), wanted.folder.string()});
  for (const std::string& difference :
       test::compare_databases(source(), test::shared_target().conninfo("archived"), test::server_bindir())) {
    ADD_FAILURE() << difference;
  }
}

TEST_F(ArchiveTest, ItsManifestHasWhatTheSourceHas) {
  const ArchiveSummary summary = create(options(source()));
  const store::Manifest manifest = store::read_manifest(folder_.path() / "archive");
  EXPECT_EQ(manifest.database, "archived");
  EXPECT_EQ(manifest.snapshot, summary.snapshot);
  std::map<std::string, std::int64_t> rows;
  for (const store::ArchivedTable& table : manifest.tables) rows[table.name] = table.rows.rows;
  EXPECT_EQ(rows["large"], 60000);
  EXPECT_EQ(rows["nothing"], 1);
  EXPECT_EQ(rows["empty"], 0);
  EXPECT_EQ(rows["ends"], 6);
  std::map<schema::Oid, std::uintmax_t> objects;
  for (const store::ArchivedLargeObject& object : manifest.large_objects) objects[object.oid] = object.content;
  EXPECT_EQ(objects[50001], 0U);
  EXPECT_EQ(objects[50002], 1U);
  EXPECT_EQ(objects[50003], 3'200'000U);
  EXPECT_FALSE(fs::exists(folder_.path() / "archive" / "pgsluice.lock"));
}

// A bit in every kind of place: frames, indexes, the table of contents, the manifest's digests.
TEST_F(ArchiveTest, AFlippedBitIsFoundAndItsTableNamed) {
  const ArchiveOptions wanted = options(source());
  create(wanted);
  ASSERT_TRUE(damage_of(wanted.folder).empty());
  const store::Manifest manifest = store::read_manifest(wanted.folder);
  std::vector<std::pair<std::string, std::string>> files = {{store::kTocFile, "the table of contents"},
                                                            {"blobs.toc", "the list of large objects blobs.toc"}};
  for (const store::ArchivedTable& table : manifest.tables) {
    if (table.name == "large" || table.name == "empty") {
      files.emplace_back(table.file.name, "table " + pg::display_name("shop", table.name));
    }
  }
  for (const store::ArchivedLargeObject& object : manifest.large_objects) {
    if (object.oid == 50003) files.emplace_back(object.file.name, "large object 50003");
  }
  ASSERT_EQ(files.size(), 5U);
  for (const auto& [name, what] : files) {
    const fs::path file = wanted.folder / name;
    const std::string whole = read_file(file);
    for (const std::size_t from_end :
         {whole.size(), whole.size() / 3, whole.size() / 2, std::size_t{100}, std::size_t{30}, std::size_t{1}}) {
      const std::size_t at = whole.size() - std::min(from_end, whole.size());
      std::string changed = whole;
      changed.at(at) ^= 0x10;
      std::ofstream(file, std::ios::binary | std::ios::trunc) << changed;
      const std::vector<store::Damage> found = damage_of(wanted.folder);
      ASSERT_EQ(found.size(), 1U) << name << " at " << at;
      EXPECT_EQ(found[0].what, what) << name << " at " << at;
    }
    std::ofstream(file, std::ios::binary | std::ios::trunc) << whole.substr(0, whole.size() / 2);
    EXPECT_EQ(damage_of(wanted.folder).size(), 1U) << name << " cut off";
    fs::remove(file);
    EXPECT_EQ(damage_of(wanted.folder).size(), 1U) << name << " missing";
    std::ofstream(file, std::ios::binary | std::ios::trunc) << whole;
    ASSERT_TRUE(damage_of(wanted.folder).empty()) << name;
  }
}

TEST_F(ArchiveTest, WhatAFilterOmitsIsInNeitherPart) {
  ArchiveOptions wanted = options(source());
  wanted.compression = "none";
  wanted.filters = schema::parse_filter_rules("[exclude-table]\nshop.large\n[exclude-table-data]\nshop.ends\n", "x");
  create(wanted);
  ASSERT_TRUE(damage_of(wanted.folder).empty());
  const std::string pg_restore = (test::server_bindir() / "pg_restore").string();
  const std::string dumped = (folder_.path() / "dumped").string();
  run({(test::server_bindir() / "pg_dump").string(), "--format=directory", "--exclude-table=shop.large",
       "--exclude-table-data=shop.ends", "--blobs", "--file=" + dumped, "--dbname=" + source()});
  const auto script = [&](const std::string& archive) { return comparable(run({pg_restore, "--file=-", archive})); };
  EXPECT_EQ(first_difference(script(wanted.folder.string()), script(dumped)), "");
}

TEST_F(ArchiveTest, AFolderThatHoldsAnythingStaysAsItIs) {
  const ArchiveOptions wanted = options(source());
  fs::create_directory(wanted.folder);
  write_file(wanted.folder / "precious", "x");
  const Error error = error_of(wanted);
  EXPECT_EQ(error.kind(), ErrorKind::kState);
  EXPECT_NE(std::string(error.what()).find("precious"), std::string::npos) << error.describe();
  EXPECT_EQ(read_file(wanted.folder / "precious"), "x");
}

TEST_F(ArchiveTest, WhatFailsLeavesNothing) {
  test::shared_source().sql("postgres", "DROP ROLE IF EXISTS archiver; CREATE ROLE archiver LOGIN");
  const Error error = error_of(options(test::shared_source().conninfo("archived", "archiver")));
  EXPECT_EQ(error.side(), Side::kSource) << error.describe();
  EXPECT_FALSE(fs::exists(folder_.path() / "archive"));
  // A folder that was there stays, empty.
  fs::create_directory(folder_.path() / "archive");
  error_of(options(test::shared_source().conninfo("archived", "archiver")));
  EXPECT_TRUE(fs::is_empty(folder_.path() / "archive"));
}

TEST_F(ArchiveTest, ACancelledOneLeavesNothing) {
  // It cannot end by itself: it waits for the lock of a table.
  pg::Connection other = test::shared_source().connect("archived");
  other.execute("BEGIN; LOCK TABLE large IN ACCESS EXCLUSIVE MODE");
  ArchiveCreation creation(options(source()), sink_);
  std::thread canceller([&] {
    test::wait_until([&] { return fs::exists(folder_.path() / "archive"); });
    creation.cancel();
  });
  try {
    creation.run();
    ADD_FAILURE() << "it was made";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kCancelled) << error.describe();
  }
  canceller.join();
  EXPECT_FALSE(fs::exists(folder_.path() / "archive"));
}

// pg_dump would read them, and end with an error; in a small database before its table of contents is looked at.
TEST_F(ArchiveTest, RowsThatAFilterOmitsNeedNotBeReadable) {
  test::shared_source().create_database("secrets");
  test::shared_source().sql("secrets",
                            "DROP ROLE IF EXISTS secrets_reader; CREATE ROLE secrets_reader LOGIN;"
                            "CREATE TABLE plain AS SELECT 1 AS a; CREATE TABLE secret AS SELECT 2 AS a;"
                            "GRANT SELECT ON plain, secret TO secrets_reader;"
                            "ALTER TABLE secret ENABLE ROW LEVEL SECURITY");
  ArchiveOptions wanted = options(test::shared_source().conninfo("secrets", "secrets_reader"));
  EXPECT_NE(std::string(error_of(wanted).what()).find("row-level security"), std::string::npos);
  wanted.filters = schema::parse_filter_rules("[exclude-table-data]\npublic.secret\n", "x");
  EXPECT_EQ(create(wanted).rows, 1);
  EXPECT_TRUE(damage_of(wanted.folder).empty());
}

TEST_F(ArchiveTest, WhatNeedsAnOmittedObjectIsNamed) {
  test::shared_source().create_database("dependents");
  test::shared_source().sql("dependents", "CREATE TABLE base (a int); CREATE VIEW above AS SELECT * FROM base");
  ArchiveOptions wanted = options(test::shared_source().conninfo("dependents"));
  wanted.filters = schema::parse_filter_rules("[exclude-table]\npublic.base\n", "x");
  const ArchiveSummary summary = create(wanted);
  EXPECT_EQ(summary.skipped.size(), 2U);
  EXPECT_NE(fmt::format("{}", fmt::join(summary.skipped, "\n")).find("above: it needs"), std::string::npos);
}

// Files that others put into the folder meanwhile are not the archive's.
TEST_F(ArchiveTest, FilesOfOthersSurviveAFailure) {
  pg::Connection other = test::shared_source().connect("archived");
  other.execute("BEGIN; LOCK TABLE shop.large IN ACCESS EXCLUSIVE MODE");
  ArchiveCreation creation(options(source()), sink_);
  std::thread canceller([&] {
    test::wait_until([&] { return fs::exists(folder_.path() / "archive" / "pgsluice.lock"); });
    write_file(folder_.path() / "archive" / "precious", "x");
    creation.cancel();
  });
  EXPECT_THROW(creation.run(), Error);
  canceller.join();
  EXPECT_TRUE(fs::exists(folder_.path() / "archive" / "precious"));
  EXPECT_FALSE(fs::exists(folder_.path() / "archive" / "pgsluice.lock"));
}

}  // namespace
}  // namespace pgsluice::pipeline
