#include "schema/selection/selection.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <deque>
#include <map>
#include <optional>
#include <span>
#include <utility>

#include "pg/quote.h"
#include "pg/version.h"
#include "schema/catalog/catalog_sql.h"
#include "schema/selection/dependencies.h"

namespace pgsluice::schema {

namespace {

struct Named {
  Oid oid = 0;
  Oid schema_oid = 0;
  std::string schema;
  std::string name;
  char kind = 0;
};

class Selector {
 public:
  Selector(pg::Connection& source, const SelectionRequest& request)
      : source_(source), rules_(request.rules), dependencies_(source) {
    read_names();
    read_inline_constraints();
    leave_out_extensions(request);
    leave_out_schemas();
    leave_out_tables();
    leave_out_indexes();
    leave_out_rows();
    follow();
    keep_what_defaults_need();
    find_needed_extensions();
    describe_dependents();
    write_patterns();
  }

  Selection take() { return std::move(result_); }

 private:
  void read_names() {
    for (const pg::Row row : source_.execute(
             fmt::format("SELECT n.oid, n.nspname FROM pg_catalog.pg_namespace n WHERE {} ORDER BY 2", kUserSchema))) {
      schemas_.push_back({.oid = row.oid(0), .name = std::string(row.text(1))});
    }
    for (const pg::Row row : source_.execute(
             fmt::format("SELECT c.oid, n.oid, n.nspname, c.relname, c.relkind"
                         "  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
                         " WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S', 'i', 'I') AND {}"
                         "   AND c.relpersistence <> 't' ORDER BY 3, 4",
                         kUserSchema))) {
      relations_.push_back({.oid = row.oid(0),
                            .schema_oid = row.oid(1),
                            .schema = std::string(row.text(2)),
                            .name = std::string(row.text(3)),
                            .kind = row.text(4).front()});
    }
    for (const pg::Row row :
         source_.execute("SELECT oid, extnamespace, extname FROM pg_catalog.pg_extension WHERE oid >= 16384")) {
      extensions_.push_back({.oid = row.oid(0), .schema_oid = row.oid(1), .name = std::string(row.text(2))});
    }
    const bool has_partitions = source_.server_version() >= pg::since::kPartitions;
    for (const pg::Row row :
         source_.execute(fmt::format("SELECT i.inhrelid, i.inhparent, {} FROM pg_catalog.pg_inherits i"
                                     " JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid",
                                     has_partitions ? "c.relispartition" : "false"))) {
      parents_.emplace(row.oid(0), row.oid(1));
      if (row.boolean(2)) partitions_.emplace(row.oid(1), row.oid(0));
    }
  }

  // What CREATE TABLE and CREATE DOMAIN write themselves.
  void read_inline_constraints() {
    for (const pg::Row row : source_.execute("SELECT oid FROM pg_catalog.pg_constraint WHERE contype IN ('c', 'n') AND "
                                             "convalidated AND oid >= 16384")) {
      inline_constraints_.insert(row.oid(0));
    }
  }

  // Puts it on the list of what others are looked for that depend on it.
  void leave_out(CatalogId id, CatalogId because) {
    if (!result_.left_out.insert(id).second) return;
    because_.emplace(id, because);
    to_follow_.push_back(id);
  }
  void leave_out_by_name(CatalogId id) {
    named_.insert(id);
    leave_out(id, id);
  }

  // Whether entries of a section name this; remembers which have named anything.
  bool is_named(FilterSection section, const std::string& schema, const std::string& name) {
    bool found = false;
    for (const FilterEntry& entry : rules_.of(section)) {
      if ((entry.schema && !entry.schema->matches(schema)) || !entry.name.matches(name)) continue;
      found = true;
      entries_used_.insert(&entry);
    }
    return found;
  }

  void note_named(FilterSection section, std::vector<std::string> names) {
    if (!names.empty()) result_.named.push_back(fmt::format("[{}]: {}", to_string(section), fmt::join(names, ", ")));
  }

