#include "pipeline/estimate/samples.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <exception>
#include <memory>
#include <utility>

#include "base/mutex.h"
#include "base/sqlstate.h"
#include "base/threads.h"
#include "copy/relay.h"
#include "pg/quote.h"
#include "pg/snapshot.h"
#include "pgsluice/error.h"
#include "pipeline/prepare/sessions.h"

namespace pgsluice::pipeline {

namespace {

using Seconds = std::chrono::duration<double>;

constexpr Bytes kWorthMeasuring{256 * 1024};    // less tells of round trips only
constexpr std::int64_t kFirst = 10;             // rows: to find out how large they are
constexpr Bytes kSecond{1024 * 1024};           // to find out how much fills the time
constexpr Bytes kMaxSample{256 * 1024 * 1024};  // of log and disk that one stream costs the target
constexpr std::string_view kOtherTypes = "text";
constexpr std::string_view kTemporary = "pg_temp";

std::vector<const Task*> heaviest_parts(const Plan& plan, int most) {
  std::vector<const Task*> parts;
  for (const Task& task : plan.graph.tasks()) {
    if (task.copies_rows() && task.range->size.count >= kWorthMeasuring.count && !task.range->loaded) {
      parts.push_back(&task);
    }
  }
  std::stable_sort(parts.begin(), parts.end(),
                   [](const Task* a, const Task* b) { return a->range->size.count > b->range->size.count; });
  if (parts.size() > static_cast<std::size_t>(most)) parts.resize(static_cast<std::size_t>(most));
  return parts;
}

struct Column {
  std::string name;
  std::string type;
  bool is_known = false;  ///< the source's own type, not text in its place
};

// Types that every server has and that mean the same in each; values of others cross as text.
std::vector<Column> columns_of(pg::Connection& source, const schema::Relation& table) {
  const pg::Result known = source.execute(fmt::format(
      "SELECT a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod) FROM pg_catalog.pg_attribute a"
      " JOIN pg_catalog.pg_type t ON t.oid = a.atttypid WHERE a.attrelid = {} AND a.attnum > 0 AND NOT a.attisdropped"
      " AND t.typnamespace = 'pg_catalog'::pg_catalog.regnamespace AND t.typtype = 'b' AND t.typname !~ '^_?(reg|acl)'",
      table.oid));
  std::vector<Column> columns;
  for (const std::string& name : table.columns) {
    columns.push_back({.name = name, .type = std::string(kOtherTypes)});
    for (const pg::Row row : known) {
      if (row.text(0) == name) columns.back() = {.name = name, .type = std::string(row.text(1)), .is_known = true};
    }
  }
  return columns;
}

bool has_other_types(const std::vector<Column>& columns) {
  return std::any_of(columns.begin(), columns.end(), [](const Column& column) { return !column.is_known; });
}

// A key, mostly.
std::optional<std::string> column_to_sort(const schema::Relation& table, const std::vector<Column>& columns) {
  if (!table.integer_key.empty()) return table.integer_key;
  constexpr std::array<std::string_view, 8> kSorted = {"integer", "bigint",  "text", "character varying",
                                                       "uuid",    "numeric", "date", "timestamp"};
  for (const Column& column : columns) {
    const bool is_sorted = std::any_of(kSorted.begin(), kSorted.end(), [&](std::string_view type) {
      return column.type.starts_with(type) && !column.type.ends_with("[]");
    });
    if (is_sorted) return column.name;
  }
  return std::nullopt;
}

// Begins a transaction with a schema of its own: pg_temp where the user may make none.
std::string begin_with_schema(pg::Connection& target, const std::string& name) {
  target.execute("BEGIN");
  if (name == kTemporary) return name;
  try {
    target.execute("CREATE SCHEMA " + name);
    return name;
  } catch (const Error& error) {
    if (error.sqlstate() != sqlstate::kInsufficientPrivilege) throw;
  }
  target.execute("ROLLBACK");
  target.execute("BEGIN");
  return std::string(kTemporary);
}

// Makes tables with a serial column and a key, as pg_dump writes them.
std::string definitions_in(const std::string& schema, int first, int end) {
  std::string sql;
  for (int i = first; i < end; ++i) {
    sql += fmt::format(
        "CREATE TABLE {0}.d{1} (i int, t text); CREATE SEQUENCE {0}.s{1}; ALTER SEQUENCE {0}.s{1} OWNED BY {0}.d{1}.i;"
        "ALTER TABLE {0}.d{1} ALTER i SET DEFAULT pg_catalog.nextval('{0}.s{1}'); ALTER TABLE {0}.d{1} ADD PRIMARY KEY "
        "(i);",
        schema, i);
  }
  return sql;
}

// Sent as one message, as definitions follow one another without waiting.
void measure_definitions(pg::Connection target, Samples& samples) {
  constexpr int kUnmeasured = 2;  // a new session has to get to know the catalogs
  constexpr int kTables = 20;
  constexpr int kStatements = 5;
  const std::string schema = begin_with_schema(target, "pgsluice_sample_0");
  samples.is_logged = schema != kTemporary;
  target.execute(definitions_in(schema, 0, kUnmeasured));
  const auto begin = SteadyClock::now();
  target.execute(definitions_in(schema, kUnmeasured, kUnmeasured + kTables));
  samples.definition = (SteadyClock::now() - begin) / (kTables * kStatements);
  target.execute("ROLLBACK");
}

/// One stream, on sessions of its own.
class Sampler {
 public:
  Sampler(const Preflight& preflight, const Task& part, int number, Throttle& throttle, const Log& log,
          const CancelToken& cancel)
      : plan_(*preflight.plan),
        part_(part),
        throttle_(throttle),
        source_(open_session(preflight.source->pinned_conninfo(), fmt::format("sample {}", number), preflight.encoding,
                             log, cancel)),
        target_(open_session(preflight.target.pinned_conninfo(), fmt::format("sample {}", number), preflight.encoding,
                             log, cancel)),
        schema_(fmt::format("pgsluice_sample_{}", number)) {
    pg::import_snapshot(source_, preflight.record.mark.snapshot);
  }

