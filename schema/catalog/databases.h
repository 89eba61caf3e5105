#pragma once

#include <string>
#include <vector>

#include "base/bytes.h"
#include "pg/connection.h"

namespace pgsluice::schema {

/// A database of a server: what has to be said when it is made. All else can be changed afterwards
/// (database_properties.h).
struct Database {
  std::string name;
  std::string owner;
  std::string encoding;
  char locale_provider = 'c';  ///< c: the C library, i: ICU (from 15 on), b: PostgreSQL itself (from 17 on)
  std::string collate;
  std::string ctype;
  std::string locale;       ///< of ICU or of PostgreSQL itself
  std::string icu_rules;    ///< from 16 on
  std::string tablespace;   ///< empty: the default one
  bool may_connect = true;  ///< ALLOW_CONNECTIONS, and this user's right to
  bool half_dropped = false;
  Bytes size;  ///< 0 where this user may not connect
};

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
