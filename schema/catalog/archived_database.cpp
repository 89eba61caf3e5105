#include "schema/catalog/archived_database.h"

#include <optional>
#include <string>
#include <string_view>

#include "schema/archive/definition_reader.h"
#include "schema/catalog/archived_catalog.h"

namespace pgsluice::schema {

namespace {

// "LC_COLLATE = 'C.UTF-8'": the value without quotes, which pg_dump doubles in it; of "LOCALE_PROVIDER = icu" the word.
std::optional<std::string> read_value(DefinitionReader& reader) {
  if (!reader.take("=")) return std::nullopt;
  if (std::optional<std::string> literal = reader.literal()) return literal;
  return reader.name();
}

void set_locales(Database& database, const std::string& locale) {
  database.collate = locale;
  database.ctype = locale;
}

void take_options(DefinitionReader& reader, Database& database) {
  while (!reader.take(";")) {
    // LOCALE comes first where LC_COLLATE or LC_CTYPE differ from it.
    std::optional<std::string> value;
    const auto has = [&](std::string_view option) { return reader.take(option) && (value = read_value(reader)); };
    if (has("ENCODING")) {
      database.encoding = *value;
    } else if (has("LOCALE_PROVIDER")) {
      database.locale_provider = *value == "icu" ? 'i' : *value == "builtin" ? 'b' : 'c';
    } else if (has("LC_COLLATE")) {
      database.collate = *value;
    } else if (has("LC_CTYPE")) {
      database.ctype = *value;
    } else if (has("ICU_LOCALE") || has("BUILTIN_LOCALE")) {
      database.locale = *value;
    } else if (has("ICU_RULES")) {
      database.icu_rules = *value;
    } else if (has("LOCALE")) {
      set_locales(database, *value);
    } else if (has("TABLESPACE")) {
      database.tablespace = *value;
    } else {
      return;  // an option that a later release has
    }
  }
}

}  // namespace

Database database_of_archive(const Archive& archive) {
  Database database{.name = archive.database, .encoding = encoding_of(archive)};
  for (const TocEntry& entry : archive.entries) {
    if (entry.kind != EntryKind::kDatabase) continue;
    database.owner = entry.owner;
    DefinitionReader reader(entry.definition);
    if (reader.take("CREATE DATABASE") && reader.name() && reader.take("WITH TEMPLATE = template0")) {
      take_options(reader, database);
    }
  }
  return database;
}

}  // namespace pgsluice::schema
