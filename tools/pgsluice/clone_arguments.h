#pragma once

#include <CLI/CLI.hpp>
#include <filesystem>
#include <map>
#include <set>
#include <string>

#include "pgsluice/options.h"
#include "pipeline/settings.h"
#include "tools/pgsluice/log_options.h"
#include "tools/pgsluice/progress_display.h"

namespace pgsluice::tools {

/// The arguments of the commands that copy something, from their command lines or from variables.
struct CloneArguments {
  /// The options of the command itself: its steps, where its definitions come from.
  pipeline::CloneOptions options;
  /// Settings that were given, by option or variable.
  std::map<const pipeline::Setting*, std::string> given;
  std::map<const pipeline::Setting*, bool> flags;
  bool dry_run = false;
  int sample_for = 3;  ///< seconds
  bool all_databases = false;
  bool json = false;
  LogOptions log;
  std::string progress = "auto";
};

/// Adds the options of a group, each with its variable, under a head of the command's help; nullptr: the group's own.
/// Without those that `omitted` names, by their first long names.
void add_settings(CLI::App& command, CloneArguments& args, pipeline::SettingGroup group, const char* head = nullptr,
                  const std::set<std::string>& omitted = {});
/// Takes the options of a group as pgcopydb does, where they change nothing; not in --help. Those that the command has
/// stay as they are.
void take_without_effect(CLI::App& command, pipeline::SettingGroup group);
void add_output_options(CLI::App& command, CloneArguments& args);

/// Adds the options of `clone`.
void add_clone_options(CLI::App& command, CloneArguments& args);

/// Throws Error(kUsage, kConfig, kState) for what is none of an option's values.
pipeline::CloneOptions clone_options(const CloneArguments& args);

/// Carries out a command that copies something, and returns its exit code.
int run_clone(const CloneArguments& args);

/// --dir, or where it is by default. Throws Error(kState) when there is no temporary folder.
std::filesystem::path work_folder(const std::string& given);

}  // namespace pgsluice::tools
