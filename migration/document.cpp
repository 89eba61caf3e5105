#include "migration/document.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <ctime>

#include "migration/progress_estimate.h"
#include "pgsluice/error.h"

namespace pgsluice::migration {

namespace {

using Json = nlohmann::ordered_json;

std::optional<Time> read_time(const Json& text) {
  std::tm parts{};
  if (::strptime(text.get_ref<const std::string&>().c_str(), "%Y-%m-%dT%H:%M:%SZ", &parts) == nullptr) {
    return std::nullopt;
  }
  return std::chrono::system_clock::from_time_t(::timegm(&parts));
}

template <class Enum>
Enum read_enum(const Json& text) {
  const std::optional<Enum> value = from_text<Enum>(text.get_ref<const std::string&>());
  if (!value) throw Error(ErrorKind::kState, fmt::format("\"{}\" is not known", text.get<std::string>()));
  return *value;
}

// As the service whose manner this is writes them.
const char* capital(bool value) { return value ? "True" : "False"; }

Json to_document(const DatabaseDetails& database) {
  return {{"databaseName", database.name},
          {"migrationState", to_string(database.state)},
          {"migrationOperation", database.operation},
          {"startedOn", format_time(database.started)},
          {"endedOn", format_time(database.ended)},
          {"fullLoadQueuedTables", database.queued_tables},
          {"fullLoadErroredTables", database.errored_tables},
          {"fullLoadLoadingTables", database.loading_tables},
          {"fullLoadCompletedTables", database.completed_tables},
          {"cdcUpdateCounter", 0},
          {"cdcDeleteCounter", 0},
          {"cdcInsertCounter", 0},
          {"appliedChanges", 0},
          {"incomingChanges", 0},
          {"latency", 0},
          {"message", database.message},
          {"sourceBytes", database.size.count},
          {"fractionDone", database.fraction},
          {"pendingBytes", database.pending.count},
          {"copiedBytes", database.copied.count},
          {"copiedRows", database.rows},
          {"verification", database.verification},
          {"madeByMigration", database.made},
          {"targetOid", database.target_oid},
          {"copiedAnewByResume", database.anew},
          {"temporaryName", database.making},
          {"temporaryOid", database.making_oid},
          {"replacedDatabase", database.replaced},
          {"replacedDatabaseKeptAs", database.kept_as},
          {"replacedDatabaseOid", database.kept_oid}};
}

DatabaseDetails read_database(const Json& document) {
  return {.name = document.at("databaseName"),
          .state = read_enum<DatabaseState>(document.at("migrationState")),
          .operation = document.at("migrationOperation"),
          .started = read_time(document.at("startedOn")),
          .ended = read_time(document.at("endedOn")),
          .queued_tables = document.at("fullLoadQueuedTables"),
          .loading_tables = document.at("fullLoadLoadingTables"),
          .completed_tables = document.at("fullLoadCompletedTables"),
          .errored_tables = document.at("fullLoadErroredTables"),
          .size = {document.value("sourceBytes", std::int64_t{0})},
          .fraction = document.value("fractionDone", 0.0),
          .pending = {document.at("pendingBytes").get<std::int64_t>()},
          .copied = {document.at("copiedBytes").get<std::int64_t>()},
          .rows = document.at("copiedRows"),
          .message = document.at("message"),
          .verification = document.at("verification"),
          .made = document.at("madeByMigration"),
          .target_oid = document.value("targetOid", std::uint32_t{0}),
          .anew = document.value("copiedAnewByResume", false),
          .making = document.value("temporaryName", ""),
          .making_oid = document.value("temporaryOid", std::uint32_t{0}),
          .replaced = document.value("replacedDatabase", ""),
          .kept_as = document.value("replacedDatabaseKeptAs", ""),
          .kept_oid = document.value("replacedDatabaseOid", std::uint32_t{0})};
}

Json to_document(const std::vector<Validation>& validations) {
  Json list = Json::array();
  for (const Validation& validation : validations) {
    Json messages = Json::array();
    for (const Finding& finding : validation.findings) {
      messages.push_back({{"state", to_string(finding.state)}, {"message", finding.message}});
    }
    list.push_back({{"type", validation.type}, {"state", to_string(validation.state())}, {"messages", messages}});
  }
  return list;
}

std::vector<Validation> read_validations(const Json& list) {
  std::vector<Validation> validations;
  for (const Json& document : list) {
    Validation validation{.type = document.at("type")};
    for (const Json& message : document.at("messages")) {
      validation.findings.push_back({read_enum<ValidationState>(message.at("state")), message.at("message")});
    }
    validations.push_back(std::move(validation));
  }
  return validations;
}

ValidationDetails read_validation_details(const Json& document) {
  ValidationDetails details{.started = read_time(document.at("validationStartTimeInUtc")),
                            .ended = read_time(document.at("validationEndTimeInUtc")),
                            .server = read_validations(document.at("serverLevelValidationDetails"))};
  for (const Json& database : document.at("dbLevelValidationDetails")) {
    details.databases.push_back({.database = database.at("databaseName"),
                                 .started = read_time(database.at("startedOn")).value_or(Time{}),
                                 .ended = read_time(database.at("endedOn")),
                                 .validations = read_validations(database.at("summary"))});
  }
  return details;
}

// null of one that ended otherwise than well: what was done is of no use any more, or a part of it is gone.
Json percent_done(const Migration& migration) {
  const bool is_told = migration.active() || migration.state == State::kSucceeded;
  return is_told ? Json(static_cast<int>(fraction_done(migration) * 100)) : Json();
}

Json pace_document(const Migration& migration) {
  return {{"paused", capital(migration.pace.paused)},
          {"pausedOn", format_time(migration.paused_since)},
          {"maxRate", migration.pace.max_rate.count},
          {"maxSourceSessions", migration.pace.max_source_sessions},
          {"snapshotTakenOn", format_time(migration.snapshot_since)}};
}

void read_pace(const Json& document, Migration& migration) {
  migration.pace = {.max_rate = {document.at("maxRate").get<std::int64_t>()},
                    .max_source_sessions = document.at("maxSourceSessions"),
                    .paused = document.at("paused") == "True"};
  migration.paused_since = read_time(document.at("pausedOn"));
  migration.snapshot_since = read_time(document.at("snapshotTakenOn"));
}

Json status_document(const Migration& migration) {
  Json databases = Json::object();
  for (const DatabaseDetails& database : migration.details) databases[database.name] = to_document(database);
  return {{"state", to_string(migration.state)},
          {"error", migration.error},
          {"currentSubStateDetails",
           {{"currentSubState", to_string(migration.substate)},
            {"percentDone", percent_done(migration)},
            {"secondsLeft", migration.time_left ? Json(migration.time_left->count()) : Json()},
            {"pace", pace_document(migration)},
            {"dbDetails", std::move(databases)},
            {"validationDetails", migration::to_document(migration.validation)}}}};
}

Migration read_document(const Json& document) {
  const Json& properties = document.at("properties");
  const Json& status = properties.at("currentStatus");
  const Json& substate = status.at("currentSubStateDetails");
  Migration migration{.id = properties.at("migrationId"),
                      .name = document.at("name"),
                      .target = document.at("target"),
                      .option = read_enum<MigrationOption>(properties.at("migrationOption")),
                      .source_type = properties.at("sourceType"),
                      .ssl_mode = properties.at("sslMode"),
                      .source_server = properties.at("sourceDbServerResourceId"),
                      .target_server = properties.at("targetDbServerResourceId"),
                      .source_version = properties.at("sourceDbServerMetadata").at("version"),
                      .target_version = properties.at("targetDbServerMetadata").at("version"),
                      .databases = properties.at("dbsToMigrate"),
                      .overwrite = read_enum<Overwrite>(properties.at("overwriteDbsInTarget")),
                      .roles = properties.at("migrateRoles") == "True",
                      .labels = document.at("labels"),
                      .created = read_time(properties.at("createdTimeInUtc")).value_or(Time{}),
                      .started = read_time(properties.at("migrationWindowStartTimeInUtc")),
                      .ended = read_time(properties.at("migrationWindowEndTimeInUtc")),
                      .state = read_enum<State>(status.at("state")),
                      .substate = read_enum<Substate>(substate.at("currentSubState")),
                      .error = status.at("error"),
                      .validation = read_validation_details(substate.at("validationDetails")),
                      .next_steps = properties.at("nextSteps")};
  const Json seconds_left = substate.value("secondsLeft", Json());
  if (seconds_left.is_number()) migration.time_left = std::chrono::seconds(seconds_left.get<std::int64_t>());
  // Documents of earlier versions have none.
  if (substate.contains("pace")) read_pace(substate.at("pace"), migration);
  for (const auto& [name, database] : substate.at("dbDetails").items()) {
    migration.details.push_back(read_database(database));
  }
  for (const std::string& name : migration.databases) {
    const bool is_there = std::any_of(migration.details.begin(), migration.details.end(),
                                      [&](const DatabaseDetails& details) { return details.name == name; });
    if (!is_there) throw Error(ErrorKind::kState, fmt::format("the store has no state of the database {}", name));
  }
  return migration;
}

}  // namespace

std::string format_time(const std::optional<Time>& time) {
  if (!time) return "";
  return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::chrono::system_clock::to_time_t(*time)));
}

