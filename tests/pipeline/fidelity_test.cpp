// The database that holds one of everything, cloned: it must come out equal, to the last comment.
#include "tests/support/fidelity.h"

#include <gtest/gtest.h>

#include "tests/pipeline/clone_fixture.h"

namespace pgsluice::test {
namespace {

struct Case {
  Fidelity part;
  const char* user;
  int jobs;
};

std::string name_of(const ::testing::TestParamInfo<Case>& info) {
  const std::string part = info.param.part == Fidelity::kWhole ? "Whole" : "OwnersPart";
  const std::string user = info.param.user == std::string("postgres") ? "Superuser" : "Owner";
  return part + "As" + user + "With" + std::to_string(info.param.jobs) + "Jobs";
}

void PrintTo(const Case& tested, std::ostream* out) { *out << tested.user << " with " << tested.jobs << " jobs"; }

class FidelityTest : public CloneFixture, public ::testing::WithParamInterface<Case> {
 protected:
  static void SetUpTestSuite() {
    make_fidelity(shared_source(), "fidelity whole", Fidelity::kWhole);
    make_fidelity(shared_source(), "fidelity owner", Fidelity::kOwner);
  }
};

INSTANTIATE_TEST_SUITE_P(Ways, FidelityTest,
                         ::testing::Values(Case{Fidelity::kWhole, "postgres", 1}, Case{Fidelity::kWhole, "postgres", 4},
                                           Case{Fidelity::kOwner, "fidelity_owner", 1},
                                           Case{Fidelity::kOwner, "fidelity_owner", 4}),
                         name_of);

TEST_P(FidelityTest, ComesOutEqual) {
  const Case& tested = GetParam();
  const std::string database = tested.part == Fidelity::kWhole ? "fidelity whole" : "fidelity owner";
  make_fidelity_target(shared_target(), database, tested.part);
  pipeline::CloneOptions wanted = options(database);
  wanted.source = shared_source().conninfo(database, tested.user);
  wanted.target = shared_target().conninfo(database, tested.user);
  wanted.table_jobs = tested.jobs;
  wanted.index_jobs = tested.jobs;
  const pipeline::CloneSummary summary = pipeline::Clone(wanted, sink_).run();
  EXPECT_TRUE(summary.complete()) << failures(summary);
  for (const std::string& difference : differences(database)) ADD_FAILURE() << difference;
}

}  // namespace
}  // namespace pgsluice::test
