#include "tests/pipeline/run/simulated_run.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <random>

#include "pipeline/run/simulation.h"

namespace pgsluice::test {

namespace {

using pipeline::Task;
using pipeline::TaskId;
using schema::EntryKind;
using schema::Section;
using schema::TocEntry;

constexpr schema::Oid kPgClass = 1259;
constexpr schema::Oid kPgConstraint = 2606;

class InputBuilder {
 public:
  explicit InputBuilder(const SimulatedDatabase& database) : database_(database) {
    input_.catalog.server_version = input_.target_version = 180000;
    double sum = 0;
    for (std::size_t rank = 1; rank <= database.tables; ++rank) sum += weight(rank);
    for (std::size_t rank = 1; rank <= database.tables; ++rank) {
      add_table(static_cast<std::int64_t>(static_cast<double>(database.bytes) * weight(rank) / sum));
    }
    for (std::size_t at = 0; at < database.tables; ++at) add_indexes(at);
    for (std::size_t at = 1; at < database.tables; ++at) {
      const bool refers =
          database.every_with_foreign_key > 0 && at % static_cast<std::size_t>(database.every_with_foreign_key) == 0;
      if (refers) add_foreign_key(at, database.all_refer_to_first ? 0 : at * 7919 % 104'729 % at);
    }
  }

  pipeline::PlanInput take(const SimulatedMachine& machine) {
    input_.target_resources = {.maintenance_work_mem = {64LL << 20},
                               .shared_buffers = {1LL << 30},
                               .max_parallel_maintenance_workers = machine.parallel_workers};
    return std::move(input_);
  }

 private:
  double weight(std::size_t rank) const { return std::pow(static_cast<double>(rank), -database_.exponent); }

  int add_entry(const char* kind, const std::string& tag, schema::CatalogId id, Section section,
                std::vector<int> dependencies) {
    TocEntry entry;
    entry.dump_id = static_cast<int>(input_.archive.entries.size()) + 1;
    entry.kind = EntryKind(kind);
    entry.tag = tag;
    entry.schema = "public";
    entry.catalog_id = id;
    entry.section = section;
    entry.dependencies = std::move(dependencies);
    input_.archive.entries.push_back(std::move(entry));
    return input_.archive.entries.back().dump_id;
  }

  void add_table(std::int64_t bytes) {
    schema::Relation table;
    table.oid = next_oid_++;
    table.schema = "public";
    table.name = fmt::format("t{}", input_.catalog.relations.size());
    table.access_method = "heap";
    table.columns = {"id"};
    table.column_types = {23};
    table.heap_size = {bytes};
    entries_.push_back(add_entry("TABLE", table.name, {kPgClass, table.oid}, Section::kPreData, {}));
    input_.catalog.relations.push_back(std::move(table));
  }

  void add_indexes(std::size_t at) {
    const schema::Relation& table = input_.catalog.relations[at];
    const schema::Oid key = next_oid_++;
    const schema::Oid constraint = next_oid_++;
    input_.catalog.indexes.push_back({.oid = key,
                                      .table = table.oid,
                                      .schema = "public",
                                      .name = table.name + "_pkey",
                                      .definition = fmt::format("CREATE UNIQUE INDEX {0}_pkey ON {0} (id)", table.name),
                                      .constraint = constraint,
                                      .constraint_name = table.name + "_pkey",
                                      .constraint_type = 'p'});
    keys_.push_back(add_entry("CONSTRAINT", table.name + " " + table.name + "_pkey", {kPgConstraint, constraint},
                              Section::kPostData, {entries_[at]}));
    for (int i = 0; i < database_.indexes; ++i) {
      const schema::Oid index = next_oid_++;
      const std::string name = fmt::format("{}_{}", table.name, i);
      input_.catalog.indexes.push_back({.oid = index,
                                        .table = table.oid,
                                        .schema = "public",
                                        .name = name,
                                        .definition = fmt::format("CREATE INDEX {} ON {} (id)", name, table.name)});
      add_entry("INDEX", name, {kPgClass, index}, Section::kPostData, {entries_[at]});
    }
  }

  void add_foreign_key(std::size_t child, std::size_t parent) {
    const schema::Oid oid = next_oid_++;
    const std::string name = fmt::format("fk_{}", child);
    input_.catalog.foreign_keys.push_back({.oid = oid,
                                           .name = name,
                                           .child = input_.catalog.relations[child].oid,
                                           .parent = input_.catalog.relations[parent].oid,
                                           .validated_apart = true});
    const int entry =
        add_entry("FK CONSTRAINT", input_.catalog.relations[child].name + " " + name, {kPgConstraint, oid},
                  Section::kPostData, {entries_[child], entries_[parent], keys_[parent]});
    input_.archive.entries[static_cast<std::size_t>(entry) - 1].definition =
        fmt::format("ALTER TABLE ONLY public.t{}\n    ADD CONSTRAINT {} FOREIGN KEY (id) REFERENCES public.t{}(id);\n",
                    child, name, parent);
  }

  const SimulatedDatabase& database_;
  pipeline::PlanInput input_;
  schema::Oid next_oid_ = 20'000;
  std::vector<int> entries_;
  std::vector<int> keys_;
};

double bound_of(const pipeline::Plan& plan, const std::vector<double>& costs, const SimulatedMachine& machine) {
  pipeline::TaskGraph graph = plan.graph;
  double work = 0;
  std::map<schema::Oid, double> rows;
  for (TaskId task = 0; task < costs.size(); ++task) {
    graph[task].cost = costs[task];
    work += costs[task];
    if (graph[task].copies_rows()) rows[graph[task].relation->oid] += costs[task];
  }
  const std::vector<double> remaining = graph.remaining_costs();
  double bound = std::max(work / machine.cores, *std::max_element(remaining.begin(), remaining.end()));
  for (TaskId task = 0; task < costs.size(); ++task) {
    if (!graph[task].copies_rows()) continue;
    const double after_rows = remaining[task] - costs[task];
    bound = std::max(bound, rows[graph[task].relation->oid] / machine.cores + after_rows);
  }
  return bound;
}

}  // namespace

std::unique_ptr<const pipeline::Plan> plan_of(const SimulatedDatabase& database, const SimulatedMachine& machine) {
  pipeline::ResolvedOptions options;
  options.table_jobs = machine.table_jobs;
  options.index_jobs = machine.index_jobs;
  return make_plan(InputBuilder(database).take(machine), options);
}

SimulatedOutcome simulate(const pipeline::Plan& plan, const SimulatedMachine& machine) {
  std::mt19937 random(machine.seed);
  std::normal_distribution<double> error(0, machine.error);
  std::vector<double> costs;
  for (const Task& task : plan.graph.tasks()) {
    costs.push_back(task.cost * std::exp(machine.error > 0 ? error(random) : 0));
  }
  const pipeline::SimulatedTime time = pipeline::simulate(plan, costs,
                                                          {.cores = machine.cores,
                                                           .table_jobs = machine.table_jobs,
                                                           .index_jobs = machine.index_jobs,
                                                           .gain_of_worker = machine.gain_of_worker});
  return {.makespan = time.makespan, .bound = bound_of(plan, costs, machine), .not_all_busy = time.not_all_busy};
}

}  // namespace pgsluice::test
