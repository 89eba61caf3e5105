// Variables of the environment that give an option's default, and what check says once.
#include <gmock/gmock.h>

#include <map>

#include "tests/cases/case_fixture.h"

namespace pgsluice::test {
namespace {

using ::testing::HasSubstr;
using Json = nlohmann::json;

class Variables : public CaseTest {};

TEST_F(Variables, OfWrongValuesAreNamedThemselves) {
  make("");
  const std::vector<std::pair<std::string, std::string>> wrong = {
      {"PGCOPYDB_TABLE_JOBS", "300"},       {"PGSLUICE_TABLE_JOBS", "0"},
      {"PGCOPYDB_INDEX_JOBS", "many"},      {"PGSLUICE_INDEX_JOBS", "-4"},
      {"PGCOPYDB_SPLIT_MAX_PARTS", "few"},  {"PGCOPYDB_SPLIT_TABLES_LARGER_THAN", "10 parsecs"},
      {"PGCOPYDB_RESTORE_JOBS", "1000000"},
  };
  for (const auto& [variable, value] : wrong) {
    const SubprocessResult refused =
        run({"clone", "--source", source().conninfo(kDatabase), "--target", target().conninfo(kDatabase)},
            {{variable, value}});
    EXPECT_EQ(refused.exit_code, 1) << variable << "\n" << said(refused);
    EXPECT_THAT(said(refused), HasSubstr(variable));
  }
}

// The option is given: the variable does not count, and the message is the option's.
TEST_F(Variables, AreNotBlamedForAnOptionThatWasGiven) {
  make("");
  const SubprocessResult refused = run({"clone", "--table-jobs", "300", "--source", source().conninfo(kDatabase),
                                        "--target", target().conninfo(kDatabase)},
                                       {{"PGCOPYDB_TABLE_JOBS", "2"}});
  EXPECT_EQ(refused.exit_code, 1);
  EXPECT_THAT(said(refused), HasSubstr("--table-jobs"));
  EXPECT_THAT(said(refused), ::testing::Not(HasSubstr("PGCOPYDB_TABLE_JOBS")));
}

class MissingRoles : public CaseTest {
 protected:
  void TearDown() override {
    source().sql("postgres", "DROP DATABASE IF EXISTS cases");
    source().sql("postgres", "DROP ROLE IF EXISTS c29_owner, c29_reader");
  }
  // How often each message of the document stands in it.
  static void count_messages(const Json& document, std::map<std::string, int>& counts) {
    if (document.is_object() && document.contains("message")) ++counts[document["message"].get<std::string>()];
    if (!document.is_structured()) return;
    for (const Json& part : document) count_messages(part, counts);
  }
};

TEST_F(MissingRoles, AreSaidOnceByCheck) {
  source().sql("postgres", "DROP ROLE IF EXISTS c29_owner, c29_reader; CREATE ROLE c29_owner; CREATE ROLE c29_reader");
  make(
      "CREATE TABLE t (i int); ALTER TABLE t OWNER TO c29_owner; GRANT SELECT ON t TO c29_reader;"
      "CREATE TABLE u (i int); ALTER TABLE u OWNER TO c29_owner; GRANT SELECT ON u TO c29_reader;"
      "CREATE POLICY p ON t TO c29_reader; ALTER DEFAULT PRIVILEGES FOR ROLE c29_owner GRANT SELECT ON TABLES TO "
      "c29_reader");
  const SubprocessResult checked = check();
  EXPECT_EQ(checked.exit_code, 20) << said(checked);
  const Json document = Json::parse(checked.output, nullptr, false);
  ASSERT_TRUE(document.is_object()) << checked.output;
  std::map<std::string, int> counts;
  count_messages(document, counts);
  std::map<std::string, int> of_role;
  for (const auto& [message, count] : counts) {
    EXPECT_EQ(count, 1) << message;
    for (const char* role : {"c29_owner", "c29_reader"}) {
      if (message.find(role) != std::string::npos) of_role[role] += count;
    }
  }
  EXPECT_EQ(of_role["c29_owner"], 1) << checked.output;
  EXPECT_EQ(of_role["c29_reader"], 1) << checked.output;
}

}  // namespace
}  // namespace pgsluice::test
