#include "migration/unattended_end.h"

#include <fmt/format.h>

namespace pgsluice::migration {

void end_canceled(Migration& migration, const std::string& reason) {
  migration.state = State::kCanceled;
  migration.substate = Substate::kCompleted;
  migration.error = reason;
  migration.time_left.reset();
  migration.leave_pace();
  migration.ended = std::chrono::system_clock::now();
  for (DatabaseDetails& database : migration.details) {
    if (!database.ended) database.ended = migration.ended;
    database.state = DatabaseState::kCanceled;
    database.operation = "Ended";
    database.loading_tables = database.queued_tables = 0;
    database.message = !database.making.empty() && !database.made
                           ? fmt::format(
                                 "{}; it was being made: {} may be on the target, and the one that was there may "
                                 "be gone",
                                 reason, database.making)
                       : database.made && !database.kept_as.empty()
                           ? fmt::format(
                                 "{}; the database that was made is still on the target, and the one that was there "
                                 "is kept as {}: drop the one, and rename the other (ALLOW_CONNECTIONS true)",
                                 reason, database.kept_as)
                       : database.made
                           ? fmt::format("{}; the database that was made is still on the target: drop it there", reason)
                       : !database.kept_as.empty()
                           ? fmt::format("{}; the database that was there is kept as {}", reason, database.kept_as)
                           : fmt::format("{}; the target was not changed", reason);
  }
}

void fail_open_databases(Migration& migration, const std::string& message) {
  for (DatabaseDetails& database : migration.details) {
    const bool open = database.state == DatabaseState::kInProgress || database.state == DatabaseState::kCanceling;
    if (open) database.end_unfinished(message);
  }
}

}  // namespace pgsluice::migration
