// Properties files: what a good one means, and the one line that each bad one gets.
#include "pgsluice/migration/properties.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>

#include "base/file_descriptor.h"
#include "migration/properties_object.h"
#include "pg/conninfo.h"
#include "pgsluice/error.h"

namespace pgsluice::migration {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;
using Json = nlohmann::json;

constexpr const char* kSecret = "s3cret-of-the-test";

// A file that is good, to be made bad in one place.
Json good() {
  return Json::parse(R"({"properties": {
    "SourceDBServerResourceId": "old.example.com:5433@reader",
    "TargetDbServerResourceId": "[::1]:5434@admin",
    "SecretParameters": {"AdminCredentials": {"SourceServerPassword": "s3cret-of-the-test",
                                              "TargetServerPassword": "s3cret-of-the-test"}},
    "DBsToMigrate": ["testdb3", "Test DB"],
    "OverwriteDBsInTarget": "true",
    "MigrationMode": "Offline"}})");
}

Request read(const std::string& text) { return parse_properties(text, {}); }

// What is said of a text; "" where it is taken.
std::string refusal(const std::string& text) {
  try {
    read(text);
    return "";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kConfig) << text;
    return error.describe();
  }
}

TEST(Properties, SayWhatToDo) {
  const Request request = read(good().dump());
  EXPECT_EQ(request.source.text(), "old.example.com:5433@reader");
  EXPECT_EQ(request.target.text(), "[::1]:5434@admin");
  EXPECT_EQ(request.source_password, kSecret);
  EXPECT_EQ(request.databases, (std::vector<std::string>{"testdb3", "Test DB"}));
  EXPECT_EQ(request.overwrite, Overwrite::kYes);
  EXPECT_FALSE(request.roles);
  EXPECT_EQ(request.ssl_mode, "Prefer");
  EXPECT_EQ(request.option, MigrationOption::kValidateAndMigrate);
}

TEST(Properties, KeysAreTakenWhateverTheirCaseAndBooleansAsTexts) {
  const Request request = read(R"({"PROPERTIES": {
    "sourcedbserverresourceid": "/var/run/postgresql@postgres", "targetDBServerResourceId": "new",
    "secretparameters": {"admincredentials": {}, "sourceServerUserName": "of_source", "targetserverusername": "inside"},
    "TARGETSERVERUSERNAME": "at_the_top", "dbstomigrate": ["a"], "overwritedbsintarget": "FALSE",
    "migrateroles": "True", "migrationmode": "offline", "MIGRATIONOPTION": "validate", "SSLMODE": "verifyfull",
    "engine": {"tableJobs": 3, "verify": "false", "databasesAtOnce": 2}}})");
  EXPECT_EQ(request.source.text(), "/var/run/postgresql:5432@of_source");
  EXPECT_EQ(request.target.text(), "new:5432@at_the_top");
  EXPECT_EQ(request.overwrite, Overwrite::kNo);
  EXPECT_TRUE(request.roles);
  EXPECT_EQ(request.option, MigrationOption::kValidate);
  EXPECT_EQ(request.ssl_mode, "VerifyFull");
  EXPECT_EQ(request.engine.table_jobs, 3);
  EXPECT_FALSE(request.verify);
  EXPECT_EQ(request.databases_at_once, 2);
}

TEST(Properties, APasswordMayStandInAFileOrAVariable) {
  const TemporaryFolder folder;
  std::ofstream(folder.path() / "secret") << kSecret << "\n";
  ::setenv("PGSLUICE_TEST_SECRET", kSecret, 1);
  Json file = good();
  file["properties"]["SecretParameters"]["AdminCredentials"] = {
      {"SourceServerPasswordFile", (folder.path() / "secret").string()},
      {"TargetServerPasswordEnv", "PGSLUICE_TEST_SECRET"}};
  const Request request = read(file.dump());
  EXPECT_EQ(request.source_password, kSecret);
  EXPECT_EQ(request.target_password, kSecret);
  ::unsetenv("PGSLUICE_TEST_SECRET");
  EXPECT_THAT(refusal(file.dump()), HasSubstr("SecretParameters.AdminCredentials.TargetServerPasswordEnv the "
                                              "environment variable PGSLUICE_TEST_SECRET is not set"));
}