  void measure(std::chrono::milliseconds time, Samples& samples, Mutex& mutex) {
    const schema::Relation& table = *part_.relation;
    std::vector<Column> columns = columns_of(source_, table);
    make_table(columns);
    if (!plan_.toast_compression.empty()) {
      target_.execute("SET LOCAL default_toast_compression = " + plan_.toast_compression);
    }
    relay_ = copy::make_relay(source_, target_, plan_.options.transport);
    StreamSample sample{.table = table.display()};
    copy_rows(columns, kFirst, sample);
    if (sample.rows == kFirst) copy_rows(columns, rows_of(kSecond, sample), sample);
    if (sample.rows > kFirst && sample.copying < time) {
      const double fits = static_cast<double>(sample.stored.count) * (time / std::max(sample.copying, Seconds(1e-3)));
      const Bytes size{static_cast<std::int64_t>(std::min(fits, static_cast<double>(kMaxSample.count)))};
      copy_rows(columns, rows_of(size, sample), sample);
    }
    if (const auto column = column_to_sort(table, columns)) build(*column, sample);
    target_.execute("ROLLBACK");
    const MutexLock lock(mutex);
    samples.streams.push_back(std::move(sample));
  }

 private:
  // With columns of text where the target lacks a type.
  void make_table(std::vector<Column>& columns) {
    schema_ = begin_with_schema(target_, schema_);
    try {
      target_.execute(create_table(columns));
    } catch (const Error& error) {
      if (error.sqlstate() != sqlstate::kUndefinedObject) throw;
      target_.execute("ROLLBACK");
      for (Column& column : columns) column = {.name = column.name, .type = std::string(kOtherTypes)};
      schema_ = begin_with_schema(target_, schema_);
      target_.execute(create_table(columns));
    }
  }

  std::string create_table(const std::vector<Column>& columns) const {
    std::vector<std::string> definitions;
    definitions.reserve(columns.size());
    for (const Column& column : columns) definitions.push_back(pg::quote_identifier(column.name) + " " + column.type);
    return fmt::format("CREATE TABLE {}.sample ({})", schema_, fmt::join(definitions, ", "));
  }

