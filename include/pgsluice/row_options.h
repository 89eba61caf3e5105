#pragma once

#include "pgsluice/bytes.h"

namespace pgsluice::copy {

/// How rows cross this process.
enum class Transport {
  kAuto,     ///< the first of these that both connections and the kernel allow
  kIoUring,  ///< the protocol on the sockets, by io_uring (TLS: by poll)
  kPoll,     ///< the same by poll
  kLibpq,    ///< libpq's calls, a row at a time: works over every kind of connection, GSS encryption included
};

/// The format in which rows travel. There is no way to force binary where it could change values.
enum class FormatWish {
  kAuto,    ///< binary for tables whose column types have a stable binary format, text for all others
  kText,    ///< always text
  kBinary,  ///< as kAuto, and the log names each table that travels as text
};

/// When a table is cut into parts that cross at the same time.
struct SplitOptions {
  enum class When {
    kAuto,    ///< a table that is more than one job's fair share of all there is to copy
    kLarger,  ///< a table larger than `size`
    kNever,
  };
  When when = When::kAuto;
  Bytes size;
  /// At most so many parts for a table; 0: no limit.
  int max_parts = 0;
  /// True if tables may be cut by the place of their rows (ctid).
  bool by_ctid = true;
};

}  // namespace pgsluice::copy
