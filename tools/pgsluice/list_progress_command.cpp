#include <fmt/chrono.h>
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <filesystem>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>

#include "base/counted.h"
#include "base/file_descriptor.h"
#include "pgsluice/error.h"
#include "pgsluice/pace.h"
#include "pipeline/prepare/run_folder.h"
#include "pipeline/run/run_state.h"
#include "tools/pgsluice/clone_arguments.h"
#include "tools/pgsluice/commands.h"
#include "tools/pgsluice/console.h"
#include "tools/pgsluice/environment.h"
#include "tools/pgsluice/exit_code.h"
#include "tools/pgsluice/option_values.h"
#include "tools/pgsluice/pace_report.h"
#include "tools/pgsluice/run_summary_document.h"
#include "tools/pgsluice/running.h"
#include "tools/pgsluice/summary_report.h"
#include "tools/pgsluice/text_table.h"

namespace pgsluice::tools {

namespace {

using Align = TextTable::Align;

using Json = nlohmann::ordered_json;
using pipeline::RunState;

struct ProgressArguments {
  std::string work_folder;
  bool json = false;
  bool summary = false;
  LogOptions log;
};

/// Tables, or indexes: each counts once, however many parts it has.
struct Counts {
  std::set<schema::Oid> all;
  std::set<schema::Oid> unfinished;
  std::map<schema::Oid, const RunState::Task*> running;

