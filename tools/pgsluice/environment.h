#pragma once

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdlib>
#include <string>

#include "pgsluice/base/error.h"

namespace pgsluice::tools {

/// Gives an option the value of its variable: PGSLUICE_… goes before its twin PGCOPYDB_…. The command line goes before
/// both. Throws Error(kUsage) for a value that the option cannot take.
template <class Value>
CLI::Option* with_environment(CLI::Option* option, Value& value, const std::string& name) {
  for (const char* prefix : {"PGSLUICE_", "PGCOPYDB_"}) {
    const char* text = std::getenv((prefix + name).c_str());
    if (text == nullptr || *text == '\0') continue;
    if (!CLI::detail::lexical_cast(text, value)) {
      throw Error(ErrorKind::kUsage, fmt::format("the variable {}{} is set to \"{}\"", prefix, name, text))
          .hint("give it a value as its option takes, or unset it");
    }
    break;
  }
  return option;
}

}  // namespace pgsluice::tools
