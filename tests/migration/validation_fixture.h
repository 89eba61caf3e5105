#pragma once

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <string>

#include "pgsluice/migration/validator.h"
#include "tests/support/cluster.h"
#include "tests/support/recording_sink.h"

namespace pgsluice::migration {

using test::Cluster;
using test::shared_source;
using test::shared_target;
using ::testing::HasSubstr;
using ::testing::Not;

inline constexpr const char* kDatabase = "validated";
inline constexpr const char* kPlainUser = "plain_user";
inline constexpr const char* kPassword = "s3cret-of-the-test";

/// A database of both shared servers, and a role without any rights.
class ValidationTest : public ::testing::Test {
 protected:
  void SetUp() override {
    shared_source().create_database(kDatabase);
    shared_target().create_database(kDatabase);
    // Without any rights, on both.
    for (const Cluster* server : {&shared_source(), &shared_target()}) {
      server->sql("postgres", fmt::format("CREATE ROLE {} LOGIN PASSWORD '{}'", kPlainUser, kPassword));
    }
  }
  void TearDown() override {
    for (const Cluster* server : {&shared_source(), &shared_target()}) {
      server->create_database(kDatabase);
      server->sql("postgres", fmt::format("DROP ROLE IF EXISTS {}, azure_pg_admin, boss", kPlainUser));
    }
  }

  static ValidationRequest between(const Cluster& source, const Cluster& target) {
    return {.source = source.conninfo("postgres"), .target = target.conninfo("postgres"), .databases = {kDatabase}};
  }
  static ValidationRequest request() { return between(shared_source(), shared_target()); }
  static ValidationRequest as_plain_user_of_target() {
    ValidationRequest result = request();
    result.target = shared_target().conninfo("postgres", kPlainUser);
    return result;
  }

  // What a validation says, a finding a line: "Failed: …".
  std::string said(const ValidationRequest& wanted, const std::string& type) {
    Validator validator(wanted, Log(sink_), {});
    std::vector<Validation> all = validator.validate_servers();
    if (validator.reached_both()) {
      for (const std::string& database : wanted.databases) {
        for (Validation& validation : validator.validate_database(database)) all.push_back(std::move(validation));
      }
    }
    std::string text;
    for (const Validation& validation : all) {
      for (const Finding& finding : validation.findings) {
        EXPECT_THAT(finding.message, Not(HasSubstr("could not be validated")));
        if (validation.type != type) continue;
        text += fmt::format("{}: {}\n", to_string(finding.state), finding.message);
      }
    }
    EXPECT_THAT(text, Not(HasSubstr(kPassword)));
    return text;
  }

  test::RecordingSink sink_;
};

}  // namespace pgsluice::migration
