#include "pgsluice/migration/migration.h"

#include <fmt/format.h>
#include <strings.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <random>
#include <utility>

namespace pgsluice::migration {

namespace {

template <class Enum>
using Names = std::pair<Enum, std::string_view>;

constexpr std::array<Names<State>, 5> kStates = {{{State::kInProgress, "InProgress"},
                                                  {State::kValidationFailed, "ValidationFailed"},
                                                  {State::kCanceled, "Canceled"},
                                                  {State::kFailed, "Failed"},
                                                  {State::kSucceeded, "Succeeded"}}};
constexpr std::array<Names<Substate>, 7> kSubstates = {
    {{Substate::kPerformingPreRequisiteSteps, "PerformingPreRequisiteSteps"},
     {Substate::kValidationInProgress, "ValidationInProgress"},
     {Substate::kMigratingData, "MigratingData"},
     {Substate::kCompletingMigration, "CompletingMigration"},
     {Substate::kCancelingRequestedDBMigrations, "CancelingRequestedDBMigrations"},
     {Substate::kCompleted, "Completed"},
     {Substate::kFailed, "Failed"}}};
constexpr std::array<Names<DatabaseState>, 6> kDatabaseStates = {{{DatabaseState::kInProgress, "InProgress"},
                                                                  {DatabaseState::kCanceling, "Canceling"},
                                                                  {DatabaseState::kCanceled, "Canceled"},
                                                                  {DatabaseState::kFailed, "Failed"},
                                                                  {DatabaseState::kSucceeded, "Succeeded"},
                                                                  {DatabaseState::kNotStarted, "NotStarted"}}};
constexpr std::array<Names<ValidationState>, 3> kValidationStates = {{{ValidationState::kSucceeded, "Succeeded"},
                                                                      {ValidationState::kWarning, "Warning"},
                                                                      {ValidationState::kFailed, "Failed"}}};
constexpr std::array<Names<MigrationOption>, 3> kOptions = {
    {{MigrationOption::kValidate, "Validate"},
     {MigrationOption::kMigrate, "Migrate"},
     {MigrationOption::kValidateAndMigrate, "ValidateAndMigrate"}}};

constexpr std::array<Names<Overwrite>, 3> kOverwrites = {
    {{Overwrite::kNo, "False"}, {Overwrite::kYes, "True"}, {Overwrite::kKeep, "Keep"}}};

template <class Table, class Enum>
std::string_view name_of(const Table& table, Enum value) {
  return std::find_if(table.begin(), table.end(), [&](const auto& entry) { return entry.first == value; })->second;
}

template <class Enum, class Table>
std::optional<Enum> value_of(const Table& table, std::string_view text) {
  for (const auto& [value, name] : table) {
    if (name.size() == text.size() && ::strncasecmp(name.data(), text.data(), text.size()) == 0) return value;
  }
  return std::nullopt;
}

struct Status {
  State state;
  Substate substate;

