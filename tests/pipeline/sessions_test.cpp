// Servers whose defaults change how values and definitions are written and read, other ones on each side.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>

#include "pg/quote.h"
#include "tests/pipeline/clone_fixture.h"
#include "tests/support/fidelity.h"

namespace pgsluice::test {
namespace {

// Two locales that write money in different ways.
void make_locale(const std::filesystem::path& folder, const std::string& name) {
  const SubprocessResult result =
      run_command({.command = {"localedef", "--no-archive", "-i", name, "-f", "UTF-8", (folder / name).string()}});
  if (result.exit_code != 0) throw std::runtime_error("localedef: " + result.errors);
}

// What is the default on both servers; of two values the first is the source's.
struct Default {
  const char* name;
  const char* on_source;
  const char* on_target;
};
constexpr Default kDefaults[] = {
    {"DateStyle", "SQL, DMY", "German"},
    {"IntervalStyle", "sql_standard", "postgres_verbose"},
    {"array_nulls", "off", "off"},
    {"standard_conforming_strings", "off", "off"},
    {"transform_null_equals", "on", "on"},
    {"xmloption", "document", "document"},
    {"bytea_output", "escape", "escape"},
    {"extra_float_digits", "-5", "0"},
    {"lc_monetary", "de_DE", "en_US"},
    {"lc_numeric", "de_DE", "en_US"},
    {"TimeZone", "Asia/Kolkata", "America/St_Johns"},
    {"row_security", "off", "on"},
    {"default_tablespace", "other_space", "other_space"},
    {"default_toast_compression", "lz4", "pglz"},
    {"search_path", "ses, ses_other, public", "ses_other, ses, public"},
    {"quote_all_identifiers", "on", "on"},
    {"backslash_quote", "off", "off"},
    {"client_encoding", "LATIN1", "LATIN1"},
    {"client_min_messages", "error", "debug1"},
    {"synchronize_seqscans", "on", "on"},
    {"default_transaction_isolation", "serializable", "serializable"},
    {"default_transaction_read_only", "on", "on"},
    {"default_text_search_config", "pg_catalog.german", "pg_catalog.french"},
    {"statement_timeout", "50ms", "50ms"},
    {"lock_timeout", "10ms", "10ms"},
    {"idle_in_transaction_session_timeout", "2s", "2s"},
    {"idle_session_timeout", "2s", "2s"},
    {"session_replication_role", "origin", "replica"},
};
constexpr const char* kDatabases[] = {"ses", "ascii", "latin"};

class SessionsTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    locales_ = std::make_unique<TemporaryFolder>();
    std::filesystem::permissions(locales_->path(),
                                 std::filesystem::perms::others_read | std::filesystem::perms::others_exec,
                                 std::filesystem::perm_options::add);
    for (const char* locale : {"de_DE", "en_US"}) make_locale(locales_->path(), locale);
    const Cluster::Options options{.environment = {{"LOCPATH", locales_->path().string()}}};
    source_ = std::make_unique<Cluster>(options);
    target_ = std::make_unique<Cluster>(options);
    for (const Cluster* cluster : {source_.get(), target_.get()}) {
      prepare_for_fidelity(*cluster);
      cluster->create_tablespace("other_space");
      cluster->sql("postgres", "GRANT CREATE ON TABLESPACE other_space TO fidelity_owner");
    }
  }
  static void TearDownTestSuite() {
    source_.reset();
    target_.reset();
    locales_.reset();
  }

  static void create_databases(const Cluster& cluster, const std::string& owner) {
    const std::string template0 = "TEMPLATE template0 OWNER " + owner;
    cluster.create_database("ses", template0);
    cluster.create_database("ascii", template0 + " ENCODING 'SQL_ASCII' LOCALE 'C'");
    cluster.create_database("latin", template0 + " ENCODING 'LATIN1' LOCALE 'C'");
  }
  static void fill_databases(const std::string& owner) {
    run_fidelity_file(*source_, "ses", "sessions.sql", owner);
    run_fidelity_file(*source_, "ascii", "sql_ascii.sql", owner);
    run_fidelity_file(*source_, "ascii", "sql_ascii_names.sql", owner);
    run_fidelity_file(*source_, "latin", "latin1.sql", owner);
  }

