// What users have put on the tables of an extension, and what an extension has put into its own.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include "tests/cases/case_fixture.h"

namespace pgsluice::test {
namespace {

using ::testing::AnyOf;
using ::testing::ContainsRegex;
using ::testing::HasSubstr;

// No extension of the machine has a table: one stands in, whose tables are there on both servers.
constexpr const char* kExtension = R"sql(
  CREATE EXTENSION hstore;
  CREATE TABLE ext_jobs (id serial PRIMARY KEY, kind text, parent int, n int);
  CREATE TABLE ext_refs (id int PRIMARY KEY);
  ALTER EXTENSION hstore ADD TABLE ext_jobs; ALTER EXTENSION hstore ADD TABLE ext_refs;
  ALTER EXTENSION hstore ADD SEQUENCE ext_jobs_id_seq;
)sql";

constexpr const char* kOfUsers = R"sql(
  CREATE TABLE kinds (kind text PRIMARY KEY); INSERT INTO kinds VALUES ('a');
  CREATE INDEX users_index ON ext_jobs (kind, n) WHERE n > 0;
  CREATE FUNCTION users_function() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;
  CREATE TRIGGER users_trigger BEFORE INSERT ON ext_jobs FOR EACH ROW EXECUTE FUNCTION users_function();
  CREATE POLICY users_policy ON ext_jobs USING (n > 0); ALTER TABLE ext_jobs ENABLE ROW LEVEL SECURITY;
  ALTER TABLE ext_jobs ADD CONSTRAINT users_check CHECK (n >= 0);
  ALTER TABLE ext_jobs ADD CONSTRAINT users_foreign_key FOREIGN KEY (kind) REFERENCES kinds;
  ALTER TABLE ext_jobs ADD CONSTRAINT users_unique UNIQUE (kind, parent);
  CREATE STATISTICS users_statistics ON kind, n FROM ext_jobs;
  CREATE RULE users_rule AS ON DELETE TO ext_refs DO ALSO NOTHING;
  COMMENT ON COLUMN ext_jobs.n IS 'users_comment'; COMMENT ON TABLE ext_refs IS 'users_comment';
  CREATE TABLE of_users (id int REFERENCES ext_refs);
)sql";

constexpr const char* kWhatUsersMade = R"sql(
  SELECT string_agg(what, E'\n' ORDER BY what) FROM (
    SELECT pg_get_indexdef(indexrelid) AS what FROM pg_index WHERE indrelid IN ('ext_jobs'::regclass, 'ext_refs'::regclass)
    UNION ALL SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal
    UNION ALL SELECT polname FROM pg_policy
    UNION ALL SELECT conname || ' ' || pg_get_constraintdef(oid) FROM pg_constraint WHERE connamespace = 'public'::regnamespace
    UNION ALL SELECT pg_get_statisticsobjdef(oid) FROM pg_statistic_ext
    UNION ALL SELECT rulename FROM pg_rewrite WHERE rulename <> '_RETURN'
    UNION ALL SELECT concat_ws(' ', relname, relrowsecurity) FROM pg_class WHERE relname LIKE 'ext\_%'
    UNION ALL SELECT concat_ws(' ', objoid::regclass, objsubid, description) FROM pg_description WHERE description = 'users_comment') all_of_them)sql";

class ExtensionTables : public CaseTest {
 protected:
  void make_extension() const {
    make("");
    for (const Cluster* server : {&source(), &target()}) server->sql(kDatabase, kExtension);
  }
};

TEST_F(ExtensionTables, HaveWhatUsersPutOnThem) {
  make_extension();
  source().sql(kDatabase, kOfUsers);
  const SubprocessResult cloned = clone();
  EXPECT_EQ(cloned.exit_code, 0) << said(cloned);
  expect_same_answer(kWhatUsersMade);
  const SubprocessResult compared = compare_schema();
  EXPECT_EQ(compared.exit_code, 0) << said(compared);
}

