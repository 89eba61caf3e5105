// Archives that were interrupted: what is on the disk is kept, and another attempt goes on with it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <optional>

#include "base/file_descriptor.h"
#include "pgsluice/archive.h"
#include "pgsluice/archive_verification.h"
#include "pgsluice/error.h"
#include "store/journal.h"
#include "store/manifest.h"
#include "tests/support/cluster.h"
#include "tests/support/fault_proxy.h"
#include "tests/support/recording_sink.h"

namespace pgsluice::pipeline {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

// Tables of several sizes, one of them read in parts, and large objects.
constexpr const char* kDatabase =
    "CREATE TABLE first (id int, text text); CREATE TABLE second (id int, text text); CREATE TABLE empty (id int);"
    "CREATE TABLE large (id int, text text);"
    "INSERT INTO first SELECT i, md5(i::text) FROM generate_series(1, 20000) i;"
    "INSERT INTO second SELECT i, md5(i::text) FROM generate_series(1, 10000) i;"
    "INSERT INTO large SELECT i, repeat(md5(i::text), 4) FROM generate_series(1, 100000) i;"
    "SELECT lo_from_bytea(0, convert_to(repeat('x', 1000 * i), 'UTF8')) FROM generate_series(1, 5) i;"
    "CREATE SEQUENCE counter; VACUUM ANALYZE";

class ArchiveResumeTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    test::shared_source().create_database("interrupted");
    fill();
  }
  static void TearDownTestSuite() { test::shared_source().sql("postgres", "DROP DATABASE interrupted"); }

  static void fill() {
    for (const char* table : {"first", "second", "empty", "large"}) sql(std::string("DROP TABLE IF EXISTS ") + table);
    sql("DROP SEQUENCE IF EXISTS counter; SELECT lo_unlink(oid) FROM pg_largeobject_metadata");
    std::string_view rest = kDatabase;
    while (!rest.empty()) {
      const std::size_t end = std::min(rest.find(';'), rest.size());
      sql(std::string(rest.substr(0, end)));
      rest.remove_prefix(std::min(end + 1, rest.size()));
    }
  }
  static void sql(const std::string& statement) { test::shared_source().sql("interrupted", statement); }

  void SetUp() override { line_.emplace(test::shared_source()); }

  ArchiveOptions options() const {
    ArchiveOptions options{.source = line_->conninfo("interrupted"), .folder = folder_.path() / "archive"};
    options.table_jobs = 2;
    options.split = {.when = copy::SplitOptions::When::kLarger, .size = Bytes{2 * 1024 * 1024}};
    options.retry_for = std::chrono::seconds(0);
    return options;
  }
  ArchiveOptions resuming() const {
    ArchiveOptions wanted = options();
    wanted.resume = true;
    return wanted;
  }
  ArchiveSummary create(const ArchiveOptions& options) { return ArchiveCreation(options, sink_).run(); }
  Error error_of(const ArchiveOptions& options) {
    try {
      create(options);
    } catch (const Error& error) {
      return error;
    }
    return Error(ErrorKind::kInternal, "the archive was made");
  }

  void cut_at(std::int64_t byte) {
    line_->arm(test::Fault{.kind = test::Fault::Kind::kReset,
                           .way = test::Fault::Way::kToClient,
                           .byte = byte,
                           .reach = test::Fault::Reach::kSession});
  }

  // Bytes that the source sends for a whole archive, and what that holds. Made once for all tests.
  struct Whole {
    std::int64_t length = 0;
    std::map<std::string, std::string> contents;
  };
  const Whole& whole() {
    static std::optional<Whole> whole;
    if (!whole) {
      line_->arm(std::nullopt);
      ArchiveOptions wanted = options();
      wanted.folder = folder_.path() / "beside";
      create(wanted);
      whole = {.length = line_->passed(test::Fault::Way::kToClient), .contents = contents_of(wanted.folder)};
    }
    return *whole;
  }

  // An archive that was interrupted when about all but a tenth had come.
  void interrupt() {
    cut_at(whole().length * 9 / 10);
    const Error error = error_of(options());
    ASSERT_EQ(error.side(), Side::kSource) << error.describe();
    ASSERT_TRUE(fs::exists(options().folder / store::kJournalFile));
    line_->arm(std::nullopt);
  }

  // One in which some parts of a table are done, and others are not.
  void interrupt_with_parts() {
    for (int tenth = 6; tenth < 10; ++tenth) {
      fs::remove_all(options().folder);
      cut_at(whole().length * tenth / 10);
      error_of(options());
      line_->arm(std::nullopt);
      const auto journal = store::read_journal(options().folder);
      if (journal && first_part_of_an_unfinished_table(*journal)) return;
    }
    FAIL() << "no part was done";
  }

  // The lines about parts stay when their table is whole, and its parts are gone.
  static std::optional<store::JournaledPart> first_part_of_an_unfinished_table(const store::JournalContents& journal) {
    for (const store::JournaledPart& part : journal.parts) {
      const auto is_its_table = [&](const store::JournaledTable& table) { return table.table == part.table; };
      if (part.number != 0) continue;
      if (std::none_of(journal.tables.begin(), journal.tables.end(), is_its_table)) return part;
    }
    return std::nullopt;
  }

  // The rows of each table, and the sizes of large objects, by the manifest.
  static std::map<std::string, std::string> contents_of(const fs::path& archive) {
    std::map<std::string, std::string> contents;
    const store::Manifest manifest = store::read_manifest(archive);
    for (const store::ArchivedTable& table : manifest.tables) {
      contents[table.name] = std::to_string(table.rows.rows) + " " + table.rows.sum.hex();
    }
    for (const store::ArchivedLargeObject& object : manifest.large_objects) {
      contents["large object of " + std::to_string(object.content) + " bytes"];
    }
    return contents;
  }

  void expect_whole(const fs::path& archive) {
    store::VerificationProgress progress;
    for (const store::Damage& damage : store::verify_archive(archive, 2, progress, {})) {
      ADD_FAILURE() << damage.what << ": " << damage.why;
    }
    EXPECT_EQ(contents_of(archive), whole().contents);
    EXPECT_FALSE(fs::exists(archive / store::kJournalFile));
    EXPECT_FALSE(fs::exists(archive / store::kLockFile));
    for (const fs::directory_entry& entry : fs::directory_iterator(archive)) {
      EXPECT_EQ(entry.path().string().find(".part-"), std::string::npos) << entry.path();
    }
  }

  TemporaryFolder folder_;
  test::RecordingSink sink_;
  std::optional<test::FaultProxy> line_;
};

