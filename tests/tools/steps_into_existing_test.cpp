// Steps into a database that others have made, or that earlier commands have left half done: nothing is lost there, and
// nothing comes twice.
#include <fstream>

#include "tests/tools/steps_fixture.h"

namespace pgsluice::test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class StepsIntoExisting : public StepsTest {
 protected:
  std::string filter(const std::string& rules) {
    std::ofstream(folder_.path() / "filter") << rules;
    return " --filters " + (folder_.path() / "filter").string();
  }
};

TEST_F(StepsIntoExisting, LargeObjectsThatAreDoneAreNotDroppedByWhatComesLater) {
  make("CREATE TABLE t (i int); INSERT INTO t VALUES (1), (0); SELECT lo_from_bytea(0, 'large')");
  shared_target().sql("command", "CREATE TABLE t (i int CHECK (i > 0))");
  EXPECT_EQ(step("copy data --drop-if-exists").exit_code, 22);
  shared_target().sql("command", "ALTER TABLE t DROP CONSTRAINT t_i_check");
  const SubprocessResult again = step("copy data --drop-if-exists --resume");
  EXPECT_EQ(again.exit_code, 0) << again.errors;
  EXPECT_EQ(at_target("SELECT count(*) FROM pg_largeobject_metadata"), "1");
  EXPECT_EQ(at_target("SELECT count(*) FROM t"), "2");
}

TEST_F(StepsIntoExisting, LargeObjectsOfOthersAreNotTakenForCopies) {
  make("SELECT lo_from_bytea(70001, 'ours')");
  shared_target().sql("command", "SELECT lo_from_bytea(70001, 'theirs')");
  expect_steps({"dump schema", "restore pre-data", "copy table-data"});
  const SubprocessResult refused = step("copy blobs");
  EXPECT_EQ(refused.exit_code, 7) << refused.errors;
  EXPECT_THAT(refused.errors, HasSubstr("large object 70001"));
  EXPECT_EQ(at_target("SELECT convert_from(lo_get(70001), 'UTF8')"), "theirs");
  expect_steps({"copy blobs --drop-if-exists"});
  EXPECT_EQ(at_target("SELECT convert_from(lo_get(70001), 'UTF8')"), "ours");
}

TEST_F(StepsIntoExisting, AStepThatHasFailedIsNotForgottenForAnothersEnd) {
  make("CREATE TABLE t (i int); INSERT INTO t VALUES (1), (0)");
  expect_steps({"dump schema", "restore pre-data"});
  shared_target().sql("command", "ALTER TABLE t ADD CHECK (i > 0) NOT VALID");
  EXPECT_EQ(step("copy table-data").exit_code, 22);
  EXPECT_EQ(step("copy sequences").exit_code, 3);
  EXPECT_EQ(step("copy sequences --resume").exit_code, 0);
  const SubprocessResult end = step("restore post-data --resume");
  EXPECT_EQ(end.exit_code, 22) << end.errors;
  EXPECT_THAT(end.output + end.errors, HasSubstr("earlier commands have not finished: table-data"));
  EXPECT_TRUE(has_ledger());
  shared_target().sql("command", "ALTER TABLE t DROP CONSTRAINT t_i_check");
  expect_steps({"copy table-data --resume", "restore post-data"});
  EXPECT_EQ(at_target("SELECT count(*) FROM t"), "2");
  EXPECT_FALSE(has_ledger());
}

TEST_F(StepsIntoExisting, AStepDoesNotEndACloneThatHasFailed) {
  make(R"sql(
    CREATE TABLE parent (i int PRIMARY KEY); CREATE TABLE child (i int REFERENCES parent);
    SET session_replication_role = replica; INSERT INTO child VALUES (1);
  )sql");
  EXPECT_EQ(clone().exit_code, 22);
  EXPECT_EQ(step("dump schema").exit_code, 0);
  const SubprocessResult end = step("restore post-data --resume");
  EXPECT_EQ(end.exit_code, 22) << end.errors;
  EXPECT_TRUE(has_ledger());
}