  // An entry that has named nothing is a mistake, unless it is a regular expression.
  void warn_of_unused(FilterSection section, const std::vector<Named>& candidates) {
    for (const FilterEntry& entry : rules_.of(section)) {
      if (entry.is_regex() || entries_used_.contains(&entry)) continue;
      const bool quoted = std::any_of(candidates.begin(), candidates.end(), [&](const Named& candidate) {
        return entry.name.would_match_quoted(candidate.name) &&
               (!entry.schema || entry.schema->would_match_quoted(candidate.schema));
      });
      result_.warnings.push_back(fmt::format("the filter's line {}, {} in [{}], names nothing{}", entry.line,
                                             entry.text, to_string(section),
                                             quoted ? ": names with capitals have to be quoted" : ""));
    }
  }

  void leave_out_extensions(const SelectionRequest& request) {
    const bool include = rules_.has(FilterSection::kIncludeOnlyExtension);
    const FilterSection section = include ? FilterSection::kIncludeOnlyExtension : FilterSection::kExcludeExtension;
    std::vector<std::string> names;
    for (const Named& extension : extensions_) {
      const bool named = is_named(section, "", extension.name);
      if (!request.skip_extensions && (rules_.of(section).empty() || named == include)) continue;
      const CatalogId id{kPgExtension, extension.oid};
      if (!request.skip_extensions) names.push_back(pg::display_name("", extension.name));
      if (!request.skip_extensions && !request.extensions_on_target.contains(extension.name)) {
        leave_out_by_name(id);
        continue;
      }
      // It is there, so what needs it stays.
      result_.left_out.insert(id);
      assumed_extensions_[id] = extension.name;
      for (const Dependency& dependency : dependencies_.dependents_of(id)) {
        if (dependency.type == 'e') result_.left_out.insert(dependency.dependent);
      }
    }
    note_named(section, std::move(names));
    warn_of_unused(section, extensions_);
  }

  void leave_out_schemas() {
    const bool include = rules_.has(FilterSection::kIncludeOnlySchema);
    const FilterSection section = include ? FilterSection::kIncludeOnlySchema : FilterSection::kExcludeSchema;
    if (rules_.of(section).empty()) return;
    // Where tables are listed too, these decide.
    std::set<Oid> of_listed_tables;
    if (include) {
      const std::set<Oid> listed = listed_tables();
      for (const Named& relation : relations_) {
        if (listed.contains(relation.oid)) of_listed_tables.insert(relation.schema_oid);
      }
    }
    std::vector<std::string> names;
    for (const Named& schema : schemas_) {
      if (is_named(section, "", schema.name) == include || of_listed_tables.contains(schema.oid)) continue;
      names.push_back(pg::display_name("", schema.name));
      const bool has_extension = std::any_of(extensions_.begin(), extensions_.end(), [&](const Named& extension) {
        return extension.schema_oid == schema.oid && result_.keeps(CatalogId{kPgExtension, extension.oid});
      });
      // Its extension has to be put somewhere.
      if (has_extension) hollow_schemas_.insert(schema.oid);
      leave_out_by_name({kPgNamespace, schema.oid});
    }
    note_named(section, std::move(names));
    warn_of_unused(section, schemas_);
  }

  static bool has_rows(const Named& relation) {
    return std::string_view("rpmf").find(relation.kind) != std::string_view::npos;
  }

  void leave_out_tables() {
    if (!rules_.of(FilterSection::kIncludeOnlyTable).empty()) return leave_out_tables_not_listed();
    std::vector<std::string> names;
    for (const Named& relation : relations_) {
      if (relation.kind == 'i' || relation.kind == 'I') continue;
      if (!is_named(FilterSection::kExcludeTable, relation.schema, relation.name)) continue;
      if (relation.kind == 'S' && is_used(relation) && !is_named_exactly(relation)) continue;
      names.push_back(pg::display_name(relation.schema, relation.name));
      leave_out_by_name({kPgClass, relation.oid});
    }
    note_named(FilterSection::kExcludeTable, std::move(names));
    warn_of_unused(FilterSection::kExcludeTable, relations_);
  }