TEST_F(ArchiveResumeTest, WhereverTheLineIsCutAnotherAttemptCompletesIt) {
  const std::int64_t length = whole().length;
  int resumed = 0;
  for (const int tenth : {2, 4, 6, 8, 9}) {
    fs::remove_all(options().folder);
    cut_at(length * tenth / 10);
    ArchiveCreation creation(options(), sink_);
    EXPECT_THROW(creation.run(), Error);
    EXPECT_TRUE(line_->has_happened());
    EXPECT_EQ(creation.is_left(), fs::exists(options().folder)) << "cut at " << tenth << " tenths";
    resumed += creation.is_left() ? 1 : 0;
    line_->arm(std::nullopt);
    create(resuming());
    expect_whole(options().folder);
  }
  EXPECT_GT(resumed, 1);
}

TEST_F(ArchiveResumeTest, ALostLineIsMendedWithoutAWord) {
  const std::int64_t length = whole().length;
  cut_at(length * 8 / 10);
  ArchiveOptions wanted = options();
  wanted.retry_for = std::chrono::seconds(60);
  create(wanted);
  EXPECT_TRUE(line_->has_happened());
  EXPECT_THAT(sink_.text(), HasSubstr("goes on when the source answers again"));
  expect_whole(wanted.folder);
}

