#pragma once

#include <cstdint>
#include <functional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "copy/flow.h"
#include "pg/connection.h"
#include "schema/archive/entry_sql.h"

namespace pgsluice::copy {

struct LargeObjectsOutcome {
  std::int64_t objects = 0;
  /// Properties that could not be carried over, for a person: owners that this user may not act for.
  std::vector<std::string> skipped;
};

/// Copies all large objects with OID, owner, privileges and comment. The source session is in the snapshot's
/// transaction, the target session is idle. Objects travel many at a time as rows (oid, offset, bytes) of a binary
/// COPY into a temporary table, from which one statement makes them; an object is made in one transaction. Objects that
/// are on the target already are not copied again, but get their privileges and comments.
/// Throws Error; objects of the transactions before stay on the target.
LargeObjectsOutcome copy_large_objects(pg::Connection& source, pg::Connection& target,
                                       const schema::RestoreOptions& options, const Flow& flow);

/// The role in whose name an owner's objects are made; empty for the user's own, also where he may not act for the
/// owner, which the outcome then says.
std::string role_that_makes(pg::Connection& target, const std::string& owner, const schema::RestoreOptions& options,
                            LargeObjectsOutcome& outcome);

/// The OIDs of all large objects of a database.
std::set<schema::Oid> find_large_objects(pg::Connection& connection);

/// "COPY … TO STDOUT" of all large objects in pieces, for a comparison: the OID, where the piece begins, its bytes.
std::string large_objects_statement();
/// Reads large objects: `take` gets pieces of each, one object after another in no order, from its first byte to its
/// last; of an empty one a piece without bytes. Throws Error, also what `take` throws.
void read_large_objects(pg::Connection& source, const std::vector<schema::Oid>& objects, const Flow& flow,
                        const std::function<void(schema::Oid object, std::int64_t at, std::string_view piece)>& take);
/// Selects the same pieces as rows of "16405 at byte 0" and a digest of the bytes, ordered by the first's bytes.
std::string large_object_digests_sql();

/// Returns the large objects that this user may not read.
struct UnreadableLargeObjects {
  std::int64_t count = 0;
  schema::Oid one = 0;
};
UnreadableLargeObjects find_unreadable_large_objects(pg::Connection& source);

/// The target's large objects that have OIDs of these. Throws Error(kServer, 42501) where this user may not remove one
/// of them.
std::vector<schema::Oid> find_large_objects_to_drop(const std::set<schema::Oid>& on_source, pg::Connection& target);
/// Removes them, in transactions of its own, since each takes a lock.
void drop_large_objects(pg::Connection& target, const std::vector<schema::Oid>& objects);

/// Large objects of the source whose OIDs are in use on the target, at most `limit` of them.
std::vector<std::string> find_large_object_conflicts(const std::set<schema::Oid>& on_source, pg::Connection& target,
                                                     std::size_t limit);

}  // namespace pgsluice::copy
