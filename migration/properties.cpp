#include "pgsluice/migration/properties.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <fnmatch.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <iterator>
#include <set>
#include <sstream>

#include "base/file_descriptor.h"
#include "migration/engine_options.h"
#include "migration/properties_object.h"
#include "pg/quote.h"
#include "pipeline/prepare/archived_server.h"

namespace pgsluice::migration {

namespace {

constexpr std::size_t kMostBytes = 1 << 20;
constexpr std::size_t kLongestName = 63;  // NAMEDATALEN - 1, and the limit of a migration's name

struct UnsupportedKey {
  std::string_view key;
  std::string_view reason;
};

// Keys of the service's interface that have no meaning here.
constexpr std::string_view kOnlineOnly = "belongs to online migrations, and pgsluice's are offline: leave it out";
constexpr std::array<UnsupportedKey, 12> kUnsupported = {{
    {"setupLogicalReplicationOnSourceDbIfNeeded", kOnlineOnly},
    {"triggerCutover", kOnlineOnly},
    {"dbsToTriggerCutoverOn", kOnlineOnly},
    {"startDataMigration", "a migration begins when it is created: leave it out"},
    {"migrationWindowStartTimeInUtc", "a migration begins when it is created: leave it out"},
    {"migrationWindowEndTimeInUtc", "is set when the migration ends: leave it out"},
    {"cancel", "is no property of a new migration: cancel the one that is active"},
    {"dbsToCancelMigrationOn", "a migration is canceled as a whole"},
    {"migrationRuntimeResourceId", "there is no runtime server: pgsluice itself copies; leave it out"},
    {"migrationInstanceResourceId", "there is no runtime server: pgsluice itself copies; leave it out"},
    {"sourceDbServerFullyQualifiedDomainName", "the host's name stands in SourceDBServerResourceId"},
    {"targetDbServerFullyQualifiedDomainName", "the host's name stands in TargetDbServerResourceId"},
}};

ServerAddress parse_server(const std::string& text, const std::string& path) {
  const auto refuse = [&](std::string_view what) {
    throw Error(ErrorKind::kConfig, fmt::format("{}: {}", path, what))
        .hint("host:port@user is wanted, an IPv6 address in brackets: \"db.example.com:5432@admin\"");
  };
  if (text.find("://") != std::string::npos) refuse("a URI is not taken");
  ServerAddress server;
  std::size_t at = 0;
  if (text.rfind('[', 0) == 0) {
    const std::size_t closing = text.find(']');
    if (closing == std::string::npos) refuse("the address's closing bracket is missing");
    server.host = text.substr(1, closing - 1);
    at = closing + 1;
  } else {
    at = std::min(text.find_first_of(":@"), text.size());
    server.host = text.substr(0, at);
  }
  if (server.host.empty()) refuse("the host is missing");
  if (at < text.size() && text[at] == ':') {
    const std::size_t end = std::min(text.find('@', at), text.size());
    const std::string port = text.substr(at + 1, end - at - 1);
    const auto [last, error] = std::from_chars(port.data(), port.data() + port.size(), server.port);
    const bool is_port = error == std::errc() && last == port.data() + port.size() && server.port > 0 &&
                         server.port <= 65535 && !port.empty();
    // Not what stands there: in a URI it is the password.
    if (!is_port) refuse("what stands after the colon is no port");
    at = end;
  }
  if (at < text.size()) {
    if (text[at] != '@') refuse("what follows the host is neither a port nor a user");
    server.user = text.substr(at + 1);
    if (server.user.empty()) refuse("the user is missing after the @");
    // A password there would be stored and shown.
    if (server.user.find(':') != std::string::npos) refuse("the user has a colon: passwords have keys of their own");
  }
  return server;
}

std::string read_secret_file(const std::string& name, const std::string& path) {
  std::string secret;
  try {
    secret = read_file(name);
  } catch (const Error& error) {
    throw Error(ErrorKind::kConfig, fmt::format("{}: {}", path, error.what()));
  }
  while (!secret.empty() && (secret.back() == '\n' || secret.back() == '\r')) secret.pop_back();
  if (secret.empty()) throw Error(ErrorKind::kConfig, fmt::format("{}: the file {} is empty", path, name));
  return secret;
}

// A password itself, or where it is to be had.
std::string read_password(PropertiesObject& credentials, const std::string& key, PropertiesContext::Origin origin) {
  const std::optional<std::string> itself = credentials.text(key);
  const std::optional<std::string> file = credentials.text(key + "File");
  const std::optional<std::string> variable = credentials.text(key + "Env");
  if (static_cast<int>(itself.has_value()) + file.has_value() + variable.has_value() > 1) {
    credentials.refuse(key, fmt::format("is given twice: one of {0}, {0}File, {0}Env is wanted", key));
  }
  if (origin == PropertiesContext::Origin::kRemote) {
    for (const char* ending : {"File", "Env"}) {
      if (credentials.has(key + ending)) {
        credentials.refuse(key + ending,
                           "names what is on the server's machine, which a request may not: give the "
                           "password itself");
      }
    }
  }
  if (itself) return *itself;
  if (file) return read_secret_file(*file, credentials.path_of(key + "File"));
  if (!variable) return "";
  const char* value = std::getenv(variable->c_str());
  if (value == nullptr || *value == '\0') {
    credentials.refuse(key + "Env", fmt::format("the environment variable {} is not set", *variable));
  }
  return value;
}

// All that the archive holds; postgres, which every server has, only if there is no other.
std::vector<std::string> names_in_archive(PropertiesObject& properties, const std::filesystem::path& archive) {
  std::vector<std::string> names;
  try {
    for (const pipeline::ArchivedDatabase& archived : pipeline::find_archived_databases(archive)) {
      names.push_back(archived.database.name);
    }
  } catch (const Error& error) {
    throw Error(ErrorKind::kConfig, fmt::format("{}: {}", properties.path_of("SourceArchive"), error.what()))
        .hint(error.hint());
  }
  if (names.size() > 1) std::erase(names, "postgres");
  return names;
}

void read_databases(PropertiesObject& properties, int most, Request& request) {
  constexpr const char* kKey = "DBsToMigrate";
  std::optional<std::vector<std::string>> names = properties.texts(kKey);
  if (!names && !request.archive.empty()) names = names_in_archive(properties, request.archive);
  if (!names) properties.refuse(kKey, "is missing: the databases to migrate, [\"first\", \"second\"]");
  if (names->empty()) properties.refuse(kKey, "names no database: at least one is wanted");
  if (names->size() > static_cast<std::size_t>(most)) {
    properties.refuse(kKey, fmt::format("names {} databases, and a migration takes {}, unless that limit is raised",
                                        names->size(), most));
  }
  std::set<std::string> seen;
  for (std::size_t i = 0; i < names->size(); ++i) {
    const std::string& name = (*names)[i];
    const std::string at = fmt::format("{}[{}]", kKey, i);
    if (name.empty()) properties.refuse(at, "is empty: the name of a database is wanted");
    if (name.find('\0') != std::string::npos) properties.refuse(at, "holds a byte of value 0, which no name may");
    if (name.size() > kLongestName) properties.refuse(at, "is longer than 63 bytes, which no name of a database is");
    if (name == "template0" || name == "template1") properties.refuse(at, "is a template, which every server has");
    if (!seen.insert(name).second) {
      properties.refuse(at, fmt::format("is there already: {}", pg::display_name("", name)));
    }
  }
  request.databases = *names;
}

void read_secrets(PropertiesObject& properties, PropertiesContext::Origin origin, Request& request,
                  std::string& target_user) {
  std::optional<PropertiesObject> secrets = properties.object("SecretParameters");
  if (!secrets) return;
  if (std::optional<PropertiesObject> credentials = secrets->object("AdminCredentials")) {
    request.source_password = read_password(*credentials, "SourceServerPassword", origin);
    request.target_password = read_password(*credentials, "TargetServerPassword", origin);
    credentials->require_all_known();
  }
  if (const auto user = secrets->text("sourceServerUsername")) request.source.user = *user;
  // Where both stand, that at the top wins.
  if (const auto user = secrets->text("targetServerUsername"); user && target_user.empty()) target_user = *user;
  secrets->require_all_known();
}

// True for "10.*" and the like: digits and no letters. A name such as 10.example.com, which its owner may lead
// anywhere, is not meant by it.
bool is_of_addresses(const std::string& pattern) {
  const std::string host = pattern.substr(0, pattern.starts_with('[') ? pattern.size() : pattern.find(':'));
  const auto is_letter = [](unsigned char c) { return std::isalpha(c) != 0; };
  const auto is_digit = [](unsigned char c) { return std::isdigit(c) != 0; };
  return std::any_of(host.begin(), host.end(), is_digit) && std::none_of(host.begin(), host.end(), is_letter);
}

bool is_address(const std::string& host) {
  in6_addr address{};
  return ::inet_pton(AF_INET, host.c_str(), &address) == 1 || ::inet_pton(AF_INET6, host.c_str(), &address) == 1;
}

// "host" or "host:port", where an IPv6 address is in brackets, which are no bracket expression then. A pattern with a
// port is compared with the address and its port: an address must not be taken for one.
bool matches(const ServerAddress& server, const std::string& pattern) {
  if (is_of_addresses(pattern) && !is_address(server.host)) return false;
  const bool is_v6 = server.host.find(':') != std::string::npos;
  const std::string host = is_v6 ? fmt::format("[{}]", server.host) : server.host;
  const std::size_t closing = pattern.starts_with('[') ? pattern.find(']') : std::string::npos;
  std::string shell_pattern = pattern;
  if (closing != std::string::npos) {
    shell_pattern = fmt::format("\\[{}\\]{}", pattern.substr(1, closing - 1), pattern.substr(closing + 1));
  }
  const bool has_port = pattern.find(':', closing == std::string::npos ? 0 : closing) != std::string::npos;
  const std::string text = has_port ? fmt::format("{}:{}", host, server.port) : host;
  return ::fnmatch(shell_pattern.c_str(), text.c_str(), FNM_CASEFOLD) == 0;
}

bool is_allowed(const ServerAddress& server, const std::vector<std::string>& patterns) {
  return patterns.empty() || std::any_of(patterns.begin(), patterns.end(),
                                         [&](const std::string& pattern) { return matches(server, pattern); });
}

// A server, or an archive in its place.
void read_source(PropertiesObject& properties, const PropertiesContext& context, Request& request) {
  const std::optional<std::string> source = properties.text("SourceDBServerResourceId");
  const std::optional<std::string> archive = properties.text("SourceArchive");
  if (archive) {
    if (source) properties.refuse("SourceArchive", "is given beside SourceDBServerResourceId: give one of them");
    if (context.origin == PropertiesContext::Origin::kRemote) {
      properties.refuse("SourceArchive", "names what is on the server's machine, which a request may not");
    }
    if (archive->empty()) properties.refuse("SourceArchive", "is empty: give the path of an archive");
    std::error_code failed;
    request.archive = std::filesystem::absolute(*archive, failed);
    return;
  }
  if (!source) {
    properties.refuse("SourceDBServerResourceId",
                      "is missing: the source server, host:port@user (or SourceArchive, the path of an archive)");
  }
  request.source = parse_server(*source, properties.path_of("SourceDBServerResourceId"));
}

void read_servers(PropertiesObject& properties, const PropertiesContext& context, Request& request) {
  read_source(properties, context, request);
  const std::optional<std::string> target = properties.text("TargetDbServerResourceId");
  if (!target && !context.target) {
    properties.refuse("TargetDbServerResourceId", "is missing: the target server, host:port@user");
  }
  request.target_by_name = !target;
  request.target = target ? parse_server(*target, properties.path_of("TargetDbServerResourceId"))
                          : parse_server(*context.target, "the target's name");
  for (const auto& [server, key] :
       {std::pair{&request.source, "SourceDBServerResourceId"}, {&request.target, "TargetDbServerResourceId"}}) {
    if (server->host.find(',') != std::string::npos) {
      properties.refuse(key, "names several hosts: a migration is from one server to one server");
    }
  }
  if (context.origin == PropertiesContext::Origin::kRemote) {
    for (const auto& [server, key] :
         {std::pair{&request.source, "SourceDBServerResourceId"}, {&request.target, "TargetDbServerResourceId"}}) {
      const bool is_socket = server->host.front() == '/' || server->host.front() == '@';
      if (is_socket) properties.refuse(key, "names a socket of the server's machine, which a request may not");
    }
    if (!is_allowed(request.source, context.allowed_sources)) {
      properties.refuse("SourceDBServerResourceId", "names a server that this service may not connect to");
    }
    if (!is_allowed(request.target, context.allowed_targets)) {
      properties.refuse("TargetDbServerResourceId", "names a server that this service may not connect to");
    }
  }
  std::string target_user = properties.text("targetServerUserName").value_or("");
  read_secrets(properties, context.origin, request, target_user);
  if (!target_user.empty()) request.target.user = target_user;
  const bool has_source_user = !request.source.user.empty();
  if (!request.archive.empty() && (has_source_user || !request.source_password.empty())) {
    properties.refuse("SecretParameters", "holds a user or password of the source, which is an archive: leave it out");
  }
  if (request.archive.empty() && !has_source_user) {
    properties.refuse("SourceDBServerResourceId", "names no user: host:port@user is wanted");
  }
  if (request.target.user.empty()) {
    properties.refuse("targetServerUserName", "is missing: the user of the target server, who migrates");
  }
}

// true, false, or "keep".
Overwrite read_overwrite(PropertiesObject& properties) {
  constexpr const char* kKey = "OverwriteDBsInTarget";
  if (properties.is_text(kKey, "keep")) return Overwrite::kKeep;
  const std::optional<bool> value = properties.boolean(kKey);
  return value.value_or(true) ? Overwrite::kYes : Overwrite::kNo;
}

// Every server has the database postgres, and people and programs connect to it without asking for it.
void read_maintenance_database(PropertiesObject& properties, const Request& request) {
  constexpr const char* kKey = "OverwriteMaintenanceDB";
  const bool is_said = properties.boolean(kKey).value_or(false);
  const auto& names = request.databases;
  const bool is_named = std::find(names.begin(), names.end(), "postgres") != names.end();
  if (!is_named || is_said || request.overwrite == Overwrite::kNo) return;
  properties.refuse("DBsToMigrate",
                    fmt::format("names postgres, which the target has and which would be replaced: say so with \"{}\": "
                                "\"true\", or set OverwriteDBsInTarget to \"false\"",
                                kKey));
}

void read_engine(PropertiesObject& properties, const PropertiesContext& context, Request& request) {
  std::optional<PropertiesObject> engine = properties.object("engine");
  if (!engine) return;
  request.verify = engine->boolean("verify").value_or(request.verify);
  if (const auto count = engine->integer("databasesAtOnce")) {
    if (*count < 1 || *count > 64) engine->refuse("databasesAtOnce", "a number from 1 to 64 is wanted");
    request.databases_at_once = static_cast<int>(*count);
  }
  const nlohmann::json rest = engine->rest();
  if (rest.empty()) return;
  try {
    request.engine = engine_options(rest, context.origin);
  } catch (const Error& error) {
    // "tableJobs: …" of the object's own keys.
    throw Error(ErrorKind::kConfig, fmt::format("{}.{}", properties.path_of("engine"), error.what()))
        .hint(error.hint());
  }
}

void read_choices(PropertiesObject& properties, const PropertiesContext& context, Request& request) {
  if (const auto mode = properties.text("MigrationMode"); mode && !same_key(*mode, "Offline")) {
    properties.refuse("MigrationMode", same_key(*mode, "Online")
                                           ? "Online is not supported: pgsluice's migrations are Offline"
                                           : fmt::format("\"{}\" is none: Offline is wanted", *mode));
  }
  if (const auto option = properties.text("migrationOption")) {
    const std::optional<MigrationOption> known = from_text<MigrationOption>(*option);
    if (!known) {
      properties.refuse("migrationOption",
                        fmt::format("\"{}\" is none: Validate, Migrate or ValidateAndMigrate is wanted", *option));
    }
    request.option = *known;
    request.option_is_given = true;
  }
  // The command line goes before the file.
  if (context.option) {
    request.option = *context.option;
    request.option_is_given = true;
  }
  if (const auto mode = properties.text("sslMode")) {
    constexpr std::array<const char*, 4> kModes = {"Prefer", "Require", "VerifyCA", "VerifyFull"};
    const auto* known = std::find_if(kModes.begin(), kModes.end(), [&](const char* of) { return same_key(of, *mode); });
    if (known == kModes.end()) {
      properties.refuse("sslMode",
                        fmt::format("\"{}\" is none: Prefer, Require, VerifyCA or VerifyFull is wanted", *mode));
    }
    request.ssl_mode = *known;
  }
  request.overwrite = read_overwrite(properties);
  read_maintenance_database(properties, request);
  request.roles = properties.boolean("MigrateRoles").value_or(request.roles);
  request.source_type = properties.text("sourceType").value_or(request.source_type);
}

std::string read_bounded(std::istream& in, const std::string& name) {
  std::string text(kMostBytes + 1, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (in.bad()) throw Error(ErrorKind::kConfig, fmt::format("{} cannot be read", name));
  text.resize(static_cast<std::size_t>(in.gcount()));
  return text;
}

}  // namespace

std::string ServerAddress::host_and_port() const {
  const bool is_ipv6 = host.find(':') != std::string::npos && host.front() != '/';
  return is_ipv6 ? fmt::format("[{}]:{}", host, port) : fmt::format("{}:{}", host, port);
}

std::string ServerAddress::text() const {
  return user.empty() ? host_and_port() : fmt::format("{}@{}", host_and_port(), user);
}

std::string Request::conninfo(Side side, const std::string& database) const {
  const ServerAddress& server = side == Side::kSource ? source : target;
  const std::string& password = side == Side::kSource ? source_password : target_password;
  static const std::map<std::string, std::string, std::less<>> kModes = {
      {"Prefer", "prefer"}, {"Require", "require"}, {"VerifyCA", "verify-ca"}, {"VerifyFull", "verify-full"}};
  const auto quoted = [](const std::string& value) {
    std::string text = "'";
    for (const char c : value) {
      if (c == '\'' || c == '\\') text += '\\';
      text += c;
    }
    return text + "'";
  };
  std::string text = fmt::format("host={} port={} user={} dbname={} sslmode={}", quoted(server.host), server.port,
                                 quoted(server.user), quoted(database), kModes.find(ssl_mode)->second);
  if (!password.empty()) text += " password=" + quoted(password);
  return text;
}

Request parse_properties(const std::string& text, const PropertiesContext& context) {
  PropertiesObject file = PropertiesObject::parse(text);
  std::optional<PropertiesObject> found = file.object("properties");
  if (!found) file.refuse("properties", "is missing: a file of the form {\"properties\": {…}} is wanted");
  PropertiesObject& properties = *found;
  for (const UnsupportedKey& key : kUnsupported) {
    if (properties.names(std::string(key.key))) properties.refuse(std::string(key.key), std::string(key.reason));
  }
  Request request;
  read_servers(properties, context, request);
  read_databases(properties, context.max_databases, request);
  read_choices(properties, context, request);
  read_engine(properties, context, request);
  properties.require_all_known();
  file.require_all_known();
  return request;
}

std::string read_properties_text(const std::filesystem::path& file) {
  const std::string name = file == "-" ? "standard input" : file.string();
  std::string text;
  if (file == "-") {
    text = read_bounded(std::cin, name);
  } else {
    if (std::error_code error; std::filesystem::is_directory(file, error)) {
      throw Error(ErrorKind::kConfig, fmt::format("{} is a folder: a properties file is wanted", name));
    }
    std::ifstream in(file, std::ios::binary);
    if (!in) throw Error(ErrorKind::kConfig, system_error(fmt::format("cannot read {}", name), errno).what());
    text = read_bounded(in, name);
  }
  if (text.size() > kMostBytes) {
    throw Error(ErrorKind::kConfig, fmt::format("{}: larger than 1 MiB, which no properties file is", name));
  }
  return text;
}

Request read_properties(const std::filesystem::path& file, const PropertiesContext& context) {
  return parse_properties(read_properties_text(file), context);
}

void require_name(const std::string& name) {
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-';
  };
  const bool good = !name.empty() && name.size() <= kLongestName && name.front() != '-' &&
                    std::all_of(name.begin(), name.end(), allowed);
  if (good) return;
  throw Error(
      ErrorKind::kUsage,
      fmt::format("\"{}\" is no name of a migration: letters, digits and hyphens are, the first no hyphen, 63 at "
                  "most",
                  name.substr(0, 100)));
}

}  // namespace pgsluice::migration
