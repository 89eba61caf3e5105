// Sources of 9.5 and 9.6, of which no server can be had here: one of today that says it is of that version shows that
// what is asked of them can be answered, and the statements are looked through for what they have not.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "pg/session_settings.h"
#include "pg/snapshot.h"
#include "schema/catalog/collations.h"
#include "schema/catalog/database_properties.h"
#include "schema/catalog/databases.h"
#include "schema/catalog/listing.h"
#include "schema/catalog/sequences.h"
#include "schema/selection/selection.h"
#include "tests/support/cluster.h"
#include "tests/support/recording_sink.h"
#include "tests/support/version_proxy.h"

namespace pgsluice::schema {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

struct OldVersion {
  const char* text;
  int number;
};

class OldVersions : public ::testing::TestWithParam<OldVersion> {
 protected:
  OldVersions() : proxy_(cluster().socket_path(), GetParam().text) {}

  // With the names that functions had before 10.
  static test::Cluster& cluster() {
    static const std::unique_ptr<test::Cluster> kCluster = [] {
      auto made = std::make_unique<test::Cluster>(test::Cluster::Options{
          .settings = {"allow_system_table_mods = on", "password_encryption = 'scram-sha-256'"}});
      made->create_database("old");
      made->sql("old", R"sql(
        CREATE FUNCTION pg_catalog.pg_current_xlog_insert_location() RETURNS pg_lsn LANGUAGE sql AS 'SELECT pg_current_wal_insert_lsn()';
        CREATE FUNCTION pg_catalog.pg_current_xlog_flush_location() RETURNS pg_lsn LANGUAGE sql AS 'SELECT pg_current_wal_flush_lsn()';
        CREATE FUNCTION pg_catalog.pg_xlogfile_name(pg_lsn) RETURNS text LANGUAGE sql AS 'SELECT pg_walfile_name($1)';
        CREATE TYPE mood AS ENUM ('a', 'b');
        CREATE TABLE parent (id serial PRIMARY KEY, m mood, f float8, c text COLLATE "C"); CREATE INDEX ON parent (lower(c));
        CREATE TABLE child (id int REFERENCES parent, extra int) INHERITS (parent);
        CREATE VIEW v AS SELECT id FROM parent; CREATE MATERIALIZED VIEW mv AS SELECT id FROM v;
        CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
        CREATE TRIGGER note BEFORE INSERT ON parent FOR EACH ROW EXECUTE FUNCTION note();
        CREATE EXTENSION hstore; SELECT lo_create(0); GRANT SELECT ON parent TO PUBLIC; SELECT nextval('parent_id_seq');
      )sql");
      made->sql("postgres", "ALTER ROLE postgres PASSWORD 'p'");
      return made;
    }();
    return *kCluster;
  }

  pg::Connection connect() {
    const pg::ConnInfo conninfo = pg::ConnInfo::parse(proxy_.conninfo("old") + " password=p", Side::kSource);
    pg::Connection connection = pg::Connection::open(conninfo, "test", Log(sink_), {});
    pg::apply_session_settings(connection, pg::SessionPurpose::kRead, "UTF8");
    return connection;
  }

