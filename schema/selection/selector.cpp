#include "schema/selection/selector.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <span>

#include "pg/quote.h"

namespace pgsluice::schema {

namespace {

class Selector {
 public:
  Selector(const ObjectNames& names, const Dependencies& dependencies, const SelectionRequest& request)
      : names_(names), dependencies_(dependencies), rules_(request.rules), closure_(names, dependencies) {
    leave_out_extensions(request);
    leave_out_schemas();
    leave_out_tables();
    leave_out_indexes();
    leave_out_rows();
    closure_.complete();
    find_needed_extensions();
  }

  UndescribedSelection finish() {
    UndescribedSelection result{.selection = {}, .dependents = dependents()};
    for (const Oid schema : hollow_schemas_) closure_.take_back({kPgNamespace, schema});
    result_.left_out = closure_.left_out();
    result_.sequences_without_owner = closure_.sequences_without_owner();
    write_patterns();
    result.selection = std::move(result_);
    return result;
  }

 private:
  // True if an entry of the section names this; remembers which entries have named anything.
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
  void warn_of_unused(FilterSection section, const std::vector<NamedObject>& candidates) {
    for (const FilterEntry& entry : rules_.of(section)) {
      if (entry.is_regex() || entries_used_.contains(&entry)) continue;
      const bool quoted = std::any_of(candidates.begin(), candidates.end(), [&](const NamedObject& candidate) {
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
    for (const NamedObject& extension : names_.extensions) {
      const bool named = is_named(section, "", extension.name);
      if (!request.skip_extensions && (rules_.of(section).empty() || named == include)) continue;
      const CatalogId id{kPgExtension, extension.oid};
      if (!request.skip_extensions) names.push_back(pg::display_name("", extension.name));
      if (!request.skip_extensions && !request.extensions_on_target.contains(extension.name)) {
        closure_.leave_out(id);
        continue;
      }
      // It is there, so what needs it stays.
      closure_.leave_out_alone(id);
      assumed_extensions_[id] = extension.name;
      for (const Dependency& dependency : dependencies_.dependents_of(id)) {
        if (dependency.type == 'e') closure_.leave_out_alone(dependency.dependent);
      }
    }
    note_named(section, std::move(names));
    warn_of_unused(section, names_.extensions);
  }

  void leave_out_schemas() {
    const bool include = rules_.has(FilterSection::kIncludeOnlySchema);
    const FilterSection section = include ? FilterSection::kIncludeOnlySchema : FilterSection::kExcludeSchema;
    if (rules_.of(section).empty()) return;
    // Where tables are listed too, these decide.
    std::set<Oid> of_listed_tables;
    if (include) {
      const std::set<Oid> listed = listed_tables();
      for (const NamedObject& relation : names_.relations) {
        if (listed.contains(relation.oid)) of_listed_tables.insert(relation.schema_oid);
      }
    }
    std::vector<std::string> names;
    for (const NamedObject& schema : names_.schemas) {
      if (is_named(section, "", schema.name) == include || of_listed_tables.contains(schema.oid)) continue;
      names.push_back(pg::display_name("", schema.name));
      const bool has_extension =
          std::any_of(names_.extensions.begin(), names_.extensions.end(), [&](const NamedObject& extension) {
            return extension.schema_oid == schema.oid && closure_.keeps({kPgExtension, extension.oid});
          });
      // Its extension has to be put somewhere.
      if (has_extension) hollow_schemas_.insert(schema.oid);
      closure_.leave_out({kPgNamespace, schema.oid});
    }
    note_named(section, std::move(names));
    warn_of_unused(section, names_.schemas);
  }

  void leave_out_tables() {
    if (!rules_.of(FilterSection::kIncludeOnlyTable).empty()) return leave_out_tables_not_listed();
    std::vector<std::string> names;
    for (const NamedObject& relation : names_.relations) {
      if (relation.is_index()) continue;
      if (!is_named(FilterSection::kExcludeTable, relation.schema, relation.name)) continue;
      if (relation.is_sequence() && is_used(relation) && !is_named_exactly(relation)) continue;
      names.push_back(pg::display_name(relation.schema, relation.name));
      closure_.leave_out({kPgClass, relation.oid});
    }
    note_named(FilterSection::kExcludeTable, std::move(names));
    warn_of_unused(FilterSection::kExcludeTable, names_.relations);
  }

  // By a column that owns the sequence, or a default that calls it. Where an expression names it with others, it
  // follows that table: its name begins with the table's, and the author of the expression may not know that it is
  // there.
  bool is_used(const NamedObject& sequence) const {
    const CatalogId id{kPgClass, sequence.oid};
    const auto& needs = dependencies_.needs_of(id);
    const bool is_owned =
        std::any_of(needs.begin(), needs.end(), [](const Dependency& need) { return need.on.table == kPgClass; });
    return is_owned || !dependencies_.dependents_of(id).empty();
  }

  bool is_named_exactly(const NamedObject& relation) const {
    const std::vector<FilterEntry>& entries = rules_.of(FilterSection::kExcludeTable);
    return std::any_of(entries.begin(), entries.end(), [&](const FilterEntry& entry) {
      return !entry.name.is_regex() && entry.name.matches(relation.name) &&
             (!entry.schema || entry.schema->matches(relation.schema));
    });
  }

  // A partitioned table comes with its partitions, and a partition or a child with what it is one of.
  std::set<Oid> listed_tables() {
    std::set<Oid> listed;
    for (const NamedObject& relation : names_.relations) {
      if (!is_named(FilterSection::kIncludeOnlyTable, relation.schema, relation.name)) continue;
      names_.add_with_parents(relation.oid, listed);
      names_.add_with_partitions(relation.oid, listed);
    }
    return listed;
  }

  void leave_out_tables_not_listed() {
    const std::set<Oid> listed = listed_tables();
    std::vector<std::string> names;
    for (const NamedObject& relation : names_.relations) {
      if (!relation.has_rows() || listed.contains(relation.oid)) continue;
      if (dependencies_.extension_of({kPgClass, relation.oid})) continue;
      names.push_back(pg::display_name(relation.schema, relation.name));
      closure_.leave_out({kPgClass, relation.oid});
    }
    if (!names.empty()) result_.named.push_back(fmt::format("not in [include-only-table]: {}", fmt::join(names, ", ")));
    warn_of_unused(FilterSection::kIncludeOnlyTable, names_.relations);
  }

  // A materialized view that is not filled cannot be read.
  void leave_unfilled_what_reads_unfilled_views() {
    std::map<Oid, const NamedObject*> views;
    for (const NamedObject& relation : names_.relations) {
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

  void leave_out_indexes() {
    std::vector<std::string> names;
    for (const NamedObject& relation : names_.relations) {
      if (!relation.is_index()) continue;
      if (!is_named(FilterSection::kExcludeIndex, relation.schema, relation.name)) continue;
      names.push_back(pg::display_name(relation.schema, relation.name));
      closure_.leave_out({kPgClass, relation.oid});
      const auto above = names_.parents.find(relation.oid);
      if (above != names_.parents.end() && !is_named_index(above->second)) {
        result_.warnings.push_back(
            fmt::format("without index {}, that of the partitioned table above it stays invalid on the target",
                        pg::display_name(relation.schema, relation.name)));
      }
    }
    note_named(FilterSection::kExcludeIndex, std::move(names));
    warn_of_unused(FilterSection::kExcludeIndex, names_.relations);
  }

  bool is_named_index(Oid oid) {
    return std::any_of(names_.relations.begin(), names_.relations.end(), [&](const NamedObject& relation) {
      return relation.oid == oid && is_named(FilterSection::kExcludeIndex, relation.schema, relation.name);
    });
  }

  void leave_out_rows() {
    std::vector<std::string> names;
    for (const NamedObject& relation : names_.relations) {
      if (!relation.has_rows()) continue;
      if (!is_named(FilterSection::kExcludeTableData, relation.schema, relation.name)) continue;
      names.push_back(pg::display_name(relation.schema, relation.name));
      names_.add_with_partitions(relation.oid, result_.without_rows);
    }
    leave_unfilled_what_reads_unfilled_views();
    note_named(FilterSection::kExcludeTableData, std::move(names));
    warn_of_unused(FilterSection::kExcludeTableData, names_.relations);
  }

  void find_needed_extensions() {
    for (const Dependency& dependency : dependencies_.all()) {
      const std::optional<CatalogId> extension = dependencies_.extension_of(dependency.on);
      if (!extension || dependency.is_part() || !closure_.keeps(dependency.dependent)) continue;
      if (dependencies_.is_of_extension(dependency.dependent)) continue;
      const auto assumed = assumed_extensions_.find(*extension);
      if (assumed != assumed_extensions_.end()) result_.needed_extensions.insert(assumed->second);
    }
  }

  // Without what is a part of something that goes too.
  std::vector<std::pair<CatalogId, CatalogId>> dependents() const {
    std::vector<std::pair<CatalogId, CatalogId>> result;
    for (const auto& [id, because] : closure_.because()) {
      if (id == because) continue;
      const std::span<const Dependency> needs = dependencies_.needs_of(id);
      const bool part = std::any_of(needs.begin(), needs.end(), [&](const Dependency& dependency) {
        return dependency.is_part() && !closure_.keeps(dependency.on);
      });
      if (!part) result.emplace_back(id, because);
    }
    return result;
  }

  // The kernel takes 2 MB of arguments. What does not fit is left out of the archive all the same; pg_dump only looks
  // at it in vain.
  void write_patterns() {
    constexpr std::size_t kMost = 1024 * 1024;
    std::size_t size = 0;
    for (const NamedObject& schema : names_.schemas) {
      if (!closure_.keeps({kPgNamespace, schema.oid})) {
        result_.schema_patterns.push_back(pg::quote_identifier(schema.name));
        size += result_.schema_patterns.back().size();
      }
    }
    for (const NamedObject& relation : names_.relations) {
      if (closure_.keeps({kPgClass, relation.oid}) || !closure_.keeps({kPgNamespace, relation.schema_oid})) continue;
      if (relation.is_index() || dependencies_.extension_of({kPgClass, relation.oid})) continue;
      result_.table_patterns.push_back(pg::quote_identifier(relation.schema) + "." +
                                       pg::quote_identifier(relation.name));
      size += result_.table_patterns.back().size();
    }
    if (size > kMost) result_.table_patterns.clear();
  }

  const ObjectNames& names_;
  const Dependencies& dependencies_;
  const FilterRules& rules_;
  Closure closure_;
  Selection result_;

  std::set<const FilterEntry*> entries_used_;
  /// Schemas that are left out and yet made, for an extension that has to be put somewhere.
  std::set<Oid> hollow_schemas_;
  /// Extensions that are left out and taken to be on the target.
  std::map<CatalogId, std::string> assumed_extensions_;
};

}  // namespace

UndescribedSelection select_objects(const ObjectNames& names, const Dependencies& dependencies,
                                    const SelectionRequest& request) {
  return Selector(names, dependencies, request).finish();
}

}  // namespace pgsluice::schema
