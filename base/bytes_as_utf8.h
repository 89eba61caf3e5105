#pragma once

#include <string>
#include <string_view>

namespace pgsluice {

/// A text of UTF-8, as JSON wants it, for bytes in any encoding, a name of a database's say: each byte travels as the
/// character of that number.
std::string bytes_as_utf8(std::string_view bytes);

/// Returns the bytes of a text that bytes_as_utf8() has made.
std::string bytes_from_utf8(std::string_view text);

}  // namespace pgsluice
