#include "pgsluice/data_comparison.h"

#include "pgsluice/schema_comparison.h"
#include "pipeline/compare/verification.h"
#include "tests/pipeline/clone_fixture.h"
#include "tests/support/fidelity.h"

namespace pgsluice::test {
namespace {

using pipeline::ComparedData;
using pipeline::ComparedTable;

class Comparison : public CloneFixture {
 protected:
  ComparedData compare(const std::string& database, const copy::SplitOptions& split = {}) {
    return pipeline::DataComparison({.source = shared_source().conninfo(database),
                                     .target = shared_target().conninfo(database),
                                     .jobs = 3,
                                     .split = split},
                                    sink_)
        .run();
  }

  std::vector<pipeline::SchemaDifference> schemas(const std::string& database) {
    return pipeline::compare_schemas({.source = shared_source().conninfo(database),
                                      .target = shared_target().conninfo(database),
                                      .pg_bindir = std::nullopt},
                                     Log(sink_), {})
        .differences;
  }

  static const ComparedTable& table(const ComparedData& data, const std::string& name) {
    for (const ComparedTable& found : data.tables) {
      if (found.name == name) return found;
    }
    throw std::runtime_error("no table " + name);
  }

  static std::string report(const ComparedData& data) {
    std::string text;
    for (const ComparedTable& found : data.tables) {
      if (!found.equal()) text += fmt::format("{}.{}: {}\n", found.schema, found.name, found.trouble);
    }
    for (const std::string& sequence : data.sequences) text += sequence + "\n";
    for (const std::string& object : data.large_objects) text += object + "\n";
    return text;
  }
};

TEST_F(Comparison, FindsEveryKindOfDifference) {
  const std::string sql = R"(
    CREATE TABLE same AS SELECT generate_series(1, 5000) AS i;
    CREATE TABLE changed (id int PRIMARY KEY, v text, f float8);
    INSERT INTO changed SELECT g, 'v' || g, g / 7.0 FROM generate_series(1, 12000) g;
    CREATE TABLE missing (a text, b int, PRIMARY KEY (b, a)); INSERT INTO missing SELECT 'x' || g, g FROM generate_series(1, 30) g;
    CREATE TABLE more (i int); CREATE TABLE only_here (i int); CREATE TABLE other_columns (i int);
    CREATE TABLE retyped (i int); INSERT INTO retyped VALUES (1);
    CREATE SEQUENCE s; SELECT lo_from_bytea(4711, 'abc'); SELECT lo_create(4712); SELECT lo_create(4714);)";
  make("compare", sql);
  shared_target().sql("compare", sql);
  EXPECT_TRUE(compare("compare").equal()) << report(compare("compare"));
  shared_target().sql("compare", R"(
    UPDATE changed SET v = 'w' WHERE id IN (3, 11000); DELETE FROM missing WHERE b = 7; INSERT INTO more VALUES (1);
    DROP TABLE only_here; CREATE TABLE only_there (i int); ALTER TABLE other_columns RENAME i TO j;
    ALTER TABLE retyped ALTER i TYPE text; SELECT setval('s', 5); SELECT lo_put(4711, 0, 'x');
    SELECT lo_unlink(4712); SELECT lo_create(4713);)");
  const ComparedData data = compare("compare");
  EXPECT_FALSE(data.equal());
  EXPECT_TRUE(table(data, "same").equal());
  EXPECT_TRUE(table(data, "retyped").equal()) << "the same values as text";
  EXPECT_EQ(table(data, "changed").rows, (std::vector<std::string>{"(11000): differs", "(3): differs"}));
  EXPECT_EQ(table(data, "missing").rows, (std::vector<std::string>{"(7,x7): only on the source"}));
  EXPECT_FALSE(table(data, "more").equal());
  EXPECT_FALSE(table(data, "only_here").on_target);
  EXPECT_FALSE(table(data, "only_there").on_source);
  EXPECT_NE(table(data, "other_columns").trouble, "");
  EXPECT_EQ(data.sequences, (std::vector<std::string>{
                                "sequence public.s: 1 (not called yet) on the source, 5 on the target",
                            }));
  EXPECT_EQ(data.large_objects,
            (std::vector<std::string>{"large objects: 3 pieces on the source, 3 on the target, which differ",
                                      "large object 4711 at byte 0: differs",
                                      "large object 4712 at byte 0: only on the source",
                                      "large object 4713 at byte 0: only on the target"}));
}

TEST_F(Comparison, ReadsATableInParts) {
  const std::string sql =
      "CREATE TABLE t (id int UNIQUE, v text); INSERT INTO t SELECT g, repeat('x', 100) FROM generate_series(1, 9000) "
      "g;"
      "INSERT INTO t VALUES (NULL, 'n'), (NULL, 'n'); ANALYZE t";
  make("parts", sql);
  shared_target().sql("parts", sql);
  const copy::SplitOptions split{.when = copy::SplitOptions::When::kLarger, .size = {100 * 1024}};
  EXPECT_TRUE(compare("parts", split).equal());
  shared_target().sql("parts", "DELETE FROM t WHERE ctid = (SELECT min(ctid) FROM t WHERE id IS NULL)");
  EXPECT_EQ(table(compare("parts", split), "t").target.rows, 9001);
}

TEST_F(Comparison, OfTheFidelityDatabaseAndItsVerifiedCloneIsEqual) {
  make_fidelity(shared_source(), "fidelity compared", Fidelity::kWhole);
  make_fidelity_target(shared_target(), "fidelity compared", Fidelity::kWhole);
  pipeline::CloneOptions wanted = options("fidelity compared");
  wanted.verify = true;
  const pipeline::CloneSummary summary = pipeline::Clone(wanted, sink_).run();
  EXPECT_TRUE(summary.complete()) << failures(summary);
  const ComparedData data = compare("fidelity compared");
  EXPECT_TRUE(data.equal()) << report(data);
  for (const pipeline::SchemaDifference& difference : schemas("fidelity compared")) ADD_FAILURE() << difference.object;
}

TEST_F(Comparison, OfDefinitionsNamesEachObjectAndShowsNoSecret) {
  const std::string sql =
      "CREATE TABLE same (i int); CREATE TABLE wider (i int); CREATE TABLE gone (i int); COMMENT ON TABLE same IS 'c';"
      "CREATE FOREIGN DATA WRAPPER w; CREATE SERVER s FOREIGN DATA WRAPPER w;"
      "CREATE USER MAPPING FOR PUBLIC SERVER s OPTIONS (password 'hidden')";
  make("definitions", sql);
  shared_target().sql("definitions", sql);
  EXPECT_TRUE(schemas("definitions").empty());
  shared_target().sql(
      "definitions",
      "ALTER TABLE wider ADD j int; DROP TABLE gone; CREATE TABLE more (); GRANT SELECT ON same TO PUBLIC;"
      "ALTER USER MAPPING FOR PUBLIC SERVER s OPTIONS (SET password 'hidden too')");
  std::vector<std::string> objects;
  for (const pipeline::SchemaDifference& difference : schemas("definitions")) {
    objects.push_back(difference.object);
    EXPECT_EQ((difference.source + difference.target).find("hidden"), std::string::npos);
  }
  EXPECT_EQ(objects, (std::vector<std::string>{"table public.gone", "table public.wider",
                                               "user mapping USER MAPPING public SERVER s", "acl on table public.same",
                                               "table public.more"}));
}

TEST_F(Comparison, AVerificationFindsARowThatIsNotAsItWasSent) {
  make("verified", "CREATE TABLE t AS SELECT generate_series(1, 1000) AS i");
  ASSERT_TRUE(clone("verified", [](pipeline::CloneOptions& wanted) { wanted.verify = true; }).complete());
  pg::Connection source = shared_source().connect("verified", Side::kSource);
  pg::Connection target = shared_target().connect("verified", Side::kTarget);
  const schema::Catalog catalog = schema::read_catalog(source);
  const schema::Relation& relation = catalog.relations.at(0);
  std::atomic<std::int64_t> bytes{0};
  const std::array<copy::DigestRequest, 1> request = {
      copy::DigestRequest{.connection = source, .copy_out = "COPY t TO STDOUT", .flow = bytes}};
  const copy::RowsDigest sent = copy::digest_rows(request)[0];
  const auto verify = [&] { pipeline::verify_table(target, relation, copy::CopyFormat::kText, sent, bytes); };
  EXPECT_NO_THROW(verify());
  for (const char* change : {"UPDATE t SET i = -7 WHERE i = 7", "DELETE FROM t WHERE i = 8"}) {
    target.execute(change);
    try {
      verify();
      ADD_FAILURE() << change;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kMismatch);
      EXPECT_EQ(error.object(), "table public.t");
    }
  }
}