// It is not read again: the line passes far less than the whole.
TEST_F(ArchiveResumeTest, WhatIsDoneIsNotReadAgain) {
  const std::int64_t length = whole().length;
  ASSERT_NO_FATAL_FAILURE(interrupt());
  create(resuming());
  EXPECT_LT(line_->passed(test::Fault::Way::kToClient), length * 7 / 10);
  EXPECT_THAT(sink_.text(), HasSubstr("going on with an archive that was begun"));
  expect_whole(options().folder);
}

TEST_F(ArchiveResumeTest, WithoutBeingToldItIsNeitherContinuedNorOverwritten) {
  ASSERT_NO_FATAL_FAILURE(interrupt());
  const std::string journal = read_file(options().folder / store::kJournalFile);
  const Error error = error_of(options());
  EXPECT_EQ(error.kind(), ErrorKind::kState);
  EXPECT_TRUE(error.has(Remedy::kResume)) << error.describe();
  EXPECT_EQ(read_file(options().folder / store::kJournalFile), journal);
}

TEST_F(ArchiveResumeTest, ACompleteOneStaysAsItIs) {
  const ArchiveSummary made = create(options());
  const std::string manifest = read_file(options().folder / store::kManifestFile);
  const ArchiveSummary resumed = create(resuming());
  EXPECT_EQ(resumed.rows, made.rows);
  EXPECT_EQ(resumed.entries, made.entries);
  EXPECT_EQ(resumed.stored.count, made.stored.count);
  EXPECT_EQ(read_file(options().folder / store::kManifestFile), manifest);
}

TEST_F(ArchiveResumeTest, AnotherSourceThanBeforeIsRefused) {
  struct Change {
    const char* sql;
    const char* reason;
  };
  for (const Change& change :
       {Change{"UPDATE large SET id = -id WHERE id % 1000 = 0", "table public.large was written to"},
        Change{"DELETE FROM large WHERE id = 7", "table public.large was written to"},
        Change{"ALTER TABLE empty ADD COLUMN more int", "definitions"},
        Change{"SELECT lo_create(0)", "definitions or large objects"}}) {
    fs::remove_all(options().folder);
    ASSERT_NO_FATAL_FAILURE(interrupt());
    sql(change.sql);
    const Error error = error_of(resuming());
    EXPECT_EQ(error.kind(), ErrorKind::kState);
    EXPECT_THAT(error.describe(), HasSubstr(change.reason));
    EXPECT_TRUE(fs::exists(options().folder / store::kJournalFile)) << change.sql;
    fill();
  }
}

// Rows that have not been read yet may be others, and sequences may have gone on: all of it is as it is now.
TEST_F(ArchiveResumeTest, ChangesOfWhatIsNotReadYetAreTaken) {
  ASSERT_NO_FATAL_FAILURE(interrupt());
  std::set<std::string> done;
  const store::JournalContents journal = *store::read_journal(options().folder);
  for (const store::JournaledTable& table : journal.tables) done.insert(table.archived.name);
  for (const char* table : {"first", "second", "empty"}) {
    if (!done.contains(table)) sql(std::string("INSERT INTO ") + table + " VALUES (-1)");
  }
  sql("SELECT nextval('counter')");
  create(resuming());
  ArchiveOptions beside = options();
  beside.folder = folder_.path() / "beside";
  create(beside);
  EXPECT_EQ(contents_of(options().folder), contents_of(beside.folder));
  EXPECT_NE(contents_of(options().folder), whole().contents);
  fill();
}

TEST_F(ArchiveResumeTest, OtherOptionsAreRefusedByName) {
  ASSERT_NO_FATAL_FAILURE(interrupt());
  ArchiveOptions wanted = resuming();
  wanted.compression = "gzip";
  EXPECT_THAT(error_of(wanted).describe(), HasSubstr("compress was zstd:3, and is gzip:6"));
  wanted = resuming();
  wanted.filters = schema::parse_filter_rules("[exclude-table]\npublic.first\n", "x");
  EXPECT_THAT(error_of(wanted).describe(), HasSubstr("another filter"));
  create(resuming());
  expect_whole(options().folder);
}

