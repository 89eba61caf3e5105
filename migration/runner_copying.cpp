// How a migration copies its databases, and how each of them ends.
#include <fmt/format.h>

#include <thread>
#include <utility>

#include "migration/outcome.h"
#include "migration/remedies.h"
#include "migration/runner_implementation.h"
#include "migration/verification.h"
#include "pgsluice/error.h"
#include "pgsluice/server_clone.h"
#include "store/manifest.h"
#include "store/server_manifest.h"

namespace pgsluice::migration {

namespace {

// Does something when its scope is left.
class AtEnd {
 public:
  explicit AtEnd(std::function<void()> action) : action_(std::move(action)) {}
  AtEnd(const AtEnd&) = delete;
  AtEnd& operator=(const AtEnd&) = delete;
  ~AtEnd() { action_(); }

 private:
  const std::function<void()> action_;
};

}  // namespace

// Returns what is known of a database that is whole, in words. The result has an error if it differs from the source.
std::string Runner::Implementation::verify(pipeline::DatabaseResult& result) {
  if (!request.archive.empty()) return describe_restored();
  if (!compares_with_source()) return "";
  change([&](Migration& of) { details_of(of, result.name).operation = "Verifying"; });
  try {
    const auto watch = [&](pipeline::DataComparison* comparison) {
      const MutexLock lock(mutex);
      if (comparison == nullptr) {
        comparisons.erase(result.name);
      } else {
        comparison->set_pace(migration.pace);
        comparisons[result.name] = comparison;
      }
    };
    Request as_it_goes = request;
    as_it_goes.engine.pace = snapshot().pace;
    const Verification verified = verify_database(as_it_goes, result.name, sink, work.token(), watch);
    if (!verified.equal) {
      result.error = Error(ErrorKind::kMismatch, "source and target differ: " + verified.text)
                         .hint(
                             "if applications have written to the source meanwhile, stop them and resume the "
                             "migration: it copies the database again");
    }
    return verified.text;
  } catch (const Error& error) {
    result.error = error;
  }
  return "";
}

void Runner::Implementation::end_database(pipeline::DatabaseResult& result) {
  std::string message;
  std::string verification;
  {
    const MutexLock lock(mutex);
    refresh();
  }
  const pipeline::CloneSummary& summary = result.summary;
  // A copy that was resumed: the source has changed, or the target is not as the ledger says.
  bool must_start_over = result.error && result.error->cannot_resume() && is_made(result.name);
  if (!result.error && summary.complete()) {
    verification = verify(result);
    must_start_over = result.error && result.error->kind() == ErrorKind::kMismatch;
  }
  if (result.error) {
    message = describe(*result.error);
    const MutexLock lock(mutex);
    const DatabaseDetails& details = details_of(migration, result.name);
    const bool is_empty = result.error->is_unchanged() && details.made && details.copied.count == 0;
    if (is_empty) message += "; the database that the migration has made is empty";
  } else if (!summary.complete()) {
    message = describe_missing(summary);
  }
  // A cancelled database gets its state with the whole migration.
  if (result.error && result.error->kind() == ErrorKind::kCancelled) return;
  if (result.error) keep_failure(*result.error);
  change([&](Migration& of) {
    DatabaseDetails& details = details_of(of, result.name);
    details.state = message.empty() ? DatabaseState::kSucceeded : DatabaseState::kFailed;
    details.operation = message.empty() ? "Completed" : "Ended";
    details.message = message;
    details.verification = verification;
    details.anew = details.anew || must_start_over;
    details.errored_tables = message.empty() ? 0 : details.queued_tables + details.loading_tables;
    details.queued_tables = details.loading_tables = 0;
    if (message.empty()) details.pending = {};
    if (message.empty()) details.fraction = 1;
    details.ended = now();
  });
}

// Rows of an archive are compared with what it says of them, by the clone itself.
void Runner::Implementation::take_source(pipeline::CloneOptions& options) const {
  if (request.archive.empty()) {
    options.source = request.conninfo(Side::kSource, connect(Side::kSource, work.token()).requested_database());
  } else {
    options.archive = request.archive;
    options.verify = request.verify;
  }
}

// Describes what is known of a database that was restored whole.
std::string Runner::Implementation::describe_restored() const {
  const std::filesystem::path archive = store::holds_databases(request.archive)
                                            ? request.archive / store::folder_of_database(request.databases.front())
                                            : request.archive;
  std::error_code failed;
  if (!std::filesystem::exists(archive / store::kManifestFile, failed)) {
    return "as many rows as the archive has; it does not tell how many its source had";
  }
  return request.verify ? "rows equal to those of the archive's source; definitions were not compared"
                        : "as many rows as the archive's source had";
}

void Runner::Implementation::migrate() {
  enter(Substate::kMigratingData);
  pipeline::CloneOptions options = request.engine;
  // The lock's session is asked in vain no longer than the work goes on.
  CancelSource done(work.token());
  target.lock(done.token());
  const std::jthread lock_keeper([&] { keep_lock(done.token()); });
  const AtEnd end_lock_keeper([&] { done.cancel(); });
  take_source(options);
  options.target = request.conninfo(Side::kTarget, connect(Side::kTarget, work.token()).requested_database());
  options.work_folder = store.work_folder(id);
  options.roles = request.roles;
  pipeline::ServerCloneOptions care{.at_once = request.databases_at_once};
  const Migration before = snapshot();
  for (const DatabaseDetails& details : before.details) {
    if (details.made) options.earlier_run = pipeline::EarlierRun::kResume;
    if (details.state != DatabaseState::kSucceeded) care.databases.push_back(details.name);
  }
  if (care.databases.empty()) return;  // all that an earlier attempt has left
  check_before_anything_is_replaced(options);
  care.prepare = [this](const pipeline::PlannedDatabase& planned) { prepare(planned); };
  care.on_end = [this](pipeline::DatabaseResult& result) { end_database(result); };
  pipeline::ServerClone* running = nullptr;
  {
    const MutexLock lock(mutex);
    options.pace = migration.pace;
    clone = std::make_unique<pipeline::ServerClone>(std::move(options), sink, std::move(care), work.token());
    running = clone.get();
  }
  const pipeline::ServerSummary summary = running->run();
  work.token().throw_if_cancelled();
  change([&](Migration& of) { of.next_steps = next_steps(of, summary); });
}

}  // namespace pgsluice::migration