TEST_F(StepsIntoExisting, TriggersOfTheTargetDoNotFireForRowsThatArrive) {
  make(
      "CREATE TABLE t (i int PRIMARY KEY, n int); INSERT INTO t SELECT g, g FROM generate_series(1, 1000) g;"
      "CREATE TABLE log (n int)");
  shared_target().sql("command", R"sql(
    CREATE TABLE t (i int PRIMARY KEY, n int); CREATE TABLE log (n int); INSERT INTO t VALUES (5, 5);
    CREATE FUNCTION twice() RETURNS trigger LANGUAGE plpgsql AS
      'BEGIN INSERT INTO log VALUES (NEW.n); NEW.n := NEW.n * 2; RETURN NEW; END';
    CREATE FUNCTION never() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''truncated''; END';
    CREATE TRIGGER a BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION twice();
    CREATE TRIGGER b BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION twice(); ALTER TABLE t ENABLE ALWAYS TRIGGER b;
    CREATE TRIGGER c BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION twice(); ALTER TABLE t DISABLE TRIGGER c;
    CREATE TRIGGER d BEFORE TRUNCATE ON t EXECUTE FUNCTION never();
  )sql");
  expect_steps({"copy table-data --split-tables-larger-than 8kB"});
  EXPECT_EQ(at_target("SELECT sum(n) FROM t"), "500500");
  EXPECT_EQ(at_target("SELECT count(*) FROM log"), "0");
  EXPECT_EQ(at_target("SELECT string_agg(tgname || tgenabled::text, ' ' ORDER BY tgname) FROM pg_trigger"),
            "aO bA cD dO");
}

TEST_F(StepsIntoExisting, TriggersBehindARootAreRefused) {
  make(R"sql(
    CREATE TYPE mood AS ENUM ('a', 'b'); CREATE TABLE p (m mood) PARTITION BY HASH (m);
    CREATE TABLE p0 PARTITION OF p FOR VALUES WITH (MODULUS 2, REMAINDER 0);
    CREATE TABLE p1 PARTITION OF p FOR VALUES WITH (MODULUS 2, REMAINDER 1); INSERT INTO p VALUES ('a'), ('b');
    CREATE FUNCTION nowhere() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
    CREATE TRIGGER away BEFORE INSERT ON p0 FOR EACH ROW EXECUTE FUNCTION nowhere();
  )sql");
  expect_steps({"copy schema"});
  const SubprocessResult refused = step("copy table-data");
  EXPECT_EQ(refused.exit_code, 7);
  EXPECT_THAT(refused.errors, AllOf(HasSubstr("public.p0"), HasSubstr("DISABLE TRIGGER")));
  shared_target().sql("command", "ALTER TABLE p0 DISABLE TRIGGER away");
  expect_steps({"copy table-data"});
  EXPECT_EQ(at_target("SELECT count(*) FROM p"), "2");
}

TEST_F(StepsIntoExisting, FiltersOfTheSchemaHoldForTheData) {
  make(
      "CREATE TABLE kept (i int); CREATE TABLE secret (i int); INSERT INTO secret VALUES (1); INSERT INTO kept VALUES "
      "(1)");
  expect_steps({"copy schema" + filter("[exclude-table]\npublic.secret\n")});
  EXPECT_EQ(at_target("SELECT to_regclass('secret') IS NULL"), "t");
  const SubprocessResult data = step("copy data");
  EXPECT_EQ(data.exit_code, 0) << data.errors;
  EXPECT_THAT(data.errors, HasSubstr("stays left out"));
  EXPECT_EQ(at_target("SELECT count(*) FROM kept"), "1");
}

TEST_F(StepsIntoExisting, FiltersOfTheDumpHoldForAllThatFollows) {
  make(
      "CREATE TABLE kept (i int); CREATE TABLE secret (i int); INSERT INTO secret VALUES (1); INSERT INTO kept VALUES "
      "(1)");
  expect_steps({"dump schema" + filter("[exclude-table-data]\npublic.secret\n"), "restore pre-data", "copy table-data",
                "copy sequences", "restore post-data"});
  EXPECT_EQ(at_target("SELECT count(*) FROM secret"), "0");
  EXPECT_EQ(at_target("SELECT count(*) FROM kept"), "1");
  // Of another run's definitions.
  shared_target().create_database("command");
  expect_steps({"restore pre-data", "dump schema"});
  const SubprocessResult other = step("restore post-data");
  EXPECT_EQ(other.exit_code, 3) << other.errors;
  EXPECT_THAT(other.errors, HasSubstr("filters (was rules, is none)"));
}

// An extension whose tables hold rows of the user's, as pg_cron's do.
constexpr const char* kConfiguration = R"sql(
    CREATE EXTENSION hstore; CREATE TABLE config (i int, of_user bool); ALTER EXTENSION hstore ADD TABLE config;
    UPDATE pg_extension SET extconfig = ARRAY['config'::regclass::oid], extcondition = ARRAY['WHERE of_user']
     WHERE extname = 'hstore'; INSERT INTO config VALUES (1, false);
)sql";

