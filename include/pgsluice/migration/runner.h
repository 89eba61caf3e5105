#pragma once

#include <functional>
#include <memory>
#include <optional>

#include "pgsluice/cancel.h"
#include "pgsluice/log.h"
#include "pgsluice/migration/migration.h"
#include "pgsluice/migration/properties.h"
#include "pgsluice/migration/store.h"

namespace pgsluice::migration {

/// Carries out one migration of a store, from its validations to its end: databases are made or made over on the
/// target, cloned, compared with the source.
///
/// Lifecycle: made, then one call of run(). Threads: run() starts its own and has joined them when it returns; the
/// other functions may be called from any thread meanwhile, cancel() and stop() also from a signal handler.
class Runner {
 public:
  /// Called about once a second, on a thread of the runner's own, and with the end.
  using OnProgress = std::function<void(const Migration&)>;

  /// Takes the migration up. Throws Error(kState) where it has its worker already. Store and sink outlive the object.
  Runner(Store& store, const Migration& migration, Request request, LogSink& sink, OnProgress on_progress = {});
  Runner(const Runner&) = delete;
  Runner& operator=(const Runner&) = delete;
  ~Runner();

  /// Never throws for what goes wrong with the migration: that is in its state.
  Migration run();

  /// Ends the migration as Canceled; the databases that it has made or made over on the target are dropped.
  void cancel() noexcept;
  /// Ends the work and leaves the migration as Failed, to be taken up again where it was.
  void stop() noexcept;

  Migration migration() const;
  /// For a migration that has Failed: the first error, unless only objects are missing.
  std::optional<Error> failure() const;
  /// True if stop() has ended it.
  bool stopped() const;
  /// False if the thread that reports the progress was not seen for a minute: the process hangs. Never waits.
  bool is_alive() const;

 private:
  struct Implementation;
  std::unique_ptr<Implementation> implementation_;
};

}  // namespace pgsluice::migration
