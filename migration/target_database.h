#pragma once

#include <set>
#include <string>

#include "pgsluice/pg/connection.h"

namespace pgsluice::migration {

/// The databases that a server has. Throws Error(kServer).
std::set<std::string> database_names(pg::Connection& server);

/// Makes a database by this statement, and drops what is there of its name before: sessions are ended. The connection
/// leads to another database. Throws Error(kServer) with what to do.
void make_over(pg::Connection& server, const std::string& name, const std::string& create_sql);

/// Drops it where it is there, with its sessions ended. Throws Error(kServer).
void drop_database(pg::Connection& server, const std::string& name);

}  // namespace pgsluice::migration