// Files that are gone or shorter than the journal says, parts that were cut otherwise, and a last line that a crash has
// cut off.
TEST_F(ArchiveResumeTest, OnlyWhatIsThereCounts) {
  for (const char* harm : {"a file is gone", "a file is shorter", "parts are cut otherwise", "the journal is cut off",
                           "a part was being joined"}) {
    fs::remove_all(options().folder);
    const std::string what = harm;
    const bool is_about_a_part = what == "a part was being joined";
    ASSERT_NO_FATAL_FAILURE(is_about_a_part ? interrupt_with_parts() : interrupt());
    const store::JournalContents journal = *store::read_journal(options().folder);
    ASSERT_FALSE(journal.empty());
    const fs::path file = options().folder / (journal.tables.empty() ? store::part_file_name(journal.parts[0].file,
                                                                                             journal.parts[0].number)
                                                                     : journal.tables[0].archived.file.name);
    ArchiveOptions wanted = resuming();
    if (what == "a file is gone") fs::remove(file);
    if (what == "a file is shorter") fs::resize_file(file, fs::file_size(file) - 1);
    if (what == "parts are cut otherwise") wanted.split.size = Bytes{5 * 1024 * 1024};
    if (what == "the journal is cut off") {
      const fs::path path = options().folder / store::kJournalFile;
      fs::resize_file(path, fs::file_size(path) - 1);
    }
    if (is_about_a_part) {
      const store::JournaledPart part = *first_part_of_an_unfinished_table(journal);
      const fs::path path = options().folder / store::part_file_name(part.file, part.number);
      fs::resize_file(path, fs::file_size(path) + 100);
    }
    create(wanted);
    SCOPED_TRACE(harm);
    expect_whole(options().folder);
  }
}

TEST_F(ArchiveResumeTest, ADamagedJournalIsRefused) {
  ASSERT_NO_FATAL_FAILURE(interrupt());
  for (const char* text : {"", "{}\n", "{\"format\": 99, \"run\": \"\"}\n", "no JSON\n"}) {
    write_file(options().folder / store::kJournalFile, text);
    const Error error = error_of(resuming());
    EXPECT_EQ(error.kind(), ErrorKind::kConfig) << text;
    EXPECT_THAT(error.describe(), HasSubstr("pgsluice.journal"));
    EXPECT_TRUE(fs::exists(options().folder / store::kJournalFile));
  }
}

// CLUSTER moves rows to other blocks without a new version of any of them.
TEST_F(ArchiveResumeTest, PartsOfATableThatWasClusteredSinceAreReadAgain) {
  sql("CREATE INDEX by_text ON large (text)");
  sql("ALTER TABLE large CLUSTER ON by_text");
  interrupt_with_parts();
  sql("CLUSTER large");
  create(resuming());
  store::VerificationProgress progress;
  EXPECT_TRUE(store::verify_archive(options().folder, 2, progress, {}).empty());
  EXPECT_EQ(contents_of(options().folder).at("large"), whole().contents.at("large"));
  fill();
}

// However often the parts are cut otherwise.
TEST_F(ArchiveResumeTest, LinesAboutPartsThatWereReadAgainDoNotCount) {
  interrupt_with_parts();
  ArchiveOptions uncut = resuming();
  uncut.split.when = copy::SplitOptions::When::kNever;
  cut_at(whole().length / 2);
  error_of(uncut);
  line_->arm(std::nullopt);
  const store::JournalContents journal = *store::read_journal(options().folder);
  for (const store::JournaledPart& part : journal.parts) {
    EXPECT_TRUE(fs::exists(options().folder / store::part_file_name(part.file, part.number)));
  }
  create(resuming());
  expect_whole(options().folder);
}

