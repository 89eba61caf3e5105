#include "copy/copy_format.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>

#include "pg/quote.h"
#include "pg/version.h"

namespace pgsluice::copy {

namespace {

using schema::ColumnType;
using schema::Oid;

// Names as format_type() writes them. Not here: reg*, whose values are the source's OIDs; tsvector, whose order of
// lexemes is the database's; xml, with an encoding of its own; what was new or changed its form after 9.5.
constexpr std::array<std::string_view, 45> kStable = {"bigint",
                                                      "bit",
                                                      "bit varying",
                                                      "boolean",
                                                      "box",
                                                      "bytea",
                                                      "\"char\"",
                                                      "character",
                                                      "character varying",
                                                      "cid",
                                                      "cidr",
                                                      "circle",
                                                      "date",
                                                      "daterange",
                                                      "double precision",
                                                      "inet",
                                                      "int4range",
                                                      "int8range",
                                                      "integer",
                                                      "interval",
                                                      "json",
                                                      "jsonb",
                                                      "line",
                                                      "lseg",
                                                      "macaddr",
                                                      "macaddr8",
                                                      "money",
                                                      "name",
                                                      "numeric",
                                                      "numrange",
                                                      "oid",
                                                      "path",
                                                      "pg_lsn",
                                                      "point",
                                                      "polygon",
                                                      "real",
                                                      "smallint",
                                                      "text",
                                                      "time with time zone",
                                                      "time without time zone",
                                                      "timestamp with time zone",
                                                      "timestamp without time zone",
                                                      "tsrange",
                                                      "tstzrange",
                                                      "uuid"};

bool is_time(std::string_view name) {
  return name.starts_with("time") || name == "interval" || name == "tsrange" || name == "tstzrange";
}

class Types {
 public:
  Types(const schema::Catalog& source, int target_version, FormatUse use)
      : source_(source), target_version_(target_version), use_(use) {}

  // Why a type can only cross as text.
  std::optional<std::string> objection(Oid oid) const {
    const auto found = source_.types.find(oid);
    if (found == source_.types.end()) return "of an unknown type";
    const ColumnType& type = found->second;
    switch (type.form) {
      case ColumnType::Form::kEnum:
        return std::nullopt;  // labels
      case ColumnType::Form::kDomain:
        return objection(type.base);
      case ColumnType::Form::kArray:
        return objection_to_array(type);
      case ColumnType::Form::kScalar:
      case ColumnType::Form::kRange:
      case ColumnType::Form::kComposite:
        break;
    }
    if (!type.built_in) return fmt::format("type {} is not PostgreSQL's own", type.name);
    if (!std::binary_search(kStable.begin(), kStable.end(), type.name, by_name)) {
      return fmt::format("type {} has no binary form that is the same everywhere", type.name);
    }
    if (!source_.integer_datetimes && is_time(type.name)) return "the source keeps times as floating-point numbers";
    return std::nullopt;
  }

 private:
  std::optional<std::string> objection_to_array(const ColumnType& array) const {
    const auto element = source_.types.find(array.base);
    const bool built_in = element != source_.types.end() && element->second.built_in;
    if (!built_in && use_ == FormatUse::kCompare) {
      return fmt::format("binary arrays of {} cannot be compared", array.name);
    }
    if (!built_in && target_version_ < pg::since::kArraysOfOtherOids) {
      return fmt::format("a target before 14 takes no binary array of {}", array.name);
    }
    return objection(array.base);
  }

  static bool by_name(std::string_view a, std::string_view b) { return without_quotes(a) < without_quotes(b); }
  static std::string_view without_quotes(std::string_view name) {
    return name.starts_with('"') ? name.substr(1, name.size() - 2) : name;
  }

  const schema::Catalog& source_;
  const int target_version_;
  const FormatUse use_;
};

}  // namespace

std::string_view to_string(CopyFormat format) {
  switch (format) {
    case CopyFormat::kText:
      return "text";
    case CopyFormat::kBinary:
      break;
  }
  return "binary";
}

FormatChoice choose_format(const schema::Catalog& source, const schema::Relation& table, int target_version,
                           FormatWish wish, FormatUse use) {
  if (wish == FormatWish::kText) return {CopyFormat::kText, "text as asked"};
  const std::string_view prefix = wish == FormatWish::kBinary ? "not safe for COPY BINARY: " : "text: ";
  if (table.extension_condition) return {CopyFormat::kText, fmt::format("{}an extension defines it", prefix)};
  const Types types(source, target_version, use);
  for (std::size_t i = 0; i < table.column_types.size(); ++i) {
    if (const std::optional<std::string> objection = types.objection(table.column_types[i])) {
      return {CopyFormat::kText,
              fmt::format("{}column {}: {}", prefix, pg::display_name("", table.columns[i]), *objection)};
    }
  }
  return {CopyFormat::kBinary, ""};
}

}  // namespace pgsluice::copy
