// The tutorial of an offline migration (docs/migration.md), as a person runs it: each command of the document, on ten
// databases of which three are migrated, one of them there already.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <httplib.h>
#include <signal.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <thread>

#include "base/wait.h"
#include "tests/support/cluster.h"
#include "tests/support/database_comparison.h"
#include "tests/support/sockets.h"
#include "tests/support/wait_until.h"
#include "tests/tools/command_fixture.h"

namespace pgsluice::test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using Json = nlohmann::json;

constexpr const char* kPassword = "s3cret-of-the-tutorial";
const std::vector<std::string> kMigrated = {"testdb3", "testdb6", "testschema"};

class MigrationCommandTest : public CommandTest {
 protected:
  static void SetUpTestSuite() {
    for (const Cluster* server : {&shared_source(), &shared_target()}) {
      server->sql("postgres", fmt::format("CREATE ROLE tutorial_admin SUPERUSER LOGIN PASSWORD '{}'", kPassword));
    }
    for (int i = 1; i <= 9; ++i) make_database(fmt::format("testdb{}", i));
    make_database("testschema");
    shared_source().sql("testschema",
                        "CREATE SCHEMA hr; CREATE TABLE hr.people (id int PRIMARY KEY, name text);"
                        "INSERT INTO hr.people SELECT g, 'person ' || g FROM generate_series(1, 3000) g;"
                        "CREATE VIEW hr.names AS SELECT name FROM hr.people");
  }
  static void TearDownTestSuite() {
    for (const Cluster* server : {&shared_source(), &shared_target()}) {
      for (int i = 1; i <= 9; ++i) server->sql("postgres", fmt::format("DROP DATABASE IF EXISTS testdb{}", i));
      server->sql("postgres", "DROP DATABASE IF EXISTS testschema");
      server->sql("postgres", "DROP ROLE tutorial_admin");
    }
  }
  static void make_database(const std::string& name) {
    shared_source().create_database(name);
    shared_source().sql(name, fmt::format("CREATE TABLE orders (id int PRIMARY KEY, what text);"
                                          "INSERT INTO orders SELECT g, '{} ' || g FROM generate_series(1, 2000) g;"
                                          "CREATE INDEX ON orders (what); ANALYZE",
                                          name));
  }

  void SetUp() override {
    for (const std::string& name : kMigrated) shared_target().sql("postgres", "DROP DATABASE IF EXISTS " + name);
    shared_target().create_database("testdb6");
    shared_target().sql("testdb6", "CREATE TABLE of_before (i int)");
    write_properties(Json::object());
  }

  // body.json, with what a test wants besides.
  void write_properties(const Json& more) {
    Json properties = {
        {"SourceDBServerResourceId", fmt::format("127.0.0.1:{}@tutorial_admin", shared_source().port())},
        {"TargetDbServerResourceId", fmt::format("127.0.0.1:{}@tutorial_admin", shared_target().port())},
        {"SecretParameters",
         {{"AdminCredentials", {{"SourceServerPassword", kPassword}, {"TargetServerPassword", kPassword}}}}},
        {"DBsToMigrate", kMigrated},
        {"OverwriteDBsInTarget", "true"},
        {"MigrationMode", "Offline"}};
    properties.update(more);
    std::ofstream(body()) << Json{{"properties", properties}};
  }
  std::string body() const { return (folder_.path() / "body.json").string(); }

  // Runs "pgsluice …" with its words apart at spaces; body.json is the test's.
  SubprocessResult command(const std::string& words) {
    std::vector<std::string> arguments;
    std::istringstream in(words);
    for (std::string word; in >> word;) arguments.push_back(word == "body.json" ? body() : word);
    const SubprocessResult result = run(arguments, {{"PGSLUICE_STORE", (folder_.path() / "store").string()}});
    EXPECT_THAT(result.output + result.errors, Not(HasSubstr(kPassword))) << words;
    return result;
  }
  Json document(const std::string& words) {
    const SubprocessResult result = command(words);
    EXPECT_EQ(result.exit_code, 0) << words << "\n" << result.errors;
    return Json::parse(result.output, nullptr, false);
  }
  static std::string state_of(const Json& migration) { return migration["properties"]["currentStatus"]["state"]; }

