#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <string_view>

#include "pg/version.h"
#include "schema/catalog/catalog.h"

namespace pgsluice::schema {

namespace {

std::string provider_name(char provider) { return provider == 'i' ? "icu" : provider == 'b' ? "builtin" : "libc"; }

// Returns "de_DE.utf8" for "de_DE.UTF-8", too.
std::string normalized_locale(std::string_view locale) {
  std::string result(locale.substr(0, locale.find('.')));
  for (const char c : locale.substr(result.size())) {
    if (c != '-') result += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  return result;
}

}  // namespace

std::string DatabaseInfo::describe() const {
  std::string text = fmt::format("encoding {}, locale provider {}, collation {}, character classification {}", encoding,
                                 provider_name(locale_provider), collate, ctype);
  if (!locale.empty()) text += ", locale " + locale;
  if (!icu_rules.empty()) text += ", ICU rules " + icu_rules;
  return text;
}

std::vector<std::string> differences_of(const DatabaseInfo& source, const DatabaseInfo& target) {
  std::vector<std::string> differences;
  const auto compare = [&](std::string_view what, const std::string& here, const std::string& there) {
    if (normalized_locale(here) == normalized_locale(there)) return;
    const auto shown = [](const std::string& text) { return text.empty() ? std::string("none") : text; };
    differences.push_back(
        fmt::format("{} of the database: {} on the source, {} on the target", what, shown(here), shown(there)));
  };
  compare("encoding", source.encoding, target.encoding);
  compare("locale provider", provider_name(source.locale_provider), provider_name(target.locale_provider));
  compare("collation", source.collate, target.collate);
  compare("character classification", source.ctype, target.ctype);
  compare("locale", source.locale, target.locale);
  compare("ICU rules", source.icu_rules, target.icu_rules);
  return differences;
}

DatabaseInfo read_database_info(pg::Connection& connection) {
  const int version = connection.server_version();
  const pg::Result result = connection.execute(fmt::format(
      "SELECT oid, datname, pg_catalog.pg_encoding_to_char(encoding), coalesce(datcollate, ''), coalesce(datctype, ''),"
      " coalesce(CASE WHEN pg_catalog.has_database_privilege(oid, 'CONNECT') THEN pg_catalog.pg_database_size(oid) END,"
      " 0), pg_catalog.pg_get_userbyid(datdba), {}, coalesce({}, ''), coalesce({}, ''), coalesce({}, '')"
      " FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()",
      version >= pg::since::kLocaleProviders ? "datlocprovider" : "'c'",
      version >= pg::since::kOneLocale         ? "datlocale"
      : version >= pg::since::kLocaleProviders ? "daticulocale"
                                               : "NULL",
      version >= pg::since::kIcuRules ? "daticurules" : "NULL",
      version >= pg::since::kDatabaseCollationVersion ? "pg_catalog.pg_database_collation_actual_version(oid)"
                                                      : "NULL"));
  const pg::Row row = result[0];
  return {.oid = row.oid(0),
          .name = std::string(row.text(1)),
          .encoding = std::string(row.text(2)),
          .collate = std::string(row.text(3)),
          .ctype = std::string(row.text(4)),
          .owner = std::string(row.text(6)),
          .size = {row.integer(5)},
          .locale_provider = row.text(7).front(),
          .locale = std::string(row.text(8)),
          .icu_rules = std::string(row.text(9)),
          .collation_version = std::string(row.text(10))};
}

}  // namespace pgsluice::schema
