#pragma once

#include <string>

#include "pgsluice/bytes.h"

namespace pgsluice::schema {

/// A database of a server: what has to be said when it is made. All else can be changed
/// afterwards.
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
  bool allows_connections = true;
  bool half_dropped = false;
  Bytes size;  ///< 0 where this user may not connect
};

}  // namespace pgsluice::schema