  // By a column that owns the sequence, or a default that calls it. Where an expression names it with others, it
  // follows that table: its name begins with the table's, and whoever wrote the expression may not know that it is
  // there.
  bool is_used(const Named& sequence) const {
    const CatalogId id{kPgClass, sequence.oid};
    const auto& needs = dependencies_.needs_of(id);
    const bool is_owned =
        std::any_of(needs.begin(), needs.end(), [](const Dependency& need) { return need.on.table == kPgClass; });
    return is_owned || !dependencies_.dependents_of(id).empty();
  }

  bool is_named_exactly(const Named& relation) const {
    const std::vector<FilterEntry>& entries = rules_.of(FilterSection::kExcludeTable);
    return std::any_of(entries.begin(), entries.end(), [&](const FilterEntry& entry) {
      return !entry.name.is_regex() && entry.name.matches(relation.name) &&
             (!entry.schema || entry.schema->matches(relation.schema));
    });
  }

  // A partitioned table comes with its partitions, and a partition or a child with what it is one of.
  std::set<Oid> listed_tables() {
    std::set<Oid> listed;
    for (const Named& relation : relations_) {
      if (!is_named(FilterSection::kIncludeOnlyTable, relation.schema, relation.name)) continue;
      add_parents(relation.oid, listed);
      add_partitions(relation.oid, listed);
    }
    return listed;
  }

  void add_parents(Oid child, std::set<Oid>& to) const {
    to.insert(child);
    const auto [begin, end] = parents_.equal_range(child);
    for (auto parent = begin; parent != end; ++parent) add_parents(parent->second, to);
  }

  void leave_out_tables_not_listed() {
    const std::set<Oid> listed = listed_tables();
    std::vector<std::string> names;
    for (const Named& relation : relations_) {
      if (!has_rows(relation) || listed.contains(relation.oid)) continue;
      if (dependencies_.extension_of({kPgClass, relation.oid})) continue;
      names.push_back(pg::display_name(relation.schema, relation.name));
      leave_out_by_name({kPgClass, relation.oid});
    }
    if (!names.empty()) result_.named.push_back(fmt::format("not in [include-only-table]: {}", fmt::join(names, ", ")));
    warn_of_unused(FilterSection::kIncludeOnlyTable, relations_);
  }

  // A materialized view that is not filled cannot be read.
  void leave_unfilled_what_reads_unfilled_views() {
    std::map<Oid, const Named*> views;
    for (const Named& relation : relations_) {
      if (relation.kind == 'm' || relation.kind == 'v') views[relation.oid] = &relation;
    }
    std::set<Oid> seen;
    std::deque<Oid> to_follow;
    for (const Oid oid : result_.without_rows) {
      if (views.contains(oid) && seen.insert(oid).second) to_follow.push_back(oid);
    }
    for (; !to_follow.empty(); to_follow.pop_front()) {
      for (const Dependency& rule : dependencies_.dependents_of({kPgClass, to_follow.front()})) {
        for (const Dependency& of : dependencies_.needs_of(rule.dependent)) {
          const auto view = views.find(of.on.oid);
          if (!of.is_part() || of.on.table != kPgClass || view == views.end() || !seen.insert(of.on.oid).second)
            continue;
          to_follow.push_back(of.on.oid);
          if (view->second->kind != 'm') continue;
          result_.without_rows.insert(of.on.oid);
          result_.warnings.push_back(fmt::format("materialized view {} stays unfilled too: it reads one that does",
                                                 pg::display_name(view->second->schema, view->second->name)));
        }
      }
    }
  }

  void add_partitions(Oid parent, std::set<Oid>& to) const {
    to.insert(parent);
    const auto [begin, end] = partitions_.equal_range(parent);
    for (auto partition = begin; partition != end; ++partition) add_partitions(partition->second, to);
  }

