// Whole migrations of the database that holds one of everything, into the same release and into later ones, with the
// source's own pg_dump and with the newest. The corners always; all pairs with PGSLUICE_TEST_VERSIONS=all.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <cstdlib>

#include "tests/cases/case_fixture.h"
#include "tests/support/fidelity.h"

namespace pgsluice::test {
namespace {

using ::testing::HasSubstr;

struct Pair {
  int source = 0;
  int target = 0;
};

void PrintTo(const Pair& pair, std::ostream* out) { *out << pair.source << " to " << pair.target; }

std::vector<Pair> pairs() {
  const char* wanted = std::getenv("PGSLUICE_TEST_VERSIONS");
  if (wanted == nullptr || std::string(wanted) != "all") return {{13, 18}, {15, 18}, {18, 18}};
  // Of 10, 12, 14 and 16 there is no pg_dump at hand: they are sources, and read by the newest.
  std::vector<Pair> all = {{10, 18}, {12, 18}, {14, 18}, {16, 18}, {16, 17}};
  for (const int source : {13, 15, 17, 18}) {
    for (const int target : {13, 15, 17, 18}) {
      if (target >= source) all.push_back({source, target});
    }
  }
  return all;
}

std::string name_of(const ::testing::TestParamInfo<Pair>& info) {
  return fmt::format("From{}To{}", info.param.source, info.param.target);
}

class MigratedVersions : public CaseTest, public ::testing::WithParamInterface<Pair> {
 protected:
  void SetUp() override {
    if (!between(GetParam().source, GetParam().target)) GTEST_SKIP() << kNoDownloads;
    prepare_for_fidelity(target());
    make_fidelity(source(), kFidelity, Fidelity::kWhole);
    // The oldest takes only a part of it.
    EXPECT_GT(std::stoi(source().value(kFidelity, "SELECT count(*) FROM pg_class WHERE oid >= 16384")), 1000);
  }
  // Other tests clone all databases of these servers. One that has a subscription is not dropped.
  void TearDown() override {
    if (IsSkipped()) return;
    for (const Cluster* server : {&source(), &target()}) {
      if (server->value("postgres", "SELECT count(*) FROM pg_database WHERE datname = 'fidelity'") == "0") continue;
      server->sql(kFidelity, "DROP SUBSCRIPTION IF EXISTS fidelity_subscription");
      server->sql("postgres", "ALTER DATABASE fidelity IS_TEMPLATE false");
      server->sql("postgres", "DROP DATABASE fidelity");
    }
  }
  Migrated migrate_it() const { return migrate({{"DBsToMigrate", {kFidelity}}}); }
  std::vector<std::string> both() const {
    return {"--source", source().conninfo(kFidelity), "--target", target().conninfo(kFidelity)};
  }
  static constexpr const char* kFidelity = "fidelity";
};

INSTANTIATE_TEST_SUITE_P(Pairs, MigratedVersions, ::testing::ValuesIn(pairs()), name_of);

TEST_P(MigratedVersions, WithTheNewestPgDumpAreEqual) {
  const Migrated migrated = migrate_it();
  EXPECT_EQ(migrated.state, "Succeeded") << migrated.error << said(migrated.result);
  std::vector<std::string> compare_schema = {"compare", "schema", "--pg-bindir", pg_bindir().string()};
  std::vector<std::string> compare_data = {"compare", "data"};
  for (std::vector<std::string>* command : {&compare_schema, &compare_data}) {
    for (const std::string& word : both()) command->push_back(word);
    const SubprocessResult compared = run(*command);
    EXPECT_EQ(compared.exit_code, 0) << said(compared);
  }
}

// It cannot read a newer target, and so definitions are not compared: that is said, and no failure.
TEST_P(MigratedVersions, WithTheSourcesOwnPgDumpSucceed) {
  const std::filesystem::path own = server_programs(GetParam().source);
  if (!std::filesystem::exists(own / "pg_dump")) GTEST_SKIP() << "only server programs of this version";
  use_pg_bindir(own);
  const Migrated migrated = migrate_it();
  EXPECT_EQ(migrated.state, "Succeeded") << migrated.error << said(migrated.result);
  if (GetParam().source < GetParam().target) {
    EXPECT_THAT(said(migrated.result), HasSubstr("pg_dump"));
  }
}

}  // namespace
}  // namespace pgsluice::test
