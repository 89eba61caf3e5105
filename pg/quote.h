#pragma once

#include <string>
#include <string_view>

namespace pgsluice::pg {

/// An identifier for SQL text, always in double quotes: reserved words differ between server versions.
std::string quote_identifier(std::string_view name);

/// The name that an identifier stands for, as pg_dump writes it: in double quotes, or as it is.
std::string unquote_identifier(std::string_view identifier);

/// "schema"."name", each quoted.
std::string quote_qualified(std::string_view schema, std::string_view name);

/// A string literal that means the same whatever standard_conforming_strings is. `text` holds no NUL byte and is in
/// the client encoding, which must be one in which a quote or backslash byte is always that character.
std::string quote_literal(std::string_view text);

/// The elements of a setting that is a list of names (GUC_LIST_QUOTE), as literals for SET: "a, \"B\"" is 'a', 'B'. The
/// server may have stored an element that is no name and stands without quotes.
std::string quote_list(std::string_view setting);

/// schema.name for a message to a person: quoted only where a person would need the quotes.
std::string display_name(std::string_view schema, std::string_view name);

}  // namespace pgsluice::pg