  static std::vector<std::string> differences(const std::string& database) {
    return compare_databases(shared_source().conninfo(database), shared_target().conninfo(database), server_bindir());
  }
  static bool target_has(const std::string& database) {
    return shared_target().value("postgres", "SELECT count(*) FROM pg_database WHERE datname = '" + database + "'") ==
           "1";
  }
};

constexpr const char* kOfTutorial =
    "--subscription 11111111-1111-1111-1111-111111111111 --resource-group my-learning-rg --name myflexibleserver";

TEST_F(MigrationCommandTest, TheTutorialFromItsFirstListToItsEnd) {
  EXPECT_EQ(document(fmt::format("migration list {} --filter All", kOfTutorial)), Json::array());
  const SubprocessResult created = command(fmt::format(
      "migration create {} --migration-name migration1 --properties body.json --migration-mode offline", kOfTutorial));
  ASSERT_EQ(created.exit_code, 0) << created.errors;
  for (const char* substate : {"ValidationInProgress", "MigratingData", "CompletingMigration"}) {
    EXPECT_THAT(created.errors, HasSubstr(substate));
  }
  const Json shown = document(fmt::format("migration show {} --migration-name migration1", kOfTutorial));
  EXPECT_EQ(Json::parse(created.output), shown);
  EXPECT_EQ(state_of(shown), "Succeeded");
  const Json& status = shown["properties"]["currentStatus"];
  EXPECT_EQ(status["error"], "");
  EXPECT_EQ(status["currentSubStateDetails"]["currentSubState"], "Completed");
  for (const std::string& name : kMigrated) {
    const Json& database = status["currentSubStateDetails"]["dbDetails"][name];
    EXPECT_EQ(database["migrationState"], "Succeeded") << name;
    EXPECT_EQ(database["verification"], "equal") << name;
    EXPECT_EQ(database["copiedRows"], name == "testschema" ? 5000 : 2000) << name;
    EXPECT_EQ(differences(name), std::vector<std::string>{}) << name;
  }
  for (const char* name : {"testdb1", "testdb2", "testdb9"}) EXPECT_FALSE(target_has(name));
  EXPECT_EQ(shown["target"], "myflexibleserver");
  EXPECT_EQ(shown["labels"]["resourceGroup"], "my-learning-rg");

  EXPECT_EQ(document(fmt::format("migration list {}", kOfTutorial)), Json::array());
  EXPECT_EQ(document(fmt::format("migration list {} --filter All", kOfTutorial)).size(), 1U);
  EXPECT_EQ(document("migration list --name another --filter All"), Json::array());
  const SubprocessResult table = command("migration list --filter All -o table");
  EXPECT_THAT(table.output, AllOf(HasSubstr("Name"), HasSubstr("Status"), HasSubstr("Mode"), HasSubstr("Databases"),
                                  HasSubstr("Duration"), HasSubstr("Started")));
  EXPECT_THAT(table.output, HasSubstr("migration1 | Succeeded"));
  const SubprocessResult again =
      command(fmt::format("migration create {} --migration-name Migration1 --properties body.json", kOfTutorial));
  EXPECT_EQ(again.exit_code, 3) << again.errors;
}

