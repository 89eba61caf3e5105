// The reader and the SQL made from it, proven against pg_restore: the same list, and the same script.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <sstream>

#include "base/subprocess.h"
#include "pg/quote.h"
#include "schema/archive/archive.h"
#include "schema/archive/entry_sql.h"
#include "tests/support/cluster.h"
#include "tests/support/downloads.h"
#include "tests/support/shop.h"

namespace pgsluice::schema {
namespace {

namespace fs = std::filesystem;

std::string run(std::vector<std::string> command) {
  const SubprocessResult result = run_command({.command = command});
  EXPECT_EQ(result.exit_code, 0) << command.front() << ": " << result.errors;
  return result.output;
}

std::string program(const char* name) { return (test::server_bindir() / name).string(); }

void dump(const std::string& database, const fs::path& file) {
  run({program("pg_dump"), "--format=custom", "-B", "--section=pre-data", "--section=post-data",
       "--file=" + file.string(), "--dbname=" + test::shared_source().conninfo(database)});
}

std::string sanitized(std::string text) {
  for (char& c : text) {
    if (c == '\n' || c == '\r') c = ' ';
  }
  return text;
}

bool is_setting(const TocEntry& entry) {
  return entry.kind.is_one_of({EntryKind::kEncoding, EntryKind::kStdStrings, EntryKind::kSearchPath});
}

// A line of pg_restore --list.
std::string list_line(const TocEntry& entry) {
  return fmt::format("{}; {} {} {} {} {} {}", entry.dump_id, entry.catalog_id.table, entry.catalog_id.oid,
                     entry.kind.words(), entry.schema && !entry.schema->empty() ? sanitized(*entry.schema) : "-",
                     sanitized(entry.tag), sanitized(entry.owner));
}

// What pg_restore writes into a script, without comments, blank lines and the quotes round names.
std::string comparable(const std::string& script) {
  std::string result;
  std::istringstream lines(script);
  for (std::string line; std::getline(lines, line);) {
    const auto starts = [&line](std::string_view prefix) { return line.rfind(prefix, 0) == 0; };
    if (line.empty() || starts("--") || starts("\\restrict") || starts("\\unrestrict")) continue;
    // Settings of the script as a whole, which are those of session_settings.cpp.
    if (starts("SET statement_timeout") || starts("SET lock_timeout") || starts("SET idle_in_") ||
        starts("SET check_function_bodies") || starts("SET xmloption") || starts("SET client_min_messages") ||
        starts("SET row_security") || starts("SET transaction_timeout")) {
      continue;
    }
    if (line == "SET standard_conforming_strings = 'on';") line = "SET standard_conforming_strings = on;";
    for (char c : line) {
      if (c != '"') result += c;
    }
    result += '\n';
  }
  return result;
}

// The script that our entries make, with the settings written where they change, as pg_restore does.
std::string our_script(const Archive& archive) {
  std::string script = session_sql(archive);
  std::string tablespace;
  std::string access_method;
  for (const RestorePass pass : {RestorePass::kMain, RestorePass::kAcl, RestorePass::kPostAcl}) {
    for (const TocEntry& entry : archive.entries) {
      if (entry.pass() != pass || !is_restored(entry, {})) continue;
      const std::string wanted = entry.tablespace.value_or(tablespace);
      if (wanted != tablespace) {
        script += fmt::format("SET default_tablespace = {};\n", wanted.empty() ? "''" : wanted);
        tablespace = wanted;
      }
      const std::string method = entry.access_method.value_or("");
      if (!method.empty() && method != access_method) {
        script += fmt::format("SET default_table_access_method = {};\n", method);
        access_method = method;
      }
      script +=
          entry_sql({}, {.kind = entry.kind, .definition = entry.definition}, {.owners = false}, entry.definition);
      // pg_restore 15 says ALTER TABLE for what it could call by its own kind.
      std::string owner = owner_sql(entry);
      for (const std::string_view kind : {"ALTER SEQUENCE", "ALTER VIEW", "ALTER MATERIALIZED VIEW"}) {
        if (owner.rfind(kind, 0) == 0) owner.replace(0, kind.size(), "ALTER TABLE");
      }
      script += owner;
    }
  }
  return script;
}

void expect_same_as_pg_restore(const fs::path& file) {
  const Archive archive = read_archive(file);
  std::string expected_list;
  std::istringstream lines(run({program("pg_restore"), "--list", "--create", file.string()}));
  for (std::string line; std::getline(lines, line);) {
    if (!line.empty() && line.front() != ';') expected_list += line + "\n";
  }
  std::string list;
  for (const TocEntry& entry : archive.entries) {
    if (!is_setting(entry)) list += list_line(entry) + "\n";
  }
  EXPECT_EQ(list, expected_list);
  EXPECT_GT(archive.entries.size(), 5U);

  // pg_restore writes the first default_tablespace even where it is the session's: ours starts from there too.
  std::string expected = comparable(run({program("pg_restore"), "--file=-", file.string()}));
  std::string ours = comparable(our_script(archive));
  constexpr std::string_view kNoTablespace = "SET default_tablespace = '';\n";
  const std::size_t first = expected.find(kNoTablespace);
  if (first != std::string::npos && first < expected.find("SET default_tablespace = ", first + 1)) {
    expected.erase(first, kNoTablespace.size());
  }
  EXPECT_EQ(ours, expected);
}

TEST(ArchiveAgainstPgRestore, TheShop) {
  test::make_shop(test::shared_source(), "archive_shop", 0.01);
  const TemporaryFolder folder;
  dump("archive_shop", folder.path() / "shop.dump");
  expect_same_as_pg_restore(folder.path() / "shop.dump");
}

TEST(ArchiveAgainstPgRestore, AllKindsOfNames) {
  const test::Cluster& cluster = test::shared_source();
  cluster.create_database("archive_kinds");
  cluster.sql("archive_kinds", R"sql(
    CREATE SCHEMA "a;b";
    CREATE COLLATION "a;b".german (provider = libc, locale = 'C');
    CREATE CONVERSION "a;b".conv FOR 'LATIN1' TO 'UTF8' FROM iso8859_1_to_utf8;
    CREATE TEXT SEARCH CONFIGURATION "a;b".config (COPY = english);
    CREATE TEXT SEARCH DICTIONARY "a;b".dict (TEMPLATE = simple);
    CREATE OPERATOR "a;b".=== (FUNCTION = int4eq, LEFTARG = int, RIGHTARG = int);
    CREATE OPERATOR FAMILY "a;b".family USING btree;
    CREATE OPERATOR CLASS "a;b".class FOR TYPE int USING btree FAMILY "a;b".family AS OPERATOR 1 <, OPERATOR 3 =, FUNCTION 1 btint4cmp(int, int);
    CREATE FUNCTION "a;b"."f;(" (int, VARIADIC text[]) RETURNS int LANGUAGE sql AS $x$ SELECT 1; -- "quoted"
    $x$;
    CREATE AGGREGATE "a;b".agg(int) (SFUNC = int4pl, STYPE = int);
    CREATE PROCEDURE "a;b".proc() LANGUAGE sql AS '';
    CREATE FOREIGN DATA WRAPPER fdw;
    CREATE SERVER srv FOREIGN DATA WRAPPER fdw OPTIONS (password 's3cr3t');
    CREATE USER MAPPING FOR postgres SERVER srv OPTIONS (password 's3cr3t');
    CREATE FOREIGN TABLE "a;b".ft (i int) SERVER srv;
    CREATE TABLE "a;b"."t
2" (i int PRIMARY KEY, j int UNIQUE);
    CREATE STATISTICS "a;b".st ON i, j FROM "a;b"."t
2";
    CREATE CAST ("a;b"."t
2" AS text) WITH INOUT;
    CREATE PUBLICATION pub FOR ALL TABLES;
    CREATE SUBSCRIPTION sub CONNECTION 'host=x' PUBLICATION y WITH (connect = false);
    COMMENT ON COLUMN "a;b"."t
2".i IS 'x';
    ALTER SCHEMA public OWNER TO postgres;
  )sql");
  const TemporaryFolder folder;
  dump("archive_kinds", folder.path() / "kinds.dump");
  expect_same_as_pg_restore(folder.path() / "kinds.dump");
  cluster.sql("archive_kinds", "ALTER SUBSCRIPTION sub SET (slot_name = NONE); DROP SUBSCRIPTION sub");
}

TEST(ArchiveAgainstPgRestore, AnArchiveOfPgDump18) {
  const fs::path modules = test::download("pglite");
  if (modules.empty()) GTEST_SKIP() << test::kNoDownloads;
  const TemporaryFolder folder;
  const fs::path tests = fs::path(PGSLUICE_SOURCE_FOLDER) / "tests/schema";
  run({"node", (tests / "make_archive_18.mjs").string(), modules.string(), (tests / "archive_18.sql").string(),
       (folder.path() / "18.dump").string()});
  const Archive archive = read_archive(folder.path() / "18.dump");
  EXPECT_EQ(archive.version, (ArchiveVersion{1, 16, 0}));
  EXPECT_EQ(archive.server_version.substr(0, 2), "18");
  const auto find = [&](std::string_view kind, std::string_view tag) -> const TocEntry& {
    for (const TocEntry& entry : archive.entries) {
      if (entry.kind.words() == kind && entry.tag == tag) return entry;
    }
    throw std::runtime_error(fmt::format("no {} {}", kind, tag));
  };
  EXPECT_EQ(find("TABLE", "t").owner, "someone");
  EXPECT_EQ(find("TABLE", "t").relation_kind, 'r');
  EXPECT_EQ(find("TABLE", "t").access_method, "heap");
  EXPECT_EQ(find("TABLE", "parted").relation_kind, 'p');
  EXPECT_EQ(find("TABLE", "parted").access_method, "heap");
  EXPECT_EQ(find("TYPE", "colour").section, Section::kPreData);
  EXPECT_EQ(find("INDEX", "t_v").section, Section::kPostData);
  EXPECT_EQ(find("COMMENT", "INDEX t_v").section, Section::kPostData);
  EXPECT_EQ(find("COMMENT", "TABLE t").section, Section::kPreData);
  EXPECT_EQ(find("COMMENT", "TABLE t").dependencies, std::vector<int>{find("TABLE", "t").dump_id});
  EXPECT_EQ(find("MATERIALIZED VIEW DATA", "m").pass(), RestorePass::kPostAcl);
}

}  // namespace
}  // namespace pgsluice::schema