TEST(Properties, AConnectionStringHoldsAnyNameAndPassword) {
  Json file = good();
  file["properties"]["DBsToMigrate"] = {"it's a \\ name dbname=other"};
  file["properties"]["SecretParameters"]["AdminCredentials"]["SourceServerPassword"] = "a' host=evil \\";
  const Request request = read(file.dump());
  const pg::ConnInfo conninfo =
      pg::ConnInfo::parse(request.conninfo(Side::kSource, request.databases[0]), Side::kSource);
  EXPECT_EQ(conninfo.get("dbname"), request.databases[0]);
  EXPECT_EQ(conninfo.get("host"), "old.example.com");
  EXPECT_EQ(conninfo.get("password"), "a' host=evil \\");
}

TEST(Properties, TheTargetMayBeNamedOnTheCommandLine) {
  Json file = good();
  file["properties"].erase("TargetDbServerResourceId");
  const Request request =
      parse_properties(file.dump(), {.target = "my-server:5439@admin", .option = MigrationOption::kMigrate});
  EXPECT_EQ(request.target.text(), "my-server:5439@admin");
  EXPECT_EQ(request.option, MigrationOption::kMigrate);
}

struct BadFile {
  const char* name;
  /// A JSON pointer below "properties", and what is put there; "": the whole text.
  const char* at;
  const char* value;
  /// How the message begins.
  const char* message;
};

// gtest prints a parameter with this.
void PrintTo(const BadFile& file, std::ostream* out) { *out << file.name; }

