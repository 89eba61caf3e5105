#pragma once

#include "pgsluice/base/cancel.h"
#include "pgsluice/base/log.h"
#include "pgsluice/pipeline/clone.h"
#include "pgsluice/schema/roles.h"

namespace pgsluice::pipeline {

/// Roles belong to a server, not to a database: all of the source's, whatever they own. Of the options these count: the
/// connection strings, the work folder, pg_bindir, role_passwords. Each says in the log what it has done. Throws Error.

/// Writes the source's roles into the work folder, where only its owner may read them.
void dump_roles(const CloneOptions& options, const Log& log, const CancelToken& cancel);
/// Makes those that the target has not, from the work folder.
schema::RolesOutcome restore_roles(const CloneOptions& options, const Log& log, const CancelToken& cancel);
/// Both, without leaving a file.
schema::RolesOutcome copy_roles(const CloneOptions& options, const Log& log, const CancelToken& cancel);

}  // namespace pgsluice::pipeline
