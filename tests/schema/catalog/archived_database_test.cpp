// A database that is read from an archive, beside the one that is read from the server.
#include "schema/catalog/archived_database.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "base/file_descriptor.h"
#include "base/subprocess.h"
#include "schema/catalog/databases.h"
#include "tests/support/cluster.h"
#include "tests/support/downloads.h"

namespace pgsluice::schema {
namespace {

namespace fs = std::filesystem;

std::string facts_of(const Database& database) {
  return fmt::format("{} of {}: {} {} collate {} ctype {} locale {} rules {} tablespace {}", database.name,
                     database.owner, database.encoding, database.locale_provider, database.collate, database.ctype,
                     database.locale, database.icu_rules, database.tablespace);
}

class ArchivedDatabaseTest : public ::testing::TestWithParam<int> {};

TEST_P(ArchivedDatabaseTest, IsTheOneOfTheServer) {
  const fs::path bindir = test::server_programs(GetParam());
  if (bindir.empty()) GTEST_SKIP() << test::kNoDownloads;
  const test::Cluster cluster({.settings = {}, .bindir = bindir});
  const TemporaryFolder folder;
  fs::permissions(folder.path(), fs::perms::all);
  cluster.sql("postgres", "CREATE ROLE \"the owner\"");
  std::vector<std::string> options = {"ENCODING 'LATIN1' LOCALE 'C' OWNER \"the owner\"",
                                      "ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C.UTF-8'"};
  const bool has_icu =
      !cluster.connect("postgres").execute("SELECT FROM pg_collation WHERE collprovider = 'i'").empty();
  if (GetParam() >= 15 && has_icu) options.emplace_back("LOCALE_PROVIDER icu ICU_LOCALE 'de' LOCALE 'C'");
  if (GetParam() >= 16 && has_icu) {
    options.emplace_back("LOCALE_PROVIDER icu ICU_LOCALE 'en' ICU_RULES '&V << w <<< W' LOCALE 'C'");
  }
  if (GetParam() >= 17) options.emplace_back("LOCALE_PROVIDER builtin BUILTIN_LOCALE 'C.UTF-8' LOCALE 'C'");
  for (std::size_t i = 0; i < options.size(); ++i) {
    const std::string name = fmt::format("the \"{}\"; TABLESPACE = x", i);
    cluster.create_database(name, "TEMPLATE template0 " + options[i]);
    const std::string file = (folder.path() / "dump").string();
    const SubprocessResult result = run_command({.command = {(bindir / "pg_dump").string(), "--format=custom",
                                                             "--file=" + file, "--dbname=" + cluster.conninfo(name)}});
    ASSERT_EQ(result.exit_code, 0) << result.errors;
    pg::Connection session = cluster.connect(name);
    EXPECT_EQ(facts_of(database_of_archive(read_archive(file))), facts_of(read_own_database(session))) << options[i];
  }
}

INSTANTIATE_TEST_SUITE_P(Releases, ArchivedDatabaseTest, ::testing::Values(13, 15, 17, 18));

TEST(ArchivedDatabaseOfSomeTablesTest, HasItsNameAlone) {
  Archive archive;
  archive.database = "shop";
  const Database database = database_of_archive(archive);
  EXPECT_EQ(database.name, "shop");
  EXPECT_EQ(database.owner, "");
}

}  // namespace
}  // namespace pgsluice::schema
