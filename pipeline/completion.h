#pragma once

#include "pgsluice/pg/connection.h"
#include "pgsluice/pipeline/run_context.h"

namespace pgsluice::pipeline {

/// What is left to do on the target when all tasks but the last have ended, and what has to hold then. Called by the
/// worker that ends the run, with its session.

/// Gives objects to owners that could not be given at first: the privileges that an owner needs in a schema may have
/// come since. An object that stays the target user's is listed in the summary. Throws Error(kConnection).
void give_owners(RunContext& context, pg::Connection& target);

/// Makes what users have put on tables of extensions (schema/extension_tables.h), which no archive has. What the server
/// refuses is listed in the summary. Throws Error(kConnection).
void complete_extension_tables(RunContext& context, pg::Connection& target);

/// Throws Error(kServer) naming indexes that are valid on the source and that the server has left invalid.
void require_valid_indexes(const RunContext& context, pg::Connection& target);

}  // namespace pgsluice::pipeline
