#include "schema/archive/ddl_restore.h"

#include <gtest/gtest.h>

#include "pgsluice/error.h"
#include "tests/support/cluster.h"
#include "tests/support/recording_sink.h"

namespace pgsluice::schema {
namespace {

TocEntry entry(const char* kind, const char* tag, const char* definition) {
  TocEntry result;
  result.dump_id = 1;
  result.kind = EntryKind(kind);
  result.tag = tag;
  result.schema = "public";
  result.definition = definition;
  return result;
}

// One entry by itself.
void restore(pg::Connection& target, const TocEntry& entry) {
  pg::QueryPipeline pipeline(target);
  pipeline.send(entry_statement({}, entry, {}, entry.definition));
  if (std::optional<Error> error = pipeline.take().error) {
    explain(*error, entry, entry.definition);
    throw *error;
  }
}

class DdlRestore : public ::testing::Test {
 protected:
  DdlRestore()
      : target_((test::shared_target().create_database("ddl"), test::shared_target().connect("ddl", Side::kTarget))) {}

  pg::Connection target_;
};

TEST_F(DdlRestore, AnEntryIsOneTransaction) {
  const TocEntry bad = entry("TABLE", "t", "CREATE TABLE t (i int);\nSELECT 1/0;\n");
  EXPECT_THROW(restore(target_, bad), Error);
  EXPECT_TRUE(target_.idle());
  restore(target_, entry("TABLE", "t", "CREATE TABLE public.t (i int);\n"));
  EXPECT_EQ(target_.execute("SELECT count(*) FROM pg_class WHERE relname = 't'")[0].integer(0), 1);
}

TEST_F(DdlRestore, AFailedEntryIsNamedWithSqlstateAndStatement) {
  try {
    restore(target_, entry("VIEW", "my view", "CREATE VIEW v AS\n SELECT * FROM nothing;\n"));
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.sqlstate(), "42P01");
    EXPECT_EQ(error.object(), "view public.my view");
    EXPECT_NE(error.describe().find("CREATE VIEW v AS SELECT * FROM nothing"), std::string::npos) << error.describe();
  }
}

TEST_F(DdlRestore, DefinitionsWithSecretsAreNeitherLoggedNorQuoted) {
  test::RecordingSink sink;
  pg::Connection target = pg::Connection::open(
      pg::ConnInfo::parse(test::shared_target().conninfo("ddl"), Side::kTarget), "test", Log(sink), CancelToken());
  for (const TocEntry& secret :
       {entry("USER MAPPING", "u", "CREATE USER MAPPING FOR postgres SERVER none OPTIONS (password 's3cr3t');"),
        entry("SUBSCRIPTION", "s", "CREATE SUBSCRIPTION s CONNECTION 'password=s3cr3t oops=1' PUBLICATION p;")}) {
    try {
      restore(target, secret);
      ADD_FAILURE();
    } catch (const Error& error) {
      EXPECT_EQ(error.describe().find("s3cr3t"), std::string::npos) << error.describe();
    }
  }
  EXPECT_EQ(sink.text().find("s3cr3t"), std::string::npos) << sink.text();
  EXPECT_NE(sink.text().find("user mapping public.u"), std::string::npos) << sink.text();
}

}  // namespace
}  // namespace pgsluice::schema