  // A role's settings, so that those of the databases are compared as they were.
  static void set_defaults(const Cluster& cluster, const std::string& role, const char* Default::*value) {
    pg::Connection connection = cluster.connect("postgres");
    for (const Default& setting : kDefaults) {
      const bool is_list = setting.name == std::string("search_path") || setting.name == std::string("DateStyle");
      // Only a superuser may have it, and hand it to nobody.
      if (role != "postgres" && setting.name == std::string("session_replication_role")) continue;
      connection.execute(fmt::format("ALTER ROLE {} SET {} TO {}", role, setting.name,
                                     is_list ? std::string(setting.*value) : pg::quote_literal(setting.*value)));
    }
  }
  static void reset_defaults() {
    for (const Cluster* cluster : {source_.get(), target_.get()}) {
      // Its own defaults may be the ones that are reset.
      const std::string settings =
          " options='-c statement_timeout=0 -c lock_timeout=0 -c idle_session_timeout=0"
          " -c default_transaction_read_only=off'";
      pg::Connection connection = pg::Connection::open(
          pg::ConnInfo::parse(cluster->conninfo("postgres") + settings, Side::kTarget), "reset", Log(), CancelToken());
      for (const char* role : {"postgres", "fidelity_owner"}) {
        connection.execute(fmt::format("ALTER ROLE {} RESET ALL", role));
      }
    }
  }
  void TearDown() override { reset_defaults(); }

  static std::unique_ptr<TemporaryFolder> locales_;
  static std::unique_ptr<Cluster> source_;
  static std::unique_ptr<Cluster> target_;
};

std::unique_ptr<TemporaryFolder> SessionsTest::locales_;
std::unique_ptr<Cluster> SessionsTest::source_;
std::unique_ptr<Cluster> SessionsTest::target_;

struct Case {
  const char* user;
  int jobs;
};

void PrintTo(const Case& tested, std::ostream* out) { *out << tested.user << " with " << tested.jobs << " jobs"; }

class DefaultsTest : public SessionsTest, public ::testing::WithParamInterface<Case> {};

INSTANTIATE_TEST_SUITE_P(Ways, DefaultsTest,
                         ::testing::Values(Case{"postgres", 1}, Case{"postgres", 4}, Case{"fidelity_owner", 1},
                                           Case{"fidelity_owner", 4}),
                         [](const auto& tested) {
                           return std::string(tested.param.user) + std::to_string(tested.param.jobs);
                         });

TEST_P(DefaultsTest, NoDefaultOfAServerChangesWhatArrives) {
  const auto [user, jobs] = GetParam();
  create_databases(*source_, user);
  fill_databases(user);
  create_databases(*target_, user);
  set_defaults(*source_, user, &Default::on_source);
  set_defaults(*target_, user, &Default::on_target);
  RecordingSink sink;
  const TemporaryFolder folder;
  for (const char* database : kDatabases) {
    pipeline::CloneOptions options;
    options.source = source_->conninfo(database, user);
    options.target = target_->conninfo(database, user);
    options.work_folder = folder.path();
    options.table_jobs = jobs;
    options.index_jobs = jobs;
    try {
      const pipeline::CloneSummary summary = pipeline::Clone(options, sink).run();
      for (const pipeline::FailedObject& failed : summary.failed) ADD_FAILURE() << failed.error.describe();
    } catch (const Error& error) {
      ADD_FAILURE() << database << ": " << error.describe();
    }
  }
  reset_defaults();
  for (const char* database : kDatabases) {
    for (const std::string& difference :
         compare_databases(source_->conninfo(database), target_->conninfo(database), server_bindir())) {
      ADD_FAILURE() << database << ": " << difference;
    }
  }
}

