#pragma once

#include <CLI/CLI.hpp>
#include <filesystem>
#include <map>
#include <string>

#include "pipeline/clone.h"
#include "tools/pgsluice/log_options.h"
#include "tools/pgsluice/progress_display.h"
#include "tools/pgsluice/settings.h"

namespace pgsluice::tools {

/// What the commands that copy something take from their command lines, or from variables.
struct CloneArguments {
  /// What the command is without any: its steps, where its definitions come from.
  pipeline::CloneOptions options;
  /// Settings that were given, by option or variable.
  std::map<const Setting*, std::string> given;
  std::map<const Setting*, bool> flags;
  bool dry_run = false;
  bool all_databases = false;
  bool json = false;
  LogOptions log;
  std::string progress = "auto";
};

/// Adds the options of a group, each with its variable, under a head of the command's help; nullptr: the group's own.
void add_settings(CLI::App& command, CloneArguments& args, SettingGroup group, const char* head = nullptr);
/// Takes the options of a group as pgcopydb does, where they change nothing; not in --help. Those that the command has
/// stay as they are.
void take_without_effect(CLI::App& command, SettingGroup group);
void add_output_options(CLI::App& command, CloneArguments& args);

/// What `clone` takes.
void add_clone_options(CLI::App& command, CloneArguments& args);

/// Throws Error(kUsage, kConfig, kState) for what is none of an option's values.
pipeline::CloneOptions clone_options(const CloneArguments& args);

/// Carries out a command that copies something, and returns its exit code.
int run_clone(const CloneArguments& args);

/// --dir, or where it is by default. Throws Error(kState) when there is no temporary folder.
std::filesystem::path work_folder(const std::string& given);

}  // namespace pgsluice::tools
