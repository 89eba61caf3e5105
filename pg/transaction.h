#pragma once

#include <string_view>

#include "pg/connection.h"

namespace pgsluice::pg {

/// A transaction on a connection: rolled back by the destructor unless commit() was called. Same thread as the
/// connection, which outlives it.
class Transaction {
 public:
  /// `begin` is the whole statement: "BEGIN", "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY".
  explicit Transaction(Connection& connection, std::string_view begin = "BEGIN");
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;
  ~Transaction();

  /// `last`: statements to be carried out before, in the same message.
  /// Throws Error(kServer) when the server answers with anything but COMMIT: a transaction that has failed answers
  /// ROLLBACK without an error.
  void commit(std::string_view last = {});

 private:
  Connection& connection_;
  bool open_ = true;
};

}  // namespace pgsluice::pg
