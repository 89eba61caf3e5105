#pragma once

#include "pg/connection.h"
#include "schema/catalog/catalog.h"

namespace pgsluice::pipeline {

// Partitions whose rows are loaded through a root above them, so that the target decides where each row goes: sets
// schema::Relation::load_via_root.

/// Has rows of partitions that are bounded by text loaded through the root, if the two servers order text differently.
void load_through_roots_where_rows_move(pg::Connection& source, pg::Connection& target, schema::Catalog& catalog);

/// Like the above, for rows of an archive, whose server cannot be asked how it orders text.
void load_through_roots_where_rows_may_move(schema::Catalog& catalog);

/// Has all partitions of a root loaded through it if one of them is: a root's rows are compared as a whole.
void load_whole_trees_through_their_roots(schema::Catalog& catalog);

}  // namespace pgsluice::pipeline