  test::RecordingSink sink_;
  test::VersionProxy proxy_;
};

TEST_P(OldVersions, AllThatIsAskedCanBeAnswered) {
  pg::Connection old = connect();
  ASSERT_EQ(old.server_version(), GetParam().number);
  pg::mark_snapshot(old, pg::export_snapshot(old));
  const Catalog catalog = read_catalog(old);
  const Selection selection =
      select_objects(old, {.rules = parse_filter_rules("[exclude-table]\npublic.child\n", "filter")});
  read_sequences(old, catalog.sequences);
  read_database_properties(old, "old", {});
  drop_of_public_schema(old, old);
  read_extensions(old);
  read_databases(old);
  list_databases(old);
  list_extensions(old);
  list_columns(old);
  list_owners(old);
  list_index_details(old);
  list_collations(old);

  // The same as of a server that says what it is.
  pg::Connection now = cluster().connect("old");
  const Catalog expected = read_catalog(now);
  ASSERT_EQ(catalog.relations.size(), expected.relations.size());
  for (std::size_t i = 0; i < expected.relations.size(); ++i) {
    EXPECT_EQ(catalog.relations[i].display(), expected.relations[i].display());
    EXPECT_EQ(catalog.relations[i].columns, expected.relations[i].columns);
    EXPECT_EQ(catalog.relations[i].integer_key, expected.relations[i].integer_key);
  }
  EXPECT_EQ(catalog.indexes.size(), expected.indexes.size());
  EXPECT_EQ(catalog.foreign_keys.size(), expected.foreign_keys.size());
  EXPECT_EQ(catalog.inheritance.size(), expected.inheritance.size());
  EXPECT_EQ(catalog.triggers.size(), expected.triggers.size());
  EXPECT_EQ(catalog.sequences.size(), expected.sequences.size());
  EXPECT_EQ(catalog.large_objects, expected.large_objects);
  EXPECT_FALSE(selection.empty());
}

// By the release notes of 10 to 18: catalogs, columns, functions and words that came after 9.6, and after 9.5.
TEST_P(OldVersions, NothingIsAskedForThatCameLater) {
  pg::Connection old = connect();
  pg::mark_snapshot(old, pg::export_snapshot(old));
  const Catalog catalog = read_catalog(old);
  select_objects(old, {.rules = parse_filter_rules("[exclude-table]\npublic.child\n", "filter")});
  read_sequences(old, catalog.sequences);
  read_database_properties(old, "old", {});
  read_databases(old);
  list_extensions(old);
  list_columns(old);
  list_index_details(old);
  list_collations(old);
  std::string text = sink_.text();
  EXPECT_THAT(text, HasSubstr("pg_catalog.pg_class")) << "statements are in the log";
  // Of the mark of its definitions: catalogs that the server itself has named before.
  const std::size_t named = text.find("SELECT 'pg_depend', pg_catalog.count(*)");
  ASSERT_NE(named, std::string::npos);
  text.erase(named, text.find('\n', named) - named);
  for (const char* later : {"relispartition",
                            "relpartbound",
                            "pg_partitioned_table",
                            "pg_partition_",
                            "attidentity",
                            "attgenerated",
                            "pg_sequence ",
                            "pg_sequences",
                            "seqrelid",
                            "indnkeyatts",
                            "indnullsnotdistinct",
                            "conparentid",
                            "tgparentid",
                            "datlocprovider",
                            "daticulocale",
                            "datlocale",
                            "datcollversion",
                            "collprovider",
                            "collisdeterministic",
                            "pg_subscription",
                            "pg_publication",
                            "pg_statistic_ext",
                            "prokind",
                            "pg_current_wal",
                            "pg_walfile",
                            "_lsn()",
                            "backend_type",
                            "attmissingval",
                            "starts_with(",
                            "pg_current_snapshot",
                            "hashtextextended",
                            "conperiod"}) {
    EXPECT_THAT(text, Not(HasSubstr(later)));
  }
  if (GetParam().number >= 90600) return;
  // to_regclass() and its like took cstring: a literal without a type is one.
  for (const char* later :
       {"pg_size_bytes", "parse_ident", "pg_blocking_pids", "to_regclass($", "amhandler", "wait_event"}) {
    EXPECT_THAT(text, Not(HasSubstr(later)));
  }
}

INSTANTIATE_TEST_SUITE_P(Each, OldVersions, ::testing::Values(OldVersion{"9.6.24", 90624}, OldVersion{"9.5.25", 90525}),
                         [](const auto& version) { return "V" + std::to_string(version.param.number); });

}  // namespace
}  // namespace pgsluice::schema
