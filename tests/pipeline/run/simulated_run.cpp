#include "tests/pipeline/run/simulated_run.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <deque>
#include <limits>
#include <map>
#include <optional>
#include <random>

#include "index/build_budget.h"
#include "pipeline/run/scheduler.h"

namespace pgsluice::test {

namespace {

using pipeline::Lane;
using pipeline::Task;
using pipeline::TaskId;
using pipeline::TaskKind;
using schema::EntryKind;
using schema::Section;
using schema::TocEntry;

constexpr schema::Oid kPgClass = 1259;
constexpr schema::Oid kPgConstraint = 2606;
constexpr double kAnyCost = std::numeric_limits<double>::max();
constexpr std::size_t kMaxTogether = 100;

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

class Run {
 public:
  Run(const pipeline::Plan& plan, const SimulatedMachine& machine)
      : plan_(plan),
        machine_(machine),
        scheduler_(plan.graph, pipeline::FailurePolicy::kGoOn),
        budget_(plan.index_memory, machine.index_jobs, plan.max_parallel_workers) {
    std::mt19937 random(machine.seed);
    std::normal_distribution<double> error(0, machine.error);
    for (const Task& task : plan.graph.tasks())
      costs_.push_back(task.cost * std::exp(machine.error > 0 ? error(random) : 0));
    workers_.emplace_back(Lane::kMain);
    for (int i = 0; i < machine.table_jobs; ++i) workers_.emplace_back(Lane::kCopy);
    for (int i = 0; i < machine.index_jobs; ++i) workers_.emplace_back(Lane::kBuild);
  }

  SimulatedOutcome carry_out() {
    SimulatedOutcome outcome;
    while (!scheduler_.finished()) {
      hand_out();
      double demand = 0;
      double next = kAnyCost;
      for (const Worker& worker : workers_) {
        if (!worker.is_at_work()) continue;
        demand += worker.cores;
        next = std::min(next, worker.left / worker.speed);
      }
      if (demand == 0) throw std::logic_error("nothing is at work, and tasks are left");
      const double share = std::min(1.0, machine_.cores / demand);
      outcome.makespan += next / share;
      if (demand < machine_.cores) outcome.not_all_busy += next / share;
      for (Worker& worker : workers_) {
        if (worker.is_at_work()) advance(worker, next);
      }
    }
    outcome.bound = bound();
    return outcome;
  }

 private:
  struct Worker {
    explicit Worker(Lane of) : lane(of) {}
    bool is_at_work() const { return !tasks.empty(); }

    Lane lane;
    /// On their way, one after another; rows of small tables are one piece of work.
    std::deque<TaskId> tasks;
    std::size_t together = 1;  ///< how many of the first ones are
    double left = 0;           ///< of those
    double in_flight = 0;      ///< estimated cost of all
    double cores = 1;
    double speed = 1;
    std::optional<index::BuildBudget::Share> share;
  };

  // Until no worker can take a task: a definition that begins lets the next one begin.
  void hand_out() {
    for (bool any = true; any;) {
      any = false;
      for (Worker& worker : workers_) any = take(worker) || any;
    }
  }

  bool take(Worker& worker) {
    if (!worker.is_at_work()) {
      const std::optional<TaskId> task = scheduler_.next_ready(worker.lane, kAnyCost);
      if (!task) return false;
      begin(worker, *task);
      return true;
    }
    // Statements are sent behind others, as far as StatementQueue::room() allows; rows are not.
    const bool is_sent = worker.lane != Lane::kCopy && worker.in_flight < pipeline::kMaxCostTogether;
    if (!is_sent) return false;
    const auto task = scheduler_.next_ready(worker.lane, pipeline::kMaxCostTogether - worker.in_flight);
    if (!task) return false;
    worker.tasks.push_back(*task);
    worker.in_flight += plan_.graph[*task].cost;
    return true;
  }

  void begin(Worker& worker, TaskId id) {
    const Task& first = plan_.graph[id];
    worker.tasks.push_back(id);
    worker.in_flight = first.cost;
    worker.together = 1;
    if (first.traits().batching != pipeline::Batching::kAlone) {
      double room = static_cast<double>(pipeline::kSmallTable.count) - first.cost;
      while (room > 0 && worker.tasks.size() < kMaxTogether) {
        const auto next = scheduler_.next_to_join(worker.lane, room, first.kind);
        if (!next) break;
        worker.tasks.push_back(*next);
        room -= plan_.graph[*next].cost;
      }
      worker.together = worker.tasks.size();
    }
    start_first(worker);
  }

  void start_first(Worker& worker) {
    const Task& task = plan_.graph[worker.tasks.front()];
    worker.left = 0;
    for (std::size_t i = 0; i < worker.together; ++i) worker.left += costs_[worker.tasks[i]];
    worker.cores = worker.speed = 1;
    if (task.traits().sorts && task.cost >= pipeline::kMaxCostTogether) {
      worker.share.emplace(
          budget_.take(scheduler_.count_ready(Lane::kBuild, pipeline::kMaxCostTogether, machine_.index_jobs)));
      // Only a build is parallel: a validation and a key are not.
      const bool is_parallel = task.kind == TaskKind::kIndexBuild;
      const double workers = is_parallel ? worker.share->parallel_workers() : 0;
      worker.cores = 1 + workers;
      worker.speed = 1 + machine_.gain_of_worker * workers;
    }
  }

  void advance(Worker& worker, double time) {
    worker.left -= time * worker.speed;
    if (worker.left > 1e-6 * time) return;
    worker.share.reset();
    for (std::size_t i = 0; i < worker.together; ++i) {
      const TaskId ended = worker.tasks.front();
      worker.tasks.pop_front();
      worker.in_flight -= plan_.graph[ended].cost;
      scheduler_.succeeded(ended);
    }
    worker.together = 1;
    if (worker.is_at_work()) start_first(worker);
  }

  double bound() const {
    pipeline::TaskGraph graph = plan_.graph;
    double work = 0;
    std::map<schema::Oid, double> rows;
    for (TaskId task = 0; task < costs_.size(); ++task) {
      graph[task].cost = costs_[task];
      work += costs_[task];
      if (graph[task].copies_rows()) rows[graph[task].relation->oid] += costs_[task];
    }
    const std::vector<double> remaining = graph.remaining_costs();
    double bound = std::max(work / machine_.cores, *std::max_element(remaining.begin(), remaining.end()));
    for (TaskId task = 0; task < costs_.size(); ++task) {
      if (!graph[task].copies_rows()) continue;
      const double after_rows = remaining[task] - costs_[task];
      bound = std::max(bound, rows[graph[task].relation->oid] / machine_.cores + after_rows);
    }
    return bound;
  }

  const pipeline::Plan& plan_;
  const SimulatedMachine& machine_;
  pipeline::Scheduler scheduler_;
  index::BuildBudget budget_;
  std::vector<double> costs_;
  std::vector<Worker> workers_;
};

}  // namespace

std::unique_ptr<const pipeline::Plan> plan_of(const SimulatedDatabase& database, const SimulatedMachine& machine) {
  pipeline::ResolvedOptions options;
  options.table_jobs = machine.table_jobs;
  options.index_jobs = machine.index_jobs;
  return make_plan(InputBuilder(database).take(machine), options);
}

SimulatedOutcome simulate(const pipeline::Plan& plan, const SimulatedMachine& machine) {
  return Run(plan, machine).carry_out();
}

}  // namespace pgsluice::test