TEST_F(MigrationCommandTest, OneThatGoesOnByItselfIsWatchedToItsEnd) {
  EXPECT_TRUE(document("migration check-name-availability --name migration1")["nameAvailable"]);
  const Json created = document("migration create --name migration1 --properties body.json --no-wait");
  EXPECT_EQ(created["name"], "migration1");
  EXPECT_EQ(state_of(document("migration show --name migration1 --watch")), "Succeeded");
  const Json name = document("migration check-name-availability --name MIGRATION1");
  EXPECT_FALSE(name["nameAvailable"]);
  EXPECT_EQ(name["reason"], "AlreadyExists");
  EXPECT_EQ(document("migration check-name-availability --name -x")["reason"], "Invalid");
  for (const std::string& database : kMigrated) EXPECT_EQ(differences(database), std::vector<std::string>{});
  EXPECT_EQ(command("migration delete --name migration1").exit_code, 0);
  EXPECT_EQ(command("migration show --name migration1").exit_code, 3);
  const Json all = document("migration list --filter All");
  ASSERT_EQ(all.size(), 1U);
  EXPECT_EQ(state_of(all[0]), "Canceled");
  EXPECT_TRUE(document("migration check-name-availability --name migration1")["nameAvailable"]);
}

TEST_F(MigrationCommandTest, AValidationThatFailsChangesNothingAndSaysWhatToDo) {
  shared_source().sql("testdb3", "CREATE ROLE tutorial_owner; ALTER TABLE orders OWNER TO tutorial_owner");
  const SubprocessResult created =
      command("migration create --name migration1 --properties body.json --migration-option Validate -o table");
  EXPECT_EQ(created.exit_code, 20) << created.errors;
  EXPECT_THAT(created.output, HasSubstr("ValidationFailed"));
  EXPECT_THAT(created.output, HasSubstr("CREATE ROLE \"tutorial_owner\""));
  EXPECT_EQ(command("migration show --name migration1").exit_code, 0);
  EXPECT_EQ(command("migration show --name migration1 --watch").exit_code, 20);
  // A store that is not the usual one is a part of the command to type.
  EXPECT_THAT(created.output, HasSubstr("--resume\n"));
  const std::string store = (folder_.path() / "store").string();
  EXPECT_THAT(run({"migration", "show", "--name", "migration1", "-o", "table", "--store", store}).output,
              HasSubstr("--resume --store " + store));
  EXPECT_EQ(shared_target().value("testdb6", "SELECT count(*) FROM of_before"), "0");
  EXPECT_FALSE(target_has("testdb3"));
  shared_source().sql("testdb3", "ALTER TABLE orders OWNER TO postgres; DROP ROLE tutorial_owner");
}

// A request may name any server: what this user's environment has for his own is not sent there.
TEST_F(MigrationCommandTest, AServersOwnPasswordsAreNotSentWhereARequestSays) {
  const int port = free_server_port();
  const std::string store = (folder_.path() / "store").string();
  std::ofstream(folder_.path() / "pass") << "*:*:*:*:" << kPassword << "\n";
  std::filesystem::permissions(folder_.path() / "pass", std::filesystem::perms::owner_read);
  const Subprocess server(
      {.command = {PGSLUICE_PROGRAM, "serve", "--store", store, "--listen", fmt::format("127.0.0.1:{}", port)},
       .environment = {{"PGPASSWORD", kPassword}, {"PGPASSFILE", (folder_.path() / "pass").string()}}});
  httplib::Client client(fmt::format("http://127.0.0.1:{}", port));
  client.set_read_timeout(60);
  while (!client.Get("/healthz")) wait_for({}, {}, std::chrono::milliseconds(20));
  const std::string token = read_file(std::filesystem::path(store) / "token");
  client.set_bearer_token_auth(token.substr(0, token.find('\n')));
  const Json properties = {
      {"SourceDBServerResourceId", fmt::format("127.0.0.1:{}@tutorial_admin", shared_source().port())},
      {"TargetDbServerResourceId", fmt::format("127.0.0.1:{}@tutorial_admin", shared_target().port())},
      {"migrationOption", "Validate"},
      {"DBsToMigrate", {"testdb1"}}};
  EXPECT_EQ(client.Put("/migrations/first", Json{{"properties", properties}}.dump(), "application/json")->status, 201);
  Json ended;
  do {
    wait_for({}, {}, std::chrono::milliseconds(50));
    ended = Json::parse(client.Get("/migrations/first")->body);
  } while (state_of(ended) == "InProgress");
  EXPECT_EQ(state_of(ended), "ValidationFailed");
  EXPECT_THAT(ended.dump(), HasSubstr("the server asks for a password, and none was given"));
  Json several = properties;
  several["SourceDBServerResourceId"] = fmt::format("127.0.0.1,/tmp:{}@tutorial_admin", shared_source().port());
  const auto refused = client.Put("/migrations/second", Json{{"properties", several}}.dump(), "application/json");
  EXPECT_EQ(refused->status, 400);
  EXPECT_THAT(refused->body, HasSubstr("names several hosts"));
}

