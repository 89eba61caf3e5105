#pragma once

#include <chrono>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "pgsluice/log.h"
#include "pipeline/progress/progress.h"
#include "schema/archive/archive.h"

namespace pgsluice::pipeline {

/// Keeps the state of a run in a SQLite file, for others to read while it runs and afterwards. Written now and then
/// by a thread of its own, never in the way of the run; a file that cannot be written is a warning.
///
/// Lifecycle: made when the plan is known, which it replaces what an earlier run has left with; finish() where the run
/// comes to its end; the destructor writes what is new. The references outlive it.
class RunStateWriter {
 public:
  RunStateWriter(const std::filesystem::path& file, const Plan& plan, Progress& progress, const Log& log);
  RunStateWriter(const RunStateWriter&) = delete;
  RunStateWriter& operator=(const RunStateWriter&) = delete;
  ~RunStateWriter();

  void finish(const CloneSummary& summary);

 private:
  struct Implementation;
  std::unique_ptr<Implementation> implementation_;
};

/// The contents of the file.
struct RunState {
  struct Task {
    std::string kind;  ///< id_of(TaskKind)
    std::string name;
    schema::Oid oid = 0;  ///< of the table or the index
    std::string schema;
    std::string relation;
    /// For an index: its table.
    schema::Oid table = 0;
    std::string sql;
    Bytes size;
    std::chrono::system_clock::time_point began;  ///< of what has begun
    std::chrono::system_clock::time_point ended;  ///< of what is done
    bool done = false;
    bool running = false;
  };
  int pid = 0;
  std::string phase;
  int table_jobs = 0;
  int index_jobs = 0;
  std::vector<Task> tasks;  ///< rows of tables and builds of indexes
  /// Where the run came to its end; of failures only their texts.
  std::optional<CloneSummary> summary;
};

/// The phase of a run that was ended before its end.
inline constexpr std::string_view kInterrupted = "interrupted";

/// Reads it, also while it is written. Returns nullopt if there is no file. Throws Error(kState) for one that cannot be
/// read.
std::optional<RunState> read_run_state(const std::filesystem::path& file);

}  // namespace pgsluice::pipeline
