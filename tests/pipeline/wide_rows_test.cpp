// Rows near PostgreSQL's limit of 1 GB for what one message of a COPY holds.
#include "tests/pipeline/clone_fixture.h"

namespace pgsluice::test {
namespace {

using WideRows = CloneFixture;

TEST_F(WideRows, ABytesValueThatIsTooLongForTextCrossesInBinary) {
  make("wide_value", "CREATE TABLE t (b bytea); INSERT INTO t SELECT convert_to(repeat('x', 550000000), 'UTF8')");
  pipeline::CloneOptions wanted = options("wide_value");
  wanted.format = copy::FormatWish::kText;
  const Error error = error_of(wanted);
  EXPECT_FALSE(target_changed_);
  EXPECT_NE(error.describe().find("COPY's text format"), std::string::npos) << error.describe();

  const pipeline::CloneSummary summary = clone("wide_value");
  EXPECT_EQ(failures(summary), "");
  EXPECT_EQ(shared_target().value("wide_value", "SELECT octet_length(b) FROM t"), "550000000");
}

TEST_F(WideRows, ATableWithoutColumnsThatKeepsOldValuesIsCopied) {
  make("wide_none",
       "CREATE TABLE t (b bytea); ALTER TABLE t ALTER b SET STORAGE EXTERNAL; INSERT INTO t SELECT"
       " convert_to(repeat('x', 3000000), 'UTF8'); ALTER TABLE t DROP b");
  const pipeline::CloneSummary summary = clone("wide_none");
  EXPECT_EQ(failures(summary), "");
  EXPECT_EQ(shared_target().value("wide_none", "SELECT count(*) FROM t"), "1");
}

TEST_F(WideRows, ARowThatNoCopyCanSendIsNamedBeforeAnythingIsChanged) {
  // Another row is in front of it; the values of both columns are under the limit.
  make("wide_row",
       "CREATE DOMAIN long_text AS text; CREATE TABLE t (i int, b bytea, c long_text); INSERT INTO t VALUES (1);"
       "INSERT INTO t SELECT 2, convert_to(repeat('x', 560000000), 'UTF8');"
       "UPDATE t SET c = repeat('x', 560000000) WHERE i = 2");
  const Error error = error_of(options("wide_row"));
  EXPECT_FALSE(target_changed_);
  EXPECT_EQ(error.side(), Side::kSource);
  for (const char* part : {"ctid (0,3)", "public.t", "1.0 GB at least", "binary", "make the row smaller"}) {
    EXPECT_NE(error.describe().find(part), std::string::npos) << part << ": " << error.describe();
  }
  EXPECT_TRUE(error.has(Remedy::kOmitRows));
  const std::filesystem::path filter = folder_.path() / "filter.ini";
  write_file(filter, "[exclude-table-data]\npublic.t\n");
  const pipeline::CloneSummary summary =
      clone("wide_row", [&](auto& wanted) { wanted.filters = schema::read_filter_rules(filter); });
  EXPECT_EQ(failures(summary), "");
}

}  // namespace
}  // namespace pgsluice::test