TEST_F(MigrationCommandTest, ACancelDropsWhatItHasMade) {
  shared_source().sql("testdb6",
                      "CREATE TABLE large AS SELECT g, repeat('x', 500) AS t FROM generate_series(1, 400000) g");
  command("migration create --name migration1 --properties body.json --no-wait");
  const auto at_work = [&] {
    return document("migration show --name migration1")["properties"]["currentStatus"]["currentSubStateDetails"]
                                                       ["dbDetails"]["testdb6"]["migrationOperation"] ==
           "MigratingData";
  };
  for (int i = 0; i < 600 && !at_work(); ++i) wait_for({}, {}, std::chrono::milliseconds(20));
  // Paused first, as one does who thinks about it.
  EXPECT_EQ(command("migration update --name migration1 --pause --max-rate 1MB").exit_code, 0);
  EXPECT_EQ(command("migration update --name migration1 --pause --cancel").exit_code, 1);
  std::string shown;
  EXPECT_TRUE(wait_until([&] {
    shown = command("migration show --name migration1 -o table").output;
    return shown.find("Paused      since ") != std::string::npos &&
           shown.find("Pace        paused; at most 1.0 MB a second") != std::string::npos;
  })) << shown;
  EXPECT_EQ(command("migration update --name migration1 --cancel").exit_code, 0);
  const SubprocessResult watched = command("migration show --name migration1 --watch");
  EXPECT_EQ(watched.exit_code, 130) << "it was cancelled";
  EXPECT_EQ(state_of(Json::parse(watched.output)), "Canceled");
  for (const std::string& name : kMigrated) EXPECT_FALSE(target_has(name)) << name;
  shared_source().sql("testdb6", "DROP TABLE large");
}

TEST_F(MigrationCommandTest, SigtermLeavesOneThatResumeTakesUpAgain) {
  shared_source().sql("testdb6",
                      "CREATE TABLE large AS SELECT g, repeat('x', 500) AS t FROM generate_series(1, 400000) g");
  SubprocessResult ended;
  {
    Subprocess worker({.command = {PGSLUICE_PROGRAM, "migration", "create", "--name", "migration1", "--properties",
                                   body(), "--store", (folder_.path() / "store").string()}});
    for (int i = 0; i < 3000 && !target_has("testdb3"); ++i) wait_for({}, {}, std::chrono::milliseconds(10));
    ::kill(worker.pid(), SIGTERM);
    ended = worker.wait({});
  }
  EXPECT_EQ(ended.exit_code, 143) << ended.errors;
  EXPECT_EQ(state_of(document("migration show --name migration1")), "Failed");
  EXPECT_EQ(command("migration create --name migration1 --properties body.json --resume").exit_code, 0);
  for (const std::string& database : kMigrated) EXPECT_EQ(differences(database), std::vector<std::string>{});
  shared_source().sql("testdb6", "DROP TABLE large");
}

