#pragma once

#include <optional>

#include "pg/connection.h"
#include "pgsluice/error.h"
#include "pipeline/run/run_context.h"

namespace pgsluice::pipeline {

/// The work on the target that is left when all tasks but the last have ended, and the checks then. Called by the
/// worker that ends the run, with its session.

/// Gives objects to owners that could not be given at first: the privileges that an owner needs in a schema may have
/// come since. An object that stays the target user's is listed in the summary. Throws Error(kConnection).
void give_owners(RunContext& context, pg::Connection& target);

/// Makes what users have put on tables of extensions (schema/catalog/extension_tables.h), which no archive has. What
/// the server refuses is listed in the summary. Throws Error(kConnection).
void complete_extension_tables(RunContext& context, pg::Connection& target);

/// Validates CHECK constraints that stayed NOT VALID, since rows that were loaded did not pass them: those may be
/// mended by now. The others count as failed. Whether all hold. Throws Error(kConnection).
bool validate_checks(RunContext& context, pg::Connection& target);

/// Compares how many rows have come into each table, in all parts and in earlier runs too, with how many an archive's
/// manifest says. Tables that have others count as failed. Returns true if none has.
bool compare_counts(RunContext& context);

/// Returns indexes that are valid on the source and that the server has left invalid. Throws Error(kServer).
std::optional<Error> find_invalid_indexes(const RunContext& context, pg::Connection& target);

/// Writes into the ledger that what is missing has failed, and was not just left for later. Throws Error(kServer).
void record_that_all_was_tried(const RunContext& context, pg::Connection& target);

/// Has the work folder know that the run has done everything, before the ledger is dropped.
void mark_finished(const RunContext& context, pg::Connection& target);

}  // namespace pgsluice::pipeline
