#pragma once

#include <string>

#include "pgsluice/error.h"

namespace pgsluice::migration {

/// Returns the text for an error, with its remedies as keys of the properties file, which the command, REST and the
/// page share. Remedies that a migration does not offer are omitted.
std::string describe(const Error& error);

}  // namespace pgsluice::migration