TEST_F(MigrationCommandTest, BadArgumentsAndFilesGetOneLineAndBeginNothing) {
  EXPECT_EQ(command("migration create --name migration1").exit_code, 1);
  EXPECT_EQ(command("migration create --name bad_name --properties body.json").exit_code, 1);
  EXPECT_EQ(command("migration create --properties body.json --migration-mode online").exit_code, 1);
  EXPECT_EQ(command("migration create --properties body.json --migration-option Copy").exit_code, 1);
  EXPECT_EQ(command("migration update --name migration1").exit_code, 1);
  EXPECT_EQ(command("migration update --pause").exit_code, 1);
  EXPECT_EQ(command("migration update --name nobody --pause").exit_code, 3);
  const SubprocessResult of_databases = command("migration update --name migration1 --cancel testdb3 testdb6");
  EXPECT_EQ(of_databases.exit_code, 1);
  EXPECT_THAT(of_databases.errors, HasSubstr("--cancel takes no database names"));
  EXPECT_EQ(command("migration show --name migration1 -o yaml").exit_code, 1);
  EXPECT_EQ(command("migration show --name nobody").exit_code, 3);
  write_properties({{"DBsToMigrat", Json::array()}});
  const SubprocessResult unknown = command("migration create --name migration1 --properties body.json");
  EXPECT_EQ(unknown.exit_code, 2);
  EXPECT_THAT(unknown.errors, HasSubstr("properties.DBsToMigrat is not known; did you mean DBsToMigrate?"));
  EXPECT_EQ(document("migration list --filter All"), Json::array());
}

TEST_F(MigrationCommandTest, EngineOptionsAreThoseOfClone) {
  write_properties({{"engine", {{"tableJobs", 3}, {"index-jobs", "2"}, {"copyFormat", "text"}, {"verify", false}}}});
  const Json shown = document("migration create --name migration1 --properties body.json");
  EXPECT_EQ(shown["properties"]["currentStatus"]["currentSubStateDetails"]["dbDetails"]["testdb3"]["verification"], "");
  for (const auto& [key, value] : {std::pair<std::string, Json>{"speed", 1},
                                   {"tableJobs", "many"},
                                   {"resume", true},
                                   {"source", "host=elsewhere"},
                                   {"all-databases", true},
                                   {"noOwner", "perhaps"},
                                   {"retryFor", -1},
                                   {"memory", "much"},
                                   {"verbose", true},
                                   {"tableJobs", {1, 2}}}) {
    write_properties({{"engine", {{key, value}}}});
    const SubprocessResult refused = command("migration create --name migration2 --properties body.json");
    EXPECT_EQ(refused.exit_code, 2) << key;
    EXPECT_THAT(refused.errors, HasSubstr("properties.engine")) << key;
  }
}

TEST_F(MigrationCommandTest, EngineOptionsThatContradictEachOtherAreRefused) {
  write_properties({{"engine", {{"useCopyBinary", "True"}, {"copyFormat", "text"}}}});
  const SubprocessResult refused = command("migration create --name migration3 --properties body.json");
  EXPECT_EQ(refused.exit_code, 2);
  EXPECT_THAT(refused.errors, HasSubstr("exclude one another"));
}

TEST_F(MigrationCommandTest, CheckPrintsWhatStandsInTheWay) {
  make(
      "CREATE ROLE check_owner; CREATE TABLE t (i int); ALTER TABLE t OWNER TO check_owner;"
      "GRANT ALL ON SCHEMA public TO check_owner");
  std::vector<std::string> arguments = clone_arguments();
  arguments[0] = "check";
  SubprocessResult result = run(arguments);
  EXPECT_EQ(result.exit_code, 20) << result.output << result.errors;
  Json roles;
  const Json details = Json::parse(result.output);
  for (const Json& validation : details["serverLevelValidationDetails"]) {
    if (validation["type"] == "RolesValidation") roles = validation;
  }
  EXPECT_EQ(roles["state"], "Failed");
  arguments.insert(arguments.end(), {"-o", "table"});
  result = run(arguments);
  EXPECT_EQ(result.exit_code, 20);
  EXPECT_THAT(result.output, AllOf(HasSubstr("RolesValidation"), HasSubstr("CREATE ROLE \"check_owner\"")));
  arguments.insert(arguments.end(), {"--no-owner", "--no-acl"});
  result = run(arguments);
  EXPECT_EQ(result.exit_code, 0) << result.output << result.errors;
  shared_source().create_database("command");
  shared_source().sql("postgres", "DROP ROLE check_owner");
}

}  // namespace
}  // namespace pgsluice::test
