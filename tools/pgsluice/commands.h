#pragma once

#include "pgsluice/log.h"

namespace CLI {
class App;
}  // namespace CLI

namespace pgsluice::tools {

/// Each adds a command to the line; parsing runs it and puts the exit code into `exit_code`.
/// `archive create|restore|list|verify`.
void add_archive_commands(CLI::App& app, int& exit_code);
void add_archive_create_command(CLI::App& archive, int& exit_code);
void add_archive_restore_command(CLI::App& archive, int& exit_code);
void add_check_command(CLI::App& app, int& exit_code);
void add_clone_command(CLI::App& app, int& exit_code);
void add_compare_command(CLI::App& app, int& exit_code);
void add_control_command(CLI::App& app, int& exit_code);
void add_list_command(CLI::App& app, int& exit_code);
/// Adds to `list`: after add_list_command().
void add_list_progress_command(CLI::App& app, int& exit_code);
/// `migration create|list|show|…`.
void add_migration_commands(CLI::App& app, int& exit_code);
void add_serve_command(CLI::App& app, int& exit_code);
void add_worker_command(CLI::App& app, int& exit_code);
void add_ping_command(CLI::App& app, int& exit_code);
/// Adds to `copy`, which add_clone_command() has made: after that.
void add_step_commands(CLI::App& app, int& exit_code);
/// `restore parse-list`.
void add_parse_list_command(CLI::App& app, int& exit_code);
void add_snapshot_command(CLI::App& app, int& exit_code);
void add_version_command(CLI::App& app, int& exit_code);
/// `completion`, and a hidden command for the build that writes man pages.
void add_completion_command(CLI::App& app);
void add_help_command(CLI::App& app);

/// `follow`, `stream` and the options of a clone that go with them, which scripts for pgcopydb may have: each says that
/// it is not supported, and ends with the exit code for arguments.
void add_change_data_capture_commands(CLI::App& app);
void refuse_change_data_capture(CLI::App& command);
/// A note for variables that go with them.
void note_change_data_capture(const Log& log);

}  // namespace pgsluice::tools
