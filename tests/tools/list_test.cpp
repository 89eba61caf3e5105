// pgsluice list, as a user runs it.
#include <gmock/gmock.h>

#include <chrono>
#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>

#include "tests/support/wait_until.h"
#include "tests/tools/command_fixture.h"

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
  EXPECT_THAT(collations, ContainsRegex(" OID \\| +Name +\\| +Object name\n"));
  EXPECT_THAT(collations, HasSubstr("database command"));
  EXPECT_THAT(collations, ContainsRegex("C \\| +column text of table orders"));
  EXPECT_THAT(collations, ContainsRegex("POSIX \\| +index by_text"));
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

TEST_F(ListTest, SchemaHasPgcopydbsKeys) {
  const nlohmann::json schema = nlohmann::json::parse(list("schema", {"--split-tables-larger-than", "500 kB"}).output);
  EXPECT_EQ(schema["setup"]["split-tables-larger-than"], 512000);
  EXPECT_EQ(schema["setup"]["table-jobs"], 4);
  ASSERT_EQ(schema["tables"].size(), 2U);
  const nlohmann::json& orders = schema["tables"][0];
  EXPECT_EQ(orders["qname"], "\"public\".\"orders\"");
  EXPECT_EQ(orders["restore-list-name"], "public orders postgres");
  EXPECT_EQ(orders["exclude-data"], false);
  EXPECT_EQ(orders["part-key"], "id");
  EXPECT_EQ(orders["cols"][0]["attname"], "id");
  EXPECT_EQ(orders["cols"][0]["attisprimary"], true);
  EXPECT_EQ(orders["parts"][1]["min"], 1);
  const nlohmann::json& index = schema["indexes"][0];
  EXPECT_EQ(index["isPrimary"], true);
  EXPECT_EQ(index["columns"], "id");
  EXPECT_EQ(index["constraint"]["sql"], "PRIMARY KEY (id)");
  EXPECT_EQ(schema["sequences"][0]["last-value"], 1);
  EXPECT_EQ(schema["sequences"][0]["is-called"], false);
}

TEST_F(ListTest, AFilterSaysWhatIsListed) {
  std::ofstream(folder_.path() / "filter") << "[exclude-table]\npublic.orders\n[exclude-index]\npublic.by_text\n";
  shared_source().sql("command", "CREATE VIEW v AS TABLE orders");
  const std::vector<std::string> filter = {"--filters", (folder_.path() / "filter").string()};
  std::vector<std::string> skipped = filter;
  skipped.emplace_back("--list-skipped");
  EXPECT_EQ(json("tables", filter)[0]["name"], "no key");
  EXPECT_EQ(json("tables", skipped)[0]["name"], "orders");
  EXPECT_EQ(json("indexes", filter).size(), 0U);
  EXPECT_EQ(json("indexes", skipped).size(), 2U);
  EXPECT_EQ(json("schema", filter)["tables"].size(), 1U);
  const nlohmann::json depends = json("depends", filter);
  ASSERT_EQ(depends.size(), 1U);
  EXPECT_EQ(depends[0]["object"], "view public.v");
  EXPECT_THAT(std::string(depends[0]["because"]), HasSubstr("table public.orders"));
  EXPECT_THAT(list("depends", filter).output, HasSubstr("view public.v"));
}