  bool operator==(const Status&) const = default;
};

constexpr State kGoesOn = State::kInProgress;
constexpr Status kBegin{kGoesOn, Substate::kPerformingPreRequisiteSteps};
constexpr Status kValidating{kGoesOn, Substate::kValidationInProgress};
constexpr Status kMigrating{kGoesOn, Substate::kMigratingData};
constexpr Status kCompleting{kGoesOn, Substate::kCompletingMigration};
constexpr Status kCanceling{kGoesOn, Substate::kCancelingRequestedDBMigrations};
constexpr Status kSucceeded{State::kSucceeded, Substate::kCompleted};
constexpr Status kCanceled{State::kCanceled, Substate::kCompleted};
constexpr Status kInvalid{State::kValidationFailed, Substate::kFailed};
constexpr Status kFailed{State::kFailed, Substate::kFailed};

// Every way there is.
constexpr std::array<std::pair<Status, Status>, 19> kTransitions = {{
    {kBegin, kValidating},      {kBegin, kMigrating},  // with --migration-option Migrate
    {kBegin, kCanceling},       {kBegin, kFailed},         {kValidating, kMigrating},
    {kValidating, kCompleting},  // with --migration-option Validate
    {kValidating, kInvalid},    {kValidating, kCanceling}, {kValidating, kFailed},
    {kMigrating, kCompleting},  {kMigrating, kCanceling},  {kMigrating, kFailed},
    {kCompleting, kSucceeded},  {kCompleting, kCanceling}, {kCompleting, kFailed},
    {kCanceling, kCanceled},    {kCanceling, kFailed},     {kFailed, kBegin},  // taken up again
    {kInvalid, kBegin},
}};

}  // namespace

std::string_view to_string(State state) { return name_of(kStates, state); }
std::string_view to_string(Substate substate) { return name_of(kSubstates, substate); }
std::string_view to_string(DatabaseState state) { return name_of(kDatabaseStates, state); }
std::string_view to_string(ValidationState state) { return name_of(kValidationStates, state); }
std::string_view to_string(MigrationOption option) { return name_of(kOptions, option); }
std::string_view to_string(Overwrite overwrite) { return name_of(kOverwrites, overwrite); }

template <>
std::optional<Overwrite> from_text(std::string_view text) {
  return value_of<Overwrite>(kOverwrites, text);
}
template <>
std::optional<State> from_text(std::string_view text) {
  return value_of<State>(kStates, text);
}
template <>
std::optional<Substate> from_text(std::string_view text) {
  return value_of<Substate>(kSubstates, text);
}
template <>
std::optional<DatabaseState> from_text(std::string_view text) {
  return value_of<DatabaseState>(kDatabaseStates, text);
}
template <>
std::optional<ValidationState> from_text(std::string_view text) {
  return value_of<ValidationState>(kValidationStates, text);
}
template <>
std::optional<MigrationOption> from_text(std::string_view text) {
  return value_of<MigrationOption>(kOptions, text);
}

Bytes Migration::copied() const {
  Bytes sum;
  for (const DatabaseDetails& database : details) sum += database.copied;
  return sum;
}

ValidationState Validation::state() const {
  ValidationState worst = ValidationState::kSucceeded;
  for (const Finding& finding : findings) worst = std::max(worst, finding.state);
  return worst;
}

void DatabaseDetails::end_unfinished(const std::string& reason) {
  loading_tables = 0;
  if (!started && message.empty()) {
    state = DatabaseState::kNotStarted;
    operation = "None";
    return;
  }
  state = DatabaseState::kFailed;
  operation = "Ended";
  if (message.empty()) message = reason;
  ended = std::chrono::system_clock::now();
}

ValidationState ValidationDetails::state() const {
  ValidationState worst = ValidationState::kSucceeded;
  for (const Validation& validation : server) worst = std::max(worst, validation.state());
  for (const DatabaseValidation& database : databases) {
    for (const Validation& validation : database.validations) worst = std::max(worst, validation.state());
  }
  return worst;
}

bool may_follow(State from, Substate from_substate, State to, Substate to_substate) {
  const std::pair<Status, Status> wanted = {{from, from_substate}, {to, to_substate}};
  return std::find(kTransitions.begin(), kTransitions.end(), wanted) != kTransitions.end();
}

std::string make_uuid() {
  std::random_device random;
  std::array<std::uint8_t, 16> bytes{};
  for (std::uint8_t& byte : bytes) byte = static_cast<std::uint8_t>(random());
  bytes[6] = static_cast<std::uint8_t>((bytes[6] & 0x0F) | 0x40);  // version 4
  bytes[8] = static_cast<std::uint8_t>((bytes[8] & 0x3F) | 0x80);  // variant of RFC 4122
  std::string text;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) text += '-';
    text += fmt::format("{:02x}", bytes[i]);
  }
  return text;
}

}  // namespace pgsluice::migration
