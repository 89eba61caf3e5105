#include "pgsluice/clone.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <regex>
#include <thread>

#include "pgsluice/error.h"
#include "tests/pipeline/clone_fixture.h"
#include "tests/pipeline/running_clone.h"
#include "tests/support/wait_until.h"

namespace pgsluice::pipeline {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;

class CloneTest : public test::CloneFixture {};

class ShopClone : public test::CloneFixture, public ::testing::WithParamInterface<int> {};

TEST_P(ShopClone, ComesOutEqual) {
  test::make_shop(test::shared_source(), "clone_shop", 0.05);
  test::make_shop_roles(test::shared_target());
  test::shared_target().create_database("clone_shop");
  const CloneSummary summary = clone("clone_shop", [](CloneOptions& options) {
    options.table_jobs = GetParam();
    options.index_jobs = GetParam();
  });
  EXPECT_TRUE(summary.complete()) << failures(summary);
  EXPECT_EQ(summary.large_objects, 121);
  EXPECT_EQ(differences("clone_shop"), std::vector<std::string>{});
  // A server takes a moment to end a session whose client is gone.
  const char* ours =
      "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'pgsluice:%' AND datname = 'clone_shop'";
  EXPECT_TRUE(test::wait_until([&] { return test::shared_source().value("postgres", ours) == "0"; }));
}

INSTANTIATE_TEST_SUITE_P(Jobs, ShopClone, ::testing::Values(1, 4));

TEST_F(CloneTest, WhatSitsInTheEntriesOfIndexesAndKeysIsKept) {
  make("clone_keys", R"sql(
    CREATE TABLE a (i int CONSTRAINT a_key PRIMARY KEY DEFERRABLE, j int NOT NULL, k text,
      CONSTRAINT a_unique UNIQUE (j) INCLUDE (k) WITH (fillfactor = 60), UNIQUE NULLS NOT DISTINCT (k));
    ALTER TABLE a CLUSTER ON a_unique; ALTER TABLE a REPLICA IDENTITY USING INDEX a_unique;
    CREATE TABLE b (i int NOT NULL, j int NOT NULL);
    CREATE UNIQUE INDEX b_i ON b (i); CREATE INDEX b_j ON b (j); CREATE INDEX b_expression ON b ((i + j), (i * j));
    ALTER TABLE b CLUSTER ON b_j; ALTER TABLE b REPLICA IDENTITY USING INDEX b_i;
    ALTER INDEX b_expression ALTER COLUMN 2 SET STATISTICS 77;
    COMMENT ON CONSTRAINT a_unique ON a IS 'of a constraint'; COMMENT ON INDEX b_j IS 'of an index';
    CREATE TABLE c (i int REFERENCES a (j) ON DELETE SET NULL, CHECK (i > 0) NOT VALID);
    ALTER TABLE c ADD CONSTRAINT c_not_valid FOREIGN KEY (i) REFERENCES a (j) NOT VALID;
    CREATE TABLE nothing (); CREATE TABLE self (i int PRIMARY KEY, up int REFERENCES self);
    INSERT INTO a SELECT i, i, 'k' || i FROM generate_series(1, 2000) i;
    INSERT INTO b SELECT i, i FROM generate_series(1, 2000) i;
    INSERT INTO self SELECT i, nullif(i / 2, 0) FROM generate_series(1, 500) i;
  )sql");
  const CloneSummary summary = clone("clone_keys");
  EXPECT_TRUE(summary.complete()) << failures(summary);
  EXPECT_EQ(differences("clone_keys"), std::vector<std::string>{});
}

TEST_F(CloneTest, PublicationsAndSubscriptionsCrossAndNoSubscriptionIsEnabled) {
  make("clone_publication", R"sql(
    CREATE TABLE t (i int PRIMARY KEY);
    CREATE PUBLICATION everything FOR ALL TABLES;
    CREATE PUBLICATION part FOR TABLE t WHERE (i > 5) WITH (publish = 'insert');
    CREATE SUBSCRIPTION sub CONNECTION 'host=/nowhere dbname=x' PUBLICATION p WITH (connect = false, slot_name = NONE);
  )sql");
  const CloneSummary summary = clone("clone_publication");
  EXPECT_TRUE(summary.complete()) << failures(summary);
  EXPECT_EQ(test::shared_target().value("clone_publication", "SELECT subenabled FROM pg_subscription"), "f");
  EXPECT_EQ(test::shared_target().value("clone_publication", "SELECT count(*) FROM pg_publication_rel"), "1");
  EXPECT_THAT(summary.warnings, Contains(HasSubstr("subscription sub")));
  test::shared_source().sql("clone_publication", "DROP SUBSCRIPTION sub");
  test::shared_target().sql("clone_publication",
                            "ALTER SUBSCRIPTION sub SET (slot_name = NONE); DROP SUBSCRIPTION sub");
}

TEST_F(CloneTest, AnInvalidIndexIsLeftOutAndReported) {
  make("clone_invalid",
       "CREATE TABLE t (i int); INSERT INTO t VALUES (1); CREATE INDEX broken ON t (i);"
       "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'broken'::regclass");
  const CloneSummary summary = clone("clone_invalid");
  EXPECT_TRUE(summary.complete()) << failures(summary);
  EXPECT_THAT(summary.skipped, Contains(HasSubstr("public.broken")));
  EXPECT_EQ(
      test::shared_target().value("clone_invalid", "SELECT count(*) FROM pg_index WHERE indrelid = 't'::regclass"),
      "0");
}

TEST_F(CloneTest, SchemasAndExtensionsThatAreThereAreTakenAsTheyAre) {
  make("clone_present", "CREATE SCHEMA app; CREATE TABLE app.t AS SELECT 1 AS i; CREATE EXTENSION hstore");
  test::shared_target().sql("clone_present", "CREATE SCHEMA app; CREATE EXTENSION hstore");
  const CloneSummary summary = clone("clone_present");
  EXPECT_TRUE(summary.complete()) << failures(summary);
  EXPECT_THAT(summary.skipped, Contains(HasSubstr("schema app")));
  EXPECT_THAT(summary.skipped, Contains(HasSubstr("extension hstore")));
  EXPECT_EQ(differences("clone_present"), std::vector<std::string>{});
}

TEST_F(CloneTest, AFailedEntryIsNamedAndWhatDependsOnItLeftOutAndTheRestIsThere) {
  make("clone_failed", R"sql(
    CREATE TABLE good AS SELECT 1 AS i;
    CREATE TABLE bad (i int); CREATE INDEX bad_i ON bad (i); INSERT INTO bad VALUES (1);
    CREATE VIEW on_bad AS SELECT * FROM bad; CREATE VIEW on_good AS SELECT * FROM good;
  )sql");
  // A table of this name cannot be made where the event trigger forbids it.
  test::shared_target().sql("clone_failed", R"sql(
    CREATE SCHEMA guard;
    CREATE FUNCTION guard.f() RETURNS event_trigger LANGUAGE plpgsql AS
      'BEGIN IF EXISTS (SELECT FROM pg_event_trigger_ddl_commands() WHERE object_identity = ''public.bad'') THEN RAISE EXCEPTION ''not here''; END IF; END';
    CREATE EVENT TRIGGER guard ON ddl_command_end EXECUTE FUNCTION guard.f();
  )sql");
  const CloneSummary summary = clone("clone_failed");
  ASSERT_EQ(summary.failed.size(), 1U);
  EXPECT_EQ(summary.failed[0].name, "table public.bad");
  EXPECT_EQ(summary.failed[0].error.sqlstate(), "P0001");
  std::vector<std::string> left_out;
  for (const LeftOutObject& object : summary.left_out) left_out.push_back(object.name);
  std::sort(left_out.begin(), left_out.end());
  EXPECT_EQ(left_out, (std::vector<std::string>{"index public.bad_i", "rows of table public.bad",
                                                "statistics of public.bad", "view public.on_bad"}));
  EXPECT_EQ(test::shared_target().value("clone_failed", "SELECT i FROM on_good"), "1");
}

TEST_F(CloneTest, ADomainsConstraintThatIsNotValidComesAfterTheRows) {
  make("clone_domain", R"sql(
    CREATE DOMAIN d AS int; CREATE TABLE t (a d); INSERT INTO t VALUES (-5);
    ALTER DOMAIN d ADD CONSTRAINT positive CHECK (VALUE > 0) NOT VALID;
  )sql");
  const CloneSummary summary = clone("clone_domain");
  EXPECT_TRUE(summary.complete()) << failures(summary);
  EXPECT_EQ(differences("clone_domain"), std::vector<std::string>{});
}

TEST_F(CloneTest, TriggersOfPartitionsKeepTheirState) {
  make("clone_triggers", R"sql(
    CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
    CREATE TABLE p (a int, b int, PRIMARY KEY (a, b)) PARTITION BY LIST (a);
    CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1) PARTITION BY RANGE (b);
    CREATE TABLE p1a PARTITION OF p1 FOR VALUES FROM (0) TO (10);
    CREATE TABLE p1b PARTITION OF p1 FOR VALUES FROM (10) TO (1000000);
    INSERT INTO p SELECT 1, i FROM generate_series(0, 30000) i;
    CREATE TABLE k (x int PRIMARY KEY, a int, b int, FOREIGN KEY (a, b) REFERENCES p);
    CREATE TRIGGER g AFTER INSERT ON p FOR EACH ROW EXECUTE FUNCTION f();
    ALTER TABLE p1a DISABLE TRIGGER g; ALTER TABLE p1b ENABLE ALWAYS TRIGGER g;
  )sql");
  const CloneSummary summary = clone("clone_triggers");
  EXPECT_TRUE(summary.complete()) << failures(summary);
  EXPECT_EQ(differences("clone_triggers"), std::vector<std::string>{});
}