const BadFile kBadFiles[] = {
    {"Empty", "", "", "no JSON at line 1, column 1"},
    {"CutOff", "", R"({"properties": {"SourceDBServerResourceId": "a:1@b", "TargetSer)",
     "no JSON at line 1, column 64"},
    {"AComma", "", R"({"properties": {},})", "no JSON at line 1, column 19"},
    {"AList", "", "[]", "a JSON object is wanted, {\"properties\": {…}}"},
    {"AText", "", "\"properties\"", "a JSON object is wanted"},
    {"NotUtf8", "", "{\"properties\": \"caf\xE9\"}", "no JSON at line 1, column 21"},
    {"NoProperties", "", "{}", "properties is missing"},
    {"PropertiesIsNull", "", R"({"properties": null})", "properties is missing"},
    {"PropertiesIsAList", "", R"({"properties": []})", "properties is of type array: an object {…} is wanted"},
    {"ASecondKeyBesideProperties", "", nullptr, "property is not known"},
    {"AKeyTwice", "", R"({"properties": {"MigrationMode": "Offline", "migrationmode": "Offline"}})",
     "the key migrationmode stands twice in one object"},
    {"SourceIsMissing", "/SourceDBServerResourceId", "null", "properties.SourceDBServerResourceId is missing"},
    {"SourceIsANumber", "/SourceDBServerResourceId", "5432",
     "properties.SourceDBServerResourceId is of type number: a text is wanted"},
    {"SourceIsEmpty", "/SourceDBServerResourceId", "\"\"", "properties.SourceDBServerResourceId is empty"},
    {"SourceHasNoHost", "/SourceDBServerResourceId", "\":5432@a\"",
     "properties.SourceDBServerResourceId: the host is missing"},
    {"SourceHasNoUser", "/SourceDBServerResourceId", "\"old:5432\"",
     "properties.SourceDBServerResourceId names no user"},
    {"UserBehindTheAtIsMissing", "/SourceDBServerResourceId", "\"old:5432@\"",
     "properties.SourceDBServerResourceId: the user is missing after the @"},
    {"PortIsAWord", "/SourceDBServerResourceId", "\"old:pg@a\"",
     "properties.SourceDBServerResourceId: what stands after the colon is no port"},
    {"PortIsEmpty", "/SourceDBServerResourceId", "\"old:@a\"",
     "properties.SourceDBServerResourceId: what stands after the colon is no port"},
    {"PortIsTooLarge", "/TargetDbServerResourceId", "\"new:65536@a\"",
     "properties.TargetDbServerResourceId: what stands after the colon is no port"},
    {"PortIsNegative", "/TargetDbServerResourceId", "\"new:-1@a\"",
     "properties.TargetDbServerResourceId: what stands after the colon is no port"},
    {"Ipv6WithoutBrackets", "/TargetDbServerResourceId", "\"::1@a\"",
     "properties.TargetDbServerResourceId: the host is missing"},
    {"Ipv6IsNotClosed", "/TargetDbServerResourceId", "\"[::1:5432@a\"",
     "properties.TargetDbServerResourceId: the address's closing bracket is missing"},
    {"BehindTheBracketIsNoPort", "/TargetDbServerResourceId", "\"[::1]x@a\"",
     "properties.TargetDbServerResourceId: what follows the host is neither a port nor a user"},
    {"APasswordInAUri", "/SourceDBServerResourceId", "\"postgres://u:s3cret-of-the-test@h/db\"",
     "properties.SourceDBServerResourceId: a URI is not taken; host:port@user is wanted"},
    {"APasswordBehindThePort", "/SourceDBServerResourceId", "\"h:5432:s3cret-of-the-test@u\"",
     "properties.SourceDBServerResourceId: what stands after the colon is no port"},
    {"ATemplate", "/DBsToMigrate", R"(["a", "template1"])", "properties.DBsToMigrate[1] is a template"},
    {"AByteOfZero", "/SourceDBServerResourceId", "\"old\\u0000:1@a\"",
     "properties.SourceDBServerResourceId holds a byte of value 0"},
    {"TargetIsMissing", "/TargetDbServerResourceId", "null", "properties.TargetDbServerResourceId is missing"},
    {"TargetHasNoUser", "/TargetDbServerResourceId", "\"new\"", "properties.targetServerUserName is missing"},
    {"DatabasesAreMissing", "/DBsToMigrate", "null", "properties.DBsToMigrate is missing"},
    {"DatabasesIsAText", "/DBsToMigrate", "\"one\"", "properties.DBsToMigrate is of type string: a list of texts"},
    {"NoDatabase", "/DBsToMigrate", "[]", "properties.DBsToMigrate names no database"},
    {"NineDatabases", "/DBsToMigrate", R"(["1","2","3","4","5","6","7","8","9"])",
     "properties.DBsToMigrate names 9 databases, and a migration takes 8, unless that limit is raised"},
    {"ADatabaseIsANumber", "/DBsToMigrate", R"(["a", 2])",
     "properties.DBsToMigrate[1] is of type number: a text is wanted"},
    {"ADatabaseIsEmpty", "/DBsToMigrate", R"(["a", ""])", "properties.DBsToMigrate[1] is empty"},
    {"ADatabaseTwice", "/DBsToMigrate", R"(["a", "b", "a"])", "properties.DBsToMigrate[2] is there already: a"},
    {"ADatabaseIsTooLong", "/DBsToMigrate", R"(["1234567890123456789012345678901234567890123456789012345678901234"])",
     "properties.DBsToMigrate[0] is longer than 63 bytes"},
    {"ADatabaseHoldsAZero", "/DBsToMigrate", R"(["a\u0000b"])", "properties.DBsToMigrate[0] holds a byte of value 0"},
    {"OverwriteIsAWord", "/OverwriteDBsInTarget", "\"yes please\"",
     "properties.OverwriteDBsInTarget is neither true nor false"},
    {"OverwriteIsANumber", "/OverwriteDBsInTarget", "1",
     "properties.OverwriteDBsInTarget is of type number: true or false is wanted"},
    {"RolesIsAList", "/MigrateRoles", "[]", "properties.MigrateRoles is of type array: true or false is wanted"},
    {"ModeIsOnline", "/MigrationMode", "\"Online\"", "properties.MigrationMode Online is not supported"},
    {"ModeIsNone", "/MigrationMode", "\"Fast\"", "properties.MigrationMode \"Fast\" is none: Offline is wanted"},
    {"OptionIsNone", "/migrationOption", "\"Copy\"", "properties.migrationOption \"Copy\" is none"},
    {"SslModeIsNone", "/sslMode", "\"disable\"", "properties.sslMode \"disable\" is none: Prefer, Require"},
    {"AnUnknownKey", "/OverwriteDBsInTargets", "true",
     "properties.OverwriteDBsInTargets is not known; did you mean OverwriteDBsInTarget?"},
    {"AnUnknownKeyLikeNoOther", "/colour", "1", "properties.colour is not known"},
    {"CutoverIsOnline", "/triggerCutover", "true", "properties.triggerCutover belongs to online migrations"},
    {"LogicalReplicationIsOnline", "/setupLogicalReplicationOnSourceDbIfNeeded", "\"True\"",
     "properties.setupLogicalReplicationOnSourceDbIfNeeded belongs to online migrations"},
    {"CancelIsACommand", "/cancel", "\"True\"", "properties.cancel is no property of a new migration: cancel"},
    {"SecretsAreAText", "/SecretParameters", "\"s3cret-of-the-test\"",
     "properties.SecretParameters is of type string: an object {…} is wanted"},
    {"AnUnknownSecret", "/SecretParameters/Password", "\"s3cret-of-the-test\"",
     "properties.SecretParameters.Password is not known"},
    {"PasswordIsANumber", "/SecretParameters/AdminCredentials/SourceServerPassword", "12345",
     "properties.SecretParameters.AdminCredentials.SourceServerPassword is of type number: a text is wanted"},
    {"PasswordTwice", "/SecretParameters/AdminCredentials/SourceServerPasswordEnv", "\"HOME\"",
     "properties.SecretParameters.AdminCredentials.SourceServerPassword is given twice"},
    {"AnUnknownCredential", "/SecretParameters/AdminCredentials/SourceServerPasword", "\"s3cret-of-the-test\"",
     "properties.SecretParameters.AdminCredentials.SourceServerPasword is not known; did you mean "
     "SourceServerPassword?"},
    {"EngineIsAList", "/engine", "[]", "properties.engine is of type array: an object {…} is wanted"},
    {"UserWithAPassword", "/SourceDBServerResourceId", R"("db.example.com:5432@reader:s3cret")",
     "properties.SourceDBServerResourceId: the user has a colon: passwords have keys of their own"},
    {"EngineOptionIsNone", "/engine", R"({"speed": 1})", "properties.engine.speed: is no option of a clone"},
    {"AtOnceIsNone", "/engine", R"({"databasesAtOnce": 0})",
     "properties.engine.databasesAtOnce a number from 1 to 64 is wanted"},
    {"VerifyIsAWord", "/engine", R"({"verify": "often"})", "properties.engine.verify is neither true nor false"},
};