  void leave_out_indexes() {
    std::vector<std::string> names;
    for (const Named& relation : relations_) {
      if (relation.kind != 'i' && relation.kind != 'I') continue;
      if (!is_named(FilterSection::kExcludeIndex, relation.schema, relation.name)) continue;
      names.push_back(pg::display_name(relation.schema, relation.name));
      leave_out_by_name({kPgClass, relation.oid});
      const auto above = parents_.find(relation.oid);
      if (above != parents_.end() && !is_named_index(above->second)) {
        result_.warnings.push_back(
            fmt::format("without index {}, that of the partitioned table above it stays invalid on the target",
                        pg::display_name(relation.schema, relation.name)));
      }
    }
    note_named(FilterSection::kExcludeIndex, std::move(names));
    warn_of_unused(FilterSection::kExcludeIndex, relations_);
  }

  bool is_named_index(Oid oid) {
    return std::any_of(relations_.begin(), relations_.end(), [&](const Named& relation) {
      return relation.oid == oid && is_named(FilterSection::kExcludeIndex, relation.schema, relation.name);
    });
  }

  void leave_out_rows() {
    std::vector<std::string> names;
    for (const Named& relation : relations_) {
      if (!has_rows(relation)) continue;
      if (!is_named(FilterSection::kExcludeTableData, relation.schema, relation.name)) continue;
      names.push_back(pg::display_name(relation.schema, relation.name));
      add_partitions(relation.oid, result_.without_rows);
    }
    leave_unfilled_what_reads_unfilled_views();
    note_named(FilterSection::kExcludeTableData, std::move(names));
    warn_of_unused(FilterSection::kExcludeTableData, relations_);
  }

  void follow() {
    while (!to_follow_.empty()) {
      const CatalogId id = to_follow_.front();
      to_follow_.pop_front();
      for (const Dependency& edge : dependencies_.dependents_of(id)) leave_out_dependent(edge);
      // A part of a definition cannot go without it.
      for (const Dependency& dependency : dependencies_.needs_of(id)) {
        const bool written_in_it = dependency.type == 'a' && (id.table == kPgAttrdef || is_inline_constraint(id));
        if (dependency.type == 'i' || written_in_it) leave_out(dependency.on, because_.at(id));
      }
    }
  }

  void leave_out_dependent(const Dependency& dependency) {
    if (dependency.on.table == kPgNamespace) {
      const CatalogId id = dependency.dependent;
      if (id.table == kPgExtension || dependencies_.extension_of(id)) return;
    }
    if (dependency.type == 'a' && is_sequence(dependency.dependent)) {
      owned_sequences_.push_back(dependency);
      return;
    }
    leave_out(dependency.dependent, dependency.on);
  }

  bool is_inline_constraint(CatalogId id) const {
    return id.table == kPgConstraint && inline_constraints_.contains(id.oid);
  }

  bool is_sequence(CatalogId id) const {
    if (id.table != kPgClass) return false;
    if (sequences_.empty()) {
      for (const Named& relation : relations_) {
        if (relation.kind == 'S') sequences_.insert(relation.oid);
      }
      sequences_.insert(0);
    }
    return sequences_.contains(id.oid);
  }

  // A sequence goes with the table that owns it, unless a default of one that stays calls it.
  void keep_what_defaults_need() {
    for (std::size_t before = result_.left_out.size() + 1; before != result_.left_out.size();) {
      before = result_.left_out.size();
      for (const Dependency& owned : std::vector<Dependency>(owned_sequences_)) {
        if (!result_.keeps(owned.dependent)) continue;
        const std::span<const Dependency> calls = dependencies_.dependents_of(owned.dependent);
        const bool called = std::any_of(calls.begin(), calls.end(), [&](const Dependency& call) {
          return call.dependent.table == kPgAttrdef && result_.keeps(call.dependent);
        });
        if (!called) leave_out(owned.dependent, owned.on);
      }
      follow();
    }
    for (const Dependency& owned : owned_sequences_) {
      if (result_.keeps(owned.dependent)) result_.sequences_without_owner.insert(owned.dependent.oid);
    }
  }

  void find_needed_extensions() {
    for (const Dependency& dependency : dependencies_.all()) {
      const std::optional<CatalogId> extension = dependencies_.extension_of(dependency.on);
      if (!extension || dependency.is_part() || !result_.keeps(dependency.dependent)) continue;
      if (dependencies_.is_of_extension(dependency.dependent)) continue;
      const auto assumed = assumed_extensions_.find(*extension);
      if (assumed != assumed_extensions_.end()) result_.needed_extensions.insert(assumed->second);
    }
  }

