#include "pipeline/prepare/properties_that_come.h"

#include "schema/catalog/archived_properties.h"
#include "schema/catalog/expression_settings.h"

namespace pgsluice::pipeline {

std::vector<schema::DatabaseProperty> properties_that_come(std::optional<pg::Connection>& source,
                                                           pg::Connection& target, const schema::Archive& archive,
                                                           const schema::RestoreOptions& options) {
  std::vector<schema::DatabaseProperty> properties =
      source ? schema::read_database_properties(*source, target.database(), options)
             : schema::properties_of_archive(archive, target.database(), options);
  std::set<std::string> there;
  for (const schema::DatabaseProperty& property : schema::read_database_properties(target, target.database(), {})) {
    there.insert(property.statement);
  }
  std::erase_if(properties, [&](const schema::DatabaseProperty& property) {
    return property.description.starts_with("setting ") && there.contains(property.statement);
  });
  return properties;
}

std::set<std::string> names_of_settings_that_come(std::optional<pg::Connection>& source,
                                                  const schema::Archive& archive) {
  if (source) return schema::names_of_database_settings(*source);
  std::set<std::string> names;
  for (const auto& [name, value] : schema::expression_settings_of(archive)) names.insert(name);
  return names;
}

}  // namespace pgsluice::pipeline
