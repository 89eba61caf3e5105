#include "migration/table_activity.h"

#include <algorithm>
#include <chrono>

#include "pg/quote.h"
#include "pgsluice/error.h"
#include "pgsluice/server_clone.h"
#include "pipeline/prepare/run_folder.h"
#include "pipeline/run/run_state.h"

namespace pgsluice::migration {

namespace {

constexpr std::size_t kMost = 20;

struct Activity {
  std::string database;
  pipeline::RunState::Task task;
  double seconds = 0;
};

void read_database(const std::filesystem::path& work_folder, const std::string& database,
                   std::vector<Activity>& activities) {
  const pipeline::RunFolder folder(pipeline::work_folder_of(work_folder, database));
  const std::optional<pipeline::RunState> state = pipeline::read_run_state(folder.state_file());
  if (!state) return;
  const auto now = std::chrono::system_clock::now();
  for (const pipeline::RunState::Task& task : state->tasks) {
    if (!task.running && !task.done) continue;
    // One that was running when its run was ended does not run any more.
    if (task.running && state->summary) continue;
    const auto end = task.running ? now : task.ended;
    activities.push_back({database, task, std::chrono::duration<double>(end - task.began).count()});
  }
}

}  // namespace

nlohmann::ordered_json tables_document(const std::filesystem::path& work_folder,
                                       const std::vector<std::string>& databases) {
  std::vector<Activity> activities;
  for (const std::string& database : databases) {
    try {
      read_database(work_folder, database, activities);
    } catch (const Error&) {
      // A file that is just being replaced; the next look will see it.
    }
  }
  std::sort(activities.begin(), activities.end(), [](const Activity& a, const Activity& b) {
    if (a.task.running != b.task.running) return a.task.running;
    return a.seconds > b.seconds;
  });
  activities.resize(std::min(activities.size(), kMost));
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const Activity& activity : activities) {
    list.push_back({{"database", activity.database},
                    {"kind", activity.task.table == 0 ? "rows" : "index"},
                    {"name", pg::display_name(activity.task.schema, activity.task.relation)},
                    {"bytes", activity.task.size.count},
                    {"state", activity.task.running ? "running" : "done"},
                    {"seconds", activity.seconds}});
  }
  return list;
}

}  // namespace pgsluice::migration
