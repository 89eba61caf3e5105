#pragma once

#include <string>
#include <string_view>

#include "pgsluice/error.h"
#include "pipeline/run/checks_after_rows.h"
#include "pipeline/run/run_context.h"
#include "pipeline/run/scheduler.h"
#include "schema/catalog/catalog.h"

namespace pgsluice::pipeline {

/// Objects may need one another without a dependency that the archive records: the bodies of functions name others, and
/// are run while something is made or loaded. So what fails is tried again when others have succeeded.

/// True if the target may carry out the same task when other tasks have succeeded: a function that it calls finds an
/// object, or rows, that are not there yet. False for what no other task changes: a lack of room or rights, rows that
/// break a key.
bool may_succeed_later(const Error& error);

/// True if a definition has met one that another session made at that moment: both take the same name (the array type
/// of "foo" is "_foo" until a table of that name comes), or a lock that the other has.
bool met_another_definition(const Error& error);

/// True if a name was not found, which may be one that a function's body uses without its schema: it is found under the
/// search path of the source's database, not under the empty one of a restore.
bool is_name_not_found(const Error& error);

/// True if rows were refused by a CHECK.
bool is_refused_by_check(const Error& error);

/// "index public.i was made on a later try …", for the summary.
std::string later_try_text(std::string_view name, const EarlierFailure& earlier);

/// Says in the summary that rows have come on a later try, and how. Constraints that were added NOT VALID are tried
/// again when the run ends (completion.h).
void report_later_try(RunContext& context, TaskId id, const ChecksAfterRows& way, CheckRows rows);

}  // namespace pgsluice::pipeline