TEST_F(Comparison, AServerThatCannotBeReachedIsAnError) {
  EXPECT_THROW(pipeline::DataComparison({.source = "", .target = ""}, sink_).run(), Error);
  EXPECT_THROW(
      pipeline::DataComparison({.source = "host=/nowhere", .target = shared_target().conninfo("postgres")}, sink_)
          .run(),
      Error);
}

TEST_F(Comparison, LeavesOutWhatTheCopyHasLeftOut) {
  make("filtered",
       "CREATE TABLE kept (i serial); CREATE TABLE emptied AS SELECT 1 AS i; CREATE TABLE gone (i serial);"
       "CREATE MATERIALIZED VIEW of_gone AS SELECT * FROM gone; INSERT INTO kept DEFAULT VALUES");
  shared_target().sql("filtered",
                      "CREATE TABLE kept (i serial); CREATE TABLE emptied (i int); INSERT INTO kept DEFAULT VALUES");
  EXPECT_FALSE(compare("filtered").equal());
  const auto compare_filtered = [&] {
    return pipeline::DataComparison(
               {.source = shared_source().conninfo("filtered"),
                .target = shared_target().conninfo("filtered"),
                .filters = schema::parse_filter_rules(
                    "[exclude-table]\npublic.gone\n[exclude-table-data]\npublic.emptied\n", "the test")},
               sink_)
        .run();
  };
  EXPECT_TRUE(compare_filtered().equal()) << report(compare_filtered());
  shared_target().sql("filtered", "DROP TABLE kept");
  EXPECT_EQ(report(compare_filtered()),
            "public.kept: \nsequence public.kept_i_seq: 1 on the source, missing on the target\n");
}

}  // namespace
}  // namespace pgsluice::test
