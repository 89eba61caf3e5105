// The resource: its states, its document.
#include "pgsluice/migration/migration.h"

#include <gmock/gmock.h>

#include <array>

#include "migration/document.h"
#include "pgsluice/error.h"

namespace pgsluice::migration {
namespace {

constexpr std::array kStates = {State::kInProgress, State::kValidationFailed, State::kCanceled, State::kFailed,
                                State::kSucceeded};
constexpr std::array kSubstates = {Substate::kPerformingPreRequisiteSteps,
                                   Substate::kValidationInProgress,
                                   Substate::kMigratingData,
                                   Substate::kCompletingMigration,
                                   Substate::kCancelingRequestedDBMigrations,
                                   Substate::kCompleted,
                                   Substate::kFailed};

TEST(StateMachine, HasTheseWaysAndNoOther) {
  std::string ways;
  for (const State from : kStates) {
    for (const Substate from_substate : kSubstates) {
      for (const State to : kStates) {
        for (const Substate to_substate : kSubstates) {
          if (!may_follow(from, from_substate, to, to_substate)) continue;
          ways += std::string(to_string(from)) + "/" + std::string(to_string(from_substate)) + " > " +
                  std::string(to_string(to)) + "/" + std::string(to_string(to_substate)) + "\n";
        }
      }
    }
  }
  EXPECT_EQ(ways,
            "InProgress/PerformingPreRequisiteSteps > InProgress/ValidationInProgress\n"
            "InProgress/PerformingPreRequisiteSteps > InProgress/MigratingData\n"
            "InProgress/PerformingPreRequisiteSteps > InProgress/CancelingRequestedDBMigrations\n"
            "InProgress/PerformingPreRequisiteSteps > Failed/Failed\n"
            "InProgress/ValidationInProgress > InProgress/MigratingData\n"
            "InProgress/ValidationInProgress > InProgress/CompletingMigration\n"
            "InProgress/ValidationInProgress > InProgress/CancelingRequestedDBMigrations\n"
            "InProgress/ValidationInProgress > ValidationFailed/Failed\n"
            "InProgress/ValidationInProgress > Failed/Failed\n"
            "InProgress/MigratingData > InProgress/CompletingMigration\n"
            "InProgress/MigratingData > InProgress/CancelingRequestedDBMigrations\n"
            "InProgress/MigratingData > Failed/Failed\n"
            "InProgress/CompletingMigration > InProgress/CancelingRequestedDBMigrations\n"
            "InProgress/CompletingMigration > Failed/Failed\n"
            "InProgress/CompletingMigration > Succeeded/Completed\n"
            "InProgress/CancelingRequestedDBMigrations > Canceled/Completed\n"
            "InProgress/CancelingRequestedDBMigrations > Failed/Failed\n"
            "ValidationFailed/Failed > InProgress/PerformingPreRequisiteSteps\n"
            "Failed/Failed > InProgress/PerformingPreRequisiteSteps\n");
}

TEST(Document, IsReadAsItWasWritten) {
  const Time at = std::chrono::system_clock::from_time_t(1790000000);
  Migration migration{
      .id = "4b3ad7b0-0f1c-4b55-a1a1-2b50d1a2f7a3",
      .name = "first",
      .target = "myserver",
      .option = MigrationOption::kMigrate,
      .ssl_mode = "VerifyFull",
      .source_server = "[::1]:5432@admin",
      .target_server = "new:5432@admin",
      .source_version = "14.8",
      .target_version = "16.1",
      .databases = {"testdb3", "odd \"name\""},
      .overwrite = Overwrite::kNo,
      .roles = true,
      .labels = {{"subscription", "1111"}},
      .created = at,
      .started = at,
      .state = State::kInProgress,
      .substate = Substate::kMigratingData,
      .error = "one",
      .details = {{.name = "testdb3",
                   .operation = "MigratingData",
                   .started = at,
                   .queued_tables = 1,
                   .loading_tables = 2,
                   .completed_tables = 3,
                   .errored_tables = 4,
                   .pending = {5},
                   .copied = {6},
                   .rows = 7,
                   .message = "m",
                   .verification = "equal",
                   .made = true,
                   .target_oid = 16385},
                  {.name = "odd \"name\"", .state = DatabaseState::kCanceled, .ended = at}},
      .validation = {.started = at,
                     .server = {{.type = "RolesValidation",
                                 .findings = {{ValidationState::kWarning, "w"}, {ValidationState::kFailed, "f"}}}},
                     .databases = {{.database = "testdb3", .started = at}}},
      .next_steps = {"step"}};
  const std::string text = to_text(migration);
  EXPECT_EQ(to_text(from_document(text)), text);
  const nlohmann::ordered_json document = to_document(migration);
  const auto& properties = document.at("properties");
  EXPECT_EQ(properties.at("overwriteDbsInTarget"), "False");
  EXPECT_EQ(properties.at("migrationMode"), "Offline");
  EXPECT_EQ(properties.at("migrationWindowStartTimeInUtc"), "2026-09-21T14:13:20Z");
  const auto& status = properties.at("currentStatus");
  EXPECT_EQ(status.at("currentSubStateDetails").at("dbDetails").at("testdb3").at("fullLoadCompletedTables"), 3);
  EXPECT_EQ(
      status.at("currentSubStateDetails").at("validationDetails").at("serverLevelValidationDetails").at(0).at("state"),
      "Failed");
}

TEST(Document, OfAnotherVersionIsRefused) {
  EXPECT_THROW(from_document("{}"), Error);
  EXPECT_THROW(from_document("no document"), Error);
}

TEST(Document, LackingADatabaseIsRefused) {
  Migration migration;
  migration.id = "1";
  migration.databases = {"one", "two"};
  migration.details = {{.name = "one"}, {.name = "two"}};
  nlohmann::ordered_json document = to_document(migration);
  EXPECT_EQ(from_document(to_text(document)).details.size(), 2U);
  document.at("properties").at("currentStatus").at("currentSubStateDetails").at("dbDetails").erase("two");
  EXPECT_THROW(from_document(to_text(document)), Error);
}

TEST(Document, HoldsWhatAServerSaidInAnyEncoding) {
  EXPECT_THAT(to_text(Migration{.error = "caf\xE9"}), ::testing::HasSubstr("caf\xEF\xBF\xBD"));
}

}  // namespace
}  // namespace pgsluice::migration
