#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>

#include "pgsluice/error.h"
#include "pgsluice/pace.h"
#include "tools/pgsluice/clone_arguments.h"
#include "tools/pgsluice/commands.h"
#include "tools/pgsluice/environment.h"
#include "tools/pgsluice/exit_code.h"
#include "tools/pgsluice/pace_arguments.h"
#include "tools/pgsluice/pace_report.h"
#include "tools/pgsluice/running.h"

namespace pgsluice::tools {

namespace {

using pipeline::CurrentPace;
using pipeline::PaceChange;

constexpr const char* kControlFooter =
    "Examples:\n"
    "  pgsluice control --dir work                   how it goes now\n"
    "  pgsluice control --dir work --max-rate '20 MB'\n"
    "  pgsluice control --dir work --max-source-sessions 4\n"
    "  pgsluice control --dir work --pause           until --continue\n"
    "  pgsluice control --dir work --continue --max-rate none\n"
    "\n"
    "Takes effect at once, but for fewer sessions, which are closed as tables and their parts end. A paused copy\n"
    "keeps its sessions and its snapshot: VACUUM on the source cannot remove what has ended since then. An index\n"
    "that is being built is finished.\n"
    "\n"
    "Exit codes: 0 done, 1 arguments, 3 no copy is at work with that work directory, 130/143 cancelled.";

struct ControlArguments {
  std::string work_folder;
  PaceArguments pace;
  bool json = false;
  LogOptions log;
};

int run_control(const ControlArguments& args) {
  return run_cancellable(args.log, [&](Console&, const CancelToken& cancel) -> int {
    const PaceChange change = change_of(args.pace);
    const std::filesystem::path folder = work_folder(args.work_folder);
    const CurrentPace now =
        change == PaceChange() ? pipeline::read_pace(folder) : pipeline::change_pace(folder, change, cancel);
    std::fputs((args.json ? pace_document(now).dump(2) + "\n" : pace_text(now)).c_str(), stdout);
    return kExitSuccess;
  });
}

}  // namespace

void add_control_command(CLI::App& app, int& exit_code) {
  CLI::App* command = app.add_subcommand("control", "Slow down, pause and go on with a copy that is at work");
  command->footer(kControlFooter);
  auto args = std::make_shared<ControlArguments>();
  with_environment(*command,
                   command->add_option("-D,--dir", args->work_folder, "The copy's work directory ($TMPDIR/pgsluice)"),
                   args->work_folder, "DIR");
  add_pace_options(*command, args->pace);
  command->add_flag("--json", args->json, "One JSON document");
  add_log_options(*command, args->log);
  command->callback([args, &exit_code] { exit_code = run_control(*args); });
}

}  // namespace pgsluice::tools
