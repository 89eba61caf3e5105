#include "tools/pgsluice/pace_arguments.h"

#include "pgsluice/error.h"
#include "tools/pgsluice/option_values.h"

namespace pgsluice::tools {

namespace {

constexpr const char* kNone = "none";

// "none", or what the other check takes.
CLI::Validator or_none(CLI::Validator other) {
  return CLI::Validator([other](std::string& text) { return text == kNone ? std::string() : other(text); },
                        other.get_description() + " or none");
}

CLI::Validator rate() {
  return CLI::Validator(
      [](std::string& text) {
        try {
          return parse_bytes(text).count > 0 ? std::string() : std::string("a rate is above 0; none lifts the limit");
        } catch (const Error& error) {
          return std::string(error.what());
        }
      },
      "SIZE");
}

}  // namespace

std::vector<CLI::Option*> add_pace_options(CLI::App& command, PaceArguments& args) {
  CLI::Option* rate_option =
      command.add_option("--max-rate", args.max_rate, "Rows and large objects in a second at most, or none")
          ->check(or_none(rate()));
  CLI::Option* sessions =
      command.add_option("--max-source-sessions", args.max_source_sessions, "Sessions of the source at most, or none")
          ->check(or_none(whole_number(pipeline::kFewestSourceSessions)));
  CLI::Option* pause = command.add_flag("--pause", args.pause, "Let no row move, and begin nothing new");
  CLI::Option* go_on = command.add_flag("--continue", args.go_on, "Go on after a pause")->excludes(pause);
  return {rate_option, sessions, pause, go_on};
}

pipeline::PaceChange change_of(const PaceArguments& args) {
  pipeline::PaceChange change;
  if (!args.max_rate.empty()) change.max_rate = args.max_rate == kNone ? Bytes{} : parse_bytes(args.max_rate);
  if (!args.max_source_sessions.empty()) {
    change.max_source_sessions = args.max_source_sessions == kNone ? 0 : std::stoi(args.max_source_sessions);
  }
  if (args.pause) change.paused = true;
  if (args.go_on) change.paused = false;
  return change;
}

}  // namespace pgsluice::tools
