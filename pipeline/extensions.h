#pragma once

#include "pgsluice/cancel.h"
#include "pgsluice/log.h"
#include "pipeline/plan/options.h"
#include "schema/catalog/extensions.h"

namespace pgsluice::pipeline {

/// Makes the source's extensions on the target, those that a filter keeps and the target has not, in the versions that
/// the options ask for, and copies what is in their configuration tables. Says in the log what it has done. For a user
/// who may: a clone by another one then leaves them out (CloneOptions::extensions). Throws Error.
schema::ExtensionsOutcome copy_extensions(const CloneOptions& options, const Log& log, const CancelToken& cancel);

}  // namespace pgsluice::pipeline