TEST_F(StepsIntoExisting, RowsOfExtensionsAreNotDoubled) {
  make(std::string(kConfiguration) + "INSERT INTO config VALUES (2, true), (3, true)");
  shared_target().sql("command", kConfiguration);
  // One that is there without its rows gets them: an earlier try may have come so far.
  expect_steps({"copy extensions", "copy extensions"});
  EXPECT_EQ(at_target("SELECT string_agg(i::text, ' ' ORDER BY i) FROM config"), "1 2 3");
  const SubprocessResult whole = clone();
  EXPECT_EQ(whole.exit_code, 0) << whole.errors;
  expect_steps({"copy table-data"});
  EXPECT_EQ(at_target("SELECT string_agg(i::text, ' ' ORDER BY i) FROM config"), "1 2 3");
  shared_target().sql("command", "DELETE FROM config WHERE i = 3");
  const SubprocessResult refused = step("copy table-data --restart");
  EXPECT_EQ(refused.exit_code, 7);
  EXPECT_THAT(refused.errors, HasSubstr("public.config"));
}

TEST_F(StepsIntoExisting, ATableMayBePartitionedThere) {
  make("CREATE TABLE t (i int); INSERT INTO t SELECT generate_series(1, 100)");
  shared_target().sql("command",
                      "CREATE TABLE t (i int) PARTITION BY RANGE (i); CREATE TABLE part PARTITION OF t DEFAULT;"
                      "INSERT INTO t VALUES (1), (2)");
  EXPECT_THAT(step("copy data").errors, HasSubstr("public.t"));
  expect_steps({"copy table-data --verify", "copy data --restart --drop-if-exists"});
  EXPECT_EQ(at_target("SELECT count(*) FROM t"), "100");
}

TEST_F(StepsIntoExisting, AnotherIndexOfTheSameNameIsNotTakenForIt) {
  make("CREATE TABLE t (i int PRIMARY KEY, n int); CREATE INDEX by_n ON t (n); CREATE INDEX same ON t (n DESC)");
  shared_target().sql("command",
                      "CREATE TABLE t (i int, n int CONSTRAINT t_pkey PRIMARY KEY); CREATE INDEX by_n ON t (i);"
                      "CREATE INDEX same ON t (n DESC)");
  const SubprocessResult data = step("copy data");
  EXPECT_EQ(data.exit_code, 22) << data.errors;
  EXPECT_THAT(data.errors, AllOf(HasSubstr("by_n"), HasSubstr("t_pkey"), Not(HasSubstr("same already exists"))));
}

TEST_F(StepsIntoExisting, DroppingATypeTakesNothingOfOthersAlong) {
  const char* const type =
      "CREATE TYPE money2; CREATE FUNCTION money2_in(cstring) RETURNS money2 LANGUAGE internal IMMUTABLE STRICT AS "
      "'int4in'; CREATE FUNCTION money2_out(money2) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT AS 'int4out';"
      "CREATE TYPE money2 (INPUT = money2_in, OUTPUT = money2_out, LIKE = int4);";
  make(std::string(type) + "CREATE TABLE t (m money2); INSERT INTO t VALUES ('1')");
  ASSERT_EQ(clone().exit_code, 0);
  EXPECT_EQ(clone({"--drop-if-exists"}).exit_code, 0);
  shared_target().sql("command", "CREATE TABLE others (m money2); INSERT INTO others VALUES ('5')");
  const SubprocessResult refused = clone({"--drop-if-exists"});
  EXPECT_NE(refused.exit_code, 0);
  EXPECT_THAT(refused.errors, HasSubstr("others"));
  EXPECT_EQ(at_target("SELECT m FROM others"), "5");
  EXPECT_EQ(at_target("SELECT m FROM t"), "1");
}

TEST_F(StepsIntoExisting, RestartForgetsALedgerThatIsNotReplaced) {
  make("CREATE TABLE t (i int); INSERT INTO t VALUES (1)");
  expect_steps({"dump schema", "restore pre-data"});
  EXPECT_TRUE(has_ledger());
  expect_steps({"copy table-data --restart --no-ledger"});
  EXPECT_FALSE(has_ledger());
}

TEST_F(StepsIntoExisting, StepsOfAnotherSourceAreRefused) {
  make("CREATE TABLE t (i serial)");
  expect_steps({"dump schema", "restore pre-data"});
  const SubprocessResult other = run({"copy", "sequences", "--source", shared_source().conninfo("postgres"), "--target",
                                      shared_target().conninfo("command")});
  EXPECT_EQ(other.exit_code, 6) << other.errors;
  EXPECT_THAT(other.errors, HasSubstr("of another source"));
}