TEST_F(CloneTest, AMaterializedViewThatFailsIsReportedAndTheOthersAreFilled) {
  make("clone_views", R"sql(
    CREATE TABLE t AS SELECT 1 AS i;
    CREATE FUNCTION brittle() RETURNS int LANGUAGE plpgsql AS 'BEGIN RETURN 1 / (SELECT current_setting(''port'')::int - current_setting(''my.port'')::int); END';
    CREATE MATERIALIZED VIEW one AS SELECT i FROM t; CREATE MATERIALIZED VIEW two AS SELECT i FROM one;
    CREATE MATERIALIZED VIEW fails AS SELECT brittle() WITH NO DATA;
  )sql");
  test::shared_source().sql("clone_views", "SET my.port = 1; REFRESH MATERIALIZED VIEW fails");
  const CloneSummary summary = clone("clone_views");
  ASSERT_EQ(summary.failed.size(), 1U);
  EXPECT_THAT(summary.failed[0].name, HasSubstr("fails"));
  EXPECT_EQ(test::shared_target().value("clone_views", "SELECT i FROM two"), "1");
  EXPECT_EQ(test::shared_target().value("clone_views", "SELECT relispopulated FROM pg_class WHERE relname = 'fails'"),
            "f");
}

TEST_F(CloneTest, AMaterializedViewOnATableWithForcedRowSecurityHoldsWhatItHeld) {
  test::make_shop_roles(test::shared_source());
  test::make_shop_roles(test::shared_target());
  make("clone_forced", R"sql(
    CREATE TABLE t AS SELECT generate_series(1, 10) AS i; ALTER TABLE t OWNER TO shop_owner;
    ALTER TABLE t ENABLE ROW LEVEL SECURITY; ALTER TABLE t FORCE ROW LEVEL SECURITY;
    CREATE POLICY half ON t USING (i <= 5);
    GRANT CREATE ON SCHEMA public TO shop_owner; SET ROLE shop_owner;
    CREATE MATERIALIZED VIEW m AS SELECT i FROM t;
  )sql");
  EXPECT_EQ(test::shared_source().value("clone_forced", "SELECT count(*) FROM m"), "5");
  const CloneSummary summary = clone("clone_forced");
  EXPECT_TRUE(summary.complete()) << failures(summary);
  EXPECT_EQ(differences("clone_forced"), std::vector<std::string>{});
}

