#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "pg/connection.h"
#include "pipeline/plan/plan.h"
#include "schema/catalog/expression_settings.h"

namespace pgsluice::pipeline {

/// Warnings before a run: it does not fail for these, but its user should know of them.

/// nullopt for a target of a release that definitions are tested with.
std::optional<std::string> warn_of_an_old_target(const pg::Connection& target);

enum class Loads { kRows, kNothing };

/// Gives the target's session the settings that users' expressions see on the source while it is loaded, and takes
/// those that it refuses out of `settings`. Afterwards expressions see what the target's own database gives them:
/// returns warnings where that is something else, but for the settings that come along with the database.
std::vector<std::string> adopt_expression_settings(pg::Connection& target, schema::ExpressionSettings& settings,
                                                   Loads loads, const std::set<std::string>& that_come_along);

/// Owners that may not create in the schema of their objects, which only a superuser can give to them then: one warning
/// for each owner and schema, with the statement that helps. Privileges of a schema that the copy makes are the
/// source's.
std::vector<std::string> find_owners_without_create(std::optional<pg::Connection>& source, pg::Connection& target,
                                                    const PlanInput& input);

}  // namespace pgsluice::pipeline
