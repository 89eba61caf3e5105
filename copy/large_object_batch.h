#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "pg/connection.h"
#include "pg/transaction.h"

namespace pgsluice::copy {

/// The bytes of a piece of a large object, at most: of one row of the COPY.
inline constexpr std::int64_t kLargeObjectPiece = 512 * 1024;
/// After so many bytes make() is to be called, which bounds the temporary table.
inline constexpr std::int64_t kLargeObjectBytesAtOnce = 64 * 1024 * 1024;
inline constexpr std::size_t kLargeObjectsInABatch = 5000;

/// Large objects of one owner in one transaction of the target: their pieces arrive as rows (oid, offset, bytes) in a
/// temporary table, from which one statement makes them. Without commit(), nothing is left of them. The session is idle
/// before and after.
class LargeObjectBatch {
 public:
  /// `role`: in whose name they are made; empty: the user's own. Throws Error(kServer).
  LargeObjectBatch(pg::Connection& target, std::string role);

  /// "COPY … FROM STDIN" of rows in the binary format.
  static std::string_view copy_in();
  /// Makes of the rows what they stand for: `begun` objects begin with one of `pieces` rows; the others are appended
  /// to. Throws Error(kMismatch) where they do not.
  void make(std::int64_t pieces, std::int64_t begun);
  void commit() { transaction_.commit(); }

 private:
  pg::Connection& target_;
  const std::string role_;
  pg::Transaction transaction_;
};

}  // namespace pgsluice::copy
