#pragma once

#include <string>

#include "pgsluice/base/error.h"

namespace pgsluice::migration {

/// The text for an error with its remedies, worded for whoever runs a migration, by command, REST or page: keys of the
/// properties file. Remedies that a migration does not offer have no words.
std::string describe(const Error& error);

}  // namespace pgsluice::migration
