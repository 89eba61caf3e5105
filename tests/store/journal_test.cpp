#include "store/journal.h"

#include <gtest/gtest.h>

#include "base/digest.h"
#include "pgsluice/error.h"

namespace pgsluice::store {
namespace {

JournaledPart some_part() {
  return {.table = 16400,
          .file_node = 16401,
          .file = "7.dat.zst",
          .number = 2,
          .bounds = {.by = "key \xE4\xFF\"", .from = -5, .to = std::nullopt, .nulls = false},
          .rows = {.rows = 3, .sum = digest_of("rows")},
          .frames = {{.stored = 10, .content = 20, .rows = 3, .digest = digest_of("frame")},
                     {.stored = 1, .content = 0, .rows = 0, .digest = digest_of("")}}};
}

JournaledTable some_table() {
  return {.table = 16410,
          .archived = {.schema = "public",
                       .name = "t",
                       .dump_id = 9,
                       .content = 100,
                       .rows = {.rows = 4, .sum = digest_of("more")},
                       .file = {.name = "9.dat.zst", .size = 60, .index = digest_of("index")}}};
}

TEST(JournalTest, IsReadAsItIsWritten) {
  const TemporaryFolder folder;
  EXPECT_FALSE(read_journal(folder.path()));
  {
    Journal journal(
        folder.path(),
        {.run = "a run\n\"of\" mine", .log_is_on_disk = false, .parts = {}, .tables = {}, .large_objects = {}});
    EXPECT_FALSE(journal.has_any());
    journal.add(some_part());
    journal.add(some_table());
    journal.add(ArchivedLargeObject{.oid = 16405, .content = 5, .file = {.name = "blob_16405.dat.zst", .size = 9}});
    journal.add_log_is_on_disk();
    journal.flush();
    EXPECT_TRUE(journal.has_any());
  }
  const JournalContents read = *read_journal(folder.path());
  EXPECT_TRUE(read.log_is_on_disk);
  EXPECT_EQ(read.run, "a run\n\"of\" mine");
  ASSERT_EQ(read.parts.size(), 1U);
  EXPECT_EQ(read.parts[0].table, 16400U);
  EXPECT_EQ(read.parts[0].file_node, 16401U);
  EXPECT_EQ(read.parts[0].file, "7.dat.zst");
  EXPECT_EQ(read.parts[0].number, 2U);
  EXPECT_EQ(read.parts[0].bounds, some_part().bounds);
  EXPECT_EQ(read.parts[0].rows, some_part().rows);
  EXPECT_EQ(read.parts[0].frames, some_part().frames);
  ASSERT_EQ(read.tables.size(), 1U);
  EXPECT_EQ(read.tables[0].table, 16410U);
  EXPECT_EQ(read.tables[0].archived.file.index, digest_of("index"));
  ASSERT_EQ(read.large_objects.size(), 1U);
  EXPECT_EQ(read.large_objects[0].oid, 16405U);
}

TEST(JournalTest, AnotherAttemptBeginsWithWhatIsDone) {
  const TemporaryFolder folder;
  { Journal(folder.path(), {.run = "first", .parts = {some_part()}, .tables = {}, .large_objects = {}}); }
  JournalContents done = *read_journal(folder.path());
  done.run = "second";
  {
    Journal journal(folder.path(), done);
    EXPECT_TRUE(journal.has_any());
    journal.add(some_table());
    journal.flush();
  }
  const JournalContents read = *read_journal(folder.path());
  EXPECT_EQ(read.run, "second");
  EXPECT_EQ(read.parts.size(), 1U);
  EXPECT_EQ(read.tables.size(), 1U);
}

// A crash cuts off the end: whatever line it is in, those before it count.
TEST(JournalTest, WhatFollowsTheLastLineEndDoesNotCount) {
  const TemporaryFolder folder;
  const std::filesystem::path file = folder.path() / kJournalFile;
  { Journal(folder.path(), {.run = "r", .parts = {some_part()}, .tables = {some_table()}, .large_objects = {}}); }
  const std::string whole = read_file(file);
  const std::size_t first = whole.find('\n') + 1;
  const std::size_t second = whole.find('\n', first) + 1;
  for (std::size_t size = first; size < whole.size(); ++size) {
    write_file(file, whole.substr(0, size));
    const JournalContents read = *read_journal(folder.path());
    EXPECT_EQ(read.parts.size(), size >= second ? 1U : 0U) << size;
    EXPECT_TRUE(read.tables.empty()) << size;
  }
  for (std::size_t size = 0; size < first; ++size) {
    write_file(file, whole.substr(0, size));
    EXPECT_THROW(read_journal(folder.path()), Error) << size;
  }
}

TEST(JournalTest, NamesOfFilesElsewhereAreRefused) {
  const TemporaryFolder folder;
  JournaledPart part = some_part();
  part.file = "../7.dat.zst";
  { Journal(folder.path(), {.run = "r", .parts = {part}, .tables = {}, .large_objects = {}}); }
  EXPECT_THROW(read_journal(folder.path()), Error);
}

}  // namespace
}  // namespace pgsluice::store
