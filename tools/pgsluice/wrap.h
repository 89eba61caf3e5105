#pragma once

#include <cstddef>
#include <string>

namespace pgsluice::tools {

/// The characters of a text in UTF-8, as a terminal counts them: continuation bytes take no place.
std::size_t characters(const std::string& text);

/// Text in lines of a width, all but the first with an indentation; words longer than a line stay whole.
std::string wrap(const std::string& text, std::size_t width, std::size_t indent);

/// An example as a shell takes it: continued with a backslash before an option where it is too long.
std::string wrap_example(const std::string& line, std::size_t width);

}  // namespace pgsluice::tools
