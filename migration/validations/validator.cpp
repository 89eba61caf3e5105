#include "pgsluice/migration/validator.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <functional>
#include <optional>

#include "base/sqlstate.h"
#include "migration/remedies.h"
#include "migration/server_connection.h"
#include "migration/validations/archive_validations.h"
#include "migration/validations/validations.h"
#include "pg/quote.h"
#include "pg/server_identity.h"
#include "pipeline/prepare/sessions.h"

namespace pgsluice::migration {

namespace {

// For each try of a validation to connect.
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

// A database may have any number of tables that may not be read, say. The document of a migration is written once a
// second and kept in memory for each client that reads it, so it has to stay small.
void bound_findings(Validation& validation) {
  constexpr std::size_t kMaxFindings = 50;
  constexpr std::size_t kMaxMessage = 2000;
  for (Finding& finding : validation.findings) {
    if (finding.message.size() <= kMaxMessage) continue;
    std::size_t end = kMaxMessage;
    while (end > 0 && (static_cast<unsigned char>(finding.message[end]) & 0xC0U) == 0x80U) --end;
    finding.message = finding.message.substr(0, end) + " …";
  }
  if (validation.findings.size() <= kMaxFindings) return;
  // The worst first: what is cut off is no worse.
  std::stable_sort(validation.findings.begin(), validation.findings.end(),
                   [](const Finding& a, const Finding& b) { return a.state > b.state; });
  const std::size_t more = validation.findings.size() - kMaxFindings;
  const ValidationState state = validation.findings[kMaxFindings].state;
  validation.findings.resize(kMaxFindings);
  validation.findings.push_back({state, fmt::format("and {} more of this kind", more)});
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
  bound_findings(validation);
  return validation;
}

std::vector<Validation> validate_all(const ValidationContext& context) {
  using Validate = Validation (*)(const ValidationContext&);
  constexpr std::array<std::pair<const char*, Validate>, 5> kValidations = {
      {{"SchemaValidation", &validate_schema},
       {"ExtensionsValidation", &validate_extensions},
       {"CollationsValidation", &validate_collations},
       {"PermissionsValidation", &validate_permissions},
       {"SpaceValidation", &validate_space}}};
  std::vector<Validation> results;
  for (const auto& [type, validate] : kValidations) {
    results.push_back(run(type, [&, of = validate] { return of(context); }));
  }
  return results;
}

}  // namespace

bool ValidationContext::is_omitted(const pg::Row& row) const {
  const int columns = row.columns();
  return !selection.keeps({row.oid(columns - 2), row.oid(columns - 1)});
}

schema::Selection read_selection(const ValidationRequest& request, pg::Connection& source, pg::Connection& target) {
  const pipeline::CloneOptions& engine = request.engine;
  const auto there = request.existing_targets.find(source.database());
  if (there != request.existing_targets.end() && there->second == target.database()) {
    return schema::select_objects(source, target, engine.filters, !engine.extensions);
  }
  return schema::select_objects(source, {.rules = engine.filters, .skip_extensions = !engine.extensions});
}

pg::Connection connect_to_server(const Request& request, Side side, const Log& log, const CancelToken& cancel) {
  const pg::ConnInfo conninfo = pipeline::parse_conninfo(request.conninfo(side, "postgres"), side);
  return open_any(conninfo, candidates(side, request.databases), log, cancel);
}

ValidationRequest validation_request(const Request& request) {
  return {.source = request.archive.empty() ? request.conninfo(Side::kSource, "postgres") : "",
          .target = request.conninfo(Side::kTarget, "postgres"),
          .archive = request.archive,
          .databases = request.databases,
          .target_by_name = request.target_by_name,
          .roles = request.roles,
          .overwrite = request.overwrite,
          .engine = request.engine,
          .verify = request.verify};
}

struct Validator::Implementation {
  const ValidationRequest request;
  const Log log;
  const CancelToken cancel;
  std::optional<pg::Connection> source = std::nullopt;
  std::optional<pg::Connection> target = std::nullopt;
  /// In the place of the source.
  std::vector<ArchiveToValidate> archives = {};

  void connect(const pg::ConnInfo& conninfo, Validation& connectivity);
  void open_source(Validation& connectivity);
  void advise_on_networks(Validation& connectivity) const;
  TargetContext target_context(pg::Connection& session) const {
    return {.request = request, .target = session, .log = log, .cancel = cancel};
  }
  std::vector<Validation> validate_archive(const ArchiveToValidate& archive);
};

// Says what was reached, and why it was not.
void Validator::Implementation::connect(const pg::ConnInfo& conninfo, Validation& connectivity) {
  std::optional<pg::Connection>& session = conninfo.side() == Side::kSource ? source : target;
  try {
    if (conninfo.side() == Side::kTarget && !request.existing_targets.empty()) {
      const std::string& name = request.existing_targets.begin()->second;
      session.emplace(open(conninfo.with("dbname", name), log, cancel));
    } else {
      session.emplace(open_any(conninfo, candidates(conninfo.side(), request.databases), log, cancel));
    }
    note(connectivity,
         fmt::format("{}: PostgreSQL {} at {}, as {}", to_string(conninfo.side()), session->server_version_text(),
                     describe_address(session->conninfo()), pg::display_name("", session->user())));
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::kCancelled) throw;
    Finding finding = explain_connection_error(error, conninfo, request.databases);
    if (conninfo.side() == Side::kTarget && request.target_by_name) {
      finding.message +=
          "\n    TargetDbServerResourceId is missing, so the target's name was taken for its host: add "
          "\"TargetDbServerResourceId\": \"host:port@user\", and resume the migration";
    }
    connectivity.findings.push_back(std::move(finding));
  }
}

