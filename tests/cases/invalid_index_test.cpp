// Indexes that are invalid on the source, or that an earlier command has left out, are no failure of this one.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <fstream>

#include "tests/cases/case_fixture.h"

namespace pgsluice::test {
namespace {

using ::testing::HasSubstr;

constexpr const char* kTable =
    "CREATE TABLE p (a int NOT NULL, b text) PARTITION BY RANGE (a); CREATE TABLE p1 PARTITION OF p FOR VALUES FROM "
    "(0) TO "
    "(100);"
    "CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (100) TO (200) PARTITION BY RANGE (a);"
    "CREATE TABLE p21 PARTITION OF p2 FOR VALUES FROM (100) TO (150);"
    "CREATE TABLE p22 PARTITION OF p2 FOR VALUES FROM (150) TO (200);"
    "INSERT INTO p SELECT g, g::text FROM generate_series(0, 199) g;";

struct Tree {
  std::string name;
  std::string sql;
  std::string invalid;  ///< an index of it that is invalid
};

void PrintTo(const Tree& tree, std::ostream* out) { *out << tree.name; }

const std::vector<Tree>& trees() {
  static const std::vector<Tree> all = {
      {"OnOnly", "CREATE INDEX i ON ONLY p (a)", "i"},
      {"OneNeverAttached",
       "CREATE INDEX i ON ONLY p (a); CREATE INDEX i1 ON p1 (a); ALTER INDEX i ATTACH PARTITION i1; CREATE INDEX i2 ON "
       "p2 (a)",
       "i"},
      {"OneOfALowerLevel",
       "CREATE INDEX i ON ONLY p (b); CREATE INDEX i1 ON p1 (b); ALTER INDEX i ATTACH PARTITION i1;"
       "CREATE INDEX i2 ON ONLY p2 (b); ALTER INDEX i ATTACH PARTITION i2; CREATE INDEX i21 ON p21 (b);"
       "ALTER INDEX i2 ATTACH PARTITION i21",
       "i2"},
      {"AKeyOnOnly", "ALTER TABLE ONLY p ADD CONSTRAINT i PRIMARY KEY (a)", "i"},
      {"AUniqueKeyWithOnePartition",
       "ALTER TABLE ONLY p ADD CONSTRAINT i UNIQUE (a); ALTER TABLE p1 ADD CONSTRAINT i1 UNIQUE (a);"
       "ALTER INDEX i ATTACH PARTITION i1",
       "i"},
  };
  return all;
}

class InvalidTree : public CaseTest, public ::testing::WithParamInterface<Tree> {
 protected:
  void SetUp() override { make(kTable + GetParam().sql + "; CREATE INDEX p_good ON p (b, a)"); }
  void expect_same_indexes() const {
    expect_same_answer(
        "SELECT string_agg(concat_ws(' ', indexrelid::regclass, indisvalid, indisready, inhparent::regclass), ', '"
        " ORDER BY indexrelid::regclass::text) FROM pg_index LEFT JOIN pg_inherits ON inhrelid = indexrelid"
        " WHERE indrelid::regclass::text ~ '^p[0-9]*$'");
  }
};

TEST_P(InvalidTree, IsAsOnTheSourceAndListedUnderWhatWasSkipped) {
  ASSERT_EQ(at_source("SELECT indisvalid FROM pg_index WHERE indexrelid = '" + GetParam().invalid + "'::regclass"),
            "f");
  const SubprocessResult cloned = clone({"--fail-fast", "--verify"});
  EXPECT_EQ(cloned.exit_code, 0) << said(cloned);
  EXPECT_THAT(cloned.output, HasSubstr("public." + GetParam().invalid));
  expect_same_indexes();
  const SubprocessResult compared = compare_schema();
  EXPECT_EQ(compared.exit_code, 0) << said(compared);
}

class InvalidTreeInAMigration : public InvalidTree {};

TEST_P(InvalidTreeInAMigration, IsNoFailure) {
  const Migrated migrated = migrate();
  EXPECT_EQ(migrated.state, "Succeeded") << migrated.error << said(migrated.result);
  expect_same_indexes();
}

INSTANTIATE_TEST_SUITE_P(Of, InvalidTree, ::testing::ValuesIn(trees()),
                         [](const auto& test) { return test.param.name; });
INSTANTIATE_TEST_SUITE_P(Of, InvalidTreeInAMigration, ::testing::Values(trees()[1], trees()[3]),
                         [](const auto& test) { return test.param.name; });

class StepsWithFilters : public CaseTest {
 protected:
  std::string filter(const std::string& text) const {
    const std::string path = (folder_.path() / "filters.ini").string();
    std::ofstream(path) << text;
    return path;
  }
  // A command of the row, in its own work directory as the others.
  SubprocessResult step(const std::vector<std::string>& words, std::vector<std::string> more = {}) const {
    return run_on_both(words, std::move(more));
  }
  void expect_step(const std::vector<std::string>& words, std::vector<std::string> more = {}) const {
    const SubprocessResult result = step(words, std::move(more));
    EXPECT_EQ(result.exit_code, 0) << words.back() << "\n" << said(result);
  }
};

TEST_F(StepsWithFilters, AnIndexThatAnEarlierCommandOfTheRowLeftOutIsNoFailureOfALaterOne) {
  make(std::string(kTable) + "CREATE INDEX i ON p (a); CREATE INDEX j ON p (b)");
  const std::string left_out = filter("[exclude-index]\npublic.p21_a_idx\n");
  expect_step({"copy", "schema"}, {"--filters", left_out});
  expect_step({"copy", "data"}, {"--not-consistent"});
  EXPECT_EQ(at_target("SELECT count(*) FROM p"), "200");
}

TEST_F(StepsWithFilters, IndexesThatTheRowBuildsWithoutTheOneLeftOutLeaveTheirParentInvalid) {
  make(std::string(kTable) + "CREATE INDEX i ON p (a); CREATE INDEX j ON p (b)");
  const std::string left_out = filter("[exclude-index]\npublic.p21_a_idx\n");
  const SubprocessResult cloned = clone({"--filters", left_out, "--fail-fast"});
  EXPECT_EQ(cloned.exit_code, 0) << said(cloned);
  EXPECT_EQ(at_target("SELECT string_agg(indexrelid::regclass::text, ',' ORDER BY indexrelid::regclass::text) FROM "
                      "pg_index WHERE NOT indisvalid"
                      " AND indrelid::regclass::text ~ '^p[0-9]*$'"),
            "i,p2_a_idx");
}

}  // namespace
}  // namespace pgsluice::test
