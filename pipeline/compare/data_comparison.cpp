#include "pgsluice/data_comparison.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <map>
#include <set>

#include "base/duration.h"
#include "base/mutex.h"
#include "base/threads.h"
#include "base/throttle.h"
#include "copy/large_objects.h"
#include "copy/row_digest.h"
#include "copy/row_ranges.h"
#include "pg/quote.h"
#include "pg/server_identity.h"
#include "pg/snapshot.h"
#include "pipeline/compare/row_difference.h"
#include "pipeline/compare/table_comparison.h"
#include "pipeline/prepare/sessions.h"
#include "schema/catalog/catalog.h"
#include "schema/catalog/expression_settings.h"
#include "schema/catalog/sequences.h"
#include "schema/selection/selection.h"

namespace pgsluice::pipeline {

namespace {

using copy::RowsDigest;
using schema::Relation;
using schema::RelationKind;
using Server = ComparedServer;
using Name = RelationName;

constexpr Bytes kSmallestSplit{256LL * 1024 * 1024};
constexpr Bytes kSmallestPart{64 * 1024 * 1024};

Server open_server(const CompareOptions& options, Side side, const std::string& encoding, const Log& log,
                   const CancelToken& cancel) {
  pg::ConnInfo conninfo = parse_conninfo(side == Side::kSource ? options.source : options.target, side);
  if (!options.database.empty()) conninfo = conninfo.with("dbname", options.database);
  pg::Connection session = open_reader(conninfo, "compare", encoding, log, cancel);
  const std::string used = encoding.empty() ? server_encoding(session) : encoding;
  const pg::SnapshotIdentity snapshot = pg::export_snapshot(session);
  schema::Catalog catalog = schema::read_catalog(session);
  return {.session = std::move(session), .snapshot = snapshot, .encoding = used, .catalog = std::move(catalog)};
}

// A table, or a part of one, to be read on both sides.
struct Unit {
  TableComparison* table = nullptr;
  std::string condition;
  Bytes size;
};

std::vector<std::string> differing_sequences(Server& source, Server& target) {
  std::vector<std::string> differences;
  std::map<Name, std::string> there;
  const auto value_text = [](const schema::SequenceValue& value) {
    return fmt::format("{}{}", value.last_value, value.is_called ? "" : " (not called yet)");
  };
  for (const schema::SequenceValue& value : schema::read_sequences(target.session, target.catalog.sequences)) {
    there[{value.sequence->schema, value.sequence->name}] = value_text(value);
  }
  for (const schema::SequenceValue& value : schema::read_sequences(source.session, source.catalog.sequences)) {
    const auto found = there.find({value.sequence->schema, value.sequence->name});
    const std::string here = value_text(value);
    const std::string other = found == there.end() ? "missing" : found->second;
    if (here != other) {
      differences.push_back(
          fmt::format("sequence {}: {} on the source, {} on the target", value.sequence->display(), here, other));
    }
    if (found != there.end()) there.erase(found);
  }
  for (const auto& [name, value] : there) {
    differences.push_back(fmt::format("sequence {}: only on the target", pg::display_name(name.first, name.second)));
  }
  return differences;
}

// Forgets on both sides what the copy was to leave out. Whether the target has it all the same does not matter.
void omit(const CompareOptions& options, Server& source, Server& target, const Log& log) {
  const schema::Selection selection =
      schema::select_objects(source.session, target.session, options.filters, !options.extensions);
  for (const std::string& warning : selection.warnings) log.warning(warning);
  if (selection.empty()) return;
  const auto is_omitted = [&](schema::Oid relation) {
    return !selection.keeps(relation) || selection.without_rows.contains(relation);
  };
  std::set<Name> relations;
  for (const Relation& relation : source.catalog.relations) {
    if (is_omitted(relation.oid)) relations.emplace(relation.schema, relation.name);
  }
  for (const schema::Sequence& sequence : source.catalog.sequences) {
    if (is_omitted(sequence.oid)) relations.emplace(sequence.schema, sequence.name);
  }
  for (schema::Catalog* catalog : {&source.catalog, &target.catalog}) {
    const auto is_named = [&](const auto& object) { return relations.contains({object.schema, object.name}); };
    std::erase_if(catalog->relations, is_named);
    std::erase_if(catalog->sequences, is_named);
  }
}

}  // namespace

bool ComparedData::equal() const {
  return sequences.empty() && large_objects.empty() &&
         std::none_of(tables.begin(), tables.end(), [](const ComparedTable& table) { return table.differs(); });
}

std::size_t ComparedData::undecided() const {
  return static_cast<std::size_t>(
      std::count_if(tables.begin(), tables.end(), [](const ComparedTable& table) { return !table.undecided.empty(); }));
}

struct DataComparison::Implementation {
  CompareOptions options;
  Log log;
  CancelSource cancel;

