#include "pgsluice/migration/control.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <iterator>

#include "base/subprocess.h"
#include "base/wait.h"
#include "pgsluice/error.h"
#include "pgsluice/migration/properties.h"

namespace pgsluice::migration {

namespace {

std::string source_type_of(const Request& request) { return request.archive.empty() ? request.source_type : "Archive"; }

// For a worker to come up, or for what submits one to end.
constexpr std::chrono::milliseconds kStartLimit{60'000};
// Between looks at a migration that another process writes.
constexpr std::chrono::milliseconds kPause{200};

// The exit status of the shell's command is written to the pipe on which a worker reports that it is ready.
constexpr const char* kShellScript = R"((eval "$PGSLUICE_WORKER_COMMAND") 3>&-; echo "e$?" >&3)";

std::string last_lines(const std::filesystem::path& file) {
  std::ifstream in(file);
  std::string text((std::istreambuf_iterator<char>(in)), {});
  constexpr std::size_t kMost = 1000;
  if (text.size() > kMost) text.erase(0, text.find('\n', text.size() - kMost) + 1);
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}

std::string read_word(int fd, const CancelToken& cancel) {
  std::array<WaitFor, 1> set{WaitFor{.fd = fd, .want_read = true}};
  switch (wait_for(set, cancel, kStartLimit)) {
    case WaitResult::kTimeout:
      return "timeout";
    case WaitResult::kCancelled:
      throw Error(ErrorKind::kCancelled, "cancelled before a worker came up; one may still take the migration up");
    case WaitResult::kReady:
      break;
  }
  std::array<char, 16> buffer{};
  const ssize_t got = ::read(fd, buffer.data(), buffer.size());
  return got <= 0 ? "" : std::string(buffer.data(), static_cast<std::size_t>(got));
}

}  // namespace

Migration create(Store& store, const std::string& name, const std::string& target,
                 const std::map<std::string, std::string>& labels, const Request& request) {
  require_name(name);
  Migration migration{.id = make_uuid(),
                      .name = name,
                      .target = target.empty() ? request.target.host_and_port() : target,
                      .option = request.option,
                      .source_type = source_type_of(request),
                      .ssl_mode = request.ssl_mode,
                      .source_server = request.source_text(),
                      .target_server = request.target.text(),
                      .databases = request.databases,
                      .overwrite = request.overwrite,
                      .roles = request.roles,
                      .labels = labels,
                      .created = std::chrono::system_clock::now()};
  for (const std::string& database : request.databases) migration.details.push_back({.name = database});
  store.add(migration);
  return migration;
}

void require_same(const Migration& migration, const Request& request, Sameness sameness) {
  const auto require = [&](bool same, std::string_view what) {
    if (same) return;
    throw Error(ErrorKind::kState, fmt::format("the migration {} has other {}", migration.name, what))
        .hint("give the properties file that it was created with, or create another migration");
  };
  require(migration.source_server == request.source_text(), "source servers or users");
  require(migration.target_server == request.target.text(), "target servers or users");
  require(migration.databases == request.databases, "databases");
  if (sameness == Sameness::kServersAndDatabases) return;
  require(migration.roles == request.roles && migration.overwrite == request.overwrite, "options");
  if (!request.option_is_given || request.option == migration.option) return;
  throw Error(ErrorKind::kState, fmt::format("the migration {} has the option {}, not {}", migration.name,
                                             to_string(migration.option), to_string(request.option)))
      .hint("omit the option, or create another migration with it");
}

Migration resume_migration(Store& store, const Migration& migration, const Request& request) {
  // Until a database was made, what becomes of those that are there may be thought over.
  const bool any_made = std::any_of(migration.details.begin(), migration.details.end(),
                                    [](const DatabaseDetails& details) { return details.may_be_on_target(); });
  Request as_begun = request;
  as_begun.option_is_given = false;  // the option may be another one
  if (any_made) require_same(migration, as_begun, Sameness::kWhole);
  const MigrationOption option = request.option_is_given ? request.option : migration.option;
  if (option == MigrationOption::kValidate && migration.option != MigrationOption::kValidate) {
    throw Error(ErrorKind::kState,
                fmt::format("the migration {} was begun to migrate: with the option Validate it would "
                            "end without its databases",
                            migration.name))
        .hint("omit the option; another migration, or a check, can validate");
  }
  Migration wanted = migration;
  if (!any_made) {
    // No database was created yet, so a corrected properties file may name other servers and databases.
    wanted.source_server = request.source_text();
    wanted.target_server = request.target.text();
    wanted.databases = request.databases;
    wanted.details.clear();
    for (const std::string& database : request.databases) wanted.details.push_back({.name = database});
    // A target that was not given a name is called by its address.
    const std::string before = migration.target_server.substr(0, migration.target_server.find('@'));
    if (migration.target == before) wanted.target = request.target.host_and_port();
  }
  wanted.ssl_mode = request.ssl_mode;
  wanted.source_type = source_type_of(request);
  wanted.option = option;
  wanted.roles = request.roles;
  wanted.overwrite = request.overwrite;
  return store.requeue(wanted, migration);
}

void start_worker(Store& store, const Migration& migration, const std::string& properties, const WorkerStart& start,
                  const CancelToken& cancel) {
  DetachedOptions options{.input = properties, .log = store.log_file(migration.id), .cancel = cancel};
  options.process.environment = {{"PGSLUICE_MIGRATION_NAME", migration.name},
                                 {"PGSLUICE_MIGRATION_TARGET", migration.target},
                                 {"PGSLUICE_MIGRATION_ID", migration.id},
                                 {"PGSLUICE_STORE", std::filesystem::absolute(store.folder()).string()}};
  if (start.command.empty()) {
    options.process.environment.emplace_back("PGSLUICE_READY", "1");
    options.process.command = {start.program,     "worker",
                               "--store",         std::filesystem::absolute(store.folder()).string(),
                               "--properties",    "-",
                               "--target",        migration.target,
                               "--name",          migration.name,
                               "--max-databases", std::to_string(start.max_databases)};
    if (!start.option.empty()) {
      options.process.command.insert(options.process.command.end(), {"--migration-option", start.option});
    }
  } else {
    options.process.environment.emplace_back("PGSLUICE_WORKER_COMMAND", start.command);
    options.process.command = {"/bin/sh", "-c", kShellScript};
  }
  const FileDescriptor ready = [&] {
    try {
      return start_detached(options);
    } catch (const Error& error) {
      store.fail_unclaimed(migration, "no worker could be started: " + error.describe());
      if (error.kind() == ErrorKind::kCancelled) throw;
      throw Error(ErrorKind::kSystem,
                  fmt::format("no worker could be started for the migration {}: {}", migration.name, error.describe()));
    }
  }();
  const std::string word = read_word(ready.get(), cancel);
  const bool begun = word == "1" || word.rfind("e0", 0) == 0 || (word == "timeout" && !start.command.empty());
  if (begun) return;
  // Others may have cancelled or deleted it before a worker came up: it has its end then.
  const std::optional<Migration> now = store.refreshed(migration);
  if (!now || !now->active()) return;
  const std::string said = last_lines(options.log);
  store.fail_unclaimed(migration, said.empty() ? "no worker came up" : "no worker came up; it said: " + said);
  throw Error(ErrorKind::kSystem, fmt::format("no worker came up for the migration {}{}", migration.name,
                                              said.empty() ? "" : "; it said: " + said))
      .hint(fmt::format("look at {}", options.log.string()));
}

void cancel_and_remove(Store& store, const Migration& migration, const CancelToken& cancel) {
  std::optional<Migration> now = store.refreshed(migration);
  if (now && now->active()) {
    store.cancel_to_remove(*now);
    // Its worker is another process, maybe on another machine: there is nothing to be waited for but the store.
    while ((now = store.refreshed(migration)) && now->active()) {
      pause(cancel, kPause);
    }
    if (now) require_canceled(*now);
  }
  if (now) store.remove(*now);
}

void require_canceled(const Migration& migration) {
  if (migration.state != State::kFailed) return;
  throw Error(ErrorKind::kState,
              fmt::format("the migration {} has failed before it was canceled, and is not deleted: {}", migration.name,
                          migration.error))
      .hint(
          "databases that it has made may be on the target: resume it, which cancels it, or delete it once more (in a "
          "request with force=true), which leaves them");
}

NameAvailability check_name(Store& store, const std::string& name, const std::string& target) {
  NameAvailability result{.name = name};
  try {
    require_name(name);
  } catch (const Error& error) {
    result.reason = "Invalid";
    result.message = error.what();
    return result;
  }
  bool is_taken = false;
  if (target.empty()) {
    is_taken = !store.name_available(name);
  } else {
    is_taken = !store.name_available(name, target);
  }
  result.available = !is_taken;
  if (is_taken) {
    result.reason = "AlreadyExists";
    result.message = fmt::format("there is a migration named {} already", name);
  }
  return result;
}

}  // namespace pgsluice::migration