nlohmann::ordered_json to_document(const ValidationDetails& details) {
  Json databases = Json::array();
  for (const DatabaseValidation& database : details.databases) {
    databases.push_back({{"databaseName", database.database},
                         {"startedOn", format_time(database.started)},
                         {"endedOn", format_time(database.ended)},
                         {"summary", to_document(database.validations)}});
  }
  const std::string_view status = !details.started ? "" : !details.ended ? "InProgress" : to_string(details.state());
  return {{"status", status},
          {"validationStartTimeInUtc", format_time(details.started)},
          {"validationEndTimeInUtc", format_time(details.ended)},
          {"serverLevelValidationDetails", to_document(details.server)},
          {"dbLevelValidationDetails", std::move(databases)}};
}

nlohmann::ordered_json to_document(const Migration& migration) {
  return {{"name", migration.name},
          {"target", migration.target},
          {"labels", migration.labels},
          {"properties",
           {{"migrationId", migration.id},
            {"migrationMode", "Offline"},
            {"migrationOption", to_string(migration.option)},
            {"sourceType", migration.source_type},
            {"sslMode", migration.ssl_mode},
            {"sourceDbServerResourceId", migration.source_server},
            {"sourceDbServerMetadata", {{"version", migration.source_version}}},
            {"targetDbServerResourceId", migration.target_server},
            {"targetDbServerMetadata", {{"version", migration.target_version}}},
            {"dbsToMigrate", migration.databases},
            {"overwriteDbsInTarget", to_string(migration.overwrite)},
            {"migrateRoles", capital(migration.roles)},
            {"createdTimeInUtc", format_time(migration.created)},
            {"migrationWindowStartTimeInUtc", format_time(migration.started)},
            {"migrationWindowEndTimeInUtc", format_time(migration.ended)},
            {"nextSteps", migration.next_steps},
            {"currentStatus", status_document(migration)}}}};
}

std::string to_text(const nlohmann::ordered_json& document, int indent) {
  return document.dump(indent, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

std::string to_text(const Migration& migration) { return to_text(to_document(migration)); }

Migration from_document(const std::string& document) {
  try {
    return read_document(Json::parse(document));
  } catch (const Json::exception& error) {
    throw Error(ErrorKind::kState,
                fmt::format("the store holds what this version does not understand: {}", error.what()));
  }
}

nlohmann::ordered_json to_document(const NameAvailability& name) {
  return {{"name", name.name},
          {"type", "pgsluice/migrations"},
          {"nameAvailable", name.available},
          {"reason", name.reason},
          {"message", name.message}};
}

}  // namespace pgsluice::migration
