#include "pipeline/run/run_state.h"

#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <map>
#include <system_error>
#include <thread>

#include "base/sqlite.h"
#include "base/wait.h"
#include "pgsluice/cancel.h"
#include "pgsluice/error.h"
#include "pipeline/plan/options.h"

namespace pgsluice::pipeline {

namespace {

constexpr std::chrono::milliseconds kPeriod{500};

constexpr const char* kSchema = R"(
CREATE TABLE run (pid INTEGER, phase TEXT, table_jobs INTEGER, index_jobs INTEGER, finished INTEGER,
                  large_objects INTEGER, sequences INTEGER, rows INTEGER, bytes INTEGER, duration INTEGER);
CREATE TABLE task (id INTEGER PRIMARY KEY, kind TEXT, name TEXT, oid INTEGER, schema TEXT, relation TEXT,
                   "table" INTEGER, sql TEXT, size INTEGER, state INTEGER, began REAL, ended REAL);
CREATE TABLE table_result (name TEXT, rows INTEGER, bytes INTEGER, parts INTEGER, format TEXT, duration INTEGER);
CREATE TABLE step_result (kind TEXT, tasks INTEGER, wall INTEGER, total INTEGER);
CREATE TABLE message (kind TEXT, name TEXT, text TEXT);
)";

enum TaskState : int { kWaiting = 0, kRunning = 1, kDone = 2 };

using Row = SqliteFile::Row;

std::chrono::system_clock::time_point time_of(const Row& row, int column) {
  const std::chrono::duration<double> since_epoch(row.real(column));
  return std::chrono::system_clock::time_point(
      std::chrono::duration_cast<std::chrono::system_clock::duration>(since_epoch));
}

double seconds_since_epoch(SteadyClock::time_point at) {
  const auto ago = SteadyClock::now() - at;
  return std::chrono::duration<double>((std::chrono::system_clock::now() - ago).time_since_epoch()).count();
}

}  // namespace

struct RunStateWriter::Implementation {
  std::filesystem::path file;
  const Plan& plan;
  Progress& progress;
  const Log& log;
  std::unique_ptr<SqliteFile> database = {};
  CancelSource stop = {};
  std::thread thread = {};

  void run() {
    attempt([&] { begin(); });
    while (database && wait_for({}, stop.token(), kPeriod) != WaitResult::kCancelled) {
      attempt([&] { write_news(); });
    }
  }

  // The run continues without a file of its state.
  template <class Work>
  void attempt(const Work& work) {
    try {
      work();
    } catch (const Error& error) {
      log.warning(fmt::format("'list progress' will show nothing of this run: {}", error.what()));
      database.reset();
      progress.record_events(false);
    }
  }

  void begin() {
    std::error_code ignored;  // what is not there need not be removed
    for (const char* end : {"", "-wal", "-shm"}) std::filesystem::remove(file.string() + end, ignored);
    database = std::make_unique<SqliteFile>(file, SqliteFile::Open::kMakeMissing);
    // Readers do not keep the writer waiting, nor it them; what a crash of the machine takes was of no use.
    database->execute("PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF; BEGIN");
    database->execute(kSchema);
    database->execute("INSERT INTO run VALUES (?, ?, ?, ?, 0, 0, 0, 0, 0, 0)",
                      {std::int64_t{::getpid()}, progress.snapshot().phase, std::int64_t{plan.options.table_jobs},
                       std::int64_t{plan.options.index_jobs}});
    for (TaskId id = 0; id < plan.graph.size(); ++id) {
      if (plan.graph[id].traits().is_listed) add_task(plan.graph[id], static_cast<std::int64_t>(id));
    }
    database->execute("COMMIT");
  }

  void add_task(const Task& task, std::int64_t id) {
    std::int64_t oid = 0;
    std::int64_t table = 0;
    std::string schema;
    std::string relation;
    std::string sql = task.sql;
    Bytes size;
    if (task.copies_rows()) {
      oid = task.relation->oid;
      schema = task.relation->schema;
      relation = task.relation->name;
      size = task.relation->size();
      sql = "COPY " + task.relation->quoted();
    } else if (const schema::Index* index = index_of(task)) {
      oid = index->oid;
      table = index->table;
      schema = index->schema;
      relation = index->name;
      size = index->size;
      sql = index->definition;
    }
    database->execute("INSERT INTO task VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 0, 0, 0)",
                      {id, std::string(id_of(task.kind)), task.name, oid, schema, relation, table, sql, size.count});
  }

