#include "pgsluice/pipeline/run_state.h"

#include <fmt/format.h>
#include <sqlite3.h>
#include <unistd.h>

#include <array>
#include <map>
#include <system_error>
#include <thread>
#include <variant>

#include "pgsluice/base/cancel.h"
#include "pgsluice/base/error.h"
#include "pgsluice/base/wait.h"
#include "pgsluice/pipeline/clone.h"

namespace pgsluice::pipeline {

namespace {

constexpr std::chrono::milliseconds kPeriod{500};

constexpr const char* kSchema = R"(
CREATE TABLE run (pid INTEGER, phase TEXT, table_jobs INTEGER, index_jobs INTEGER, finished INTEGER,
                  large_objects INTEGER, sequences INTEGER, rows INTEGER, bytes INTEGER, duration INTEGER);
CREATE TABLE task (id INTEGER PRIMARY KEY, kind TEXT, name TEXT, oid INTEGER, schema TEXT, relation TEXT,
                   "table" INTEGER, sql TEXT, size INTEGER, state INTEGER, began REAL, ended REAL);
CREATE TABLE table_result (name TEXT, rows INTEGER, bytes INTEGER, parts INTEGER, format TEXT, duration INTEGER);
CREATE TABLE step_result (name TEXT, tasks INTEGER, wall INTEGER, total INTEGER);
CREATE TABLE message (kind TEXT, name TEXT, text TEXT);
)";

enum TaskState : int { kWaiting = 0, kRunning = 1, kDone = 2 };

using Value = std::variant<std::int64_t, double, std::string>;

// A connection to a file. Throws Error(kState) for whatever SQLite does not like.
class Database {
 public:
  Database(const std::filesystem::path& file, int flags) : file_(file.string()) {
    sqlite3* opened = nullptr;
    const int result = ::sqlite3_open_v2(file_.c_str(), &opened, flags, nullptr);
    database_.reset(opened);
    if (result != SQLITE_OK) fail();
    constexpr int kPatience = 5000;  // ms
    ::sqlite3_busy_timeout(opened, kPatience);
  }

  void execute(const char* sql) {
    if (::sqlite3_exec(database_.get(), sql, nullptr, nullptr, nullptr) != SQLITE_OK) fail();
  }

  // Calls with each row; columns by sqlite3_column_…().
  template <class OnRow>
  void execute(const char* sql, const std::vector<Value>& values, const OnRow& on_row) {
    sqlite3_stmt* prepared = nullptr;
    if (::sqlite3_prepare_v2(database_.get(), sql, -1, &prepared, nullptr) != SQLITE_OK) fail();
    const std::unique_ptr<sqlite3_stmt, decltype(&::sqlite3_finalize)> statement(prepared, &::sqlite3_finalize);
    for (std::size_t i = 0; i < values.size(); ++i) bind(prepared, static_cast<int>(i) + 1, values[i]);
    int result = ::sqlite3_step(prepared);
    for (; result == SQLITE_ROW; result = ::sqlite3_step(prepared)) on_row(prepared);
    if (result != SQLITE_DONE) fail();
  }
  void execute(const char* sql, const std::vector<Value>& values) {
    execute(sql, values, [](sqlite3_stmt*) {});
  }

 private:
  static void bind(sqlite3_stmt* statement, int at, const Value& value) {
    if (const auto* number = std::get_if<std::int64_t>(&value)) {
      ::sqlite3_bind_int64(statement, at, *number);
    } else if (const auto* real = std::get_if<double>(&value)) {
      ::sqlite3_bind_double(statement, at, *real);
    } else {
      const auto& text = std::get<std::string>(value);
      ::sqlite3_bind_text(statement, at, text.data(), static_cast<int>(text.size()), SQLITE_TRANSIENT);
    }
  }

  [[noreturn]] void fail() const {
    throw Error(ErrorKind::kState, fmt::format("the file {}: {}", file_, ::sqlite3_errmsg(database_.get())));
  }

