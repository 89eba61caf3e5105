#pragma once

#include <string>
#include <string_view>

#include "pgsluice/pg/connection.h"
#include "pgsluice/schema/entry_sql.h"

namespace pgsluice::schema {

/// Makes a session ready for restore_entry(): what the archive was written for (encoding, literals, search path).
/// To be called after pg::apply_session_settings().
void begin_restore(pg::Connection& target, const Archive& archive);

/// Carries out one entry as one transaction: its settings, its definition (or the text that is given in its place), its
/// owner. A deadlock or a concurrent change of the same catalog row (40P01, "tuple concurrently updated") is tried
/// again a few times: other workers change other objects of the same table.
/// Throws Error(kServer) with the object, the SQLSTATE and the statement, unless that may hold a secret.
void restore_entry(pg::Connection& target, const Archive& archive, const TocEntry& entry, const RestoreOptions& options,
                   std::string_view definition);
void restore_entry(pg::Connection& target, const Archive& archive, const TocEntry& entry,
                   const RestoreOptions& options);

/// Whether this error of a definition may be gone at the next try.
bool is_concurrent_change(const Error& error);

}  // namespace pgsluice::schema
