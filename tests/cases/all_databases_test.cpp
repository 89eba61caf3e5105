// What scripts for pgcopydb rely on, and runs of all databases of a server.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <algorithm>
#include <sstream>

#include "tests/cases/case_fixture.h"

namespace pgsluice::test {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class PgcopydbScripts : public CaseTest {};

TEST_F(PgcopydbScripts, MayNameATMPDIRThatIsNotThereYet) {
  make("CREATE TABLE t (i int); INSERT INTO t VALUES (1)");
  const std::string not_there = (folder_.path() / "not/there yet").string();
  const SubprocessResult cloned = run({"clone", "--progress", "none", "--source", source().conninfo(kDatabase),
                                       "--target", target().conninfo(kDatabase)},
                                      {{"TMPDIR", not_there}});
  EXPECT_EQ(cloned.exit_code, 0) << said(cloned);
  EXPECT_EQ(at_target("SELECT count(*) FROM t"), "1");
}

// With pgcopydb's words for an object, which are pg_describe_object()'s, and one row for each collation.
TEST_F(PgcopydbScripts, FindPgcopydbsWordsInTheListOfCollations) {
  make(
      "CREATE COLLATION c_table (provider = icu, locale = 'de'); CREATE COLLATION c_view (provider = icu, locale = "
      "'fr');"
      "CREATE COLLATION c_index (provider = icu, locale = 'es');"
      "CREATE TABLE colls (f1 int, f2 text COLLATE c_table, f3 text COLLATE c_table, f4 text);"
      "CREATE VIEW v_coll_test AS SELECT 'a' < 'b' COLLATE c_view AS x, 'x' COLLATE c_view;"
      "CREATE INDEX i_coll ON colls (f4 COLLATE c_index); CREATE TABLE more (f2 text COLLATE c_table)");
  const SubprocessResult listed = run({"list", "collations", "--source", source().conninfo(kDatabase)});
  EXPECT_EQ(listed.exit_code, 0) << said(listed);
  for (const char* words : {"column f2 of table colls", "column ?column? of view v_coll_test", "index i_coll"}) {
    EXPECT_THAT(listed.output, HasSubstr(words));
  }
  EXPECT_THAT(listed.output, HasSubstr("database cases"));
  std::istringstream lines(listed.output);
  int of_table = 0;
  for (std::string line; std::getline(lines, line);) of_table += line.find(" c_table ") != std::string::npos ? 1 : 0;
  EXPECT_EQ(of_table, 1) << listed.output;
}

class AllDatabasesOfAServer : public CaseTest {
 protected:
  void SetUp() override {
    TearDown();
    make("CREATE TABLE t (i int PRIMARY KEY); INSERT INTO t SELECT generate_series(1, 50)");
    source().create_database("cases_second");
    source().sql("cases_second", "CREATE TABLE u (i int PRIMARY KEY); INSERT INTO u SELECT generate_series(1, 50)");
  }
  void TearDown() override {
    for (const Cluster* server : {&source(), &target()})
      server->sql("postgres", "DROP DATABASE IF EXISTS cases_second");
  }
  SubprocessResult all(std::vector<std::string> command) const {
    const std::vector<std::string> both = {"--all-databases", "--source", source().conninfo("postgres"), "--target",
                                           target().conninfo("postgres")};
    command.insert(command.end(), both.begin(), both.end());
    return run(command);
  }
};

TEST_F(AllDatabasesOfAServer, AreCompared) {
  const SubprocessResult cloned = all({"clone", "--progress", "none"});
  ASSERT_EQ(cloned.exit_code, 0) << said(cloned);
  for (const char* what : {"schema", "data"}) {
    const SubprocessResult equal = all({"compare", what});
    EXPECT_EQ(equal.exit_code, 0) << what << said(equal);
  }
  target().sql("cases_second", "DELETE FROM u WHERE i = 7; ALTER TABLE u ADD more text");
  for (const char* what : {"schema", "data"}) {
    const SubprocessResult different = all({"compare", what});
    EXPECT_EQ(different.exit_code, 21) << what << said(different);
    EXPECT_THAT(said(different), HasSubstr("cases_second"));
  }
  target().sql("postgres", "DROP DATABASE cases_second");
  const SubprocessResult missing = all({"compare", "schema"});
  EXPECT_NE(missing.exit_code, 0) << said(missing);
  EXPECT_THAT(said(missing), HasSubstr("cases_second"));
}

TEST_F(AllDatabasesOfAServer, DoNotEndTheirProgressWithConnecting) {
  const SubprocessResult cloned = all({"clone", "--progress", "lines"});
  ASSERT_EQ(cloned.exit_code, 0) << said(cloned);
  std::istringstream lines(cloned.errors);
  std::string last;
  for (std::string line; std::getline(lines, line);) {
    if (line.find('%') != std::string::npos) last = line;
  }
  ASSERT_FALSE(last.empty()) << cloned.errors;
  EXPECT_THAT(last, Not(HasSubstr("connecting"))) << cloned.errors;
}

TEST_F(AllDatabasesOfAServer, ThatCannotBeConnectedToAreNotCalledEqual) {
  source().create_database("closed_to_all");
  source().sql("postgres", "ALTER DATABASE closed_to_all ALLOW_CONNECTIONS false");
  for (const char* what : {"data", "schema"}) {
    const SubprocessResult compared = run({"compare", what, "--all-databases", "--source",
                                           source().conninfo("postgres"), "--target", target().conninfo("postgres")});
    EXPECT_NE(compared.exit_code, 0) << said(compared);
    EXPECT_THAT(said(compared), HasSubstr("closed_to_all"));
  }
  source().sql("postgres", "ALTER DATABASE closed_to_all ALLOW_CONNECTIONS true");
  source().sql("postgres", "DROP DATABASE closed_to_all");
}

}  // namespace
}  // namespace pgsluice::test