TEST_F(CloneTest, ExtensionConfigurationTablesCarryTheUsersRows) {
  // A stand-in extension is needed on both servers: it is made of files in the servers' extension folder, which tests
  // do not write to. An extension can also be made up from objects that are there already.
  make("clone_config", R"sql(
    CREATE EXTENSION hstore;
    CREATE TABLE config (i int PRIMARY KEY, of_user bool);
    INSERT INTO config VALUES (1, false), (2, true);
    ALTER EXTENSION hstore ADD TABLE config;
    UPDATE pg_extension SET extconfig = ARRAY['config'::regclass::oid], extcondition = ARRAY['WHERE of_user'] WHERE extname = 'hstore';
  )sql");
  test::shared_target().sql("clone_config", R"sql(
    CREATE EXTENSION hstore; CREATE TABLE config (i int PRIMARY KEY, of_user bool); INSERT INTO config VALUES (1, false);
    ALTER EXTENSION hstore ADD TABLE config;
  )sql");
  const CloneSummary summary = clone("clone_config");
  EXPECT_TRUE(summary.complete()) << failures(summary);
  EXPECT_EQ(test::shared_target().value("clone_config", "SELECT string_agg(i::text, ',' ORDER BY i) FROM config"),
            "1,2");
}

TEST_F(CloneTest, OptionsLeaveOutWhatTheySay) {
  test::make_shop_roles(test::shared_target());
  make("clone_options", R"sql(
    CREATE TABLE t (i int); COMMENT ON TABLE t IS 'x'; GRANT SELECT ON t TO PUBLIC; SELECT lo_create(80000);
    ALTER DATABASE clone_options SET work_mem = '1MB';
  )sql");
  const CloneSummary summary = clone("clone_options", [](CloneOptions& options) {
    options.restore.acls = false;
    options.restore.comments = false;
    options.restore.owners = false;
    options.large_objects = false;
    options.database_properties = false;
    options.statistics = Statistics::kNone;
  });
  EXPECT_TRUE(summary.complete()) << failures(summary);
  EXPECT_EQ(test::shared_target().value("clone_options", "SELECT obj_description('t'::regclass)"), "(null)");
  EXPECT_EQ(test::shared_target().value("clone_options", "SELECT relacl FROM pg_class WHERE relname = 't'"), "(null)");
  EXPECT_EQ(test::shared_target().value("clone_options", "SELECT count(*) FROM pg_largeobject_metadata"), "0");
  EXPECT_EQ(test::shared_target().value("clone_options",
                                        "SELECT count(*) FROM pg_db_role_setting s JOIN pg_database d"
                                        " ON d.oid = setdatabase WHERE datname = current_database()"),
            "0");
}

