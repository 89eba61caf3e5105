#pragma once

#include <string>

#include "pgsluice/data_comparison.h"
#include "pgsluice/schema_comparison.h"

namespace pgsluice::tools {

/// How two databases compare, for a person and for a program. The JSON has pgcopydb's keys, and more.
std::string comparison_text(const pipeline::ComparedData& data);
std::string comparison_json(const pipeline::ComparedData& data);
std::string schema_comparison_text(const pipeline::SchemaComparison& comparison);
std::string schema_comparison_json(const pipeline::SchemaComparison& comparison);

}  // namespace pgsluice::tools
