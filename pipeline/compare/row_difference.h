#pragma once

#include <string>
#include <vector>

#include "pg/connection.h"
#include "schema/catalog/catalog.h"

namespace pgsluice::pipeline {

/// The columns of a table's primary key, for SQL; none where it has none.
std::vector<std::string> primary_key_of(pg::Connection& session, schema::Oid table);

/// The key and a digest of every row, ordered by the key's bytes; the same text for both servers.
std::string keys_and_digests_sql(const std::string& from, const std::vector<std::string>& key,
                                 const std::vector<std::string>& columns);

/// Names rows of two servers that differ, at most so many: "(7): only on the source", "(8): differs". Both sessions are
/// in a transaction.
std::vector<std::string> different_rows(pg::Connection& source, pg::Connection& target, const std::string& sql,
                                        int most);

}  // namespace pgsluice::pipeline
