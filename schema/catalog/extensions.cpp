#include "schema/catalog/extensions.h"

#include <fmt/format.h>

#include <array>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>

#include "pg/quote.h"
#include "pg/transaction.h"
#include "pgsluice/error.h"
#include "schema/catalog/inventory.h"

namespace pgsluice::schema {

ExtensionVersions read_requirements(const std::filesystem::path& file) {
  using Json = nlohmann::json;
  ExtensionVersions versions;
  std::string reason = "it cannot be read";
  try {
    std::ifstream in(file);
    if (in.is_open() && !std::filesystem::is_directory(file)) {
      const Json document = Json::parse(in);
      if (!document.is_array()) throw Error(ErrorKind::kConfig, "");
      for (const Json& extension : document) {
        versions[extension.at("name").get<std::string>()] = extension.at("version").get<std::string>();
      }
      return versions;
    }
  } catch (const Json::parse_error&) {
    reason = "it is no JSON";
  } catch (const std::exception&) {
    reason = "it has another form";
  }
  throw Error(ErrorKind::kConfig, fmt::format("the requirements file {}: {}", file.string(), reason))
      .hint("it must be a JSON array of {\"name\": …, \"version\": …}");
}

void apply(const ExtensionVersions& versions, Archive& archive) {
  for (TocEntry& entry : archive.entries) {
    const auto version = versions.find(entry.tag);
    if (entry.kind != EntryKind::kExtension || version == versions.end()) continue;
    const std::size_t end = entry.definition.rfind(';');
    if (end != std::string::npos) {
      entry.definition.insert(end, fmt::format(" VERSION {}", pg::quote_literal(version->second)));
    }
  }
}

namespace {

std::string make_schema_sql(pg::Connection& target, const WantedExtension& extension) {
  const std::array<std::string, 1> name = {extension.schema};
  if (!target.execute("SELECT FROM pg_catalog.pg_namespace WHERE nspname = $1", name).empty()) return "";
  const std::string schema = pg::quote_identifier(extension.schema);
  std::string sql = fmt::format("CREATE SCHEMA {}; ", schema);
  if (may_act_for(target, extension.schema_owner)) {
    sql += fmt::format("ALTER SCHEMA {} OWNER TO {}; ", schema, pg::quote_identifier(extension.schema_owner));
  }
  return sql;
}

}  // namespace

ExtensionsOutcome create_extensions(pg::Connection& target, const std::vector<WantedExtension>& extensions) {
  ExtensionsOutcome outcome;
  std::set<std::string, std::less<>> present;
  for (const pg::Row row : target.execute("SELECT extname FROM pg_catalog.pg_extension")) present.emplace(row.text(0));
  pg::Transaction transaction(target);
  for (const WantedExtension& extension : extensions) {
    if (present.contains(extension.name)) {
      outcome.there_already.push_back(extension.name);
      continue;
    }
    const std::string schema = pg::quote_identifier(extension.schema);
    std::string sql = make_schema_sql(target, extension);
    sql +=
        fmt::format("CREATE EXTENSION IF NOT EXISTS {} WITH SCHEMA {}", pg::quote_identifier(extension.name), schema);
    if (extension.version) sql += fmt::format(" VERSION {}", pg::quote_literal(*extension.version));
    try {
      target.execute(sql + " CASCADE");
    } catch (Error& error) {
      error.object("extension " + pg::display_name("", extension.name)).step("copying extensions");
      throw;
    }
    outcome.created.push_back(extension.name);
  }
  transaction.commit();
  return outcome;
}

}  // namespace pgsluice::schema