  Throttle throttle;
  std::atomic<std::int64_t> bytes{0};
  std::atomic<std::size_t> units_done{0};
  std::atomic<std::size_t> units_total{0};
  SteadyClock::time_point began = SteadyClock::now();

  std::vector<Unit> units;
  std::atomic<std::size_t> next_unit{0};
  /// Guards the results of the tables too.
  Mutex results;
  std::optional<Error> first_error GUARDED_BY(results);

  ComparedData run();
  void add_units(TableComparison& table, Server& source);
  void work(int number, const Server& source, const Server& target);
  void read(const Unit& unit, pg::Connection& source, pg::Connection& target);
  void name_rows(TableComparison& table, Server& source, Server& target);
  std::vector<std::string> compare_large_objects(Server& source, Server& target);
  enum class ViewState {
    kFresh,         ///< holds what its query gives
    kStale,         ///< holds something else
    kNeverTheSame,  ///< its query gives something else each time
  };
  std::optional<ViewState> state_of_view(const schema::Relation& view, Server& server,
                                         const schema::Catalog& of_source);
  void explain_view(TableComparison& table, Server& source, Server& target);
  std::vector<RowsDigest> digest_both(pg::Connection& source, pg::Connection& target, const std::string& of_source,
                                      const std::string& of_target, copy::CopyFormat format);
  std::vector<std::string> first_that_differ(const std::string& what, Server& source, Server& target,
                                             const std::string& sql);
};

void DataComparison::Implementation::add_units(TableComparison& table, Server& source) {
  using When = copy::SplitOptions::When;
  const Bytes size = table.table().size();
  const bool large = options.split.when == When::kLarger ? size > options.split.size
                     : options.split.when == When::kAuto ? size > kSmallestSplit && options.jobs > 1
                                                         : false;
  if (large && !table.table().integer_key.empty()) {
    if (const auto span = copy::read_key_span(source.session, table.table())) {
      const std::vector<Bytes> sizes =
          options.split.when == When::kLarger
              ? copy::equal_sizes(size, options.split.size, options.split.max_parts)
              : copy::shrinking_sizes(size, options.jobs, kSmallestPart, options.split.max_parts);
      for (const copy::RowRange& range : copy::ranges_of_keys(sizes, table.table().integer_key, *span)) {
        units.push_back({&table, range.condition(), range.size});
      }
      return;
    }
  }
  units.push_back({&table, "", size});
}

void DataComparison::Implementation::read(const Unit& unit, pg::Connection& source, pg::Connection& target) {
  const std::vector<RowsDigest> digests =
      digest_both(source, target, unit.table->copy_out(Side::kSource, unit.condition),
                  unit.table->copy_out(Side::kTarget, unit.condition), unit.table->format());
  const MutexLock lock(results);
  unit.table->result().source += digests[0];
  unit.table->result().target += digests[1];
}

void DataComparison::Implementation::work(int number, const Server& source, const Server& target) {
  try {
    const std::string name = fmt::format("compare {}", number);
    std::optional<pg::Connection> from;
    std::optional<pg::Connection> to;
    for (std::size_t at = next_unit++; at < units.size() && !cancel.cancelled(); at = next_unit++) {
      for (const auto& [session, server] : {std::pair{&from, &source}, std::pair{&to, &target}}) {
        if (!*session || !(*session)->alive()) {
          *session = open_reader(server->session.pinned_conninfo(), name, server->encoding, log, cancel.token());
        }
        if ((*session)->transaction_failed()) (*session)->execute("ROLLBACK");
        if ((*session)->idle()) pg::import_snapshot(**session, server->snapshot);
      }
      try {
        read(units[at], *from, *to);
      } catch (Error& error) {
        if (error.poisons_connection()) throw;
        // A right that is missing, a type that cannot be written: the table cannot be compared, others can.
        const MutexLock lock(results);
        units[at].table->result().trouble = error.describe();
      }
      ++units_done;
    }
  } catch (const Error& error) {
    const MutexLock lock(results);
    if (!first_error || first_error->kind() == ErrorKind::kCancelled) first_error = error;
    cancel.cancel();
  }
}

// The first rows of a statement's that differ, as different_rows() tells them; none where they cannot be read.
std::vector<std::string> DataComparison::Implementation::first_that_differ(const std::string& what, Server& source,
                                                                           Server& target, const std::string& sql) {
  log.info(fmt::format("{} differ: looking for which", what));
  std::vector<std::string> rows;
  for (pg::Connection* session : {&source.session, &target.session}) session->execute("SAVEPOINT looking");
  try {
    rows = different_rows(source.session, target.session, sql, options.max_rows);
  } catch (const Error& error) {
    if (error.poisons_connection()) throw;
    log.warning(fmt::format("which {} differ cannot be told: {}", what, error.describe()));
  }
  for (pg::Connection* session : {&source.session, &target.session}) session->execute("ROLLBACK TO looking");
  return rows;
}

// Where both sides know the rows by the same key.
void DataComparison::Implementation::name_rows(TableComparison& table, Server& source, Server& target) {
  const std::vector<std::string> key = primary_key_of(source.session, table.table().oid);
  if (key.empty()) return;
  table.result().rows = first_that_differ("rows of table " + table.table().display(), source, target,
                                          keys_and_digests_sql(table.from(), key, table.columns()));
}

// Its query is run as users of the source see it. Nothing where it cannot be.
std::optional<DataComparison::Implementation::ViewState> DataComparison::Implementation::state_of_view(
    const schema::Relation& view, Server& server, const schema::Catalog& of_source) {
  std::optional<ViewState> result;
  server.session.execute("SAVEPOINT looking");
  try {
    schema::apply_expression_settings(server.session, of_source.expression_settings);
    server.session.execute(schema::search_path_sql(of_source.search_path));
    const std::array<std::string, 1> name = {view.quoted()};
    std::string query(
        server.session.execute("SELECT pg_catalog.pg_get_viewdef(pg_catalog.to_regclass($1))", name)[0].text(0));
    while (!query.empty() && (query.back() == ';' || query.back() == '\n')) query.pop_back();
    std::atomic<std::int64_t> read{0};
    const auto digest = [&](const std::string& sql) {
      const std::array<copy::DigestRequest, 1> request = {copy::DigestRequest{
          .connection = server.session, .copy_out = sql, .format = copy::CopyFormat::kText, .flow = read}};
      return copy::digest_rows(request)[0];
    };
    const std::string of_query = fmt::format("COPY ({}) TO STDOUT", query);
    const RowsDigest given = digest(of_query);
    if (digest(fmt::format("COPY (SELECT * FROM {}) TO STDOUT", view.quoted())) == given) {
      result = ViewState::kFresh;
    } else {
      result = digest(of_query) == given ? ViewState::kStale : ViewState::kNeverTheSame;
    }
  } catch (const Error& error) {
    if (error.poisons_connection()) throw;
    log.notice(fmt::format("whether {} is stale cannot be told: {}", view.display(), error.what()));
  }
  server.session.execute("ROLLBACK TO looking");
  return result;
}

// True if its query calls a function that is not immutable, such as now(), or reads other views that may call one.
bool may_change_by_itself(const schema::Relation& view, Server& server) {
  const std::array<std::string, 1> name = {view.quoted()};
  return server.session
      .execute(
          "SELECT EXISTS (SELECT FROM pg_catalog.pg_rewrite r WHERE r.ev_class = pg_catalog.to_regclass($1)"
          " AND (r.ev_action::text ~ 'SQLVALUEFUNCTION' OR EXISTS (SELECT FROM pg_catalog.regexp_matches("
          "r.ev_action::text, ':(?:op)?funcid ([0-9]+)', 'g') m(oids) JOIN pg_catalog.pg_proc p"
          " ON p.oid = m.oids[1]::oid WHERE p.provolatile <> 'i') OR EXISTS (SELECT FROM pg_catalog.pg_depend d"
          " JOIN pg_catalog.pg_class c ON c.oid = d.refobjid AND c.relkind IN ('v', 'm') AND c.oid <> r.ev_class"
          " WHERE d.objid = r.oid AND d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass)))",
          name)[0]
      .boolean(0);
}

// Its rows were made on the target, of tables that are compared by themselves. So they have to be what the query
// gives there, whatever the source's are; unless the query never gives the same twice.
void DataComparison::Implementation::explain_view(TableComparison& table, Server& source, Server& target) {
  const schema::Relation& view = table.table();
  const std::optional<ViewState> here = state_of_view(view, source, source.catalog);
  const std::optional<ViewState> there = state_of_view(view, target, source.catalog);
  if (here == ViewState::kNeverTheSame || there == ViewState::kNeverTheSame || may_change_by_itself(view, source)) {
    table.result().note = "its rows differ, and what its query gives may change by itself (the time, random values)";
  } else if (there == ViewState::kFresh) {
    table.result().note =
        here == ViewState::kStale
            ? "its rows differ, as they do from what its query gives on the source (REFRESH MATERIALIZED VIEW there)"
            : "its rows differ, and on the target they are what its query gives: it depends on the order of rows, or "
              "on "
              "the release";
  }
}

// Digests the same parts of both; their bytes count once.
std::vector<RowsDigest> DataComparison::Implementation::digest_both(pg::Connection& source, pg::Connection& target,
                                                                    const std::string& of_source,
                                                                    const std::string& of_target,
                                                                    copy::CopyFormat format) {
  std::atomic<std::int64_t> bytes_of_target{0};
  const std::array<copy::DigestRequest, 2> requests = {
      copy::DigestRequest{.connection = source, .copy_out = of_source, .format = format, .flow = {bytes, &throttle}},
      copy::DigestRequest{.connection = target, .copy_out = of_target, .format = format, .flow = bytes_of_target}};
  return copy::digest_rows(requests);
}

std::vector<std::string> DataComparison::Implementation::compare_large_objects(Server& source, Server& target) {
  const std::vector<RowsDigest> digests = digest_both(source.session, target.session, copy::large_objects_statement(),
                                                      copy::large_objects_statement(), copy::CopyFormat::kBinary);
  if (digests[0] == digests[1]) return {};
  std::vector<std::string> differences = {fmt::format("large objects: {} pieces on the source, {} on the target{}",
                                                      digests[0].rows, digests[1].rows,
                                                      digests[0].rows == digests[1].rows ? ", which differ" : "")};
  for (const std::string& piece :
       first_that_differ("large objects", source, target, copy::large_object_digests_sql())) {
    differences.push_back("large object " + piece);
  }
  return differences;
}

ComparedData DataComparison::Implementation::run() {
  if (options.jobs < 1) {
    throw Error(ErrorKind::kUsage, fmt::format("the number of jobs must be at least 1, not {}", options.jobs));
  }
  Server source = open_server(options, Side::kSource, "", log, cancel.token());
  Server target = open_server(options, Side::kTarget, source.encoding, log, cancel.token());
  if (const auto reason = pg::why_not_apart(source.session, target.session, pg::Reach::kDatabase)) {
    throw Error(ErrorKind::kState, *reason)
        .hint("that a database equals itself proves nothing")
        .remedy(Remedy::kCheckServers);
  }
  omit(options, source, target, log);
  const std::map<Name, Relation> here = tables_to_compare(source.catalog);
  const std::map<Name, Relation> there = tables_to_compare(target.catalog);

  ComparedData data;
  std::set<Name> names;
  for (const auto& [name, table] : here) names.insert(name);
  for (const auto& [name, table] : there) names.insert(name);
  data.tables.reserve(names.size());
  std::vector<std::unique_ptr<TableComparison>> tables;
  for (const Name& name : names) {
    const auto in_source = here.find(name);
    const auto in_target = there.find(name);
    ComparedTable& table = data.tables.emplace_back(ComparedTable{.schema = name.first, .name = name.second});
    table.on_source = in_source != here.end();
    table.on_target = in_target != there.end();
    if (!table.on_source || !table.on_target) continue;
    tables.push_back(std::make_unique<TableComparison>(table, in_source->second, in_target->second, source, target));
    if (tables.back()->is_possible()) add_units(*tables.back(), source);
  }
  std::sort(units.begin(), units.end(), [](const Unit& a, const Unit& b) { return b.size < a.size; });
  units_total = units.size();
  run_in_threads(std::min(options.jobs, static_cast<int>(units.size())),
                 [&](int number) { work(number, source, target); });
  {
    const MutexLock lock(results);
    if (first_error) throw Error(*first_error);
  }
  cancel.token().throw_if_cancelled();
  for (const std::unique_ptr<TableComparison>& table : tables) {
    if (!table->is_possible() || !table->result().differs()) continue;
    if (table->table().kind == RelationKind::kMaterializedView) {
      explain_view(*table, source, target);
    } else {
      name_rows(*table, source, target);
    }
  }
  data.sequences = differing_sequences(source, target);
  if (options.large_objects) data.large_objects = compare_large_objects(source, target);
  return data;
}

DataComparison::DataComparison(CompareOptions options, LogSink& sink, const CancelToken& parent)
    : implementation_(new Implementation{.cancel = CancelSource(parent)}) {
  implementation_->options = std::move(options);
  implementation_->log = Log(sink);
  set_pace({.max_rate = implementation_->options.max_rate});
}

DataComparison::~DataComparison() = default;

ComparedData DataComparison::run() { return implementation_->run(); }

ProgressSnapshot DataComparison::progress() const {
  const Implementation& self = *implementation_;
  ProgressSnapshot snapshot;
  snapshot.phase = "comparing";
  snapshot.elapsed = SteadyClock::now() - self.began;
  snapshot.tables_done = self.units_done;
  snapshot.tables_total = self.units_total;
  snapshot.tasks_done = self.units_done;
  snapshot.tasks_total = self.units_total;
  snapshot.copied = {self.bytes.load(std::memory_order_relaxed)};
  if (snapshot.tasks_total > 0) {
    snapshot.fraction = static_cast<double>(snapshot.tasks_done) / static_cast<double>(snapshot.tasks_total);
  }
  return snapshot;
}

void DataComparison::set_pace(const Pace& pace) {
  check_pace(pace);
  implementation_->throttle.set(pace.max_rate, pace.paused);
}

void DataComparison::cancel() noexcept { implementation_->cancel.cancel(); }

}  // namespace pgsluice::pipeline
