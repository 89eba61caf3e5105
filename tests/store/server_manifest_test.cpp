#include "store/server_manifest.h"

#include <gtest/gtest.h>

#include "base/file_descriptor.h"
#include "pgsluice/error.h"

namespace pgsluice::store {
namespace {

TEST(ServerManifestTest, IsReadAsItIsWritten) {
  const TemporaryFolder folder;
  EXPECT_FALSE(holds_databases(folder.path()));
  const ServerManifest written{.written_by = "0.1.0",
                               .created = "2026-12-01T12:00:00Z",
                               .server_version = "18.0",
                               .system_identifier = "7",
                               .databases = {"shop", "a/b", "..", "pgsluice.databases.json", "\xE4"}};
  write_server_manifest(written, folder.path());
  EXPECT_TRUE(holds_databases(folder.path()));
  const ServerManifest read = read_server_manifest(folder.path());
  EXPECT_EQ(read.databases, written.databases);
  EXPECT_EQ(read.server_version, "18.0");
  for (const std::string& database : written.databases) {
    const std::string name = folder_of_database(database);
    EXPECT_EQ(name.find_first_of("/."), std::string::npos) << name;
  }
}

TEST(ServerManifestTest, AnotherOneIsRefused) {
  const TemporaryFolder folder;
  EXPECT_THROW(read_server_manifest(folder.path()), Error);
  for (const char* text :
       {"", "[]", R"({"format": 2})",
        R"({"format": 1, "writtenBy": "", "created": "", "serverVersion": "", "systemIdentifier": "",)"
        R"( "databases": [{"folder": "../etc"}]})"}) {
    write_file(folder.path() / kServerManifestFile, text);
    EXPECT_THROW(read_server_manifest(folder.path()), Error) << text;
  }
}

}  // namespace
}  // namespace pgsluice::store
