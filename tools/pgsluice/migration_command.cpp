// `migration create|list|show|update|delete|check-name-availability`.
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <cstdio>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/duration.h"
#include "base/wait.h"
#include "migration/document.h"
#include "pgsluice/error.h"
#include "pgsluice/migration/control.h"
#include "tools/pgsluice/commands.h"
#include "tools/pgsluice/console.h"
#include "tools/pgsluice/exit_code.h"
#include "tools/pgsluice/migration_arguments.h"
#include "tools/pgsluice/migration_run.h"
#include "tools/pgsluice/option_values.h"
#include "tools/pgsluice/pace_arguments.h"
#include "tools/pgsluice/running.h"
#include "tools/pgsluice/signals.h"

namespace pgsluice::tools {

namespace {

using migration::Migration;

constexpr const char* kMigrationFooter =
    "Examples:\n"
    "  pgsluice migration create --name first --properties body.json\n"
    "  pgsluice migration create --name first --properties body.json --no-wait\n"
    "  pgsluice migration list --filter All\n"
    "  pgsluice migration show --name first --watch\n"
    "  pgsluice migration update --name first --pause\n"
    "  pgsluice migration update --name first --cancel\n"
    "\n"
    "docs/migration.md tells a migration from its begin to its end.";

constexpr const char* kCreateFooter =
    "Examples:\n"
    "  pgsluice migration create --name first --properties body.json\n"
    "  pgsluice migration create --name check --properties body.json --migration-option Validate\n"
    "  pgsluice migration create --name first --properties body.json --resume\n"
    "  pgsluice migration create --subscription 1111 --resource-group my-rg \\\n"
    "      --name myserver --migration-name first --properties body.json\n"
    "The third takes up one that has failed, the last is as az takes it.\n"
    "\n"
    "body.json: {\"properties\": {\"SourceDBServerResourceId\": \"old:5432@admin\",\n"
    "  \"TargetDbServerResourceId\": \"new:5432@admin\", \"DBsToMigrate\": [\"shop\"],\n"
    "  \"SecretParameters\": {\"AdminCredentials\": {\n"
    "    \"SourceServerPasswordEnv\": \"OLD_PASSWORD\",\n"
    "    \"TargetServerPasswordFile\": \"/run/secrets/new\"}}}}\n"
    "\n"
    "SIGINT and SIGTERM end the work, and --resume goes on where it was. 'migration update --cancel' drops the "
    "databases\n"
    "that the migration has made.\n"
    "\n"
    "Exit codes: 0 Succeeded, 1 arguments, 2 properties file, 3 a name that is taken or another migration that is "
    "active\n"
    "on the target, 6 source, 7 target, 20 a validation has failed, 21 source and target differ, 22 objects are "
    "missing,\n"
    "130/143 cancelled.";

struct CreateArguments : MigrationArguments {
  bool no_wait = false;
  std::string worker_command;
};

int create(CreateArguments& args) {
  return run_reporting(args.log, [&](Console& console) -> int {
    const OutputFormat output = output_format(args.output);
    const std::string text = migration::read_properties_text(args.properties);
    const migration::Request request = parse_request(args, text);
    migration::Store store = open_store(args);
    if (args.resume && args.own_name().empty()) {
      throw Error(ErrorKind::kUsage, "--resume needs the migration's name").hint("--name NAME");
    }
    const Migration migration =
        args.resume ? migration::resume_migration(store, store.find(args.own_name(), args.wanted_target()), request)
                    : migration::create(store, args.own_name().empty() ? migration::make_uuid() : args.own_name(),
                                        args.target_name(), args.labels(), request);
    if (!args.no_wait) {
      const MigrationRunOptions options{.output = output, .progress = progress_style(args.progress, args.log)};
      return run_migration(store, migration, request, options, console);
    }
    migration::start_worker(store, migration, text,
                            {.program = std::filesystem::read_symlink("/proc/self/exe").string(),
                             .command = args.worker_command,
                             .max_databases = args.max_databases,
                             .option = args.option});
    std::fputs(migration_text(store.refreshed(migration).value_or(migration), output, store.folder()).c_str(), stdout);
    Log(console).info(
        fmt::format("migration {} goes on by itself; 'pgsluice migration show --name {} --watch' shows it",
                    migration.name, migration.name));
    return kExitSuccess;
  });
}

int list(const MigrationArguments& args, const std::string& filter) {
  return run_reporting(args.log, [&](Console& console) -> int {
    const OutputFormat output = output_format(args.output);
    migration::Store store = open_store(args);
    const std::optional<std::string> target = args.name.empty() ? args.wanted_target() : args.name;
    const auto wanted = ::strcasecmp(filter.c_str(), "all") == 0 ? migration::Filter::kAll : migration::Filter::kActive;
    std::vector<migration::Migration> found;
    for (migration::Page page;; page.after = found.back().id) {
      std::vector<migration::Migration> part = store.list(wanted, target, page);
      const bool is_last = part.size() < page.size;
      std::move(part.begin(), part.end(), std::back_inserter(found));
      if (is_last) break;
    }
    std::fputs(migrations_text(found, output).c_str(), stdout);
    if (found.empty()) {
      const bool only_active = wanted == migration::Filter::kActive;
      Log(console).info(fmt::format("no {}migration{}{}", only_active ? "active " : "",
                                    target ? fmt::format(" of the target {}", *target) : "",
                                    only_active ? "; --filter All shows the ended ones, too" : ""));
    }
    return kExitSuccess;
  });
}

void require_a_name(const MigrationArguments& args) {
  if (args.own_name().empty()) throw Error(ErrorKind::kUsage, "which migration? --name NAME");
}

// Until it has come to its end, or the user wants no more.
Migration watch(migration::Store& store, const Migration& first, const MigrationArguments& args, Console& console) {
  CancelSource cancel;
  const SignalsCancel signals([&cancel] { cancel.cancel(); });
  std::mutex mutex;
  Migration now = first;
  const ProgressDisplay display(console, progress_style(args.progress, args.log), [&] {
    const std::lock_guard lock(mutex);
    return progress_of(now);
  });
  constexpr std::chrono::milliseconds kPeriod{1000};
  while (now.active() && wait_for({}, cancel.token(), kPeriod) != WaitResult::kCancelled) {
    Migration next = store.refreshed(first).value_or(first);
    const std::lock_guard lock(mutex);
    now = std::move(next);
  }
  return now;
}

// The exit code for a migration that was watched: only that it has failed is known here, not why.
int exit_code_of(migration::State state) {
  switch (state) {
    case migration::State::kSucceeded:
      return kExitSuccess;
    case migration::State::kValidationFailed:
      return kExitInvalid;
    case migration::State::kInProgress:  // the watcher has ended
      return SignalsCancel::exit_code();
    case migration::State::kCanceled:
      return kExitInterrupted;
    case migration::State::kFailed:
      break;
  }
  return kExitIncomplete;
}

int show(const MigrationArguments& args, bool watched) {
  return run_reporting(args.log, [&](Console& console) -> int {
    const OutputFormat output = output_format(args.output);
    require_a_name(args);
    migration::Store store = open_store(args);
    Migration migration = store.find(args.own_name(), args.wanted_target());
    if (watched) migration = watch(store, migration, args, console);
    std::fputs(migration_text(migration, output, store.folder()).c_str(), stdout);
    return watched ? exit_code_of(migration.state) : kExitSuccess;
  });
}

struct UpdateArguments : MigrationArguments {
  bool cancels = false;
  PaceArguments pace;
  std::vector<std::string> databases;
};

int change_pace(const UpdateArguments& args, const pipeline::PaceChange& change) {
  return run_reporting(args.log, [&](Console& console) -> int {
    const OutputFormat output = output_format(args.output);
    migration::Store store = open_store(args);
    const Migration migration = store.find(args.own_name(), args.wanted_target());
    store.request_pace(migration, change);
    Log(console).info(
        fmt::format("migration {}: its worker goes on so within a second or two, or when it takes the "
                    "migration up",
                    migration.name));
    std::fputs(migration_text(store.refreshed(migration).value_or(migration), output, store.folder()).c_str(), stdout);
    return kExitSuccess;
  });
}

int update(const UpdateArguments& args) {
  const pipeline::PaceChange change = change_of(args.pace);
  if (change != pipeline::PaceChange() && !args.cancels && !args.own_name().empty()) return change_pace(args, change);
  return run_reporting(args.log, [&](Console& console) -> int {
    const OutputFormat output = output_format(args.output);
    require_a_name(args);
    if (!args.cancels) {
      throw Error(ErrorKind::kUsage,
                  "what is to be changed? --cancel, --pause, --continue, --max-rate, "
                  "--max-source-sessions");
    }
    if (!args.databases.empty()) {
      throw Error(ErrorKind::kUsage, "--cancel takes no database names: a migration is cancelled as a whole")
          .hint("leave the names out; a migration of one database each can be cancelled alone");
    }
    migration::Store store = open_store(args);
    const Migration migration = store.find(args.own_name(), args.wanted_target());
    store.request_cancel(migration);
    const Migration now = store.refreshed(migration).value_or(migration);
    if (now.active()) {
      Log(console).info(
          fmt::format("migration {} is being cancelled: the databases that it has made are dropped; 'pgsluice "
                      "migration show --name {} --watch' shows the end",
                      migration.name, migration.name));
    } else {
      Log(console).info(fmt::format("migration {}: {}: {}", now.name, to_string(now.state), now.error));
    }
    std::fputs(migration_text(now, output, store.folder()).c_str(), stdout);
    return kExitSuccess;
  });
}

// An active migration is cancelled first, which drops databases: that takes a yes.
void ask_before_cancelling(const Migration& migration, bool is_said) {
  if (is_said) return;
  if (::isatty(STDIN_FILENO) != 1 || ::isatty(STDERR_FILENO) != 1) {
    throw Error(ErrorKind::kUsage, fmt::format("the migration {} is active", migration.name))
        .hint("--yes cancels it, which drops the databases that it has made, and then deletes it");
  }
  std::fputs(fmt::format("migration {} is active: cancel it, dropping the databases that it has made on {}, and delete "
                         "it? [y/N] ",
                         migration.name, migration.target)
                 .c_str(),
             stderr);
  std::array<char, 8> answer{};
  const bool is_yes =
      std::fgets(answer.data(), answer.size(), stdin) != nullptr && (answer[0] == 'y' || answer[0] == 'Y');
  if (!is_yes) throw Error(ErrorKind::kUsage, "nothing was cancelled or deleted");
}

int remove(const MigrationArguments& args, bool is_said) {
  return run_reporting(args.log, [&](Console& console) -> int {
    output_format(args.output);
    require_a_name(args);
    migration::Store store = open_store(args);
    CancelSource cancel;
    const SignalsCancel signals([&cancel] { cancel.cancel(); });
    const Migration migration = store.find(args.own_name(), args.wanted_target());
    if (migration.active()) {
      ask_before_cancelling(migration, is_said);
      Log(console).info(fmt::format("migration {} is cancelled first", migration.name));
    }
    migration::cancel_and_remove(store, migration, cancel.token());
    Log(console).info(fmt::format("migration {} is deleted", migration.name));
    return kExitSuccess;
  });
}

int check_name(const MigrationArguments& args) {
  return run_reporting(args.log, [&](Console&) -> int {
    const OutputFormat output = output_format(args.output);
    require_a_name(args);
    migration::Store store = open_store(args);
    const migration::NameAvailability name = migration::check_name(store, args.own_name(), args.target_name());
    if (output == OutputFormat::kJson) std::fputs((migration::to_text(to_document(name), 2) + "\n").c_str(), stdout);
    if (output == OutputFormat::kTable) {
      std::fputs((name.available ? fmt::format("{} is available\n", name.name) : name.message + "\n").c_str(), stdout);
    }
    return kExitSuccess;
  });
}

void add_create(CLI::App& migration, int& exit_code) {
  CLI::App* command = migration.add_subcommand("create", "Create a migration, and follow it to its end");
  command->footer(kCreateFooter);
  auto args = std::make_shared<CreateArguments>();
  add_name_options(*command, *args);
  add_request_options(*command, *args);
  CLI::Option* no_wait =
      command->add_flag("--no-wait", args->no_wait, "Have it go on by itself, in a worker of its own");
  command
      ->add_option("--worker-command", args->worker_command,
                   "What begins that worker, by the shell: 'pgsluice worker' runs elsewhere, the properties file is on "
                   "its standard input, $PGSLUICE_MIGRATION_NAME and _TARGET name the migration")
      ->needs(no_wait);
  add_migration_options(*command, *args);
  command->callback([args, &exit_code] { exit_code = create(*args); });
}

CLI::App* add_simple(CLI::App& migration, const char* name, const char* description, const char* example,
                     const std::shared_ptr<MigrationArguments>& args) {
  CLI::App* command = migration.add_subcommand(name, description);
  command->footer(fmt::format("Example:\n  pgsluice migration {}", example));
  add_name_options(*command, *args);
  add_migration_options(*command, *args);
  return command;
}

void add_update(CLI::App& migration, int& exit_code) {
  auto args = std::make_shared<UpdateArguments>();
  CLI::App* command = add_simple(migration, "update", "Slow down, pause or cancel a migration", "", args);
  command->footer(
      "Examples:\n"
      "  pgsluice migration update --name first --max-rate '20 MB'\n"
      "  pgsluice migration update --name first --pause\n"
      "  pgsluice migration update --name first --continue --max-rate none\n"
      "  pgsluice migration update --name first --cancel\n"
      "'pgsluice control --help' says what becomes of a copy that is paused.");
  CLI::Option* cancel = command->add_flag("--cancel", args->cancels, "End it, and drop the databases that it has made");
  for (CLI::Option* option : add_pace_options(*command, args->pace)) option->excludes(cancel);
  // The service's own form names databases after --cancel.
  command->add_option("databases", args->databases)->group("");
  command->callback([args, &exit_code] { exit_code = update(*args); });
}

}  // namespace

void add_migration_commands(CLI::App& app, int& exit_code) {
  CLI::App* migration = app.add_subcommand("migration", "Migrations of several databases, as a service runs them");
  migration->footer(kMigrationFooter);
  migration->require_subcommand(1);
  add_create(*migration, exit_code);

  auto args = std::make_shared<MigrationArguments>();
  auto filter = std::make_shared<std::string>("Active");
  CLI::App* list_command =
      add_simple(*migration, "list", "Migrations, newest first; --name: those of a target", "list --filter All", args);
  list_command->add_option("--filter", *filter, "Active or All")
      ->check(one_of({"Active", "All"}, LetterCase::kIgnored));
  list_command->callback([args, filter, &exit_code] { exit_code = list(*args, *filter); });

  args = std::make_shared<MigrationArguments>();
  auto watched = std::make_shared<bool>(false);
  CLI::App* show_command =
      add_simple(*migration, "show", "A migration with its databases and findings", "show --name first --watch", args);
  show_command->add_flag("--watch", *watched, "Show its progress until its end");
  show_command->callback([args, watched, &exit_code] { exit_code = show(*args, *watched); });

  add_update(*migration, exit_code);

  args = std::make_shared<MigrationArguments>();
  CLI::App* delete_command = add_simple(*migration, "delete", "Forget a migration; one that is active is cancelled",
                                        "delete --name first", args);
  auto yes = std::make_shared<bool>(false);
  delete_command->add_flag("-y,--yes", *yes, "Cancel and delete one that is active without asking");
  delete_command->callback([args, yes, &exit_code] { exit_code = remove(*args, *yes); });

  args = std::make_shared<MigrationArguments>();
  add_simple(*migration, "check-name-availability", "Whether a migration may have this name",
             "check-name-availability --name first", args)
      ->callback([args, &exit_code] { exit_code = check_name(*args); });
}

}  // namespace pgsluice::tools