// An amount of money that crosses is read as what it was written as, and one that an expression writes on the target is
// written as on the source.
TEST_F(SessionsTest, AmountsAndNumbersAreWrittenAsTheSourcesDatabaseWritesThem) {
  source_->create_database("amounts");
  target_->create_database("amounts");
  source_->sql("postgres",
               "ALTER DATABASE amounts SET lc_monetary = 'de_DE'; ALTER DATABASE amounts SET lc_numeric = 'de_DE';"
               "ALTER DATABASE amounts SET lc_time = 'de_DE'");
  source_->sql("amounts", R"sql(
    CREATE FUNCTION as_text(money) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT $1::text';
    CREATE FUNCTION as_number(int) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT to_char($1 / 8.0, '999G999D999') $$;
    CREATE TABLE a (i int, m money, t text GENERATED ALWAYS AS (as_text(m)) STORED, CHECK (as_number(i) LIKE '%,%'));
    INSERT INTO a SELECT i, i * 1234.56::numeric::money FROM generate_series(1, 3) i;
    CREATE INDEX a_number ON a (as_number(i));
    CREATE MATERIALIZED VIEW v AS
      SELECT as_text(m) || as_number(i * 10000) || to_char(date '2024-02-01' + i * 20, 'TMMonth') AS t FROM a;
  )sql");
  RecordingSink sink;
  const TemporaryFolder folder;
  pipeline::CloneOptions options;
  options.source = source_->conninfo("amounts");
  options.target = target_->conninfo("amounts");
  options.work_folder = folder.path();
  options.verify = true;
  EXPECT_TRUE(pipeline::Clone(options, sink).run().complete());
  for (const char* query :
       {"SELECT string_agg(t, ';' ORDER BY i) FROM a", "SELECT string_agg(t, ';' ORDER BY t) FROM v",
        "SELECT string_agg(m::numeric::text, ';' ORDER BY i) FROM a",
        "SET enable_seqscan = off; SELECT count(*) FROM a WHERE as_number(i) = as_number(1)"}) {
    EXPECT_EQ(source_->value("amounts", query), target_->value("amounts", query)) << query;
  }
  EXPECT_THAT(target_->value("amounts", "SELECT string_agg(t, ';' ORDER BY t) FROM v"), ::testing::HasSubstr("März"));
}

// "B" is before "a" in C and after it in German: it belongs to another partition on the target.
TEST_F(SessionsTest, RowsOfPartitionsThatSortInAnotherWayGoWhereTheyBelong) {
  source_->create_database("sorted", "TEMPLATE template0 LOCALE 'C'");
  target_->create_database("sorted", "TEMPLATE template0 LOCALE 'de_DE'");
  source_->sql("sorted", R"sql(
    CREATE TABLE words (w text) PARTITION BY RANGE (w);
    CREATE TABLE before_a PARTITION OF words FOR VALUES FROM (MINVALUE) TO ('a');
    CREATE TABLE from_a PARTITION OF words FOR VALUES FROM ('a') TO (MAXVALUE);
    INSERT INTO words VALUES ('A'), ('B'), ('a'), ('b'), ('z'), ('Z'), ('1');
    CREATE TABLE numbers (w text COLLATE "C", i int) PARTITION BY RANGE (w, i);
    CREATE TABLE all_numbers PARTITION OF numbers FOR VALUES FROM (MINVALUE, MINVALUE) TO (MAXVALUE, MAXVALUE);
    INSERT INTO numbers VALUES ('B', 1), ('a', 2);
  )sql");
  RecordingSink sink;
  const TemporaryFolder folder;
  pipeline::CloneOptions options;
  options.source = source_->conninfo("sorted");
  options.target = target_->conninfo("sorted");
  options.work_folder = folder.path();
  const pipeline::CloneSummary summary = pipeline::Clone(options, sink).run();
  EXPECT_TRUE(summary.complete());
  const char* in_leaf = "SELECT string_agg(w, ' ' ORDER BY w COLLATE \"C\") FROM before_a";
  EXPECT_EQ(source_->value("sorted", in_leaf), "1 A B Z");
  EXPECT_EQ(target_->value("sorted", in_leaf), "1");
  EXPECT_EQ(target_->value("sorted", "SELECT count(*) FROM words"), "7");
  EXPECT_EQ(target_->value("sorted", "SELECT count(*) FROM all_numbers"), "2");
}

}  // namespace
}  // namespace pgsluice::test