// Only superusers may SET SESSION AUTHORIZATION, which the archive has around what others than the owner have granted;
// and of a member of several roles that might grant, the server picks one.
TEST_F(CloneTest, APlainUserGrantsInTheNamesOfThoseWhomHeMayActFor) {
  for (const test::Cluster* server : {&test::shared_source(), &test::shared_target()}) {
    server->sql("postgres",
                "CREATE ROLE grants_near; CREATE ROLE grants_far; CREATE ROLE grants_end; CREATE ROLE grants_owner;"
                "CREATE ROLE grants_user LOGIN CREATEDB IN ROLE grants_owner, grants_near");
  }
  make("grants", R"sql(
    CREATE TABLE near (i int); CREATE TABLE far (i int);
    CREATE FUNCTION secret() RETURNS int LANGUAGE sql AS 'SELECT 1'; REVOKE ALL ON FUNCTION secret() FROM PUBLIC;
    GRANT SELECT ON near TO grants_near WITH GRANT OPTION; GRANT SELECT ON far TO grants_far WITH GRANT OPTION;
    GRANT USAGE ON SCHEMA public TO grants_near, grants_far, grants_owner;
    REVOKE CONNECT ON DATABASE grants FROM PUBLIC; GRANT CONNECT ON DATABASE grants TO grants_user;
    GRANT CONNECT ON DATABASE grants TO grants_near WITH GRANT OPTION;
    GRANT TEMPORARY ON DATABASE grants TO grants_far WITH GRANT OPTION;
    ALTER TABLE near OWNER TO grants_owner; ALTER TABLE far OWNER TO grants_owner;
    ALTER FUNCTION secret() OWNER TO grants_owner; ALTER DATABASE grants OWNER TO grants_owner;
    GRANT SELECT ON near TO grants_end;
    SET ROLE grants_near; GRANT UPDATE ON near TO grants_end; GRANT SELECT ON near TO grants_far;
    GRANT CONNECT ON DATABASE grants TO grants_end;
    SET ROLE grants_far; GRANT SELECT ON far TO grants_end; GRANT TEMPORARY ON DATABASE grants TO grants_end)sql");
  const auto acls = [](const test::Cluster& server) {
    return server.value(
        "grants",
        "SELECT string_agg(name || ' ' || grantor::regrole || ' ' || CASE grantee WHEN 0 THEN '-' ELSE"
        " grantee::regrole::text END || ' ' || privilege_type || is_grantable, E'\n' ORDER BY name, number)"
        " FROM (SELECT 'table ' || relname, relacl FROM pg_class WHERE relname IN ('near', 'far')"
        " UNION ALL SELECT 'function', proacl FROM pg_proc WHERE proname = 'secret'"
        " UNION ALL SELECT 'database', datacl FROM pg_database WHERE datname = 'grants') o(name, acl), "
        "aclexplode(acl) WITH ORDINALITY AS a(grantor, grantee, privilege_type, is_grantable, number)");
  };
  // But for what grants_far has granted.
  const std::string wanted =
      std::regex_replace(acls(test::shared_source()), std::regex("grants_far grants_end"), "grants_owner grants_end");
  test::shared_target().sql("grants",
                            "ALTER DATABASE grants OWNER TO grants_user; ALTER SCHEMA public OWNER TO grants_user;"
                            "GRANT CREATE ON SCHEMA public TO grants_owner");
  const CloneSummary summary = clone("grants", [](CloneOptions& options) {
    options.target = test::shared_target().conninfo("grants", "grants_user");
  });
  EXPECT_TRUE(summary.complete()) << failures(summary);
  EXPECT_THAT(summary.skipped, ::testing::Contains(::testing::HasSubstr("grantor grants_far of privileges")));
  EXPECT_THAT(summary.skipped, ::testing::Not(::testing::Contains(::testing::HasSubstr("grants_near"))));
  EXPECT_EQ(acls(test::shared_target()), wanted);
}