  struct Close {
    void operator()(sqlite3* database) const { ::sqlite3_close_v2(database); }
  };
  std::string file_;
  std::unique_ptr<sqlite3, Close> database_;
};

std::string text_of(sqlite3_stmt* row, int column) {
  const auto* text = reinterpret_cast<const char*>(::sqlite3_column_text(row, column));
  return text == nullptr ? "" : std::string(text, static_cast<std::size_t>(::sqlite3_column_bytes(row, column)));
}

std::chrono::system_clock::time_point time_of(sqlite3_stmt* row, int column) {
  const std::chrono::duration<double> since_epoch(::sqlite3_column_double(row, column));
  return std::chrono::system_clock::time_point(
      std::chrono::duration_cast<std::chrono::system_clock::duration>(since_epoch));
}

std::int64_t number_of(sqlite3_stmt* row, int column) { return ::sqlite3_column_int64(row, column); }

double seconds_since_epoch(SteadyClock::time_point at) {
  const auto ago = SteadyClock::now() - at;
  return std::chrono::duration<double>((std::chrono::system_clock::now() - ago).time_since_epoch()).count();
}

bool is_shown(const Task& task) { return task.kind == TaskKind::kTableData || task.kind == TaskKind::kIndexBuild; }

}  // namespace

struct RunStateWriter::Implementation {
  std::filesystem::path file;
  const Plan& plan;
  const CloneOptions& options;
  Progress& progress;
  const Log& log;
  std::map<const Task*, std::int64_t> ids = {};
  std::unique_ptr<Database> database = {};
  CancelSource stop = {};
  std::thread thread = {};

  void run() {
    attempt([&] { begin(); });
    while (database && wait_for({}, stop.token(), kPeriod) != WaitResult::kCancelled) {
      attempt([&] { write_news(); });
    }
  }

  // The run goes on without a file of its state.
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
    database = std::make_unique<Database>(file, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX);
    // Readers do not keep the writer waiting, nor it them; what a crash of the machine takes was of no use.
    database->execute("PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF; BEGIN");
    database->execute(kSchema);
    database->execute("INSERT INTO run VALUES (?, ?, ?, ?, 0, 0, 0, 0, 0, 0)",
                      {std::int64_t{::getpid()}, progress.snapshot().phase, std::int64_t{options.table_jobs},
                       std::int64_t{options.index_jobs}});
    for (TaskId id = 0; id < plan.graph.size(); ++id) {
      if (is_shown(plan.graph[id])) add_task(plan.graph[id], static_cast<std::int64_t>(id));
    }
    database->execute("COMMIT");
  }

  void add_task(const Task& task, std::int64_t id) {
    ids[&task] = id;
    std::int64_t oid = 0;
    std::int64_t table = 0;
    std::string schema;
    std::string relation;
    std::string sql = task.sql;
    Bytes size;
    if (task.kind == TaskKind::kTableData) {
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
    database->execute(
        "INSERT INTO task VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 0, 0, 0)",
        {id, std::string(to_string(task.kind)), task.name, oid, schema, relation, table, sql, size.count});
  }

  const schema::Index* index_of(const Task& task) {
    if (indexes.empty()) {
      for (const schema::Index& index : plan.catalog.indexes) {
        indexes[index.oid] = &index;
        if (index.constraint != 0) constraints[index.constraint] = &index;
      }
    }
    const auto& map = task.entry->kind == "INDEX" ? indexes : constraints;
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
      const auto id = ids.find(event.task);
      if (id == ids.end()) continue;
      const int state = event.kind == Progress::Event::Kind::kBegan   ? kRunning
                        : event.kind == Progress::Event::Kind::kEnded ? kDone
                                                                      : kWaiting;
      database->execute(state == kRunning ? "UPDATE task SET state = ?, began = ? WHERE id = ?"
                                          : "UPDATE task SET state = ?, ended = ? WHERE id = ?",
                        {std::int64_t{state}, seconds_since_epoch(event.at), id->second});
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
                        {step.name, step.tasks, step.wall.count(), step.total.count()});
    }
    const auto add = [&](const char* kind, const std::string& name, const std::string& text) {
      database->execute("INSERT INTO message VALUES (?, ?, ?)", {std::string(kind), name, text});
    };
    for (const FailedObject& failed : summary.failed) add("failed", failed.name, failed.error.describe());
    for (const LeftOutObject& left : summary.left_out) add("left out", left.name, left.because_of);
    for (const std::string& text : summary.skipped) add("skipped", "", text);
    for (const std::string& text : summary.warnings) add("warning", "", text);
    database->execute("COMMIT");
  }
};

