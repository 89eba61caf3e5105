#pragma once

#include <string>
#include <vector>

#include "pgsluice/migration/migration.h"

namespace pgsluice::migration {

/// Migrations in Prometheus's text format.
/// https://prometheus.io/docs/instrumenting/exposition_formats/
std::string to_metrics(const std::vector<Migration>& migrations);

}  // namespace pgsluice::migration