TEST_F(CloneTest, WhereAGrantorMayNotSeeTheSchemaTheUserGrants) {
  for (const test::Cluster* server : {&test::shared_source(), &test::shared_target()}) {
    server->sql(
        "postgres",
        "CREATE ROLE blind_grantor; CREATE ROLE blind_reader; CREATE ROLE blind_user LOGIN IN ROLE blind_grantor");
  }
  make("blind", R"sql(
    CREATE SCHEMA s; CREATE TABLE s.t (i int); GRANT USAGE ON SCHEMA s TO blind_grantor;
    GRANT SELECT ON s.t TO blind_grantor WITH GRANT OPTION;
    ALTER SCHEMA s OWNER TO blind_user; ALTER TABLE s.t OWNER TO blind_user;
    SET ROLE blind_grantor; GRANT SELECT ON s.t TO blind_reader; RESET ROLE;
    REVOKE USAGE ON SCHEMA s FROM blind_grantor)sql");
  test::shared_target().sql("blind", "ALTER DATABASE blind OWNER TO blind_user");
  const CloneSummary summary = clone("blind", [](CloneOptions& wanted) {
    wanted.target = test::shared_target().conninfo("blind", "blind_user");
    wanted.database_properties = false;
  });
  EXPECT_TRUE(summary.complete()) << failures(summary);
  EXPECT_THAT(summary.warnings, ::testing::Contains(::testing::HasSubstr("the target's user has granted all of it")));
  EXPECT_EQ(test::shared_target().value("blind", "SELECT relacl[2:3] FROM pg_class WHERE oid = 's.t'::regclass"),
            "{blind_grantor=r*/blind_user,blind_reader=r/blind_user}");
}

