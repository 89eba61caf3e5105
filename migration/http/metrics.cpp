#include "migration/http/metrics.h"

#include <prometheus/text_serializer.h>

#include <array>
#include <functional>
#include <sstream>

#include "pgsluice/version.h"

namespace pgsluice::migration {

namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;
using Labels = std::vector<ClientMetric::Label>;

constexpr std::array kStates = {State::kInProgress, State::kValidationFailed, State::kCanceled, State::kFailed,
                                State::kSucceeded};
constexpr std::array kSubstates = {Substate::kPerformingPreRequisiteSteps,
                                   Substate::kValidationInProgress,
                                   Substate::kMigratingData,
                                   Substate::kCompletingMigration,
                                   Substate::kCancelingRequestedDBMigrations,
                                   Substate::kCompleted,
                                   Substate::kFailed};

class Family {
 public:
  Family(const char* name, MetricType type, const char* help) : family_{.name = name, .help = help, .type = type} {}

  void add(Labels labels, double value) {
    ClientMetric metric;
    metric.label = std::move(labels);
    (family_.type == MetricType::Counter ? metric.counter.value : metric.gauge.value) = value;
    family_.metric.push_back(std::move(metric));
  }
  MetricFamily take() { return std::move(family_); }

 private:
  MetricFamily family_;
};

Labels with(Labels labels, const char* name, std::string_view value) {
  labels.push_back({name, std::string(value)});
  return labels;
}

Labels labels_of(const Migration& migration) { return {{"migration", migration.name}, {"target", migration.target}}; }

void add_migrations(const std::vector<Migration>& migrations, std::vector<MetricFamily>& families) {
  Family state("pgsluice_migration_state", MetricType::Gauge, "1 for the state that the migration has, else 0.");
  Family substate("pgsluice_migration_substate", MetricType::Gauge, "1 for the substate of the migration, else 0.");
  Family started("pgsluice_migration_start_time_seconds", MetricType::Gauge, "When the migration started (Unix time).");
  Family ended("pgsluice_migration_end_time_seconds", MetricType::Gauge, "When the migration ended (Unix time).");
  Family paused("pgsluice_migration_paused", MetricType::Gauge, "1 while the migration is paused, else 0.");
  Family max_rate("pgsluice_migration_max_rate_bytes", MetricType::Gauge,
                  "Bytes of rows and large objects in a second at most; absent without a limit.");
  Family snapshot("pgsluice_migration_snapshot_time_seconds", MetricType::Gauge,
                  "When the oldest held snapshot of the source was taken (Unix time).");
  for (const Migration& migration : migrations) {
    const Labels labels = labels_of(migration);
    paused.add(labels, migration.pace.paused ? 1 : 0);
    if (migration.pace.max_rate.count > 0) max_rate.add(labels, static_cast<double>(migration.pace.max_rate.count));
    if (migration.snapshot_since) snapshot.add(labels, seconds_of(*migration.snapshot_since));
    for (const State one : kStates) {
      state.add(with(labels, "state", to_string(one)), one == migration.state ? 1 : 0);
    }
    for (const Substate one : kSubstates) {
      substate.add(with(labels, "substate", to_string(one)), one == migration.substate ? 1 : 0);
    }
    if (migration.started) started.add(labels, seconds_of(*migration.started));
    if (migration.ended) ended.add(labels, seconds_of(*migration.ended));
  }
  for (Family* family : {&state, &substate, &started, &ended, &paused, &max_rate, &snapshot})
    families.push_back(family->take());
}

void add_databases(const std::vector<Migration>& migrations, std::vector<MetricFamily>& families) {
  Family bytes("pgsluice_database_copied_bytes_total", MetricType::Counter, "Bytes of rows that were copied.");
  Family pending("pgsluice_database_pending_bytes", MetricType::Gauge, "Bytes of tables to be copied, estimated.");
  Family rows("pgsluice_database_copied_rows_total", MetricType::Counter, "Rows that were copied.");
  Family tables("pgsluice_database_tables", MetricType::Gauge, "Tables by what has become of them.");
  for (const Migration& migration : migrations) {
    for (const DatabaseDetails& database : migration.details) {
      const Labels labels = with(labels_of(migration), "database", database.name);
      bytes.add(labels, static_cast<double>(database.copied.count));
      pending.add(labels, static_cast<double>(database.pending.count));
      rows.add(labels, static_cast<double>(database.rows));
      for (const auto& [name, count] : {std::pair{"queued", database.queued_tables},
                                        {"loading", database.loading_tables},
                                        {"completed", database.completed_tables},
                                        {"errored", database.errored_tables}}) {
        tables.add(with(labels, "state", name), static_cast<double>(count));
      }
    }
  }
  for (Family* family : {&bytes, &pending, &rows, &tables}) families.push_back(family->take());
}

void add_http(const HttpStatistics::Counts& http, std::vector<MetricFamily>& families) {
  Family responses("pgsluice_http_responses_total", MetricType::Counter, "HTTP responses by method and status code.");
  for (const auto& [what, count] : http.responses) {
    responses.add({{"method", what.first}, {"code", std::to_string(what.second)}}, static_cast<double>(count));
  }
  Family refused("pgsluice_http_refused_requests_total", MetricType::Counter, "Requests without the right token.");
  refused.add({}, static_cast<double>(http.refused));
  Family connections("pgsluice_http_open_connections", MetricType::Gauge, "Connections that are open.");
  connections.add({}, static_cast<double>(http.open_connections));
  for (Family* family : {&responses, &refused, &connections}) families.push_back(family->take());
}

}  // namespace

std::string to_metrics(const MetricsInput& input) {
  std::vector<MetricFamily> families;
  Family build("pgsluice_build_info", MetricType::Gauge, "1, with the version as a label.");
  build.add({{"version", std::string(version())}}, 1);
  families.push_back(build.take());
  if (input.stored) {
    Family stored("pgsluice_migrations", MetricType::Gauge, "Migrations in the store by their state.");
    for (const State state : kStates) {
      const auto found = input.stored->find(state);
      stored.add({{"state", std::string(to_string(state))}},
                 found == input.stored->end() ? 0 : static_cast<double>(found->second));
    }
    families.push_back(stored.take());
  }
  add_migrations(input.watched, families);
  add_databases(input.watched, families);
  add_http(input.http, families);
  std::ostringstream text;
  prometheus::TextSerializer().Serialize(text, families);
  return text.str();
}

}  // namespace pgsluice::migration
