#pragma once

#include <string>
#include <string_view>

namespace pgsluice {

/// A file name for any text that is not empty, a database's name say: letters, digits, '_' and '-' stay, other bytes
/// become "%2F". No two texts have the same one, and none is that of a file with an extension.
std::string escape_file_name(std::string_view text);

/// Returns the text of a file name that escape_file_name() has made. Throws Error(kConfig) for another one.
std::string unescape_file_name(std::string_view name);

}  // namespace pgsluice
