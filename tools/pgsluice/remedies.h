#pragma once

#include <string>

#include "pgsluice/error.h"

namespace pgsluice::tools {

/// The text for an error with its remedies, worded for a person who types commands: the options to give.
std::string describe(const Error& error);

}  // namespace pgsluice::tools
