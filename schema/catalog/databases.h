#pragma once

#include <string>
#include <vector>

#include "pg/connection.h"
#include "pgsluice/database.h"

namespace pgsluice::schema {

/// All databases that are no templates, largest first. Throws Error(kServer).
std::vector<Database> read_databases(pg::Connection& connection);

/// The one that the session is in, which may be a template. Throws Error(kServer).
Database read_own_database(pg::Connection& connection);

/// CREATE DATABASE for a server of this version, from template0. The creating user owns it.
std::string create_sql(const Database& database, int target_version, bool tablespaces);

/// Gives a database that was just made to its owner, where that role is there and this user, who may act for it, loses
/// nothing: what belongs to the owner in schema public could not be made before (from 15 on). Throws Error(kServer).
void give_to_owner(pg::Connection& target, const Database& database);

}  // namespace pgsluice::schema
