#pragma once

#include <string>
#include <string_view>

#include "schema/archive/archive.h"

namespace pgsluice::schema {

/// Leaves out of a definition what a minor release of PostgreSQL keeps for itself among the options of a column
/// (pg_attver, from 15.20 and its sisters on): an older pg_dump writes it out as if a user had set it, and a server
/// that does not know the option refuses the whole table. Users can set n_distinct and n_distinct_inherited only.
/// `kind` is the archive entry's: only definitions of relations are looked at.
std::string without_internal_options(std::string definition, const EntryKind& kind);

/// Leaves LOGGED and UNLOGGED out of the definitions of identity columns' sequences, for a target before 15: pg_dump
/// writes them from 15 on, also of a source that does not know them.
void leave_out_persistence_of_sequences(Archive& archive);

}  // namespace pgsluice::schema