  const schema::Index* index_of(const Task& task) {
    if (indexes.empty()) {
      for (const schema::Index& index : plan.catalog.indexes) {
        indexes[index.oid] = &index;
        if (index.constraint != 0) constraints[index.constraint] = &index;
      }
    }
    const auto& map = task.entry->kind == schema::EntryKind::kIndex ? indexes : constraints;
    const auto found = map.find(task.entry->catalog_id.oid);
    return found == map.end() ? nullptr : found->second;
  }
  std::map<schema::Oid, const schema::Index*> indexes = {};
  std::map<schema::Oid, const schema::Index*> constraints = {};

  void write_news() {
    const std::vector<Progress::Event> events = progress.take_events();
    const std::string phase = progress.snapshot().phase;
    database->execute("BEGIN");
    database->execute("UPDATE run SET phase = ?", {phase});
    for (const Progress::Event& event : events) {
      if (!plan.graph[event.task].traits().is_listed) continue;
      const int state = event.kind == Progress::Event::Kind::kBegan   ? kRunning
                        : event.kind == Progress::Event::Kind::kEnded ? kDone
                                                                      : kWaiting;
      database->execute(state == kRunning ? "UPDATE task SET state = ?, began = ? WHERE id = ?"
                                          : "UPDATE task SET state = ?, ended = ? WHERE id = ?",
                        {std::int64_t{state}, seconds_since_epoch(event.at), static_cast<std::int64_t>(event.task)});
    }
    database->execute("COMMIT");
  }

  void write_summary(const CloneSummary& summary) {
    database->execute("BEGIN");
    database->execute(
        "UPDATE run SET finished = 1, large_objects = ?, sequences = ?, rows = ?, bytes = ?, duration = ?",
        {summary.large_objects, summary.sequences, summary.rows, summary.bytes.count, summary.duration.count()});
    for (const TableResult& table : summary.tables) {
      database->execute(
          "INSERT INTO table_result VALUES (?, ?, ?, ?, ?, ?)",
          {table.name, table.rows, table.bytes.count, std::int64_t{table.parts}, table.format, table.duration.count()});
    }
    for (const StepResult& step : summary.steps) {
      database->execute("INSERT INTO step_result VALUES (?, ?, ?, ?)",
                        {step.id, step.tasks, step.wall.count(), step.total.count()});
    }
    const auto add = [&](const char* kind, const std::string& name, const std::string& text) {
      database->execute("INSERT INTO message VALUES (?, ?, ?)", {std::string(kind), name, text});
    };
    for (const FailedObject& failed : summary.failed) add("failed", failed.name, log.describe(failed.error));
    for (const LeftOutObject& left : summary.left_out) add("left out", left.name, left.because_of);
    for (const std::string& text : summary.skipped) add("skipped", "", text);
    for (const std::string& text : summary.warnings) add("warning", "", text);
    database->execute("COMMIT");
  }
};

RunStateWriter::RunStateWriter(const std::filesystem::path& file, const Plan& plan, Progress& progress, const Log& log)
    : implementation_(new Implementation{.file = file, .plan = plan, .progress = progress, .log = log}) {
  progress.record_events(true);
  implementation_->thread = std::thread([self = implementation_.get()] { self->run(); });
}

RunStateWriter::~RunStateWriter() {
  Implementation& self = *implementation_;
  if (self.thread.joinable()) {
    self.stop.cancel();
    self.thread.join();
    if (self.database) {
      self.attempt([&] {
        self.write_news();
        self.database->execute("UPDATE run SET phase = ?", {std::string(kInterrupted)});
      });
    }
  }
  self.progress.record_events(false);
}