TEST_F(ExtensionTables, AreComparedWithWhatUsersPutOnThem) {
  for (const char* of_users :
       {"CREATE INDEX users_index ON ext_jobs (kind)", "ALTER TABLE ext_jobs ADD CONSTRAINT users_check CHECK (n >= 0)",
        "CREATE POLICY users_policy ON ext_jobs", "CREATE STATISTICS users_statistics ON kind, n FROM ext_jobs"}) {
    make_extension();
    source().sql(kDatabase, of_users);
    const SubprocessResult compared = compare_schema();
    EXPECT_EQ(compared.exit_code, 21) << of_users << said(compared);
    EXPECT_THAT(said(compared), HasSubstr("users_")) << of_users;
  }
}

// The tables are a superuser's, and the database's owner may put nothing on them.
TEST_F(ExtensionTables, HaveWhatCannotBeMadeNamed) {
  source().sql("postgres", "DROP ROLE IF EXISTS c12_owner; CREATE ROLE c12_owner");
  target().sql("postgres", "DROP ROLE IF EXISTS c12_owner; CREATE ROLE c12_owner LOGIN");
  make_extension();
  target().sql("postgres", "ALTER DATABASE cases OWNER TO c12_owner");
  source().sql(
      kDatabase,
      "CREATE INDEX users_index ON ext_jobs (kind); CREATE TABLE mine (i int); ALTER TABLE mine OWNER TO c12_owner;"
      "ALTER TABLE ext_jobs ADD CONSTRAINT users_check CHECK (n >= 0)");
  const SubprocessResult cloned =
      run({"clone", "--source", source().conninfo(kDatabase), "--target", target().conninfo(kDatabase, "c12_owner")});
  EXPECT_THAT(cloned.exit_code, AnyOf(0, 22)) << said(cloned);
  EXPECT_THAT(said(cloned), HasSubstr("users_index"));
  EXPECT_THAT(said(cloned), HasSubstr("users_check"));
  EXPECT_EQ(at_target("SELECT to_regclass('mine') IS NOT NULL"), "t");
  for (const Cluster* server : {&source(), &target()}) {
    server->sql("postgres", "DROP DATABASE cases");
    server->sql("postgres", "DROP ROLE c12_owner");
  }
}

// CREATE EXTENSION has put the first row there, on both servers.
TEST_F(ExtensionTables, ThatAreConfigurationMayHoldRowsAlready) {
  make_extension();
  for (const Cluster* server : {&source(), &target()}) {
    server->sql(kDatabase,
                "INSERT INTO ext_jobs (id, kind) VALUES (1, 'of the extension');"
                "UPDATE pg_extension SET extconfig = ARRAY['ext_jobs'::regclass::oid], extcondition = ARRAY['']"
                " WHERE extname = 'hstore'");
  }
  source().sql(kDatabase,
               "SELECT setval('ext_jobs_id_seq', 7); INSERT INTO ext_jobs (id, kind) VALUES (7, 'of a user');"
               "CREATE TABLE plain (i int); INSERT INTO plain VALUES (1)");
  const SubprocessResult checked = check();
  EXPECT_THAT(said(checked), HasSubstr("ext_jobs"));
  const SubprocessResult cloned = clone();
  EXPECT_NE(cloned.exit_code, 12) << said(cloned);
  if (cloned.exit_code == 0) {
    expect_same_answer("SELECT count(*) FROM plain");
    expect_same_answer("SELECT string_agg(concat_ws(' ', id, kind), ',' ORDER BY id) FROM ext_jobs");
  } else {
    EXPECT_THAT(said(cloned), HasSubstr("ext_jobs"));
  }
}

// Only its table is registered, as PostGIS's topology has it: the next row would get a number that is taken.
TEST_F(ExtensionTables, ThatAreConfigurationHaveTheirSequencesWhereTheRowsAre) {
  make_extension();
  for (const Cluster* server : {&source(), &target()}) {
    server->sql(kDatabase,
                "UPDATE pg_extension SET extconfig = ARRAY['ext_jobs'::regclass::oid], extcondition = ARRAY['']"
                " WHERE extname = 'hstore'");
  }
  source().sql(kDatabase, "INSERT INTO ext_jobs (kind) SELECT 'a' FROM generate_series(1, 9)");
  const SubprocessResult checked = check();
  const SubprocessResult cloned = clone();
  EXPECT_EQ(cloned.exit_code, 0) << said(cloned);
  expect_same_answer("SELECT count(*) FROM ext_jobs");
  if (at_target("SELECT last_value FROM ext_jobs_id_seq") != "9") {
    EXPECT_THAT(said(checked), HasSubstr("ext_jobs_id_seq"));
    EXPECT_THAT(said(cloned), ContainsRegex("setval.*ext_jobs_id_seq"));
  }
}

