#include "tests/cases/case_fixture.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <map>
#include <memory>

namespace pgsluice::test {

namespace {

using Json = nlohmann::json;

std::map<std::pair<int, Side>, std::unique_ptr<Cluster>>& servers_of_versions() {
  static std::map<std::pair<int, Side>, std::unique_ptr<Cluster>> servers;
  return servers;
}

class ServersOfVersions : public ::testing::Environment {
 public:
  void TearDown() override { servers_of_versions().clear(); }
};

const ::testing::Environment* const kEndsTheServers = ::testing::AddGlobalTestEnvironment(new ServersOfVersions);

}  // namespace

Cluster* shared_server(int version, Side side) {
  if (version == 15) return side == Side::kSource ? &shared_source() : &shared_target();
  std::unique_ptr<Cluster>& server = servers_of_versions()[{version, side}];
  if (server == nullptr) {
    Cluster::Options options;
    options.bindir = server_programs(version);
    if (options.bindir.empty()) return nullptr;
    // The library that compiles expressions does not load where a server was built for another system.
    if (version >= 11) options.settings.emplace_back("jit = off");
    server = std::make_unique<Cluster>(std::move(options));
  }
  return server.get();
}

bool CaseTest::between(int source_version, int target_version) {
  // A test that is skipped still has servers, which its end may look at.
  Cluster* const source = shared_server(source_version, Side::kSource);
  Cluster* const target = shared_server(target_version, Side::kTarget);
  if (source == nullptr || target == nullptr) return false;
  servers_ = {source, target};
  // Of 10, 12, 14 and 16 there are server programs only.
  const int newest = std::max(source_version, target_version);
  pg_bindir_ = newest <= kMachineVersion ? server_bindir() : server_programs(newest == 17 ? 17 : 18);
  return !pg_bindir_.empty();
}

std::filesystem::path CaseTest::sql_file(const std::string& name) {
  return std::filesystem::path(PGSLUICE_SOURCE_FOLDER) / "tests/cases" / name;
}

void CaseTest::make(const std::string& sql, const std::string& options) const {
  source().create_database(kDatabase, options);
  target().create_database(kDatabase, options);
  if (!sql.empty()) source().sql(kDatabase, sql);
}

void CaseTest::make_from_file(const std::string& name, const std::string& options) const {
  make("", options);
  run_sql_file(source().conninfo(kDatabase), sql_file(name));
}

SubprocessResult CaseTest::run(std::vector<std::string> arguments,
                               std::vector<std::pair<std::string, std::string>> environment) const {
  std::vector<std::string> command = {"timeout", "--kill-after=10", std::to_string(kLimit.count()), PGSLUICE_PROGRAM};
  command.insert(command.end(), arguments.begin(), arguments.end());
  environment.insert(environment.begin(), {"TMPDIR", folder_.path().string()});
  return run_command({.command = std::move(command), .environment = std::move(environment)});
}

SubprocessResult CaseTest::run_on_both(std::vector<std::string> command, std::vector<std::string> more) const {
  const std::vector<std::string> both = {"--source", source().conninfo(kDatabase), "--target",
                                         target().conninfo(kDatabase)};
  command.insert(command.end(), both.begin(), both.end());
  if (!pg_bindir_.empty()) command.insert(command.end(), {"--pg-bindir", pg_bindir_.string()});
  command.insert(command.end(), more.begin(), more.end());
  return run(std::move(command));
}

SubprocessResult CaseTest::clone(std::vector<std::string> more) const {
  return run_on_both({"clone", "--progress", "none", "--retry-for", "5"}, std::move(more));
}

// It needs no pg_dump, and knows no --pg-bindir.
SubprocessResult CaseTest::compare_data() const {
  return run({"compare", "data", "--source", source().conninfo(kDatabase), "--target", target().conninfo(kDatabase)});
}

std::string CaseTest::resource_id(const Cluster& cluster) {
  return fmt::format("{}:{}@postgres", cluster.folder().string(), cluster.port());
}

CaseTest::Migrated CaseTest::migrate(const Json& more, const std::string& option) const {
  Json properties = {{"SourceDBServerResourceId", resource_id(source())},
                     {"TargetDbServerResourceId", resource_id(target())},
                     {"DBsToMigrate", {kDatabase}},
                     {"OverwriteDBsInTarget", "true"},
                     {"MigrationMode", "Offline"},
                     {"engine", {{"retry-for", 5}}}};
  if (!pg_bindir_.empty()) properties["engine"]["pg-bindir"] = pg_bindir_.string();
  properties.merge_patch(more);
  const std::string body = (folder_.path() / "body.json").string();
  std::ofstream(body) << Json{{"properties", properties}};
  const TemporaryFolder store;
  const std::vector<std::string> of_store = {"--name", "m", "--store", store.path().string(), "-o", "json"};
  std::vector<std::string> create = {"migration", "create", "--properties", body, "--migration-option", option};
  create.insert(create.end(), of_store.begin(), of_store.end());
  std::vector<std::string> show = {"migration", "show"};
  show.insert(show.end(), of_store.begin(), of_store.end());

  Migrated migrated{.result = run(create), .state = {}, .error = {}};
  const Json shown = Json::parse(run(show).output, nullptr, false);
  if (!shown.is_object() || !shown.contains("properties")) return migrated;
  const Json& status = shown["properties"]["currentStatus"];
  migrated.state = status.value("state", "");
  migrated.error = status.value("error", "");
  return migrated;
}

void CaseTest::expect_clone_to_be_equal(std::vector<std::string> more) const {
  more.emplace_back("--verify");
  const SubprocessResult cloned = clone(std::move(more));
  EXPECT_EQ(cloned.exit_code, 0) << said(cloned);
  const SubprocessResult schema = compare_schema();
  EXPECT_EQ(schema.exit_code, 0) << said(schema);
  const SubprocessResult data = compare_data();
  EXPECT_EQ(data.exit_code, 0) << said(data);
}

void CaseTest::expect_same_answer(const std::string& query) const {
  EXPECT_EQ(at_source(query), at_target(query)) << query;
}

std::string CaseTest::at_target(const std::string& query) const {
  try {
    return target().value(kDatabase, query);
  } catch (const Error& error) {
    return error.describe();
  }
}

}  // namespace pgsluice::test
