#include "tools/pgsluice/clone_arguments.h"

#include <cerrno>
#include <cstdlib>
#include <optional>
#include <string_view>
#include <variant>
#include <vector>

#include "pgsluice/error.h"
#include "tools/pgsluice/environment.h"
#include "tools/pgsluice/option_values.h"

namespace pgsluice::tools {

namespace {

using pipeline::Setting;
using pipeline::SettingGroup;

const char* head_of(SettingGroup group) {
  switch (group) {
    case SettingGroup::kConnections:
      return "Connections";
    case SettingGroup::kRows:
    case SettingGroup::kBuilds:
    case SettingGroup::kRuns:
    case SettingGroup::kRolesFirst:
    case SettingGroup::kRoles:
      return "Work";
    case SettingGroup::kOmissions:
    case SettingGroup::kLargeObjects:
    case SettingGroup::kVacuum:
    case SettingGroup::kProperties:
      return "Leaving out";
  }
  return "";
}

// Makes the option of a setting, and writes what it is given to the arguments.
class AddOption {
 public:
  AddOption(CLI::App& command, CloneArguments& args, const Setting& setting)
      : command_(command), args_(args), setting_(setting) {}

  CLI::Option* operator()(const Setting::Flag&) {
    bool& value = args_.flags[&setting_];
    CLI::Option* option = command_.add_flag(setting_.names, value, setting_.help);
    if (setting_.variable != nullptr) with_environment(command_, option, value, setting_.variable);
    return option;
  }
  CLI::Option* operator()(const Setting::WholeNumber& number) {
    const CLI::Validator check = whole_number(number.min, number.max);
    return add(check, check)->type_name("INT");
  }
  CLI::Option* operator()(const Setting::Word& word) {
    const CLI::Validator check = one_of(words_of(word));
    return add(check, check);
  }
  CLI::Option* operator()(const Setting::Text& text) {
    // The option's own value is checked when the command is carried out.
    const auto check = [apply = text.apply](std::string& value) -> std::string {
      try {
        pipeline::CloneOptions ignored;
        apply(ignored, value);
        return "";
      } catch (const Error& error) {
        return error.describe();
      }
    };
    return add(std::nullopt, CLI::Validator(check, ""));
  }

 private:
  CLI::Option* add(const std::optional<CLI::Validator>& check, const CLI::Validator& of_variable) {
    CLI::Option* option = command_.add_option_function<std::string>(
        setting_.names,
        [this_args = &args_, setting = &setting_](const std::string& text) { this_args->given[setting] = text; },
        setting_.help);
    if (check) option->check(*check);
    if (setting_.variable == nullptr) return option;
    std::string text;
    with_environment(command_, option, text, setting_.variable, of_variable);
    if (!text.empty()) args_.given[&setting_] = text;
    return option;
  }

  CLI::App& command_;
  CloneArguments& args_;
  const Setting& setting_;
};

}  // namespace

void add_settings(CLI::App& command, CloneArguments& args, SettingGroup group, const char* head,
                  const std::set<std::string>& omitted) {
  for (const Setting& setting : pipeline::settings()) {
    if (setting.group != group || omitted.contains(pipeline::long_names(setting).front())) continue;
    CLI::Option* option = std::visit(AddOption(command, args, setting), setting.value);
    option->group(head != nullptr ? head : head_of(group));
    if (setting.excludes != nullptr) option->excludes(command.get_option(setting.excludes));
  }
}

void take_without_effect(CLI::App& command, SettingGroup group) {
  for (const Setting& setting : pipeline::settings()) {
    if (setting.group != group) continue;
    std::vector<std::string> names;
    for (const std::string& name : pipeline::long_names(setting)) names.push_back("--" + name);
    if (std::holds_alternative<Setting::Flag>(setting.value)) {
      take_without_effect(command, names, {});
    } else {
      take_without_effect(command, {}, names);
    }
  }
}

void add_output_options(CLI::App& command, CloneArguments& args) {
  command.add_option("--progress", args.progress, "auto, bar, lines, json or none")
      ->check(one_of({"auto", "bar", "lines", "json", "none"}))
      ->group("Output");
  command.add_flag("--json", args.json, "The summary or the plan as one JSON document")->group("Output");
  add_log_options(command, args.log);
}

pipeline::CloneOptions clone_options(const CloneArguments& args) {
  pipeline::CloneOptions options = args.options;
  for (const Setting& setting : pipeline::settings()) {
    if (const auto given = args.given.find(&setting); given != args.given.end()) {
      pipeline::apply(setting, given->second, options);
    }
    if (const auto flag = args.flags.find(&setting); flag != args.flags.end() && flag->second) {
      pipeline::apply(setting, "true", options);
    }
  }
  options.work_folder = work_folder(options.work_folder);
  pipeline::require_consistent(options);
  return options;
}

std::filesystem::path work_folder(const std::string& given) {
  if (!given.empty()) return given;
  // It is made with its parents where it is missing.
  const char* given_temporary = std::getenv("TMPDIR");
  const bool is_given = given_temporary != nullptr && *given_temporary != '\0';
  const std::filesystem::path temporary = is_given ? given_temporary : "/tmp";
  // A name of its own where the command is called by another one (-DPGSLUICE_PGCOPYDB_ALIAS=ON).
  return temporary / (std::string_view(program_invocation_short_name) == "pgcopydb" ? "pgcopydb" : "pgsluice");
}

}  // namespace pgsluice::tools
