#include "migration/verification.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <vector>

#include "base/counted.h"
#include "pg/quote.h"
#include "pgsluice/schema_comparison.h"
#include "schema/catalog/extension_members.h"

namespace pgsluice::migration {

namespace {

constexpr std::size_t kMaxNamed = 5;

// True if all definitions should be on the target, and as they are on the source.
bool is_whole(const pipeline::CloneOptions& engine) {
  const schema::RestoreOptions all;
  const schema::RestoreOptions& wanted = engine.restore;
  const bool everything = wanted.owners == all.owners && wanted.acls == all.acls && wanted.comments == all.comments &&
                          wanted.tablespaces == all.tablespaces &&
                          wanted.extension_comments == all.extension_comments && wanted.collations == all.collations;
  // A key with orphan rows that is allowed stays NOT VALID.
  return everything && engine.extensions && engine.large_objects && engine.extension_versions.empty() &&
         engine.filters.empty() && !engine.allow_orphans;
}

std::string side_of(const pipeline::SchemaDifference& difference) {
  if (difference.source.empty()) return " only on the target";
  return difference.target.empty() ? " only on the source" : " defined otherwise";
}

std::string name_of(const pipeline::ComparedTable& table) { return pg::display_name(table.schema, table.name); }

std::vector<std::string> differences_of(const pipeline::ComparedData& data) {
  std::vector<std::string> differences;
  for (const pipeline::ComparedTable& table : data.tables) {
    if (!table.differs()) continue;
    const std::string what = !table.on_target         ? "only on the source"
                             : !table.on_source       ? "only on the target"
                             : !table.trouble.empty() ? table.trouble
                             : table.rows.empty()     ? "its rows differ"
                                                      : "row " + table.rows.front();
    differences.push_back(fmt::format("table {}: {}", name_of(table), what));
  }
  const auto add = [&](const std::vector<std::string>& more) {
    differences.insert(differences.end(), more.begin(), more.end());
  };
  add(data.sequences);
  add(data.large_objects);
  return differences;
}

// Shows a comparison as long as it lives.
class Watched {
 public:
  Watched(pipeline::DataComparison& comparison, const WatchComparison& watch) : watch_(watch) {
    if (watch_) watch_(&comparison);
  }
  Watched(const Watched&) = delete;
  Watched& operator=(const Watched&) = delete;
  ~Watched() {
    if (watch_) watch_(nullptr);
  }

 private:
  const WatchComparison& watch_;
};

// Each reads by a session of its own, and one more reads the catalog.
int jobs_of(const pipeline::CloneOptions& engine) {
  const int sessions = engine.pace.max_source_sessions;
  return sessions == 0 ? engine.table_jobs : std::clamp(sessions - 1, 1, engine.table_jobs);
}

std::vector<std::string> tables_unread(const pipeline::ComparedData& data) {
  std::vector<std::string> tables;
  for (const pipeline::ComparedTable& table : data.tables) {
    if (!table.undecided.empty()) tables.push_back(name_of(table));
  }
  return tables;
}

}  // namespace

bool compares_definitions(const pipeline::CloneOptions& engine) { return is_whole(engine); }

Verification verify_database(const Request& request, const std::string& database, LogSink& sink,
                             const CancelToken& cancel, const WatchComparison& watch) {
  const std::string source = request.conninfo(Side::kSource, database);
  const std::string target = request.conninfo(Side::kTarget, database);
  const bool compares_all = is_whole(request.engine);
  std::vector<std::string> differences;
  std::string note;
  if (compares_all) {
    const pipeline::CompareSchemaOptions options{
        .source = source, .target = target, .pg_bindir = request.engine.pg_bindir, .may_use_other_programs = false};
    const pipeline::SchemaComparison compared = pipeline::compare_schemas(options, Log(sink), cancel);
    std::vector<std::string> in_extensions;
    for (const pipeline::SchemaDifference& difference : compared.differences) {
      // No copy brings these; the summary has named each.
      const bool is_in_extension = schema::is_of_extension_members({difference.object, "", ""});
      (is_in_extension ? in_extensions : differences).push_back(difference.object + side_of(difference));
    }
    if (!in_extensions.empty()) note += "; but not " + some_of(in_extensions, kMaxNamed, "; ");
    if (!compared.undecided.empty()) {
      note += fmt::format(
          "; {} could not be compared, since the servers print them in different words and the target's "
          "user may not create a database to find out more",
          counted(compared.undecided.size(), "definition"));
    }
    if (!compared.not_compared.empty()) note += "; definitions were not compared: " + compared.not_compared;
  }
  pipeline::DataComparison comparison({.source = source,
                                       .target = target,
                                       .jobs = jobs_of(request.engine),
                                       .split = request.engine.split,
                                       .filters = request.engine.filters,
                                       .extensions = request.engine.extensions,
                                       .large_objects = request.engine.large_objects},
                                      sink, cancel);
  const Watched watched(comparison, watch);
  const pipeline::ComparedData data = comparison.run();
  for (std::string& difference : differences_of(data)) differences.push_back(std::move(difference));
  const std::vector<std::string> unread = tables_unread(data);
  if (!unread.empty()) {
    note += fmt::format(
        "; rows were counted while they were copied, but could not be compared, since row-level security hides them "
        "from "
        "the migration's user: {}",
        some_of(unread, kMaxNamed, ", "));
  }
  if (!differences.empty()) return {.equal = false, .text = some_of(differences, kMaxNamed, "; ")};
  return {.equal = true,
          .text = compares_all ? "equal" + note
                               : "contents equal; definitions were not compared, since some are left out" + note};
}

}  // namespace pgsluice::migration
