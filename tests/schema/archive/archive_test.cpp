#include "schema/archive/archive.h"

#include <gtest/gtest.h>

#include "pgsluice/error.h"
#include "schema/archive/entry_sql.h"
#include "schema/archive/toc_writer.h"
#include "tests/schema/archive_builder.h"

namespace pgsluice::schema {
namespace {

using test::ArchiveBuilder;

TocEntry table_entry() {
  TocEntry entry;
  entry.dump_id = 7;
  entry.catalog_id = {1259, 16384};
  entry.tag = "my table";
  entry.kind = EntryKind::kTable;
  entry.definition = "CREATE TABLE app.\"my table\" (i int);\n";
  entry.drop_statement = "DROP TABLE app.\"my table\";\n";
  entry.schema = "app";
  entry.tablespace = "";
  entry.access_method = "heap";
  entry.relation_kind = 'r';
  entry.owner = "o'wner";
  entry.dependencies = {3, 5};
  return entry;
}

TocEntry comment_entry() {
  TocEntry entry;
  entry.dump_id = 9;
  entry.tag = "TABLE \"my table\"";
  entry.kind = EntryKind::kComment;
  entry.definition = "COMMENT ON TABLE app.\"my table\" IS 'x';\n";
  entry.schema = "app";
  entry.dependencies = {7};
  return entry;
}

ArchiveBuilder small_archive(int minor) {
  ArchiveBuilder builder(minor);
  builder.entry(table_entry(), 2).entry(comment_entry(), 1);
  return builder;
}

class EachArchiveVersion : public ::testing::TestWithParam<int> {};

TEST_P(EachArchiveVersion, IsReadWhole) {
  for (const int int_size : {4, 8}) {
    ArchiveBuilder builder = small_archive(GetParam());
    builder.int_size = int_size;
    const Archive archive = parse_archive(builder.bytes(), "built");
    EXPECT_EQ(archive.version, (ArchiveVersion{1, GetParam(), 0}));
    EXPECT_EQ(archive.database, "shop");
    EXPECT_EQ(archive.server_version, "11.22");
    EXPECT_EQ(archive.dump_version, "12.19");
    ASSERT_EQ(archive.entries.size(), 2U);
    const TocEntry& entry = archive.entries[0];
    EXPECT_EQ(entry.dump_id, 7);
    EXPECT_EQ(entry.catalog_id, (CatalogId{1259, 16384}));
    EXPECT_EQ(entry.tag, "my table");
    EXPECT_EQ(entry.kind, EntryKind::kTable);
    EXPECT_EQ(entry.section, Section::kPreData);
    EXPECT_EQ(entry.definition, table_entry().definition);
    EXPECT_EQ(entry.drop_statement, table_entry().drop_statement);
    EXPECT_EQ(entry.schema, "app");
    EXPECT_EQ(entry.tablespace, "");
    EXPECT_EQ(entry.access_method, GetParam() >= 14 ? std::optional<std::string>("heap") : std::nullopt);
    EXPECT_EQ(entry.relation_kind, GetParam() >= 16 ? 'r' : 0);
    EXPECT_EQ(entry.owner, "o'wner");
    EXPECT_EQ(entry.dependencies, (std::vector<int>{3, 5}));
    EXPECT_EQ(archive.entries[1].section, Section::kPreData) << "a comment goes with what stands before it";
    EXPECT_EQ(archive.entries[1].tablespace, std::nullopt);
  }
}

TEST_P(EachArchiveVersion, CutOffAnywhereIsAnErrorThatNamesTheByte) {
  const std::string whole = small_archive(GetParam()).bytes();
  for (std::size_t length = 0; length < whole.size(); ++length) {
    try {
      parse_archive(std::string_view(whole).substr(0, length), "cut.dump");
      ADD_FAILURE() << "accepted " << length << " of " << whole.size() << " bytes";
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kConfig);
      EXPECT_NE(std::string(error.what()).find("cut.dump"), std::string::npos);
    }
  }
}

TEST_P(EachArchiveVersion, AnyChangedByteIsReadOrRefusedButNeverCrashes) {
  const std::string whole = small_archive(GetParam()).bytes();
  for (std::size_t at = 0; at < whole.size(); ++at) {
    for (const int value : {0x00, 0x01, 0x7F, 0x80, 0xFF}) {
      std::string changed = whole;
      changed[at] = static_cast<char>(value);
      try {
        parse_archive(changed, "changed.dump");
      } catch (const Error& error) {
        EXPECT_EQ(error.kind(), ErrorKind::kConfig);
      }
    }
  }
}

TocEntry data_entry() {
  TocEntry entry;
  entry.dump_id = 11;
  entry.catalog_id = {0, 16384};
  entry.tag = "my table";
  entry.kind = EntryKind::kTableData;
  entry.schema = "app";
  entry.owner = "o'wner";
  entry.dependencies = {7};
  entry.has_data = true;
  entry.copy_statement = "COPY app.\"my table\" (i) FROM stdin;\n";
  return entry;
}

// The directory's table of contents is the custom one's, with names of files, less what was left out.
TEST_P(EachArchiveVersion, BecomesThatOfADirectory) {
  ArchiveBuilder custom = small_archive(GetParam());
  custom.entry(data_entry(), 3);
  const std::string written = custom.bytes();
  Archive archive = parse_archive(written, "built");
  ASSERT_EQ(archive.entries.size(), 3U);
  EXPECT_TRUE(archive.entries[2].has_data);
  EXPECT_EQ(archive.entries[2].copy_statement, data_entry().copy_statement);
  archive.entries[0].definition = "CREATE TABLE another;\n";
  std::erase_if(archive.entries, [](const TocEntry& entry) { return entry.kind == EntryKind::kComment; });
  for (const auto compression : {ArchiveCompression::kNone, ArchiveCompression::kGzip, ArchiveCompression::kZstd}) {
    const std::string toc = make_directory_toc({.written = written + "rows that pg_dump had begun to write",
                                                .archive = archive,
                                                .compression = compression,
                                                .file_of = [](const TocEntry&) { return "11.dat"; }});
    const Archive directory = parse_archive(toc, "toc.dat");
    EXPECT_EQ(directory.format, ArchiveFormat::kDirectory);
    EXPECT_EQ(directory.compression, compression);
    EXPECT_EQ(directory.version.minor,
              compression == ArchiveCompression::kZstd ? std::max(15, GetParam()) : GetParam());
    ASSERT_EQ(directory.entries.size(), 2U);
    EXPECT_EQ(directory.entries[0].definition, "CREATE TABLE another;\n");
    EXPECT_EQ(directory.entries[0].data_file, "");
    EXPECT_EQ(directory.entries[1].data_file, "11.dat");
    EXPECT_EQ(directory.entries[1].copy_statement, data_entry().copy_statement);
    EXPECT_EQ(directory.entries[1].dependencies, (std::vector<int>{7}));
    EXPECT_EQ(directory.database, "shop");
  }
}

TEST_P(EachArchiveVersion, IsWholeWhenItsLastEntryIs) {
  const std::string whole = small_archive(GetParam()).bytes();
  EXPECT_TRUE(has_whole_toc(whole, "built"));
  EXPECT_TRUE(has_whole_toc(whole + "data", "built"));
  for (std::size_t length = 0; length < whole.size(); ++length) {
    EXPECT_FALSE(has_whole_toc(std::string_view(whole).substr(0, length), "built")) << length;
  }
  EXPECT_THROW(has_whole_toc("not an archive", "built"), Error);
}

INSTANTIATE_TEST_SUITE_P(Archive, EachArchiveVersion, ::testing::Values(12, 13, 14, 15, 16));

TEST(Archive, OtherVersionsFormatsAndFilesAreRefusedByName) {
  const auto message = [](const std::string& bytes) -> std::string {
    try {
      parse_archive(bytes, "the file");
      return "accepted";
    } catch (const Error& error) {
      return error.describe();
    }
  };
  EXPECT_NE(message(small_archive(11).bytes()).find("version 1.11"), std::string::npos);
  EXPECT_NE(message(small_archive(17).bytes()).find("version 1.17"), std::string::npos);
  ArchiveBuilder other = small_archive(14);
  other.format = 5;
  EXPECT_NE(message(other.bytes()).find("another format than custom or directory"), std::string::npos);
  EXPECT_NE(message("-- PostgreSQL database dump").find("not an archive"), std::string::npos);
  EXPECT_THROW(read_archive("/no/such/file"), Error);
}

TEST(EntryKind, IsKnownByPgDumpsWordsAndKeepsThoseThatAreNotListed) {
  EXPECT_EQ(EntryKind("FK CONSTRAINT"), EntryKind::kFkConstraint);
  EXPECT_EQ(EntryKind("FK CONSTRAINT").words(), "FK CONSTRAINT");
  EXPECT_EQ(EntryKind("ACL").known(), EntryKind::kAcl);
  EXPECT_EQ(EntryKind("VIEW").known(), EntryKind::kView);
  const EntryKind later("PROPERTY GRAPH");
  EXPECT_EQ(later.known(), EntryKind::kOther);
  EXPECT_EQ(later.words(), "PROPERTY GRAPH");
  EXPECT_FALSE(later == EntryKind("ANOTHER"));
  EXPECT_FALSE(later.is_one_of({EntryKind::kTable, EntryKind::kView}));
  EXPECT_TRUE(EntryKind("TABLE").is_one_of({EntryKind::kTable, EntryKind::kView}));
}

TEST(EntrySql, SetsTablespaceAccessMethodAndOwnerInOneText) {
  Archive archive = parse_archive(small_archive(14).bytes(), "built");
  TocEntry entry = table_entry();
  entry.tablespace = "fast disk";
  EXPECT_EQ(entry_sql(archive, entry, {}, entry.definition),
            "SET LOCAL search_path = \"app\", pg_catalog;\n"
            "SET LOCAL default_tablespace = \"fast disk\";\n"
            "SET LOCAL default_table_access_method = \"heap\";\n"
            "CREATE TABLE app.\"my table\" (i int);\n"
            "ALTER TABLE \"app\".\"my table\" OWNER TO \"o'wner\";\n");
  EXPECT_EQ(entry_sql(archive, entry, {.owners = false, .tablespaces = false}, "X;\n"),
            "SET LOCAL search_path = \"app\", pg_catalog;\n"
            "SET LOCAL default_table_access_method = \"heap\";\nX;\n");
}

TEST(EntrySql, APartitionedTableGetsItsAccessMethodByAlter) {
  const Archive archive = parse_archive(small_archive(16).bytes(), "built");
  TocEntry entry = table_entry();
  entry.relation_kind = 'p';
  const std::string sql = entry_sql(archive, entry, {.owners = false}, entry.definition);
  EXPECT_EQ(sql.find("default_table_access_method"), std::string::npos);
  EXPECT_NE(sql.find("ALTER TABLE \"app\".\"my table\" SET ACCESS METHOD \"heap\";"), std::string::npos);
}

}  // namespace
}  // namespace pgsluice::schema