TEST_F(CloneTest, APlanTouchesNothing) {
  make("clone_plan", "CREATE TABLE t AS SELECT generate_series(1, 1000) AS i; CREATE INDEX ON t (i)");
  Clone clone(options("clone_plan"), sink_);
  const ClonePlan plan = clone.plan();
  ASSERT_EQ(plan.tables.size(), 1U);
  EXPECT_EQ(plan.tables[0].name, "t");
  EXPECT_FALSE(clone.target_changed());
  EXPECT_EQ(test::shared_target().value("clone_plan", "SELECT count(*) FROM pg_class WHERE relname = 't'"), "0");
}

TEST_F(CloneTest, ConnectionsStayWithinTheDocumentedBounds) {
  make("clone_limits", R"sql(
    DO $$ BEGIN FOR i IN 1..40 LOOP EXECUTE format('CREATE TABLE t%s (i int PRIMARY KEY, j int)', i);
      EXECUTE format('INSERT INTO t%s SELECT x, x FROM generate_series(1, 500) x; CREATE INDEX ON t%s (j)', i, i); END LOOP; END $$;
    SELECT lo_create(0) FROM generate_series(1, 10);
  )sql");
  for (const test::Cluster* cluster : {&test::shared_source(), &test::shared_target()}) {
    cluster->sql("postgres",
                 "DO $$ BEGIN CREATE ROLE limited LOGIN; EXCEPTION WHEN duplicate_object THEN END $$; GRANT limited TO "
                 "postgres");
  }
  test::shared_source().sql(
      "clone_limits",
      "ALTER DATABASE clone_limits OWNER TO limited; GRANT SELECT ON ALL TABLES IN SCHEMA public TO limited;"
      "GRANT SELECT ON LARGE OBJECT " +
          test::shared_source().value("clone_limits",
                                      "SELECT string_agg(oid::text, ',') FROM pg_largeobject_metadata") +
          " TO limited;"
          "ALTER DATABASE clone_limits CONNECTION LIMIT 4");
  test::shared_target().sql(
      "postgres", "ALTER DATABASE clone_limits OWNER TO limited; ALTER DATABASE clone_limits CONNECTION LIMIT 5");
  test::shared_target().sql("clone_limits", "GRANT CREATE ON SCHEMA public TO limited");
  for (const test::Cluster* cluster : {&test::shared_source(), &test::shared_target()}) {
    // Those that have just left count, too.
    EXPECT_TRUE(test::wait_until([&] {
      return cluster->value("postgres", "SELECT count(*) FROM pg_stat_activity WHERE datname = 'clone_limits'") == "0";
    }));
  }
  const CloneSummary summary = clone("clone_limits", [](CloneOptions& options) {
    options.source = test::shared_source().conninfo("clone_limits", "limited");
    options.target = test::shared_target().conninfo("clone_limits", "limited");
    options.table_jobs = 2;
    options.index_jobs = 2;
    options.restore.owners = false;
    options.restore.acls = false;
    options.database_properties = false;
  });
  EXPECT_TRUE(summary.complete()) << failures(summary);
  EXPECT_EQ(test::shared_target().value("clone_limits",
                                        "SELECT count(*) FROM pg_index i JOIN pg_class c ON c.oid = indrelid WHERE "
                                        "relname ~ '^t[0-9]' AND indisvalid"),
            "80");
}