TEST_F(StepsIntoExisting, KeysInACircleAreSaidBefore) {
  make(R"sql(
    CREATE TABLE a (i int PRIMARY KEY, b int); CREATE TABLE b (i int PRIMARY KEY, a int REFERENCES a);
    ALTER TABLE a ADD FOREIGN KEY (b) REFERENCES b; CREATE TABLE c (a int REFERENCES a);
    CREATE TABLE tree (i int PRIMARY KEY, above int REFERENCES tree);
    INSERT INTO a VALUES (1, NULL); INSERT INTO b VALUES (1, 1); UPDATE a SET b = 1; INSERT INTO c VALUES (1);
    INSERT INTO tree SELECT g, 1001 - g FROM generate_series(1, 1000) g;
  )sql");
  expect_steps({"copy schema"});
  const SubprocessResult refused = step("copy data");
  EXPECT_EQ(refused.exit_code, 7);
  EXPECT_THAT(refused.errors, HasSubstr("none of these can be filled first: public.a, public.b;"));
  // One that refers to itself is copied in one stream.
  shared_target().sql("command", "ALTER TABLE a DROP CONSTRAINT a_b_fkey");
  expect_steps({"copy data --split-tables-larger-than 8kB"});
  EXPECT_EQ(at_target("SELECT count(*) FROM tree"), "1000");
}

// pg_dump writes such a view without its query, and the query as a rule after the key.
TEST_F(StepsIntoExisting, DropIfExistsFreesViewsThatNeedAKey) {
  make(
      "CREATE TABLE o (id int, customer int); CREATE TABLE c (id int PRIMARY KEY, name text);"
      "CREATE VIEW a AS SELECT c.id, c.name, count(o.id) FROM c LEFT JOIN o ON o.customer = c.id GROUP BY c.id;"
      "CREATE VIEW on_it AS SELECT * FROM a; INSERT INTO c VALUES (1, 'one')");
  ASSERT_EQ(clone().exit_code, 0);
  shared_target().sql("command", "INSERT INTO c VALUES (2, 'of before')");
  const SubprocessResult again = clone({"--drop-if-exists"});
  EXPECT_EQ(again.exit_code, 0) << again.errors;
  EXPECT_EQ(differences(), std::vector<std::string>{});
  // Where the view is not there, nothing is made of it.
  shared_target().sql("command", "DROP VIEW on_it, a");
  EXPECT_EQ(clone({"--drop-if-exists"}).exit_code, 0);
  EXPECT_EQ(differences(), std::vector<std::string>{});
}

TEST_F(StepsIntoExisting, TablesThatPartitionedOnesReferToAreTruncatedWithThem) {
  make(
      "CREATE TABLE c (id int PRIMARY KEY); INSERT INTO c SELECT generate_series(1, 10);"
      "CREATE TABLE o (id int, c int REFERENCES c) PARTITION BY RANGE (id);"
      "CREATE TABLE o_1 PARTITION OF o FOR VALUES FROM (0) TO (100); INSERT INTO o SELECT g, g FROM generate_series(1, "
      "9) g;"
      "CREATE TABLE empty_one (c int REFERENCES c)");
  ASSERT_EQ(clone().exit_code, 0);
  EXPECT_EQ(step("copy data").exit_code, 7);
  const char* counts = "SELECT (SELECT count(*) FROM c) || ' ' || (SELECT count(*) FROM o)";
  for (const char* command : {"copy table-data", "copy data --drop-if-exists --restart"}) {
    shared_target().sql("command", "DELETE FROM o WHERE id > 5; INSERT INTO c VALUES (4711)");
    const SubprocessResult again = step(command);
    EXPECT_EQ(again.exit_code, 0) << command << "\n" << again.errors;
    EXPECT_EQ(at_target(counts), "10 9") << command;
  }
}

TEST_F(StepsIntoExisting, TheSchemaOfAnExtensionBelongsToWhomItBelongsOnTheSource) {
  for (const Cluster* server : {&shared_source(), &shared_target()}) {
    server->sql("postgres", "DROP ROLE IF EXISTS schema_owner; CREATE ROLE schema_owner");
  }
  make(
      "CREATE SCHEMA app AUTHORIZATION schema_owner; CREATE EXTENSION hstore SCHEMA app;"
      "CREATE TABLE app.t (i int); ALTER TABLE app.t OWNER TO schema_owner");
  for (const char* command : {"copy extensions", "copy schema", "copy data"}) {
    const SubprocessResult result = step(command);
    EXPECT_EQ(result.exit_code, 0) << command << "\n" << result.errors;
  }
  EXPECT_EQ(differences(), std::vector<std::string>{});
  for (const Cluster* server : {&shared_source(), &shared_target()}) {
    server->create_database("command");
    server->sql("postgres", "DROP ROLE schema_owner");
  }
}

}  // namespace
}  // namespace pgsluice::test