  // Without what is a part of something that goes too.
  void describe_dependents() {
    std::vector<CatalogId> ids;
    for (const auto& [id, because] : because_) {
      if (named_.contains(id)) continue;
      const std::span<const Dependency> needs = dependencies_.needs_of(id);
      const bool part = std::any_of(needs.begin(), needs.end(), [&](const Dependency& dependency) {
        return dependency.is_part() && !result_.keeps(dependency.on);
      });
      if (part) continue;
      ids.push_back(id);
      ids.push_back(because);
    }
    const std::vector<std::string> texts = describe(ids);
    for (std::size_t i = 0; i < ids.size(); i += 2) {
      result_.dependents.push_back({.id = ids[i], .object = texts[i], .because = texts[i + 1]});
    }
    for (const Oid schema : hollow_schemas_) result_.left_out.erase({kPgNamespace, schema});
  }

  std::vector<std::string> describe(const std::vector<CatalogId>& ids) {
    std::vector<Oid> catalogs;
    std::vector<Oid> oids;
    for (const CatalogId& id : ids) {
      catalogs.push_back(id.table);
      oids.push_back(id.oid);
    }
    const std::array<std::string, 2> parameters = {fmt::format("{{{}}}", fmt::join(catalogs, ",")),
                                                   fmt::format("{{{}}}", fmt::join(oids, ","))};
    std::vector<std::string> texts;
    for (const pg::Row row : source_.execute(
             "SELECT coalesce(pg_catalog.pg_describe_object(catalog, oid, 0), '?')"
             "  FROM (SELECT pg_catalog.unnest($1::oid[]) AS catalog, pg_catalog.unnest($2::oid[]) AS oid) o",
             parameters)) {
      texts.emplace_back(row.text(0));
    }
    return texts;
  }

  // The kernel takes 2 MB of arguments. What does not fit is left out of the archive all the same; pg_dump only looks
  // at it in vain.
  void write_patterns() {
    constexpr std::size_t kMost = 1024 * 1024;
    std::size_t size = 0;
    for (const Named& schema : schemas_) {
      if (!result_.keeps(CatalogId{kPgNamespace, schema.oid})) {
        result_.schema_patterns.push_back(pg::quote_identifier(schema.name));
        size += result_.schema_patterns.back().size();
      }
    }
    for (const Named& relation : relations_) {
      if (result_.keeps(relation.oid) || !result_.keeps(CatalogId{kPgNamespace, relation.schema_oid})) continue;
      if (relation.kind == 'i' || relation.kind == 'I' || dependencies_.extension_of({kPgClass, relation.oid}))
        continue;
      result_.table_patterns.push_back(pg::quote_identifier(relation.schema) + "." +
                                       pg::quote_identifier(relation.name));
      size += result_.table_patterns.back().size();
    }
    if (size > kMost) result_.table_patterns.clear();
  }

  pg::Connection& source_;
  const FilterRules& rules_;
  const Dependencies dependencies_;
  Selection result_;

  std::vector<Named> schemas_;
  std::vector<Named> relations_;
  std::vector<Named> extensions_;
  std::multimap<Oid, Oid> partitions_;
  std::multimap<Oid, Oid> parents_;
  std::set<Oid> inline_constraints_;
  mutable std::set<Oid> sequences_;

  std::set<const FilterEntry*> entries_used_;
  std::set<CatalogId> named_;
  std::map<CatalogId, CatalogId> because_;
  std::deque<CatalogId> to_follow_;
  std::vector<Dependency> owned_sequences_;
  std::set<Oid> hollow_schemas_;
  std::map<CatalogId, std::string> assumed_extensions_;
};

}  // namespace

Selection select_objects(pg::Connection& source, const SelectionRequest& request) {
  if (request.rules.empty() && !request.skip_extensions) return {};
  return Selector(source, request).take();
}

}  // namespace pgsluice::schema
