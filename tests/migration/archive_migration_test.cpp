// Migrations whose source is an archive: of a server's databases or of one, pgsluice's or pg_dump's.
#include <gmock/gmock.h>

#include "base/subprocess.h"
#include "pgsluice/server_archive.h"
#include "store/server_manifest.h"
#include "tests/migration/runner_fixture.h"

namespace pgsluice::migration {
namespace {

namespace fs = std::filesystem;
using ::testing::Contains;
using ::testing::HasSubstr;

class ArchiveMigrationTest : public RunnerFixture {
 protected:
  // Archives of all databases of the source.
  fs::path archive_all(bool roles = false) {
    pipeline::ArchiveOptions options{.source = source_.conninfo("postgres"), .folder = folder_.path() / "archives"};
    options.roles = roles;
    EXPECT_TRUE(pipeline::ServerArchiveCreation(options, sink_).run().complete());
    return options.folder;
  }

  Request from(const fs::path& archive) const {
    Request wanted = request();
    wanted.source = {};
    wanted.source_password.clear();
    wanted.archive = archive;
    return wanted;
  }

  fs::path dump(const std::string& database, const std::string& part = "--compress=1") const {
    fs::path file = folder_.path() / (database + ".dump");
    const SubprocessResult result =
        run_command({.command = {(test::server_bindir() / "pg_dump").string(), "--format=custom", part,
                                 "--file=" + file.string(), "--dbname=" + source_.conninfo(database)}});
    EXPECT_EQ(result.exit_code, 0) << result.errors;
    return file;
  }

  // One with rows.
  static fs::path data_file(const fs::path& archive) {
    fs::path file;
    for (const fs::directory_entry& entry : fs::directory_iterator(archive)) {
      if (entry.path().extension() == ".zst") file = entry.path();
    }
    return file;
  }
  static void damage(const fs::path& file) {
    std::string bytes = read_file(file);
    bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 1);
    write_file(file, bytes);
  }