// A process that died between the manifest and its journal's end has completed the archive.
TEST_F(ArchiveResumeTest, ACompleteOneWithItsJournalIsNotTouched) {
  create(options());
  {
    store::Journal(options().folder,
                   {.run = "any", .log_is_on_disk = false, .parts = {}, .tables = {}, .large_objects = {}});
  }
  write_file(options().folder / store::kLockFile, "");
  const std::string manifest = read_file(options().folder / store::kManifestFile);
  sql("INSERT INTO first VALUES (-1)");
  create(resuming());
  EXPECT_EQ(read_file(options().folder / store::kManifestFile), manifest);
  EXPECT_FALSE(fs::exists(options().folder / store::kJournalFile));
  expect_whole(options().folder);
  fill();
}

TEST_F(ArchiveResumeTest, ACompleteOneOfAnotherDatabaseOrOfOtherOptionsIsNotTakenForThisOne) {
  create(options());
  ArchiveOptions wanted = resuming();
  wanted.database = "postgres";
  EXPECT_THAT(error_of(wanted).describe(), HasSubstr("holds the archive of another database (interrupted"));
  wanted = resuming();
  wanted.large_objects = false;
  EXPECT_THAT(error_of(wanted).describe(), HasSubstr("large objects was yes, and is no"));
  wanted = resuming();
  wanted.roles = true;
  EXPECT_THAT(error_of(wanted).describe(), HasSubstr("roles was no, and is yes"));
}

// pg_dump counts them, and its numbers are the names of files.
TEST_F(ArchiveResumeTest, TemporaryTablesOfOthersDoNotMatter) {
  interrupt_with_parts();
  pg::Connection other = test::shared_source().connect("interrupted");
  other.execute("CREATE TEMP TABLE a (i int); CREATE TEMP TABLE b (i int PRIMARY KEY)");
  create(resuming());
  expect_whole(options().folder);
}

// The names of tables that were in files, not of those that happen to have such a name.
TEST_F(ArchiveResumeTest, FilesOfOthersStay) {
  ASSERT_NO_FATAL_FAILURE(interrupt());
  const std::vector<std::string> theirs = {"my.database.txt", "blobs-notes", "README",
                                           "7.dat.backup",    "x7.dat",      "pgsluice.txt"};
  for (const std::string& name : theirs) write_file(options().folder / name, "mine");
  fs::create_symlink("/etc/hostname", options().folder / "9999.dat");
  create(resuming());
  for (const std::string& name : theirs) EXPECT_EQ(read_file(options().folder / name), "mine");
  EXPECT_TRUE(fs::is_symlink(options().folder / "9999.dat"));
}

TEST_F(ArchiveResumeTest, AnotherFormOfMoneyIsRefused) {
  ASSERT_NO_FATAL_FAILURE(interrupt());
  test::shared_source().sql("postgres", "ALTER DATABASE interrupted SET lc_monetary TO 'POSIX'");
  EXPECT_THAT(error_of(resuming()).describe(), HasSubstr("lc_monetary of the source was"));
  test::shared_source().sql("postgres", "ALTER DATABASE interrupted RESET lc_monetary");
  create(resuming());
  expect_whole(options().folder);
}

TEST_F(ArchiveResumeTest, ADryRunTellsThePartsAndWritesNothing) {
  const ArchivePlan plan = ArchiveCreation(options(), sink_).plan();
  EXPECT_EQ(plan.database, "interrupted");
  ASSERT_EQ(plan.tables.size(), 4U);
  EXPECT_EQ(plan.tables[0].name, "public.large");
  EXPECT_GT(plan.tables[0].parts, 1U);
  EXPECT_EQ(plan.large_objects, 5U);
  EXPECT_FALSE(fs::exists(options().folder));
}

}  // namespace
}  // namespace pgsluice::pipeline
