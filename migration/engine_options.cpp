#include "migration/engine_options.h"

#include <fmt/format.h>

#include <cmath>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/nearest.h"
#include "pgsluice/error.h"
#include "pipeline/settings.h"

namespace pgsluice::migration {

namespace {

// "table-jobs" and "tableJobs" are the same.
std::string plain(const std::string& name) {
  std::string result;
  for (const char c : name) {
    if (c == '-' || c == '_') continue;
    result += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  }
  return result;
}

// Options of `clone` that are no settings, and why a migration does not take them.
const std::map<std::string, std::string, std::less<>> kOfTheCommand = {
    {"all-databases", "DBsToMigrate names the databases"},
    {"dry-run", "MigrationOption Validate looks first, and changes nothing"},
    {"json", "it is of the command line: -o json"},
    {"progress", "it is of the command line"},
    {"verbose", "it is of the command line"},
    {"notice", "it is of the command line"},
    {"debug", "it is of the command line"},
    {"trace", "it is of the command line"},
    {"quiet", "it is of the command line"},
    {"help", "it is no option of a copy"},
};

// The value as an option would have it. Throws Error(kUsage) for what is no text, number or truth.
std::string text_of(const nlohmann::json& value) {
  if (value.is_boolean()) return value.get<bool>() ? "true" : "false";
  if (value.is_number_integer()) return std::to_string(value.get<std::int64_t>());
  // 4.0 is a whole number, as programs write it whose numbers are all of one type.
  if (value.is_number_float() && value.get<double>() == std::floor(value.get<double>())) {
    return fmt::format("{:.0f}", value.get<double>());
  }
  if (value.is_string()) return value.get<std::string>();
  throw Error(ErrorKind::kUsage,
              fmt::format("must be a text, a number, true or false, and is of type {}", value.type_name()));
}

[[noreturn]] void refuse_for_migrations(std::string_view reason) {
  throw Error(ErrorKind::kUsage, fmt::format("is not for a migration: {}", reason));
}

// The setting that a key names. Throws Error(kUsage) for one that names none, or none of a migration's.
const pipeline::Setting& setting_of(const std::string& key, PropertiesContext::Origin origin) {
  std::vector<std::string> names;
  for (const pipeline::Setting& setting : pipeline::settings()) {
    for (const std::string& name : pipeline::long_names(setting)) {
      names.push_back(name);
      if (plain(name) != plain(key)) continue;
      if (setting.why_not_for_migrations != nullptr) refuse_for_migrations(setting.why_not_for_migrations);
      if (setting.names_file && origin == PropertiesContext::Origin::kRemote) {
        throw Error(ErrorKind::kUsage, "names a file of the server's machine, which a request may not");
      }
      return setting;
    }
  }
  for (const auto& [name, reason] : kOfTheCommand) {
    if (plain(name) == plain(key)) refuse_for_migrations(reason);
  }
  const std::optional<std::string> meant = nearest(key, names);
  throw Error(ErrorKind::kUsage,
              fmt::format("is no option of a clone{}", meant ? fmt::format("; did you mean {}?", *meant) : ""))
      .hint("'pgsluice clone --help' lists them");
}

void refuse_exclusive(const std::map<const pipeline::Setting*, std::string>& given) {
  for (const auto& [setting, text] : given) {
    if (setting->excludes == nullptr) continue;
    for (const auto& [other, other_text] : given) {
      if (fmt::format("--{}", pipeline::long_names(*other).front()) != setting->excludes || other_text == "false")
        continue;
      throw Error(ErrorKind::kUsage,
                  fmt::format("{}: and {} exclude one another", pipeline::long_names(*setting).front(),
                              pipeline::long_names(*other).front()));
    }
  }
}

}  // namespace

pipeline::CloneOptions engine_options(const nlohmann::json& engine, PropertiesContext::Origin origin) {
  std::map<const pipeline::Setting*, std::string> given;
  pipeline::CloneOptions options;
  for (const auto& [key, value] : engine.items()) {
    try {
      const pipeline::Setting& setting = setting_of(key, origin);
      const std::string text = text_of(value);
      apply(setting, text, options);
      given[&setting] = text;
    } catch (const Error& error) {
      throw Error(error.kind(), fmt::format("{}: {}", key, error.what())).hint(error.hint());
    }
  }
  refuse_exclusive(given);
  // Once more in the settings' own order, by which one may go before another.
  options = {};
  for (const auto& [setting, text] : given) apply(*setting, text, options);
  require_consistent(options);
  return options;
}

}  // namespace pgsluice::migration
