#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "pgsluice/restore_options.h"
#include "schema/archive/archive.h"

namespace pgsluice::schema {

/// True for privileges, comments and labels of large objects.
bool is_about_large_objects(const TocEntry& entry);

/// True if an entry is restored by statements of its own: not large objects and what is about them, not the session's
/// settings, not what belongs to the database as a whole (database_properties.h), not what the options leave out.
bool is_restored(const TocEntry& entry, const RestoreOptions& options);

/// Settings that the archive was written for, to be sent once in a session that restores entries.
std::string session_sql(const Archive& archive);

/// Returns the settings that an entry needs before its definition, for the length of its transaction: tablespace,
/// access method and, for an archive without a search path of its own, the schema.
std::string settings_sql(const Archive& archive, const TocEntry& entry, const RestoreOptions& options);

/// "ALTER TABLE … OWNER TO …;", or empty for an entry whose kind has no owner. Before 17, a range type's multirange
/// type does not follow it: for such a target it is given to the owner as well.
std::string owner_sql(const TocEntry& entry, int target_version = 0);

/// A function's or procedure's definition that takes the place of one that is there; nullopt for other definitions.
std::optional<std::string> replacing_definition(std::string_view definition);

/// Returns what follows a definition besides the owner: the access method of a partitioned table.
std::string access_method_sql(const TocEntry& entry);

/// The whole text for one entry, to be sent as one query message, which the server takes as one transaction.
/// `definition` stands for the entry's own where another one is to be used.
std::string entry_sql(const Archive& archive, const TocEntry& entry, const RestoreOptions& options,
                      std::string_view definition);

}  // namespace pgsluice::schema