class BadProperties : public ::testing::TestWithParam<BadFile> {};

TEST_P(BadProperties, GetOneLineThatNamesTheKey) {
  const BadFile& bad = GetParam();
  std::string text;
  if (*bad.at != '\0') {
    Json file = good();
    file["properties"][Json::json_pointer(bad.at)] = Json::parse(bad.value);
    text = file.dump();
  } else if (bad.value != nullptr) {
    text = bad.value;
  } else {
    Json file = good();
    file["property"] = 1;
    text = file.dump();
  }
  const std::string said = refusal(text);
  EXPECT_THAT(said, StartsWith(bad.message));
  EXPECT_THAT(said, Not(HasSubstr("s3cret")));
  // One line, and a hint in a second one at most.
  EXPECT_LE(std::count(said.begin(), said.end(), '\n'), 1) << said;
}

INSTANTIATE_TEST_SUITE_P(, BadProperties, ::testing::ValuesIn(kBadFiles),
                         [](const auto& file) { return file.param.name; });

TEST(PropertiesFile, IsMissingAFolderOrTooLarge) {
  const TemporaryFolder folder;
  const auto said = [](const std::filesystem::path& file) -> std::string {
    try {
      read_properties_text(file);
      return "";
    } catch (const Error& error) {
      return error.what();
    }
  };
  EXPECT_THAT(said(folder.path() / "none"), HasSubstr("No such file"));
  EXPECT_THAT(said(folder.path()), HasSubstr("is a folder"));
  std::ofstream(folder.path() / "large") << good().dump() << std::string(1 << 20, ' ');
  EXPECT_THAT(said(folder.path() / "large"), HasSubstr("larger than 1 MiB"));
  std::ofstream(folder.path() / "just") << good().dump() << std::string((1 << 20) - good().dump().size(), ' ');
  EXPECT_EQ(said(folder.path() / "just"), "");
}

TEST(PropertiesFile, PasswordFilesThatHoldNoneAreNamed) {
  const TemporaryFolder folder;
  std::ofstream(folder.path() / "empty") << "\n";
  for (const auto& [name, message] : {std::pair{"empty", "is empty"}, std::pair{"none", "No such file"}}) {
    Json file = good();
    file["properties"]["SecretParameters"]["AdminCredentials"] = {
        {"SourceServerPasswordFile", (folder.path() / name).string()}};
    const std::string said = refusal(file.dump());
    EXPECT_THAT(said, StartsWith("properties.SecretParameters.AdminCredentials.SourceServerPasswordFile"));
    EXPECT_THAT(said, HasSubstr(message));
  }
}

