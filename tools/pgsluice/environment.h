#pragma once

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdlib>
#include <string>

#include "pgsluice/base/error.h"

namespace pgsluice::tools {

/// Takes a value from its variable: PGSLUICE_… goes before its twin PGCOPYDB_…. Throws Error(kUsage) for one that is
/// not of its kind.
template <class Value>
void from_environment(Value& value, const std::string& name) {
  for (const char* prefix : {"PGSLUICE_", "PGCOPYDB_"}) {
    const char* text = std::getenv((prefix + name).c_str());
    if (text == nullptr || *text == '\0') continue;
    if (!CLI::detail::lexical_cast(text, value)) {
      throw Error(ErrorKind::kUsage, fmt::format("the variable {}{} is set to \"{}\"", prefix, name, text))
          .hint("give it a value as its option takes, or unset it");
    }
    return;
  }
}

/// The same for an option, whose value on the command line goes before both.
template <class Value>
CLI::Option* with_environment(CLI::Option* option, Value& value, const std::string& name) {
  from_environment(value, name);
  return option;
}

}  // namespace pgsluice::tools