void Validator::Implementation::open_source(Validation& connectivity) {
  if (request.archive.empty()) return connect(pipeline::parse_conninfo(request.source, Side::kSource), connectivity);
  try {
    archives = open_archives(request);
    describe_archives(archives, connectivity);
  } catch (const Error& error) {
    fail(connectivity, fmt::format("source: {}", describe(error)));
  }
}

void Validator::Implementation::advise_on_networks(Validation& connectivity) const {
  const bool is_silent =
      std::any_of(connectivity.findings.begin(), connectivity.findings.end(),
                  [](const auto& finding) { return finding.message.find("does not answer") != std::string::npos; });
  if (!is_silent || !request.archive.empty()) return;
  const std::optional<std::string> advice = networking_advice(pipeline::parse_conninfo(request.source, Side::kSource),
                                                              pipeline::parse_conninfo(request.target, Side::kTarget));
  if (advice) warn(connectivity, *advice);
}

std::vector<Validation> Validator::Implementation::validate_archive(const ArchiveToValidate& archive) {
  const TargetContext context = target_context(*target);
  return {run("SchemaValidation", [&] { return validate_archived_schema(context, archive); }),
          run("ExtensionsValidation", [&] { return validate_archived_extensions(context, archive); }),
          run("CollationsValidation", [&] { return validate_archived_collations(context, archive); }),
          run("SpaceValidation", [&] { return validate_space_for_archives(context, archives); })};
}

Validator::Validator(ValidationRequest request, const Log& log, const CancelToken& cancel)
    : implementation_(new Implementation{.request = std::move(request), .log = log, .cancel = cancel}) {}

bool Validator::reached_both() const {
  const Implementation& self = *implementation_;
  return (self.source || !self.archives.empty()) && self.target;
}

Validator::~Validator() = default;

std::vector<Validation> Validator::validate_servers() {
  Implementation& self = *implementation_;
  Validation connectivity{.type = "AuthenticationAndConnectivityValidation"};
  self.open_source(connectivity);
  self.connect(pipeline::parse_conninfo(self.request.target, Side::kTarget), connectivity);
  if (!reached_both()) {
    self.advise_on_networks(connectivity);
    return {connectivity};
  }
  if (!self.source) {
    const TargetContext context = self.target_context(*self.target);
    return {connectivity,
            run("SourceVersionValidation", [&] { return validate_archived_versions(context, self.archives); }),
            run("ServerParametersValidation", [&] { return validate_parameters_for_archives(context, self.archives); }),
            run("RolesValidation", [&] { return validate_archived_roles(context, self.archives); }),
            run("OverwriteValidation", [&] { return validate_overwrite(context); })};
  }
  if (!self.request.is_clone) {
    if (const auto reason = pg::why_not_apart(*self.source, *self.target, pg::Reach::kServer)) {
      fail(connectivity, fmt::format("{}: a database would be dropped before it is copied; look at "
                                     "SourceDBServerResourceId and TargetDbServerResourceId",
                                     *reason));
    }
  }
  const ValidationContext context{self.target_context(*self.target), *self.source};
  return {connectivity, run("SourceVersionValidation", [&] { return validate_versions(context); }),
          run("ServerParametersValidation", [&] { return validate_parameters(context); }),
          run("RolesValidation", [&] { return validate_roles(context); }),
          run("OverwriteValidation", [&] { return validate_overwrite(context); })};
}

std::string Validator::version_of(Side side) const {
  const std::vector<ArchiveToValidate>& archives = implementation_->archives;
  if (side == Side::kSource && !archives.empty()) return archives.front().source->data.archive().server_version;
  const std::optional<pg::Connection>& session =
      side == Side::kSource ? implementation_->source : implementation_->target;
  return session ? session->server_version_text() : "";
}

std::vector<Validation> Validator::validate_database(const std::string& database) {
  Implementation& self = *implementation_;
  for (const ArchiveToValidate& archive : self.archives) {
    if (archive.database.name == database) return self.validate_archive(archive);
  }
  std::optional<pg::Connection> source;
  std::optional<pg::Connection> existing;
  Validation schema{.type = "SchemaValidation"};
  const auto there = self.request.existing_targets.find(database);
  try {
    source.emplace(open(self.source->conninfo().with("dbname", database), self.log, self.cancel));
    if (there != self.request.existing_targets.end()) {
      existing.emplace(open(self.target->conninfo().with("dbname", there->second), self.log, self.cancel));
    }
    pg::Connection& target = existing ? *existing : *self.target;
    TargetContext of_target = self.target_context(target);
    of_target.is_there = existing.has_value();
    const ValidationContext context{of_target, *source, read_selection(self.request, *source, target)};
    return validate_all(context);
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::kCancelled) throw;
    fail(schema, fmt::format("database {}: {}", pg::display_name("", database), describe(error)));
    return {schema};
  }
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