TEST(MigrationName, IsOfLettersDigitsAndHyphens) {
  for (const char* good : {"a", "migration1", "4b3ad7b0-0f1c-4b55-a1a1-2b50d1a2f7a3", "A-"}) require_name(good);
  for (const std::string& bad : {std::string(), std::string("-a"), std::string("a b"), std::string("a/../b"),
                                 std::string("caf\xC3\xA9"), std::string(64, 'a'), std::string("a_b")}) {
    EXPECT_THROW(require_name(bad), Error) << bad;
  }
}

TEST(ParseJson, HasLimitsAndNamesARepeatedKey) {
  std::string repeated;
  EXPECT_EQ(parse_json(R"({"a": [1, {"b": null}], "c": "x"})", &repeated).at("a").at(0), 1);
  EXPECT_EQ(repeated, "");
  parse_json(R"({"a": {"b": 1}, "b": {"B": 2, "b": 3}})", &repeated);
  EXPECT_EQ(repeated, "b");
  std::string many = "[0";
  for (int i = 0; i < 20'000; ++i) many += ",0";
  const auto refused = [](const std::string& text) -> std::string {
    try {
      parse_json(text);
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  };
  EXPECT_THAT(refused(many + "]"), HasSubstr("more than 20000 values"));
  EXPECT_THAT(refused(std::string(40, '[') + std::string(40, ']')), HasSubstr("levels deep"));
  EXPECT_THROW(parse_json("{\"a\": }"), nlohmann::json::exception);
  EXPECT_THROW(parse_json("[1e400]"), nlohmann::json::exception);
}

TEST(AllowedServers, APatternWithAPortIsComparedWithThePort) {
  const auto is_allowed = [](const std::string& server, const std::string& pattern) {
    const std::string body = fmt::format(
        R"({{"properties":{{"SourceDBServerResourceId":"s:1@u","TargetDbServerResourceId":"{}@u","DBsToMigrate":["d"]}}}})",
        server);
    PropertiesContext context{.origin = PropertiesContext::Origin::kRemote};
    context.allowed_targets = {pattern};
    try {
      parse_properties(body, context);
      return true;
    } catch (const Error& error) {
      EXPECT_THAT(error.describe(), HasSubstr("may not connect to"));
      return false;
    }
  };
  EXPECT_TRUE(is_allowed("db.new.example:5432", "*.new.example"));
  EXPECT_TRUE(is_allowed("DB.new.example:5432", "db.NEW.example:5432"));
  EXPECT_FALSE(is_allowed("db.new.example:5433", "*.new.example:5432"));
  EXPECT_TRUE(is_allowed("10.0.0.7:5432", "*:5432"));
  EXPECT_FALSE(is_allowed("[::ffff:7f00:5432]:16115", "*:5432")) << "the address ends as the port does";
  EXPECT_TRUE(is_allowed("[2001:db8::1]:5432", "[2001:db8::1]:5432"));
  EXPECT_TRUE(is_allowed("[2001:db8::1]:6000", "[2001:db8::1]"));
  EXPECT_TRUE(is_allowed("[2001:db8::1]:5432", "[2001:db8::*]:5432"));
  EXPECT_FALSE(is_allowed("[2001:db8::1]:5433", "[2001:db8::1]:5432"));
}

TEST(AllowedServers, APatternOfAddressesMeansNoNameThatBeginsSo) {
  const auto is_allowed = [](const std::string& host, const std::string& pattern) {
    const std::string body = fmt::format(
        R"({{"properties":{{"SourceDBServerResourceId":"s:1@u","TargetDbServerResourceId":"{}@u","DBsToMigrate":["d"]}}}})",
        host);
    PropertiesContext context{.origin = PropertiesContext::Origin::kRemote};
    context.allowed_targets = {pattern};
    try {
      parse_properties(body, context);
      return true;
    } catch (const Error&) {
      return false;
    }
  };
  EXPECT_TRUE(is_allowed("10.1.2.3:5432", "10.*"));
  EXPECT_FALSE(is_allowed("10.attacker.example:5432", "10.*"));
  EXPECT_FALSE(is_allowed("10.attacker.example:5432", "10.*:5432"));
  EXPECT_TRUE(is_allowed("db10.example:5432", "db10.*"));
  EXPECT_TRUE(is_allowed("10.attacker.example:5432", "*"));
}

}  // namespace
}  // namespace pgsluice::migration
