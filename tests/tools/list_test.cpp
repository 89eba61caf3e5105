// pgsluice list, as a user runs it.
#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "tools/command_fixture.h"

namespace pgsluice::test {
namespace {

using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::Not;

class ListTest : public CommandTest {
 protected:
  void SetUp() override {
    make(R"(
CREATE TABLE orders (id int PRIMARY KEY, text text COLLATE "C");
INSERT INTO orders SELECT g, repeat('x', 200) FROM generate_series(1, 5000) g;
CREATE TABLE "no key" (id int, at int);
INSERT INTO "no key" SELECT g, g FROM generate_series(1, 2000) g;
CREATE INDEX by_text ON orders (text COLLATE "POSIX");
CREATE SEQUENCE numbers;
ANALYZE;
)");
  }

  SubprocessResult list(const std::string& what, const std::vector<std::string>& more = {}) {
    std::vector<std::string> arguments = {"list", what, "--source", shared_source().conninfo("command"), "--quiet"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    SubprocessResult result = run(arguments);
    EXPECT_EQ(result.exit_code, 0) << result.errors;
    return result;
  }
  nlohmann::json json(const std::string& what, std::vector<std::string> more = {}) {
    more.emplace_back("--json");
    return nlohmann::json::parse(list(what, more).output);
  }
};

TEST_F(ListTest, ShowsTablesTheLargestFirst) {
  const std::string text = list("tables").output;
  EXPECT_THAT(text, HasSubstr("| Schema Name | Table Name | Est. Row Count |"));
  EXPECT_THAT(text, ContainsRegex("public \\|     orders \\|           5000 \\| +1.2 MB"));
  EXPECT_LT(text.find("orders"), text.find("no key"));
  const nlohmann::json tables = json("tables", {"--without-pkey"});
  ASSERT_EQ(tables.size(), 1U);
  EXPECT_EQ(tables[0]["name"], "no key");
  EXPECT_EQ(tables[0]["reltuples"], 2000);
}

TEST_F(ListTest, ShowsTheOtherThingsThereAre) {
  EXPECT_EQ(json("sequences")[0]["name"], "numbers");
  EXPECT_THAT(list("databases").output, HasSubstr("command"));
  EXPECT_THAT(list("databases").output, Not(HasSubstr("template1")));
  EXPECT_THAT(list("extensions").output, HasSubstr("plpgsql"));
  const nlohmann::json available = json("extensions", {"--requirements"});
  EXPECT_EQ(available[0].size(), 2U);
  EXPECT_TRUE(available[0].contains("name") && available[0].contains("version"));
  EXPECT_GT(list("extensions", {"--available-versions"}).output.size(), 100U);
  const std::string collations = list("collations").output;
  EXPECT_THAT(collations, HasSubstr(" OID |  Name   |        Object name\n"));
  EXPECT_THAT(collations, HasSubstr("database command"));
  EXPECT_THAT(collations, ContainsRegex("C \\| column public.orders.text"));
  EXPECT_THAT(collations, ContainsRegex("POSIX \\| +index public.by_text"));
}

TEST_F(ListTest, ShowsIndexesOfTheTableThatIsAskedFor) {
  EXPECT_EQ(json("indexes").size(), 2U);
  EXPECT_EQ(json("indexes", {"--table-name", "orders", "--schema-name", "public"}).size(), 2U);
  EXPECT_EQ(json("indexes", {"--table-name", "no key"}).size(), 0U);
  EXPECT_THAT(list("indexes").output, HasSubstr("CREATE INDEX by_text ON public.orders"));
}

TEST_F(ListTest, ShowsThePartsOfATableByKeyAndByBlocks) {
  EXPECT_EQ(list("table-parts", {"--table-name", "orders", "--split-tables-larger-than", "500 kB"}).output,
            " Part | Min  | Max  | Count\n"
            "------+------+------+-------\n"
            "  1/4 |   -1 |   -1 |    -1\n"
            "  2/4 |    1 | 1666 |  1666\n"
            "  3/4 | 1667 | 3332 |  1666\n"
            "  4/4 | 3333 |   -1 |    -1\n");
  const std::string blocks =
      list("table-parts", {"--table-name", "no key", "--split-at", "24 kB", "--split-max-parts", "2"}).output;
  EXPECT_THAT(blocks, ContainsRegex("1/2 \\| \\(0,0\\) \\|"));
  EXPECT_THAT(blocks, ContainsRegex("2/2 \\| .* \\| \\(-1,0\\) \\|"));
  const SubprocessResult whole = run({"list", "table-parts", "--source", shared_source().conninfo("command"),
                                      "--table-name", "orders", "--split-at", "1 TB"});
  EXPECT_EQ(whole.exit_code, 0);
  EXPECT_THAT(whole.errors, HasSubstr("table public.orders (1"));
  EXPECT_THAT(whole.errors, HasSubstr("is not split"));
}

TEST_F(ListTest, RefusesWhatIsNotThereWithWhatToDo) {
  const std::vector<std::string> parts = {"list", "table-parts", "--source", shared_source().conninfo("command")};
  EXPECT_THAT(run(parts).errors, HasSubstr("give --table-name"));
  const SubprocessResult missing =
      run({parts[0], parts[1], parts[2], parts[3], "--table-name", "missing", "--split-at", "1 kB"});
  EXPECT_EQ(missing.exit_code, 1);
  EXPECT_THAT(missing.errors, HasSubstr("there is no table public.missing"));
  EXPECT_EQ(run({"list", "tables"}).exit_code, 1);
  EXPECT_THAT(run({"list", "tabels"}).errors, HasSubstr("is tables meant?"));
  EXPECT_THAT(run({"list", "tables", "--help"}).output, HasSubstr("pgsluice list tables --source"));
}

}  // namespace
}  // namespace pgsluice::test