TEST_F(CloneTest, ACancellationEndsEverySessionAndSaysSo) {
  make("clone_cancel",
       "CREATE TABLE t AS SELECT generate_series(1, 10) AS i;"
       "CREATE FUNCTION slow(i int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(10); RETURN i; "
       "END';"
       "CREATE TABLE g (i int); CREATE INDEX ON g (slow(i))");
  test::shared_source().sql(
      "clone_cancel",
      "SET session_replication_role = replica; DROP INDEX g_slow_idx; INSERT INTO g VALUES (1), (2); "
      "CREATE OR REPLACE FUNCTION slow(i int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT i'; CREATE INDEX ON g "
      "(slow(i));"
      "CREATE OR REPLACE FUNCTION slow(i int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(100); "
      "RETURN i; END'");
  Clone clone(options("clone_cancel"), sink_);
  std::thread canceller([&] {
    while (test::shared_target().value("postgres",
                                       "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%slow%' AND datname = "
                                       "'clone_cancel' AND wait_event = 'PgSleep'") == "0") {
    }
    clone.cancel();
  });
  try {
    clone.run();
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kCancelled) << error.describe();
  }
  canceller.join();
  EXPECT_TRUE(clone.target_changed());
  for (const test::Cluster* cluster : {&test::shared_source(), &test::shared_target()}) {
    // A backend takes a moment to see that its client is gone.
    EXPECT_TRUE(test::wait_until([&] {
      return cluster->value("postgres",
                            "SELECT count(*) FROM pg_stat_activity WHERE datname = 'clone_cancel' AND state ="
                            " 'active'") == "0";
    }));
  }
}

TEST_F(CloneTest, ProgressIsReadWhileItRuns) {
  make("clone_progress", "CREATE TABLE t AS SELECT i, repeat('x', 500) FROM generate_series(1, 20000) i");
  Clone clone(options("clone_progress"), sink_);
  std::thread runner([&] { clone.run(); });
  double last = 0;
  while (true) {
    const ProgressSnapshot progress = clone.progress();
    EXPECT_GE(progress.fraction, last * 0.999);
    last = progress.fraction;
    if (progress.phase == "done") break;
    std::this_thread::yield();
  }
  runner.join();
  EXPECT_EQ(clone.progress().tables_done, 1U);
  EXPECT_GT(clone.progress().copied.count, 10000000);
}

TEST_F(CloneTest, APartitionedTableHasStatisticsOfItsOwn) {
  make("clone_statistics",
       "CREATE TABLE p (i int, t text) PARTITION BY RANGE (i); CREATE TABLE p_1 PARTITION OF p FOR VALUES FROM (0) TO "
       "(500);"
       "CREATE TABLE p_2 PARTITION OF p FOR VALUES FROM (500) TO (1000); INSERT INTO p SELECT g, 'x' || g FROM"
       " generate_series(0, 999) g");
  EXPECT_TRUE(clone("clone_statistics").complete());
  const test::Cluster& target = test::shared_target();
  EXPECT_EQ(target.value("clone_statistics", "SELECT count(*) FROM pg_stats WHERE tablename = 'p' AND inherited"), "2");
  EXPECT_EQ(target.value("clone_statistics", "SELECT count(*) FROM pg_stats WHERE tablename LIKE 'p\\__'"), "4");
}

}  // namespace
}  // namespace pgsluice::pipeline