void RunStateWriter::finish(const CloneSummary& summary) {
  Implementation& self = *implementation_;
  self.stop.cancel();
  self.thread.join();
  if (self.database) {
    self.attempt([&] {
      self.write_news();
      self.write_summary(summary);
    });
  }
}

namespace {

void read_tasks(SqliteFile& database, RunState& state) {
  database.execute(
      "SELECT kind, name, oid, schema, relation, \"table\", sql, size, state, began, ended FROM task ORDER BY id", {},
      [&](const Row& row) {
        int at = 0;
        RunState::Task task{.kind = row.text(at++), .name = row.text(at++)};
        task.oid = static_cast<schema::Oid>(row.integer(at++));
        task.schema = row.text(at++);
        task.relation = row.text(at++);
        task.table = static_cast<schema::Oid>(row.integer(at++));
        task.sql = row.text(at++);
        task.size = {row.integer(at++)};
        const std::int64_t now = row.integer(at++);
        task.running = now == kRunning;
        task.done = now == kDone;
        task.began = time_of(row, at++);
        task.ended = time_of(row, at++);
        // An earlier run has done it; how long that took is unknown.
        if (task.began == std::chrono::system_clock::time_point{}) task.began = task.ended;
        state.tasks.push_back(std::move(task));
      });
}

void read_results(SqliteFile& database, CloneSummary& summary) {
  database.execute("SELECT * FROM table_result", {}, [&](const Row& row) {
    summary.tables.push_back({.name = row.text(0),
                              .rows = row.integer(1),
                              .bytes = {row.integer(2)},
                              .parts = static_cast<int>(row.integer(3)),
                              .format = row.text(4),
                              .duration = std::chrono::nanoseconds(row.integer(5))});
  });
  database.execute("SELECT * FROM step_result", {}, [&](const Row& row) {
    const std::string id = row.text(0);
    const std::optional<TaskKind> kind = task_kind_of(id);
    summary.steps.push_back({.id = id,
                             .label = kind ? std::string(label_of(*kind)) : id,
                             .tasks = row.integer(1),
                             .wall = std::chrono::nanoseconds(row.integer(2)),
                             .total = std::chrono::nanoseconds(row.integer(3))});
  });
  database.execute("SELECT * FROM message", {}, [&](const Row& row) {
    const std::string kind = row.text(0);
    if (kind == "failed") summary.failed.push_back({row.text(1), Error(ErrorKind::kServer, row.text(2))});
    if (kind == "left out") summary.left_out.push_back({row.text(1), row.text(2)});
    if (kind == "skipped") summary.skipped.push_back(row.text(2));
    if (kind == "warning") summary.warnings.push_back(row.text(2));
  });
}

}  // namespace

std::optional<RunState> read_run_state(const std::filesystem::path& file) {
  if (!std::filesystem::exists(file)) return std::nullopt;
  // Read-only readers of a WAL file need its index beside it, which they may make.
  SqliteFile database(file, SqliteFile::Open::kExisting);
  bool is_recorded = false;
  database.execute("SELECT 1 FROM sqlite_master WHERE name = 'run'", {}, [&](const Row&) { is_recorded = true; });
  if (!is_recorded) {
    throw Error(ErrorKind::kState, fmt::format("{} holds nothing of the run", file.string()))
        .hint("its disk was full, or the run has only begun");
  }
  RunState state;
  database.execute("BEGIN");
  bool finished = false;
  CloneSummary summary;
  database.execute("SELECT * FROM run", {}, [&](const Row& row) {
    int at = 0;
    state.pid = static_cast<int>(row.integer(at++));
    state.phase = row.text(at++);
    state.table_jobs = static_cast<int>(row.integer(at++));
    state.index_jobs = static_cast<int>(row.integer(at++));
    finished = row.integer(at++) != 0;
    summary.large_objects = row.integer(at++);
    summary.sequences = row.integer(at++);
    summary.rows = row.integer(at++);
    summary.bytes = {row.integer(at++)};
    summary.duration = std::chrono::nanoseconds(row.integer(at++));
  });
  read_tasks(database, state);
  read_results(database, summary);
  database.execute("COMMIT");
  if (finished) state.summary = std::move(summary);
  return state;
}

}  // namespace pgsluice::pipeline
