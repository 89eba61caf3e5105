#include "schema/archive/pg_dump.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <sstream>

#include "base/subprocess.h"
#include "pg/connection.h"
#include "pg/version.h"
#include "pgsluice/error.h"
#include "schema/archive/archive.h"

namespace pgsluice::schema {

namespace fs = std::filesystem;

namespace {

// Settings that pg_dump leaves to the server's defaults and that its output depends on, for example constants of type
// money. 9.5 has all of them.
constexpr std::string_view kSettings =
    " -c TimeZone=UTC -c bytea_output=hex -c xmloption=content -c array_nulls=on"
    " -c quote_all_identifiers=off -c statement_timeout=0 -c lock_timeout=0"
    " -c default_transaction_isolation=read\\ committed";  // SERIALIZABLE is not available on a standby
// Where our own sessions restore. pg_restore's have the target's, as pg_dump's have the source's.
constexpr std::string_view kMoney = " -c lc_monetary=C";

std::vector<fs::path> folders_of_path() {
  std::vector<fs::path> result;
  const char* path = std::getenv("PATH");
  std::istringstream parts(path == nullptr ? "" : path);
  for (std::string part; std::getline(parts, part, ':');) {
    if (!part.empty()) result.emplace_back(part);
  }
  return result;
}

// /usr/lib/postgresql/15/bin (Debian), /usr/pgsql-15/bin (RPMs), newest first.
std::vector<fs::path> usual_folders() {
  std::vector<std::pair<double, fs::path>> found;
  std::error_code ignored;  // a folder that is not there holds no program
  for (const auto& entry : fs::directory_iterator("/usr/lib/postgresql", ignored)) {
    found.emplace_back(std::strtod(entry.path().filename().c_str(), nullptr), entry.path() / "bin");
  }
  for (const auto& entry : fs::directory_iterator("/usr", ignored)) {
    const std::string name = entry.path().filename().string();
    constexpr std::string_view kPrefix = "pgsql-";
    if (name.rfind(kPrefix, 0) == 0)
      found.emplace_back(std::strtod(&name[kPrefix.size()], nullptr), entry.path() / "bin");
  }
  std::sort(found.rbegin(), found.rend());
  std::vector<fs::path> result;
  for (auto& [version, folder] : found) result.push_back(std::move(folder));
  result.emplace_back("/usr/local/pgsql/bin");
  result.emplace_back("/usr/local/bin");
  return result;
}

std::vector<fs::path> candidates(const std::optional<fs::path>& bindir, std::string_view name) {
  if (bindir) return {*bindir / name};
  std::vector<fs::path> result;
  std::vector<fs::path> wrappers;
  const auto add = [&](const std::vector<fs::path>& folders) {
    for (const fs::path& folder : folders) {
      const fs::path program = folder / name;
      std::error_code ignored;  // what cannot be resolved cannot be run either
      // Debian's /usr/bin/pg_dump is a script that picks a version by the clusters of this machine.
      const bool wrapper = fs::canonical(program, ignored).filename() == "pg_wrapper";
      (wrapper ? wrappers : result).push_back(program);
    }
  };
  add(folders_of_path());
  add(usual_folders());
  result.insert(result.end(), wrappers.begin(), wrappers.end());
  return result;
}

// "pg_dump (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)"
std::optional<ClientProgram> identify(const fs::path& path, const CancelToken& cancel) {
  if (::access(path.c_str(), X_OK) != 0 || !fs::is_regular_file(path)) return std::nullopt;
  const SubprocessResult result = run_command({.command = {path.string(), "--version"}}, cancel);
  constexpr std::string_view kPrefix = "(PostgreSQL) ";
  const std::size_t at = result.output.find(kPrefix);
  if (result.exit_code != 0 || at == std::string::npos) return std::nullopt;
  const std::string rest = result.output.substr(at + kPrefix.size());
  ClientProgram program{.path = path, .version_text = rest.substr(0, rest.find_first_of(" \n"))};
  char* end = nullptr;
  const auto major = static_cast<int>(std::strtol(rest.c_str(), &end, 10));
  program.release = major * 100;
  if (major < 10 && *end == '.') program.release += static_cast<int>(std::strtol(end + 1, &end, 10));
  if (*end == '.') program.minor = static_cast<int>(std::strtol(end + 1, nullptr, 10));
  return major > 0 ? std::optional(program) : std::nullopt;
}

std::string version_text(int server_version) {
  if (server_version >= pg::kV10) return std::to_string(server_version / 10000);
  return fmt::format("{}.{}", server_version / 10000, server_version / 100 % 100);
}

}  // namespace

namespace {

// True if a program is preferred to another one, both being new enough: the lowest release, and its latest minor one.
bool is_preferred(const ClientProgram& a, const ClientProgram& b) {
  return a.release != b.release ? a.release < b.release : a.minor > b.minor;
}

struct Found {
  std::optional<ClientProgram> best;
  std::optional<ClientProgram> older;
};

Found look_for(const std::optional<fs::path>& bindir, int server_version, const CancelToken& cancel,
               std::string_view name) {
  Found found;
  for (const fs::path& path : candidates(bindir, name)) {
    const std::optional<ClientProgram> program = identify(path, cancel);
    if (!program) continue;
    const bool is_older = program->release < pg::release_of(server_version);
    std::optional<ClientProgram>& place = is_older ? found.older : found.best;
    if (!place || (!is_older && is_preferred(*program, *place))) place = program;
  }
  return found;
}

}  // namespace

std::optional<ClientProgram> look_for_client_program(const std::optional<fs::path>& bindir, int server_version,
                                                     const CancelToken& cancel, std::string_view name,
                                                     Elsewhere elsewhere) {
  if (bindir) {
    std::optional<ClientProgram> best = look_for(bindir, server_version, cancel, name).best;
    if (best || elsewhere == Elsewhere::kNo) return best;
  }
  return look_for(std::nullopt, server_version, cancel, name).best;
}

std::optional<std::string> why_too_old(const ClientProgram& program, int server_version) {
  const int minor = pg::minor_of(server_version);
  if (program.release != pg::release_of(server_version) || program.minor >= minor) return std::nullopt;
  return fmt::format(
      "{} is version {}, older than its server's {}.{}: install the client programs of that minor "
      "release, which know what a server of that minor release does differently",
      program.path.string(), program.version_text, version_text(server_version), minor);
}

ClientProgram find_client_program(const std::optional<fs::path>& bindir, int source_version, const CancelToken& cancel,
                                  std::string_view name) {
  const auto [best, older] = look_for(bindir, source_version, cancel, name);
  if (best) return *best;
  const std::string required = version_text(source_version);
  const std::string hint = fmt::format(
      "install PostgreSQL's client programs of version {} or later (Debian: postgresql-client-{})", required, required);
  if (older) {
    throw Error(ErrorKind::kConfig, fmt::format("{} is version {}, older than the source server's {}",
                                                older->path.string(), older->version_text, required))
        .hint(hint)
        .remedy(Remedy::kNameClientPrograms);
  }
  throw Error(ErrorKind::kConfig, bindir ? fmt::format("there is no {} in {}", name, bindir->string())
                                         : fmt::format("{} was not found in PATH or where PostgreSQL is usually "
                                                       "installed",
                                                       name))
      .hint(hint)
      .remedy(Remedy::kNameClientPrograms);
}

namespace {

// `settings` are passed as startup options; if they are empty, the server's own settings apply.
SubprocessResult dump(const DumpRequest& request, std::string_view settings, const CancelToken& cancel) {
  const std::string startup_options = request.source.get("options").value_or("") + std::string(settings);
  pg::ConnInfo source = request.source.with("application_name", "pgsluice: pg_dump");
  if (!startup_options.empty()) source = source.with("options", startup_options);
  pg::ConnInfo::ForProgram connection = source.for_program();
  std::vector<std::string> command = {request.program.path.string(),
                                      "--format=custom",
                                      "--compress=0",
                                      "--no-password",
                                      "--role=" + request.role,
                                      "--snapshot=" + request.snapshot,
                                      "--encoding=" + request.encoding,
                                      "--dbname=" + connection.conninfo};
  if (!request.data_entries || !request.large_objects) command.emplace_back("-B");
  if (!request.data_entries) {
    for (const char* section : {"pre-data", "post-data"}) command.push_back(fmt::format("--section={}", section));
  }
  for (const std::string& schema : request.schemas_left_out) command.push_back("--exclude-schema=" + schema);
  for (const std::string& table : request.tables_left_out) command.push_back("--exclude-table=" + table);
  SubprocessOptions options{.command = std::move(command), .environment = std::move(connection.environment)};
  if (!request.data_entries) return run_command(std::move(options), cancel);
  const auto is_whole = [](std::string_view output) { return has_whole_toc(output, "pg_dump's archive"); };
  SubprocessResult result = run_command(std::move(options), cancel, is_whole);
  // It may end before it is asked for: by its own end, or where it fails with data that it was not to read.
  if (result.exit_code != 0 && !result.output.empty() && is_whole(result.output)) result.exit_code = 0;
  return result;
}

// As libpq says it; the server's own words may be in another language: then it is a failure like any other.
bool lost_its_connection(std::string_view failure) {
  constexpr std::array<std::string_view, 5> kWordsOfLibpq = {
      "server closed the connection unexpectedly", "could not receive data from server",
      "could not send data to server", "could not connect to server", "terminating connection due to"};
  return std::any_of(kWordsOfLibpq.begin(), kWordsOfLibpq.end(),
                     [&](std::string_view words) { return failure.find(words) != std::string_view::npos; });
}

}  // namespace

Dump run_pg_dump(const DumpRequest& request, const Log& log, const CancelToken& cancel) {
  std::vector<std::string> warnings;
  const std::string settings = std::string(kSettings) + std::string(request.data_entries ? "" : kMoney);
  SubprocessResult result = dump(request, settings, cancel);
  // PgBouncer's words, unless its ignore_startup_parameters names the options.
  if (result.exit_code != 0 && result.errors.find("unsupported startup parameter") != std::string::npos) {
    warnings.emplace_back(
        "a pooler in front of the source refuses startup options: definitions are dumped with the server's own "
        "lc_monetary, xmloption and default_transaction_isolation");
    log.warning(warnings.back());
    result = dump(request, "", cancel);
  }
  std::string failure;
  std::istringstream lines(result.errors);
  for (std::string line; std::getline(lines, line);) {
    constexpr std::string_view kPrefix = "pg_dump: ";
    if (line.rfind(kPrefix, 0) == 0) line.erase(0, kPrefix.size());
    if (line.rfind("warning: ", 0) == 0) {
      warnings.push_back(line.substr(9));
      log.warning(fmt::format("pg_dump: {}", warnings.back()));
    } else if (!line.empty()) {
      failure += failure.empty() ? line : "; " + line;
    }
  }
  if (result.exit_code != 0 && lost_its_connection(failure)) {
    throw Error(ErrorKind::kConnection, fmt::format("pg_dump has lost its connection: {}", failure))
        .on(request.source.side())
        .step("reading the definitions")
        .hint("run again when the server can be reached");
  }
  if (result.exit_code != 0) {
    throw Error(ErrorKind::kServer, fmt::format("pg_dump failed with exit code {}: {}", result.exit_code, failure))
        .on(request.source.side())
        .step("reading the definitions")
        .hint("pg_dump has to read and lock every table: grant USAGE and SELECT, or pg_read_all_data from 14");
  }
  if (!failure.empty()) log.notice(fmt::format("pg_dump: {}", failure));
  return {.archive = std::move(result.output), .warnings = std::move(warnings)};
}

}  // namespace pgsluice::schema
