#include "migration/progress_estimate.h"

#include <algorithm>

namespace pgsluice::migration {

namespace {

// A database without a row is work, too: its definitions.
constexpr double kLeastWeight = 8.0 * 1024 * 1024;
constexpr double kAlmostDone = 0.99;

}  // namespace

double fraction_done(const Migration& migration) {
  if (migration.state == State::kSucceeded) return 1;
  double done = 0;
  double all = 0;
  for (const DatabaseDetails& database : migration.details) {
    const double weight = std::max(static_cast<double>(database.size.count), kLeastWeight);
    all += weight;
    done += weight * (database.state == DatabaseState::kSucceeded ? 1 : std::min(database.fraction, kAlmostDone));
  }
  return all > 0 ? std::min(done / all, kAlmostDone) : 0;
}

namespace {

std::string_view phase_of_databases(const std::vector<DatabaseDetails>& databases) {
  const auto any = [&](auto&& condition) {
    return std::any_of(databases.begin(), databases.end(), [&](const DatabaseDetails& database) {
      return database.state == DatabaseState::kInProgress && condition(database);
    });
  };
  if (any([](const auto& database) { return database.loading_tables > 0; })) return "copying";
  if (any([](const auto& database) {
        return database.operation == "MigratingData" && database.queued_tables == 0 && database.completed_tables > 0;
      })) {
    return "indexing";
  }
  if (any([](const auto& database) { return database.operation == "Verifying"; })) return "comparing";
  return "preparing";
}

}  // namespace

std::string_view phase_of(const Migration& migration) {
  switch (migration.substate) {
    case Substate::kPerformingPreRequisiteSteps:
      return "preparing";
    case Substate::kValidationInProgress:
      return "validating";
    case Substate::kMigratingData:
      return phase_of_databases(migration.details);
    case Substate::kCompletingMigration:
      return "completing";
    case Substate::kCancelingRequestedDBMigrations:
      return "canceling";
    case Substate::kCompleted:
    case Substate::kFailed:
      break;
  }
  return "ended";
}

std::optional<std::chrono::seconds> TimeLeft::update(double fraction, SteadyClock::time_point now) {
  constexpr double kEnough = 0.02;
  constexpr double kShare = 0.1;  // of what the last second says
  // An earlier attempt's work took no time of this one.
  if (!started_) {
    started_ = now;
    first_ = fraction;
  }
  const double elapsed = std::chrono::duration<double>(now - *started_).count();
  const double done = fraction - first_;
  if (done < kEnough || elapsed < 2) return std::nullopt;
  const double estimate = elapsed * (1 - fraction) / done;
  if (smoothed_) {
    const double passed = std::chrono::duration<double>(now - updated_).count();
    smoothed_ = std::max(0.0, (1 - kShare) * (*smoothed_ - passed) + kShare * estimate);
  } else {
    smoothed_ = estimate;
  }
  updated_ = now;
  return std::chrono::seconds(static_cast<std::int64_t>(*smoothed_ + 1));
}

}  // namespace pgsluice::migration
