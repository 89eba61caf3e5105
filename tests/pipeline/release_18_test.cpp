// Whole clones of what only PostgreSQL 18 has. No pg_dump 18 writes archives here: a script in its place hands out one
// that is built from the definitions as it writes them, with the catalogs' ids.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/pipeline/clone_fixture.h"
#include "tests/schema/archive_builder.h"
#include "tests/support/downloads.h"

namespace pgsluice::pipeline {
namespace {

using schema::Oid;
using test::Cluster;

// In pre-data, or after the data.
struct Definition {
  const char* kind;
  const char* of;    ///< the table
  const char* name;  ///< the constraint, or the table again
  std::string sql;
};

const std::vector<Definition>& definitions() {
  static const std::vector<Definition> all = {
      {"TABLE", "parent", "parent",
       "CREATE TABLE public.parent (id int4range NOT NULL, valid daterange NOT NULL, code integer);\n"},
      {"TABLE", "child", "child",
       "CREATE TABLE public.child (id int4range, valid daterange, code integer, twice integer GENERATED ALWAYS AS "
       "((code "
       "* 2)) VIRTUAL, CONSTRAINT child_small CHECK ((code < 3)) NOT ENFORCED);\n"},
      {"CONSTRAINT", "parent", "parent_pkey",
       "ALTER TABLE ONLY public.parent ADD CONSTRAINT parent_pkey PRIMARY KEY (id, valid WITHOUT OVERLAPS);\n"},
      {"CONSTRAINT", "parent", "parent_code_key",
       "ALTER TABLE ONLY public.parent ADD CONSTRAINT parent_code_key UNIQUE (code);\n"},
      {"CONSTRAINT", "child", "child_code_known",
       "ALTER TABLE public.child ADD CONSTRAINT child_code_known NOT NULL code NOT VALID;\n"},
      {"FK CONSTRAINT", "child", "child_period",
       "ALTER TABLE ONLY public.child ADD CONSTRAINT child_period FOREIGN KEY (id, PERIOD valid) REFERENCES "
       "public.parent(id, PERIOD valid);\n"},
      {"FK CONSTRAINT", "child", "child_code",
       "ALTER TABLE ONLY public.child ADD CONSTRAINT child_code FOREIGN KEY (code) REFERENCES public.parent(code) NOT "
       "ENFORCED;\n"}};
  return all;
}

bool is_table(const Definition& definition) { return definition.kind == std::string("TABLE"); }

// Rows that a constraint which is not enforced, or not validated, does not hold of.
constexpr const char* kRows =
    "INSERT INTO parent VALUES ('[1,2)', '[2020-01-01,2021-01-01)', 1), ('[1,2)', '[2021-01-01,2022-01-01)', 2);"
    "ALTER TABLE child ALTER code DROP NOT NULL;"
    "INSERT INTO child VALUES ('[1,2)', '[2020-06-01,2021-06-01)', 7), ('[1,2)', '[2020-01-01,2020-02-01)', NULL);"
    "ALTER TABLE child ADD CONSTRAINT child_code_known NOT NULL code NOT VALID";

constexpr const char* kConstraints =
    "SELECT string_agg(conname || ' ' || convalidated || ' ' || conenforced || ' ' || pg_get_constraintdef(oid), ', '"
    " ORDER BY conname) FROM pg_constraint WHERE connamespace = 'public'::regnamespace";

std::string archive_of(const Cluster& source) {
  test::ArchiveBuilder builder(16);
  int id = 0;
  const auto oid = [&](const std::string& query) {
    return static_cast<Oid>(std::stoul(source.value("eighteen", query)));
  };
  for (const Definition& definition : definitions()) {
    schema::TocEntry entry;
    entry.dump_id = ++id;
    entry.catalog_id =
        is_table(definition)
            ? schema::CatalogId{schema::kPgClass,
                                oid(fmt::format("SELECT 'public.{}'::regclass::oid", definition.name))}
            : schema::CatalogId{schema::kPgConstraint, oid(fmt::format("SELECT oid FROM pg_constraint WHERE conname = "
                                                                       "'{}'",
                                                                       definition.name))};
    entry.tag = is_table(definition) ? definition.name : fmt::format("{} {}", definition.of, definition.name);
    entry.kind = schema::EntryKind(definition.kind);
    entry.definition = definition.sql;
    entry.schema = "public";
    entry.owner = "postgres";
    if (!is_table(definition)) entry.dependencies = {1, 2};
    constexpr int kPreData = 2;
    constexpr int kPostData = 4;
    builder.entry(entry, is_table(definition) ? kPreData : kPostData);
  }
  return builder.bytes();
}

TEST(Release18, PeriodsAndWhatIsNotEnforcedOrNotValidAreAsTheyWere) {
  const std::filesystem::path server = test::server_programs(18);
  if (server.empty()) GTEST_SKIP() << test::kNoDownloads;
  const Cluster source({.bindir = server});
  const Cluster target({.bindir = server});
  source.create_database("eighteen");
  target.create_database("eighteen");
  for (const Definition& definition : definitions()) {
    if (is_table(definition)) source.sql("eighteen", definition.sql);
  }
  for (const Definition& definition : definitions()) {
    if (!is_table(definition)) source.sql("eighteen", definition.sql);
  }
  source.sql("eighteen", kRows);

  const TemporaryFolder programs;
  write_file(programs.path() / "archive", archive_of(source));
  write_file(programs.path() / "pg_dump", fmt::format("#!/bin/sh\ncase \"$1\" in --version) echo 'pg_dump (PostgreSQL) "
                                                      "18.4' ;; *) cat '{}' ;; esac\n",
                                                      (programs.path() / "archive").string()));
  std::filesystem::permissions(programs.path() / "pg_dump", std::filesystem::perms::owner_all);
  const TemporaryFolder work;
  test::RecordingSink sink;
  CloneOptions options;
  options.source = source.conninfo("eighteen");
  options.target = target.conninfo("eighteen");
  options.work_folder = work.path();
  options.pg_bindir = programs.path();
  options.verify = true;
  const CloneSummary summary = Clone(options, sink).run();
  for (const FailedObject& failed : summary.failed) ADD_FAILURE() << failed.error.describe();
  EXPECT_TRUE(summary.complete());
  const std::string constraints = source.value("eighteen", kConstraints);
  for (const char* part : {"child_code false false", "child_code_known false true", "child_period true true",
                           "child_small false false", "PERIOD valid", "WITHOUT OVERLAPS"}) {
    EXPECT_THAT(constraints, ::testing::HasSubstr(part));
  }
  EXPECT_EQ(target.value("eighteen", kConstraints), constraints);
  const char* rows = "SELECT string_agg(c::text, ' ' ORDER BY c) FROM child c";
  EXPECT_EQ(target.value("eighteen", rows), source.value("eighteen", rows));
}

}  // namespace
}  // namespace pgsluice::pipeline