TEST_F(ListTest, ProgressIsThereWhileARunGoesOnAndAfterwards) {
  EXPECT_EQ(run({"list", "progress"}).exit_code, 3);
  ASSERT_EQ(clone().exit_code, 0);
  const std::string text = run({"list", "progress"}).output;
  EXPECT_THAT(text, HasSubstr("| Total Count | In Progress | Done"));
  EXPECT_THAT(text, ContainsRegex("Tables \\|           2 \\|           0 \\|    2"));
  const nlohmann::json progress = nlohmann::json::parse(run({"list", "progress", "--json"}).output);
  EXPECT_EQ(progress["table-jobs"], 4);
  EXPECT_EQ(progress["tables"]["done"], 2);
  EXPECT_EQ(progress["indexes"]["total"], 2);
  EXPECT_EQ(progress["indexes"]["in-progress"].size(), 0U);
  const nlohmann::json summary = nlohmann::json::parse(run({"list", "progress", "--json", "--summary"}).output);
  EXPECT_EQ(summary["rows"], 7000);
  EXPECT_EQ(summary["setup"]["table-jobs"], 4);
  EXPECT_EQ(summary["steps"][0]["conn"], "target");
  EXPECT_GE(summary["steps"][0]["duration"], 0);
  std::size_t indexes = 0;
  ASSERT_EQ(summary["tables"].size(), 2U);
  for (const nlohmann::json& table : summary["tables"]) {
    EXPECT_EQ(table.at("schema"), "public");
    EXPECT_GT(table.at("network").at("bytes"), 0);
    EXPECT_EQ(table.at("index").at("count"), table.at("indexes").size());
    indexes += table.at("indexes").size();
    for (const nlohmann::json& index : table.at("indexes")) {
      EXPECT_THAT(std::string(index.at("sql")), HasSubstr("INDEX"));
      EXPECT_GE(index.at("ms"), 0);
    }
  }
  EXPECT_EQ(indexes, 2U);
  EXPECT_THAT(run({"list", "progress", "--summary"}).output, HasSubstr("public.orders"));

  // A run that waits for somebody's lock, looked at meanwhile.
  shared_target().create_database("command");
  shared_source().sql("command",
                      "CREATE FUNCTION slow(t text) RETURNS text LANGUAGE sql IMMUTABLE AS"
                      " 'SELECT t FROM pg_catalog.pg_sleep(3)';"
                      "CREATE TABLE one (t text); INSERT INTO one VALUES ('x');"
                      "CREATE INDEX slowly ON one (slow(t))");
  std::vector<std::string> arguments = clone_arguments();
  arguments.insert(arguments.begin(), PGSLUICE_PROGRAM);
  Subprocess running({.command = arguments, .environment = {{"TMPDIR", folder_.path().string()}}});
  nlohmann::json slowly;  // the others are seen for a moment only, if at all
  EXPECT_TRUE(wait_until([&] {
    const SubprocessResult now = run({"list", "progress", "--json"});
    if (now.exit_code != 0) return false;
    const nlohmann::json of_now = nlohmann::json::parse(now.output)["indexes"];
    for (const nlohmann::json& index : of_now["in-progress"]) {
      if (of_now["total"] == 3 && index["name"] == "slowly") slowly = index;
    }
    return !slowly.is_null();
  }));
  EXPECT_EQ(slowly["process"]["pid"], running.pid());
  EXPECT_EQ(running.wait({}).exit_code, 0);
  EXPECT_EQ(nlohmann::json::parse(run({"list", "progress", "--json"}).output)["indexes"]["done"], 3);
}

// As a person does who is told that the source is too slow.
TEST_F(ListTest, ACopyIsSlowedDownPausedAndGoesOn) {
  const SubprocessResult without = run({"control"});
  EXPECT_EQ(without.exit_code, 3);
  EXPECT_THAT(without.errors, HasSubstr("no copy is at work"));
  EXPECT_EQ(run({"control", "--max-source-sessions", "2"}).exit_code, 1);
  EXPECT_EQ(run({"control", "--max-rate", "fast"}).exit_code, 1);
  EXPECT_EQ(run({"control", "--pause", "--continue"}).exit_code, 1);
  EXPECT_EQ(clone({"--max-source-sessions", "2"}).exit_code, 1);

  std::vector<std::string> arguments = clone_arguments();
  arguments.insert(arguments.begin(), PGSLUICE_PROGRAM);
  arguments.insert(arguments.end(), {"--max-rate", "10 kB", "--progress", "json"});  // two minutes
  Subprocess running({.command = arguments, .environment = {{"TMPDIR", folder_.path().string()}}});
  ASSERT_TRUE(wait_until([&] { return run({"control", "--pause"}).exit_code == 0; }));
  EXPECT_THAT(run({"control"}).output, HasSubstr("paused; at most 10 kB a second\npaused for "));
  // The state is written now and then.
  EXPECT_TRUE(wait_until([&] { return run({"list", "progress"}).exit_code == 0; }));
  EXPECT_THAT(run({"list", "progress"}).output, HasSubstr("paused for "));
  const nlohmann::json paused = nlohmann::json::parse(run({"list", "progress", "--json"}).output).at("pace");
  EXPECT_EQ(paused.at("max_rate"), 10240);
  EXPECT_TRUE(paused.at("paused"));
  EXPECT_GE(paused.at("snapshot_age_s"), 0.0);
  const SubprocessResult now = run({"control", "--continue", "--max-rate", "none", "--json"});
  EXPECT_EQ(now.exit_code, 0) << now.errors;
  EXPECT_FALSE(nlohmann::json::parse(now.output).at("paused"));
  const SubprocessResult ended = running.wait({});
  EXPECT_EQ(ended.exit_code, 0) << ended.errors;
  EXPECT_THAT(ended.errors, HasSubstr("asked to go on in another way: at full speed"));
  EXPECT_EQ(run({"control"}).exit_code, 3);
}

}  // namespace
}  // namespace pgsluice::test
