#include "migration/validations/validator.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <functional>

#include "base/sqlstate.h"
#include "migration/remedies.h"
#include "migration/validations/validations.h"
#include "pg/quote.h"
#include "pg/server_identity.h"
#include "pipeline/prepare/sessions.h"

namespace pgsluice::migration {

namespace {

// Of a validation, for each try to connect.
constexpr std::string_view kConnectTimeout = "15";  // s

pg::Connection open(const pg::ConnInfo& conninfo, const Log& log, const CancelToken& cancel) {
  const bool has_timeout = conninfo.get("connect_timeout").has_value();
  pg::Connection session = pipeline::open_reader(
      has_timeout ? conninfo : conninfo.with("connect_timeout", kConnectTimeout), "validate", "UTF8", log, cancel);
  // Names there are of any bytes, which the server would refuse to convert.
  constexpr std::string_view kAnyBytes = "SQL_ASCII";
  if (pipeline::server_encoding(session) == kAnyBytes) session.execute("SET client_encoding TO SQL_ASCII");
  return session;
}

// The first of these databases that is there.
pg::Connection open_any(const pg::ConnInfo& conninfo, const std::vector<std::string>& databases, const Log& log,
                        const CancelToken& cancel) {
  if (databases.empty()) {
    throw Error(ErrorKind::kConfig, "DBsToMigrate names postgres and template1: no database is left to work from")
        .on(conninfo.side());
  }
  for (std::size_t i = 0;; ++i) {
    try {
      return open(conninfo.with("dbname", databases[i]), log, cancel);
    } catch (const Error& error) {
      const bool is_missing = error.sqlstate() == sqlstate::kInvalidCatalogName;
      if (!is_missing || i + 1 == databases.size()) throw;
    }
  }
}

std::vector<std::string> candidates(Side side, const std::vector<std::string>& migrated) {
  std::vector<std::string> databases;
  if (side == Side::kSource) databases = migrated;
  for (const char* name : {"postgres", "template1"}) {
    const bool is_migrated = std::find(migrated.begin(), migrated.end(), name) != migrated.end();
    if (!is_migrated) databases.emplace_back(name);
  }
  return databases;
}

Validation run(std::string type, const std::function<Validation()>& validate) {
  Validation validation;
  try {
    validation = validate();
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::kCancelled) throw;
    fail(validation, fmt::format("could not be validated: {}", describe(error)));
  }
  validation.type = std::move(type);
  return validation;
}

}  // namespace

pg::Connection connect_to_server(const Request& request, Side side, const Log& log, const CancelToken& cancel) {
  const pg::ConnInfo conninfo = pipeline::parse_conninfo(request.conninfo(side, "postgres"), side);
  return open_any(conninfo, candidates(side, request.databases), log, cancel);
}

ValidationRequest validation_request(const Request& request) {
  return {.source = request.conninfo(Side::kSource, "postgres"),
          .target = request.conninfo(Side::kTarget, "postgres"),
          .databases = request.databases,
          .target_by_name = request.target_by_name,
          .roles = request.roles,
          .overwrite = request.overwrite,
          .engine = request.engine,
          .verify = request.verify};
}

Validator::Validator(ValidationRequest request, const Log& log, const CancelToken& cancel)
    : request_(std::move(request)), log_(log), cancel_(cancel) {}

Validator::~Validator() = default;

std::vector<Validation> Validator::validate_servers() {
  Validation connectivity{.type = "AuthenticationAndConnectivityValidation"};
  const pg::ConnInfo source = pipeline::parse_conninfo(request_.source, Side::kSource);
  const pg::ConnInfo target = pipeline::parse_conninfo(request_.target, Side::kTarget);
  for (const pg::ConnInfo* conninfo : {&source, &target}) {
    std::optional<pg::Connection>& session = conninfo->side() == Side::kSource ? source_ : target_;
    try {
      if (conninfo->side() == Side::kTarget && request_.existing_target) {
        session.emplace(open(conninfo->with("dbname", *request_.existing_target), log_, cancel_));
      } else {
        session.emplace(open_any(*conninfo, candidates(conninfo->side(), request_.databases), log_, cancel_));
      }
      note(connectivity,
           fmt::format("{}: PostgreSQL {} at {}, as {}", to_string(conninfo->side()), session->server_version_text(),
                       describe_address(session->conninfo()), pg::display_name("", session->user())));
    } catch (const Error& error) {
      if (error.kind() == ErrorKind::kCancelled) throw;
      Finding finding = explain_connection_error(error, *conninfo, request_.databases);
      if (conninfo->side() == Side::kTarget && request_.target_by_name) {
        finding.message +=
            "\n    TargetDbServerResourceId is missing, so the target's name was taken for its host: add "
            "\"TargetDbServerResourceId\": \"host:port@user\", and resume the migration";
      }
      connectivity.findings.push_back(std::move(finding));
    }
  }
  if (reached_both() && !request_.existing_target) {
    if (const auto reason = pg::why_not_apart(*source_, *target_, pg::Reach::kServer)) {
      fail(connectivity, fmt::format("{}: a database would be dropped before it is copied; look at "
                                     "SourceDBServerResourceId and TargetDbServerResourceId",
                                     *reason));
    }
  }
  if (!reached_both()) {
    const bool is_silent =
        std::any_of(connectivity.findings.begin(), connectivity.findings.end(),
                    [](const auto& finding) { return finding.message.find("does not answer") != std::string::npos; });
    const std::optional<std::string> advice = is_silent ? networking_advice(source, target) : std::nullopt;
    if (advice) warn(connectivity, *advice);
    return {connectivity};
  }
  const ValidationContext context{request_, *source_, *target_, log_, cancel_};
  return {connectivity, run("SourceVersionValidation", [&] { return validate_versions(context); }),
          run("ServerParametersValidation", [&] { return validate_parameters(context); }),
          run("RolesValidation", [&] { return validate_roles(context); }),
          run("OverwriteValidation", [&] { return validate_overwrite(context); })};
}

std::string Validator::version_of(Side side) const {
  const std::optional<pg::Connection>& session = side == Side::kSource ? source_ : target_;
  return session ? session->server_version_text() : "";
}

std::vector<Validation> Validator::validate_database(const std::string& database) {
  std::optional<pg::Connection> source;
  Validation schema{.type = "SchemaValidation"};
  try {
    source.emplace(open(source_->conninfo().with("dbname", database), log_, cancel_));
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::kCancelled) throw;
    fail(schema, fmt::format("database {}: {}", pg::display_name("", database), describe(error)));
    return {schema};
  }
  const ValidationContext context{request_, *source, *target_, log_, cancel_};
  using Validate = Validation (*)(const ValidationContext&);
  const std::array<std::pair<const char*, Validate>, 5> validations = {
      {{"SchemaValidation", &validate_schema},
       {"ExtensionsValidation", &validate_extensions},
       {"CollationsValidation", &validate_collations},
       {"PermissionsValidation", &validate_permissions},
       {"SpaceValidation", &validate_space}}};
  std::vector<Validation> results;
  for (const auto& [type, validate] : validations) {
    results.push_back(run(type, [&, of = validate] { return of(context); }));
  }
  return results;
}

bool is_superuser(pg::Connection& session) {
  return session.execute("SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user")[0].boolean(0);
}

bool is_managed(pg::Connection& session) {
  return session
      .execute(
          "SELECT EXISTS (SELECT FROM pg_catalog.pg_roles"
          " WHERE rolname IN ('azure_pg_admin', 'rds_superuser', 'cloudsqlsuperuser'))")[0]
      .boolean(0);
}

}  // namespace pgsluice::migration
