#pragma once

#include <CLI/CLI.hpp>
#include <filesystem>
#include <string>

#include "pipeline/clone.h"
#include "tools/pgsluice/log_options.h"
#include "tools/pgsluice/progress_display.h"

namespace pgsluice::tools {

/// What the commands that copy something take from their command lines, or from variables.
struct CloneArguments {
  pipeline::CloneOptions options;
  std::string work_folder;
  std::string pg_bindir;
  std::string copy_format = "auto";
  bool use_copy_binary = false;
  std::string split_larger_than = "auto";
  int split_max_parts = 0;
  bool skip_split_by_ctid = false;
  std::string transport = "auto";
  std::string toast_compression = "auto";
  std::string memory;
  std::string trace_file;
  std::string filters;
  std::string requirements;
  bool no_role_passwords = false;
  bool skip_analyze = false;
  int restore_jobs = 0;
  int large_objects_jobs = 0;
  bool resume = false;
  bool restart = false;
  bool no_ledger = false;
  int retry_for = 300;
  bool no_owner = false;
  bool no_acl = false;
  bool no_comments = false;
  bool no_tablespaces = false;
  bool skip_extensions = false;
  bool skip_ext_comments = false;
  bool skip_collations = false;
  bool skip_large_objects = false;
  bool skip_vacuum = false;
  bool skip_db_properties = false;
  bool fail_fast = false;
  bool dry_run = false;
  bool all_databases = false;
  bool json = false;
  LogOptions log;
  std::string progress = "auto";
};

/// Options of a command, by what they are for; each takes its default from its variable.
void add_connection_options(CLI::App& command, CloneArguments& args);
/// How rows are read and sent.
void add_row_options(CLI::App& command, CloneArguments& args);
/// How indexes and constraints are built.
void add_build_options(CLI::App& command, CloneArguments& args);
/// What becomes of an earlier run, of lost connections, of failed objects.
void add_run_options(CLI::App& command, CloneArguments& args);
/// Roles that are copied too.
void add_role_options(CLI::App& command, CloneArguments& args, const char* head = "Options");
/// Filters, and what goes with definitions.
void add_leaving_out_options(CLI::App& command, CloneArguments& args);
void add_vacuum_option(CLI::App& command, CloneArguments& args);
/// What only a clone of all can leave out.
void add_whole_clone_options(CLI::App& command, CloneArguments& args);
void add_output_options(CLI::App& command, CloneArguments& args);

/// All of the above: what `clone` takes.
void add_clone_options(CLI::App& command, CloneArguments& args);

/// Throws Error(kUsage, kConfig, kState) for what is none of an option's values.
pipeline::CloneOptions clone_options(const CloneArguments& args);

/// Carries out a command that copies something, and returns its exit code.
int run_clone(const CloneArguments& args);

/// --dir, or where it is by default. Throws Error(kState) when there is no temporary folder.
std::filesystem::path work_folder(const std::string& given);

}  // namespace pgsluice::tools
