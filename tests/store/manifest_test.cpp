#include "store/manifest.h"

#include <gtest/gtest.h>

#include "base/digest.h"
#include "base/file_descriptor.h"
#include "pgsluice/error.h"

namespace pgsluice::store {
namespace {

Manifest some_manifest() {
  return {.written_by = "0.1.0",
          .created = "2026-11-30T12:00:00Z",
          .database = "shop",
          .encoding = "UTF8",
          .server_version = "15.18",
          .pg_dump_version = "15.18",
          .system_identifier = "7",
          .snapshot = "1:1:",
          .money_locale = "de_DE.UTF-8",
          .log_position = "0/1",
          .compression = {},
          .small_files = {{.name = "toc.dat", .digest = digest_of("toc")}},
          .tables = {{.schema = "public",
                      .name = "a \"table\"",
                      .dump_id = 7,
                      .content = 100,
                      .rows = {.rows = 3, .sum = digest_of("rows")},
                      .file = {.name = "7.dat.zst", .size = 60, .index = digest_of("index")}}},
          .large_objects = {{.oid = 16405,
                             .content = 5,
                             .file = {.name = "blob_16405.dat.zst", .size = 9, .index = digest_of("other")}}}};
}

TEST(ManifestTest, IsReadAsItIsWritten) {
  const TemporaryFolder folder;
  write_manifest(some_manifest(), folder.path());
  const Manifest read = read_manifest(folder.path());
  EXPECT_EQ(read.snapshot, "1:1:");
  EXPECT_EQ(read.money_locale, "de_DE.UTF-8");
  EXPECT_EQ(read.compression.text(), "zstd:3");
  ASSERT_EQ(read.small_files.size(), 1U);
  EXPECT_EQ(read.small_files[0].digest, digest_of("toc"));
  ASSERT_EQ(read.tables.size(), 1U);
  EXPECT_EQ(read.tables[0].name, "a \"table\"");
  EXPECT_EQ(read.tables[0].rows, some_manifest().tables[0].rows);
  EXPECT_EQ(read.tables[0].file.index, digest_of("index"));
  ASSERT_EQ(read.large_objects.size(), 1U);
  EXPECT_EQ(read.large_objects[0].oid, 16405U);
}

TEST(ManifestTest, AFolderWithoutOneIsNoArchive) {
  const TemporaryFolder folder;
  EXPECT_THROW(read_manifest(folder.path()), Error);
  EXPECT_THROW(read_manifest(folder.path() / "missing"), Error);
}

TEST(ManifestTest, NamesOfFilesElsewhereAreRefused) {
  for (const char* name : {"../7.dat.zst", "/etc/passwd", "", ".hidden", "a/b"}) {
    const TemporaryFolder folder;
    Manifest manifest = some_manifest();
    manifest.tables[0].file.name = name;
    write_manifest(manifest, folder.path());
    EXPECT_THROW(read_manifest(folder.path()), Error) << name;
  }
}

TEST(ManifestTest, AnotherToolsFileIsRefused) {
  for (const char* text : {"", "{}", "[]", "{\"format\": 2}", "{\"format\": \"1\"}", "not JSON"}) {
    const TemporaryFolder folder;
    write_file(folder.path() / kManifestFile, text);
    try {
      read_manifest(folder.path());
      ADD_FAILURE() << "read: " << text;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kConfig);
      EXPECT_NE(std::string(error.what()).find(kManifestFile), std::string::npos);
    }
  }
}

}  // namespace
}  // namespace pgsluice::store