  static std::string findings(const Migration& migration) {
    std::string text;
    for (const Validation& validation : migration.validation.server) {
      for (const Finding& finding : validation.findings) text += validation.type + ": " + finding.message + "\n";
    }
    for (const DatabaseValidation& database : migration.validation.databases) {
      for (const Validation& validation : database.validations) {
        for (const Finding& finding : validation.findings) text += validation.type + ": " + finding.message + "\n";
      }
    }
    return text;
  }
};

TEST_F(ArchiveMigrationTest, DatabasesOfAServersArchiveAreMadeOrMadeOverAndVerified) {
  source_.sql(
      "postgres",
      "CREATE ROLE keeper; ALTER DATABASE testdb3 OWNER TO keeper; ALTER DATABASE testdb3 SET work_mem = '7MB'");
  source_.sql("testdb3", "ALTER TABLE t OWNER TO keeper");
  Request wanted = from(archive_all(true));
  wanted.roles = true;
  const Migration ended = run(wanted);
  EXPECT_EQ(ended.state, State::kSucceeded) << ended.error << findings(ended);
  for (const std::string& name : wanted.databases) EXPECT_EQ(differences(name), std::vector<std::string>{}) << name;
  EXPECT_FALSE(target_has("testdb1"));
  EXPECT_EQ(ended.source_server, wanted.archive.string());
  EXPECT_EQ(ended.source_type, "Archive");
  EXPECT_THAT(ended.source_version, HasSubstr("15"));
  for (const DatabaseDetails& database : ended.details) {
    EXPECT_THAT(database.verification, HasSubstr("rows equal to those of the archive's source"));
    EXPECT_EQ(database.rows, 5000);
    EXPECT_EQ(database.fraction, 1);
  }
  EXPECT_EQ(target_.value("postgres", "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = 'testdb3'"),
            "keeper");
}

TEST_F(ArchiveMigrationTest, ADumpBecomesADatabaseOfAnyName) {
  Request wanted = from(dump("testdb1"));
  wanted.databases = {"renamed"};
  const Migration ended = run(wanted);
  EXPECT_EQ(ended.state, State::kSucceeded) << ended.error << findings(ended);
  EXPECT_THAT(ended.details[0].verification, HasSubstr("does not tell how many"));
  EXPECT_EQ(ended.details[0].verification.find("equal"), std::string::npos);
  EXPECT_THAT(ended.next_steps, Contains(HasSubstr("an archive does not have those of its server")));
  EXPECT_THAT(findings(ended), HasSubstr("does not tell how many rows it should have"));
  EXPECT_EQ(test::compare_databases(source_.conninfo("testdb1"), target_.conninfo("renamed"), test::server_bindir()),
            std::vector<std::string>{});
}

TEST_F(ArchiveMigrationTest, WhatIsWrongIsFoundBeforeAnythingIsDropped) {
  source_.sql("testdb6", "CREATE ROLE owner_of_much; ALTER TABLE t OWNER TO owner_of_much");
  const fs::path archives = archive_all();
  struct Case {
    std::string name;
    Request wanted;
    std::string reason;
  };
  std::vector<Case> cases = {{"roles", from(archives), "role owner_of_much (needed by testdb6): missing"},
                             {"missing", from(folder_.path() / "nowhere"), "there is no such archive"},
                             {"unknown", from(archives), "there is no database nothing"},
                             {"no-roles", from(archives), "there are no roles in it"},
                             {"no-roles-nor-owners", from(archives), "there are no roles in it"},
                             {"rows-alone", from(dump("testdb6", "--data-only")), "rows without the definitions"}};
  cases.back().wanted.databases = {"testdb6"};
  cases[2].wanted.databases = {"nothing"};
  cases[3].wanted.roles = cases[4].wanted.roles = true;
  cases[4].wanted.engine.restore.owners = false;
  for (const Case& wrong : cases) {
    const Migration ended = run(wrong.wanted, wrong.name);
    EXPECT_EQ(ended.state, State::kValidationFailed) << wrong.name;
    EXPECT_THAT(ended.error, HasSubstr(wrong.reason));
    EXPECT_EQ(target_.value("testdb6", "SELECT count(*) FROM of_before"), "0") << wrong.name;
    EXPECT_FALSE(target_has("testdb3"));
  }
}

// Without a validation, too: the check of the copy itself comes before the first database is dropped.
TEST_F(ArchiveMigrationTest, ADamagedArchiveReplacesNothing) {
  const fs::path archives = archive_all();
  const fs::path toc = archives / store::folder_of_database("testdb6") / "toc.dat";
  fs::resize_file(toc, fs::file_size(toc) / 2);
  Request wanted = from(archives);
  wanted.option = MigrationOption::kMigrate;
  const Migration ended = run(wanted);
  EXPECT_EQ(ended.state, State::kFailed);
  EXPECT_THAT(ended.error, HasSubstr("toc.dat"));
  EXPECT_EQ(target_.value("testdb6", "SELECT count(*) FROM of_before"), "0");
}

// A bit of a row, too: the archive is read before the first database is dropped.
TEST_F(ArchiveMigrationTest, RowsThatAreDamagedReplaceNothing) {
  const fs::path archives = archive_all();
  damage(data_file(archives / store::folder_of_database("testdb6")));
  const Migration ended = run(from(archives));
  EXPECT_EQ(ended.state, State::kFailed);
  EXPECT_THAT(ended.error, HasSubstr("the archive is damaged"));
  EXPECT_THAT(ended.error, HasSubstr("no database of the target was dropped"));
  EXPECT_EQ(target_.value("testdb6", "SELECT count(*) FROM of_before"), "0");
  EXPECT_FALSE(target_has("testdb3"));
  // Of a dump that is cut off, its end.
  const fs::path file = dump("testdb1");
  fs::resize_file(file, fs::file_size(file) - 20);
  Request wanted = from(file);
  wanted.databases = {"testdb6"};
  const Migration cut = run(wanted, "cut");
  EXPECT_EQ(cut.state, State::kFailed);
  EXPECT_THAT(cut.error, HasSubstr("the archive is damaged"));
  EXPECT_EQ(target_.value("testdb6", "SELECT count(*) FROM of_before"), "0");
}

// Where nothing is replaced, they are found when they are loaded: the database has failed, and is resumed when the file
// is mended.
TEST_F(ArchiveMigrationTest, OneThatFailedIsResumed) {
  const fs::path archives = archive_all();
  target_.sql("postgres", "DROP DATABASE testdb6");
  const fs::path file = data_file(archives / store::folder_of_database("testdb6"));
  const std::string whole = read_file(file);
  damage(file);
  const Request wanted = from(archives);
  const Migration failed = run(wanted);
  EXPECT_EQ(failed.state, State::kFailed);
  EXPECT_THAT(failed.error, HasSubstr("testdb6"));
  write_file(file, whole);
  Runner runner(store_, resume_migration(store_, failed, wanted), wanted, sink_);
  const Migration ended = runner.run();
  EXPECT_EQ(ended.state, State::kSucceeded) << ended.error;
  for (const std::string& name : wanted.databases) EXPECT_EQ(differences(name), std::vector<std::string>{}) << name;
}

// Only the archives of the databases that are migrated need be there.
TEST_F(ArchiveMigrationTest, OneOfSeveralNeedsItsOwnArchiveOnly) {
  const fs::path archives = archive_all();
  fs::remove_all(archives / store::folder_of_database("testdb6"));
  Request wanted = from(archives);
  wanted.databases = {"testdb3"};
  const Migration ended = run(wanted);
  EXPECT_EQ(ended.state, State::kSucceeded) << ended.error << findings(ended);
}

TEST_F(ArchiveMigrationTest, PropertiesNameAnArchive) {
  const fs::path archives = archive_all();
  const auto parse = [&](const std::string& source, PropertiesContext::Origin origin) {
    return parse_properties("{\"properties\": {" + source + ", \"TargetDbServerResourceId\": \"new:5432@admin\"}}",
                            {.origin = origin});
  };
  const auto error_of = [&](const std::string& source, PropertiesContext::Origin origin) -> std::string {
    try {
      parse(source, origin);
    } catch (const Error& error) {
      return error.describe();
    }
    return "";
  };
  using Origin = PropertiesContext::Origin;
  const std::string key = "\"SourceArchive\": \"" + archives.string() + "\"";
  const Request all = parse(key, Origin::kLocal);
  EXPECT_EQ(all.archive, archives);
  EXPECT_EQ(all.databases.size(), 4U);  // without postgres
  EXPECT_THAT(all.databases, Contains("testdb3"));
  EXPECT_EQ(parse(key + ", \"DBsToMigrate\": [\"testdb1\"]", Origin::kLocal).databases,
            std::vector<std::string>{"testdb1"});
  EXPECT_THAT(error_of(key, Origin::kRemote), HasSubstr("properties.SourceArchive names what is on the server's"));
  EXPECT_THAT(error_of(key + ", \"SourceDBServerResourceId\": \"old:5432@me\"", Origin::kLocal),
              HasSubstr("is given beside SourceDBServerResourceId"));
  EXPECT_THAT(error_of(key + ", \"SecretParameters\": {\"AdminCredentials\": {\"SourceServerPassword\": \"x\"}}",
                       Origin::kLocal),
              HasSubstr("of the source, which is an archive"));
  EXPECT_THAT(error_of("\"SourceArchive\": \"/nowhere\"", Origin::kLocal),
              HasSubstr("properties.SourceArchive: /nowhere: there is no such archive"));
  EXPECT_THAT(error_of("\"DBsToMigrate\": [\"x\"]", Origin::kLocal), HasSubstr("or SourceArchive"));
}

}  // namespace
}  // namespace pgsluice::migration
