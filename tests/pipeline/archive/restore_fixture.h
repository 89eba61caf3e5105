#pragma once

#include <fmt/format.h>

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "base/subprocess.h"
#include "pgsluice/archive.h"
#include "tests/pipeline/clone_fixture.h"

namespace pgsluice::test {

/// A database with every kind of data, and with everything that entries say about it.
inline constexpr const char* kDatabaseToArchive = R"sql(
CREATE TABLE "T, (x)" (id serial PRIMARY KEY, "b"" c" text UNIQUE, at timestamptz DEFAULT now());
INSERT INTO "T, (x)" ("b"" c") SELECT repeat(md5(g::text), 20) || E'\t\\\n' || g FROM generate_series(1, 5000) g;
CREATE TABLE ends (a text);
INSERT INTO ends VALUES ('\.'), (E'\\.\n'), (''), (NULL), (E'a\n\n\\.\n'), ('\'), (E'x\\.');
CREATE TABLE nothing (); INSERT INTO nothing DEFAULT VALUES;
CREATE TABLE empty (a int);
CREATE TABLE child (id int PRIMARY KEY, parent int REFERENCES "T, (x)" ON DELETE CASCADE) WITH (fillfactor = 50);
INSERT INTO child SELECT g, g FROM generate_series(1, 1000) g;
CREATE INDEX ON child (parent) WHERE id > 10;
CREATE TABLE parts (i int, j text) PARTITION BY RANGE (i);
CREATE TABLE part1 PARTITION OF parts FOR VALUES FROM (0) TO (10);
CREATE TABLE part2 PARTITION OF parts FOR VALUES FROM (10) TO (2000);
INSERT INTO parts SELECT g, 'p' || g FROM generate_series(0, 1999) g;
CREATE TABLE above (a int); CREATE TABLE below (b int) INHERITS (above);
INSERT INTO above VALUES (1); INSERT INTO below VALUES (2, 3);
CREATE UNLOGGED TABLE fleeting AS SELECT 1 AS one;
CREATE MATERIALIZED VIEW counts AS SELECT count(*) FROM child;
CREATE MATERIALIZED VIEW unfilled AS SELECT 1 AS one WITH NO DATA;
CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
CREATE TRIGGER t AFTER INSERT ON child FOR EACH ROW EXECUTE PROCEDURE nothing();
CREATE RULE r AS ON UPDATE TO ends DO INSTEAD NOTHING;
CREATE SEQUENCE lonely START 77 INCREMENT 5; SELECT nextval('lonely');
GRANT SELECT (id), UPDATE ON child TO PUBLIC;
COMMENT ON COLUMN child.id IS E'it''s\n"quoted"';
CREATE SCHEMA other; CREATE TABLE other.child (a money, b bytea, c interval, d float8[]);
INSERT INTO other.child VALUES (12.34, '\x00ff', '1 mon 2 days', '{1.5,NaN,-Infinity}');
SELECT lo_from_bytea(50001, ''), lo_from_bytea(50002, '\x00'), lo_from_bytea(4000000000, decode(repeat(md5('y'), 100000), 'hex'));
SELECT count(lo_from_bytea((60000 + g)::oid, decode(md5(g::text), 'hex'))) FROM generate_series(1, 200) g;
COMMENT ON LARGE OBJECT 50002 IS 'a comment';
GRANT SELECT ON LARGE OBJECT 50001 TO PUBLIC; GRANT SELECT, UPDATE ON LARGE OBJECT 60007 TO PUBLIC;
ANALYZE)sql";

inline void run(const std::vector<std::string>& command) {
  const SubprocessResult result = run_command({.command = command});
  ASSERT_EQ(result.exit_code, 0) << command.front() << ": " << result.errors;
}

/// Makes archives, and restores them.
class RestoreFixture : public CloneFixture {
 protected:
  // An archive of pgsluice's.
  std::filesystem::path create(const std::string& source, const std::string& name,
                               const std::function<void(pipeline::ArchiveOptions&)>& change = {}) {
    pipeline::ArchiveOptions options{.source = source, .folder = folder_.path() / name};
    options.table_jobs = 3;
    if (change) change(options);
    pipeline::ArchiveCreation(options, sink_).run();
    return options.folder;
  }

  // One of pg_dump's.
  std::filesystem::path dump(const std::filesystem::path& bindir, const std::string& source, const std::string& name,
                             std::vector<std::string> options) {
    std::filesystem::path to = folder_.path() / name;
    std::vector<std::string> command = {(bindir / "pg_dump").string(), "--file=" + to.string(), "--dbname=" + source};
    command.insert(command.end(), options.begin(), options.end());
    run(command);
    return to;
  }

  pipeline::CloneOptions restoring(const std::filesystem::path& archive, const std::string& target) const {
    pipeline::CloneOptions options;
    options.archive = archive;
    options.target = target;
    options.work_folder = folder_.path() / "work";
    options.table_jobs = 3;
    options.index_jobs = 2;
    options.retry_for = std::chrono::seconds(1);
    return options;
  }

  pipeline::CloneSummary restore(const pipeline::CloneOptions& options) {
    pipeline::CloneSummary summary = pipeline::Clone(options, sink_).run();
    EXPECT_TRUE(summary.complete()) << failures(summary);
    return summary;
  }

  static void expect_equal(const std::string& source, const std::string& target,
                           const std::filesystem::path& bindir = server_bindir()) {
    for (const std::string& difference : compare_databases(source, target, bindir)) ADD_FAILURE() << difference;
  }
};

}  // namespace pgsluice::test