class ExtensionMembers : public CaseTest {
 protected:
  static constexpr const char* kChanged = R"sql(
    CREATE EXTENSION unaccent; CREATE EXTENSION hstore;
    ALTER FUNCTION unaccent(text) IMMUTABLE;
    ALTER FUNCTION akeys(hstore) SECURITY DEFINER SET search_path = public, pg_temp COST 500)sql";
};

TEST_F(ExtensionMembers, HaveTheAttributesThatUsersGaveThem) {
  make(std::string(kChanged) + "; CREATE TABLE t (n text); CREATE INDEX ON t (unaccent(n))");
  // The index needs the function as it is made here.
  const SubprocessResult cloned = clone();
  EXPECT_THAT(cloned.exit_code, AnyOf(0, 22)) << said(cloned);
  expect_same_answer(
      "SELECT string_agg(concat_ws(' ', proname, provolatile, prosecdef, procost, proconfig), ', ' ORDER BY"
      " proname) FROM pg_proc WHERE proname IN ('unaccent', 'akeys') AND pronargs = 1");
}

// From 17 on a server calls the type json, and not pg_catalog.json, in the identities of a cast and of a function.
TEST_F(ExtensionMembers, AreTheSameWhateverAReleaseCallsTheirTypes) {
  if (!between(15, 18)) GTEST_SKIP() << kNoDownloads;
  make("CREATE EXTENSION hstore; CREATE TABLE t AS SELECT hstore('k', 'v') AS h");
  const SubprocessResult cloned = clone();
  EXPECT_EQ(cloned.exit_code, 0) << said(cloned);
  const SubprocessResult compared = compare_schema();
  EXPECT_EQ(compared.exit_code, 0) << said(compared);
  const Migrated migrated = migrate();
  EXPECT_EQ(migrated.state, "Succeeded") << migrated.error;
}

TEST_F(ExtensionMembers, ThatUsersAddedAreNamedAndFound) {
  make(
      "CREATE EXTENSION unaccent; CREATE TABLE mem (k text); INSERT INTO mem VALUES ('a');"
      "ALTER EXTENSION unaccent ADD TABLE mem");
  const SubprocessResult cloned = clone();
  EXPECT_EQ(cloned.exit_code, 0) << said(cloned);
  EXPECT_THAT(cloned.output, HasSubstr("table public.mem of the extension unaccent"));
  const SubprocessResult compared = compare_schema();
  EXPECT_EQ(compared.exit_code, 21);
  EXPECT_THAT(said(compared), HasSubstr("table public.mem of the extension unaccent"));
  const Migrated migrated = migrate();
  EXPECT_EQ(migrated.state, "Succeeded") << migrated.error;
}

TEST_F(ExtensionMembers, ThatTheTargetsUserMayNotAlterAreNamed) {
  target().sql("postgres", "CREATE ROLE mem_admin LOGIN CREATEDB CREATEROLE");
  make(kChanged);
  target().sql("postgres", "ALTER DATABASE cases OWNER TO mem_admin");
  const SubprocessResult cloned =
      run({"clone", "--no-owner", "--progress", "none", "--source", source().conninfo(kDatabase), "--target",
           target().conninfo(kDatabase, "mem_admin")});
  EXPECT_EQ(cloned.exit_code, 0) << said(cloned);
  EXPECT_THAT(cloned.output, HasSubstr("ALTER function public.unaccent(pg_catalog.text) IMMUTABLE"));
  target().sql("postgres", "DROP DATABASE cases");
  target().sql("postgres", "DROP ROLE mem_admin");
}

}  // namespace
}  // namespace pgsluice::test