  std::size_t done() const { return all.size() - unfinished.size(); }
};

Counts counts_of(const RunState& state, std::string_view kind) {
  Counts counts;
  for (const RunState::Task& task : state.tasks) {
    if (task.kind != kind) continue;
    counts.all.insert(task.oid);
    if (!task.done) counts.unfinished.insert(task.oid);
    if (task.running) counts.running.emplace(task.oid, &task);
  }
  return counts;
}

Json process_of(const RunState& state, const RunState::Task& task) {
  const std::time_t began = std::chrono::system_clock::to_time_t(task.began);
  return {{"pid", state.pid},
          {"start-time-epoch", began},
          {"start-time-string", fmt::format("{:%Y-%m-%d %H:%M:%S %Z}", fmt::localtime(began))},
          {"command", task.sql}};
}

Json in_progress(const RunState& state, const Counts& counts) {
  Json list = Json::array();
  for (const auto& [oid, task] : counts.running) {
    Json object = {{"oid", oid},
                   {"schema", task->schema},
                   {"name", task->relation},
                   {"bytes", task->size.count},
                   {"bytes-pretty", to_string(task->size)}};
    if (task->table != 0) object["table"] = {{"oid", task->table}};
    object["process"] = process_of(state, *task);
    list.push_back(std::move(object));
  }
  return list;
}

std::string progress_json(const RunState& state, const Counts& tables, const Counts& indexes) {
  const Json json = {
      {"table-jobs", state.table_jobs},
      {"index-jobs", state.index_jobs},
      {"phase", state.phase},
      {"tables", {{"total", tables.all.size()}, {"done", tables.done()}, {"in-progress", in_progress(state, tables)}}},
      {"indexes",
       {{"total", indexes.all.size()}, {"done", indexes.done()}, {"in-progress", in_progress(state, indexes)}}}};
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

// Returns the state of the run, in a line.
std::string standing(const RunState& state) {
  if (state.phase == pipeline::kInterrupted)
    return "Interrupted; continue with --resume (not possible without a ledger).\n";
  if (!state.summary) return fmt::format("Running: {}.\n", state.phase);
  const std::size_t missing = state.summary->failed.size() + state.summary->left_out.size();
  return missing == 0 ? "The run has come to its end.\n"
                      : fmt::format("The run has ended, but {} missing: see --summary.\n",
                                    counted(missing, "object is", "objects are"));
}

std::string progress_text(const RunState& state, const Counts& tables, const Counts& indexes) {
  TextTable table(
      {{"", Align::kRight}, {"Total Count", Align::kRight}, {"In Progress", Align::kRight}, {"Done", Align::kRight}},
      TextTable::Look::kPsql);
  const auto add = [&](const char* name, const Counts& counts) {
    table.add({name, std::to_string(counts.all.size()), std::to_string(counts.running.size()),
               std::to_string(counts.done())});
  };
  add("Tables", tables);
  add("Indexes", indexes);
  return table.text() + standing(state);
}

std::string shown(const RunState& state, const ProgressArguments& args) {
  if (args.summary) {
    if (state.summary) return args.json ? run_summary_json(state) : summary_text(*state.summary);
    throw Error(ErrorKind::kState, "the run has not come to its end")
        .hint("'pgsluice list progress' shows how far it is");
  }
  const Counts tables = counts_of(state, id_of(pipeline::TaskKind::kTableData));
  const Counts indexes = counts_of(state, id_of(pipeline::TaskKind::kIndexBuild));
  return args.json ? progress_json(state, tables, indexes) : progress_text(state, tables, indexes);
}

// Returns the state of a work directory; the run's lock is in it, or in that of all databases.
std::optional<RunState> state_of(const std::filesystem::path& folder, const std::filesystem::path& with_lock) {
  std::optional<RunState> state = pipeline::read_run_state(pipeline::RunFolder(folder).state_file());
  // A process that was killed has not said so.
  if (state && !state->summary && !FileLock::is_held(with_lock / "lock")) state->phase = pipeline::kInterrupted;
  if (state && state->phase == pipeline::kInterrupted) {
    for (RunState::Task& task : state->tasks) task.running = false;
  }
  return state;
}

// Returns the work directories of `clone --all-databases`, one for each database; empty if there are none.
std::map<std::string, RunState> states_of_databases(const std::filesystem::path& folder) {
  std::map<std::string, RunState> states;
  std::error_code ignored;  // there are none then
  for (const auto& entry : std::filesystem::directory_iterator(folder / "databases", ignored)) {
    std::optional<RunState> state = state_of(entry.path(), folder);
    if (state) states.emplace(entry.path().filename().string(), std::move(*state));
  }
  return states;
}

// Returns the pace of a run that is at work; nullopt where none is.
std::optional<pipeline::CurrentPace> pace_of(const std::filesystem::path& folder) {
  try {
    return pipeline::read_pace(folder);
  } catch (const Error&) {
    return std::nullopt;
  }
}

std::string with_pace(const std::string& text, const std::filesystem::path& folder, const ProgressArguments& args) {
  const std::optional<pipeline::CurrentPace> pace = args.summary ? std::nullopt : pace_of(folder);
  if (!pace) return text;
  if (!args.json) return pace->pace == pipeline::Pace() ? text : text + pace_text(*pace);
  Json document = Json::parse(text);
  document["pace"] = pace_document(*pace);
  return document.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string shown(const ProgressArguments& args) {
  const std::filesystem::path folder = work_folder(args.work_folder);
  const std::optional<RunState> state = state_of(folder, folder);
  if (state) return with_pace(shown(*state, args), folder, args);
  const std::map<std::string, RunState> databases = states_of_databases(folder);
  if (databases.empty()) {
    throw Error(ErrorKind::kState, fmt::format("no run has used the work directory {}", folder.string()))
        .hint("give the --dir that the run has");
  }
  Json document = Json::object();
  std::string text;
  for (const auto& [name, of_database] : databases) {
    const std::string one = shown(of_database, args);
    if (args.json) document[name] = Json::parse(one);
    text += fmt::format("{}Database {}\n{}", text.empty() ? "" : "\n", name, one);
  }
  return with_pace(
      args.json ? Json{{"databases", document}}.dump(2, ' ', false, Json::error_handler_t::replace) + "\n" : text,
      folder, args);
}

}  // namespace

void add_list_progress_command(CLI::App& app, int& exit_code) {
  CLI::App* command = app.get_subcommand("list")->add_subcommand("progress", "How far the run of a work directory is");
  command->footer(
      "Examples:\n"
      "  pgsluice list progress --dir /var/tmp/shop\n"
      "  pgsluice list progress --json --summary      what a run that has ended has done\n"
      "Of a clone of all databases it shows each.\n\n"
      "Exit codes: 0 complete, 1 arguments, 3 work directory.");
  auto args = std::make_shared<ProgressArguments>();
  with_environment(*command,
                   command->add_option("-D,--dir", args->work_folder, "Work directory (default $TMPDIR/pgsluice)"),
                   args->work_folder, "DIR");
  take_without_effect(*command, {"--resume", "--not-consistent"},
                      {"-S,--source", "--snapshot", "--table-jobs", "--jobs"});
  command->add_flag("-J,--json", args->json, "One JSON document");
  command->add_flag("--summary", args->summary, "What was done, when the run has ended");
  add_log_options(*command, args->log);
  command->callback([args, &exit_code] {
    exit_code = run_reporting(args->log, [&](Console&) {
      std::fputs(shown(*args).c_str(), stdout);
      return static_cast<int>(kExitSuccess);
    });
  });
}

}  // namespace pgsluice::tools