RunStateWriter::RunStateWriter(const std::filesystem::path& file, const Plan& plan, const CloneOptions& options,
                               Progress& progress, const Log& log)
    : implementation_(
          new Implementation{.file = file, .plan = plan, .options = options, .progress = progress, .log = log}) {
  progress.record_events(true);
  implementation_->thread = std::thread([self = implementation_.get()] { self->run(); });
}

RunStateWriter::~RunStateWriter() {
  Implementation& self = *implementation_;
  if (self.thread.joinable()) {
    self.stop.cancel();
    self.thread.join();
    if (self.database) self.attempt([&] { self.write_news(); });
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

std::optional<RunState> read_run_state(const std::filesystem::path& file) {
  if (!std::filesystem::exists(file)) return std::nullopt;
  // Read-only readers of a WAL file need its index beside it, which they may make.
  Database database(file, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX);
  RunState state;
  database.execute("BEGIN");
  bool finished = false;
  CloneSummary summary;
  database.execute("SELECT * FROM run", {}, [&](sqlite3_stmt* row) {
    int at = 0;
    state.pid = static_cast<int>(number_of(row, at++));
    state.phase = text_of(row, at++);
    state.table_jobs = static_cast<int>(number_of(row, at++));
    state.index_jobs = static_cast<int>(number_of(row, at++));
    finished = number_of(row, at++) != 0;
    summary.large_objects = number_of(row, at++);
    summary.sequences = number_of(row, at++);
    summary.rows = number_of(row, at++);
    summary.bytes = {number_of(row, at++)};
    summary.duration = std::chrono::nanoseconds(number_of(row, at++));
  });
  database.execute(
      "SELECT kind, name, oid, schema, relation, \"table\", sql, size, state, began, ended FROM task ORDER BY id", {},
      [&](sqlite3_stmt* row) {
        int at = 0;
        RunState::Task task{.kind = text_of(row, at++), .name = text_of(row, at++)};
        task.oid = static_cast<schema::Oid>(number_of(row, at++));
        task.schema = text_of(row, at++);
        task.relation = text_of(row, at++);
        task.table = static_cast<schema::Oid>(number_of(row, at++));
        task.sql = text_of(row, at++);
        task.size = {number_of(row, at++)};
        const std::int64_t now = number_of(row, at++);
        task.running = now == kRunning;
        task.done = now == kDone;
        task.began = time_of(row, at++);
        task.ended = time_of(row, at++);
        state.tasks.push_back(std::move(task));
      });
  database.execute("SELECT * FROM table_result", {}, [&](sqlite3_stmt* row) {
    summary.tables.push_back({.name = text_of(row, 0),
                              .rows = number_of(row, 1),
                              .bytes = {number_of(row, 2)},
                              .parts = static_cast<int>(number_of(row, 3)),
                              .format = text_of(row, 4),
                              .duration = std::chrono::nanoseconds(number_of(row, 5))});
  });
  database.execute("SELECT * FROM step_result", {}, [&](sqlite3_stmt* row) {
    summary.steps.push_back({.name = text_of(row, 0),
                             .tasks = number_of(row, 1),
                             .wall = std::chrono::nanoseconds(number_of(row, 2)),
                             .total = std::chrono::nanoseconds(number_of(row, 3))});
  });
  database.execute("SELECT * FROM message", {}, [&](sqlite3_stmt* row) {
    const std::string kind = text_of(row, 0);
    if (kind == "failed") summary.failed.push_back({text_of(row, 1), Error(ErrorKind::kServer, text_of(row, 2))});
    if (kind == "left out") summary.left_out.push_back({text_of(row, 1), text_of(row, 2)});
    if (kind == "skipped") summary.skipped.push_back(text_of(row, 2));
    if (kind == "warning") summary.warnings.push_back(text_of(row, 2));
  });
  database.execute("COMMIT");
  if (finished) state.summary = std::move(summary);
  return state;
}

}  // namespace pgsluice::pipeline
