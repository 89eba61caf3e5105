#include "copy/large_object_batch.h"

#include <fmt/format.h>

#include <utility>

#include "pg/quote.h"
#include "pgsluice/error.h"

namespace pgsluice::copy {

namespace {

constexpr std::string_view kMakeTable =
    "CREATE TEMPORARY TABLE pgsluice_large_objects (loid oid, at bigint, data bytea) ON COMMIT DROP";
constexpr std::string_view kCopyIn = "COPY pg_temp.pgsluice_large_objects FROM STDIN (FORMAT binary)";
constexpr std::string_view kEmptyTable = "TRUNCATE pg_temp.pgsluice_large_objects";
constexpr std::string_view kMakeObjects =
    "SELECT pg_catalog.count(pg_catalog.lo_from_bytea(loid, data)) FROM pg_temp.pgsluice_large_objects WHERE at = 0";
constexpr std::string_view kFillObjects =
    "SELECT pg_catalog.count(pg_catalog.lo_put(loid, at, data))"
    " FROM (SELECT * FROM pg_temp.pgsluice_large_objects WHERE at > 0 ORDER BY loid, at) o";

}  // namespace

LargeObjectBatch::LargeObjectBatch(pg::Connection& target, std::string role)
    : target_(target), role_(std::move(role)), transaction_(target) {
  target_.execute(kMakeTable);
  if (role_.empty()) return;
  target_.execute(fmt::format("GRANT SELECT ON pg_temp.pgsluice_large_objects TO {}", pg::quote_identifier(role_)));
}

std::string_view LargeObjectBatch::copy_in() { return kCopyIn; }

void LargeObjectBatch::make(std::int64_t pieces, std::int64_t begun) {
  if (!role_.empty()) target_.execute(fmt::format("SET LOCAL ROLE {}", pg::quote_identifier(role_)));
  const std::int64_t made = target_.execute(kMakeObjects)[0].integer(0);
  const std::int64_t filled = target_.execute(kFillObjects)[0].integer(0);
  if (!role_.empty()) target_.execute("RESET ROLE");
  target_.execute(kEmptyTable);
  if (made == begun && made + filled == pieces) return;
  throw Error(ErrorKind::kMismatch,
              fmt::format("{} pieces of {} large objects were sent, {} pieces arrived, {} objects were made", pieces,
                          begun, made + filled, made));
}

}  // namespace pgsluice::copy