  // As many as are so large, if they are like those that were measured.
  static std::int64_t rows_of(Bytes size, const StreamSample& measured) {
    const double of_row =
        static_cast<double>(std::max<std::int64_t>(measured.stored.count, 1)) / static_cast<double>(measured.rows);
    return std::max(kFirst + 1, static_cast<std::int64_t>(static_cast<double>(size.count) / of_row));
  }

  void copy_rows(const std::vector<Column>& columns, std::int64_t rows, StreamSample& sample) {
    std::vector<std::string> names;
    names.reserve(columns.size());
    for (const Column& column : columns) names.push_back(pg::quote_identifier(column.name));
    const bool is_binary = part_.table->format == copy::CopyFormat::kBinary && !has_other_types(columns);
    const std::string condition = part_.range->condition();
    const char* format = is_binary ? " (FORMAT binary)" : "";
    std::atomic<std::int64_t> payload{0};
    const auto begin = SteadyClock::now();
    const copy::RelayOutcome outcome = relay_->run(
        source_, target_,
        copy::RelayRequest{.copy_out = fmt::format("COPY (SELECT {} FROM ONLY {}{} LIMIT {}) TO STDOUT{}",
                                                   fmt::join(names, ", "), part_.relation->quoted(),
                                                   condition.empty() ? "" : " WHERE " + condition, rows, format),
                           .copy_in = fmt::format("COPY {}.sample FROM STDIN{}", schema_, format),
                           .flow = {payload, &throttle_}});
    sample.copying = SteadyClock::now() - begin;
    sample.rows = outcome.target_rows;
    sample.payload = {payload.load()};
    const Bytes before = stored_;
    const std::string sizes =
        "SELECT pg_catalog.pg_table_size('{0}.sample'), pg_catalog.pg_relation_size('{0}.sample')";
    const pg::Result now = target_.execute(fmt::format(fmt::runtime(sizes), schema_));
    stored_ = {now[0].integer(0)};
    sample.stored = {stored_.count - before.count};
    sample.heap = {now[0].integer(1)};
  }

  void build(const std::string& column, StreamSample& sample) {
    const std::int64_t memory = plan_.index_memory.count / plan_.options.index_jobs / 1024;
    target_.execute(fmt::format("SET LOCAL maintenance_work_mem = '{}kB'", std::max<std::int64_t>(memory, 1024)));
    const auto begin = SteadyClock::now();
    try {
      target_.execute(fmt::format("CREATE INDEX ON {}.sample ({})", schema_, pg::quote_identifier(column)));
    } catch (const Error& error) {
      // A value too long for an index, for example: nothing is measured then.
      if (error.poisons_connection()) throw;
      return;
    }
    sample.building = SteadyClock::now() - begin;
  }

  const Plan& plan_;
  const Task& part_;
  Throttle& throttle_;
  pg::Connection source_;
  pg::Connection target_;
  std::string schema_;
  std::unique_ptr<copy::Relay> relay_;
  Bytes stored_;
};

}  // namespace

Samples take_samples(const Preflight& preflight, std::chrono::milliseconds time, PaceControl& pace, const Log& log,
                     const CancelToken& cancel) {
  Samples samples;
  measure_definitions(open_session(preflight.target.pinned_conninfo(), "sample", preflight.encoding, log, cancel),
                      samples);
  const std::vector<const Task*> parts =
      heaviest_parts(*preflight.plan, copying_at_once(pace.pace(), preflight.options.table_jobs, 1));
  if (parts.empty()) return samples;
  Mutex mutex;
  std::atomic<std::size_t> next{0};
  std::exception_ptr failure;
  run_in_threads(static_cast<int>(parts.size()), [&](int number) {
    try {
      for (std::size_t at = next++; at < parts.size(); at = next++) {
        Sampler(preflight, *parts[at], number, pace.throttle(), log, cancel).measure(time, samples, mutex);
      }
    } catch (...) {
      const MutexLock lock(mutex);
      if (!failure) failure = std::current_exception();
    }
  });
  if (failure) std::rethrow_exception(failure);
  return samples;
}

}  // namespace pgsluice::pipeline
