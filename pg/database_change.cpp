#include "pg/database_change.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <string_view>
#include <vector>

#include "base/digest.h"
#include "pg/quote.h"
#include "pg/version.h"

namespace pgsluice::pg {

namespace {

// ANALYZE writes statistics at any time. The rows of large objects are data. Catalogs that not everybody may read
// are left out, so that the text does not depend on the user.
constexpr std::string_view kLeftOut = "'^pg_(statistic(_ext_data)?|largeobject|depend)$'";

// Catalogs with rows that belong to a relation, and the column with its OID: rows of temporary relations are skipped.
const std::map<std::string, std::string, std::less<>> kRelationColumns = {
    {"pg_attribute", "attrelid"}, {"pg_attrdef", "adrelid"},        {"pg_constraint", "conrelid"},
    {"pg_index", "indexrelid"},   {"pg_trigger", "tgrelid"},        {"pg_rewrite", "ev_class"},
    {"pg_policy", "polrelid"},    {"pg_inherits", "inhrelid"},      {"pg_sequence", "seqrelid"},
    {"pg_class", "oid"},          {"pg_statistic_ext", "stxrelid"}, {"pg_partitioned_table", "partrelid"},
};

constexpr std::string_view kOfTemporary = "SELECT oid FROM pg_catalog.pg_class WHERE relpersistence = 't'";

std::string condition_of(std::string_view catalog) {
  const auto column = kRelationColumns.find(catalog);
  if (column != kRelationColumns.end()) return fmt::format(" WHERE {} NOT IN ({})", column->second, kOfTemporary);
  if (catalog == "pg_namespace") return " WHERE nspname !~ '^pg_(toast_)?temp_'";
  if (catalog == "pg_type") {
    return " WHERE typnamespace NOT IN"
           " (SELECT oid FROM pg_catalog.pg_namespace WHERE nspname ~ '^pg_(toast_)?temp_')";
  }
  return "";
}

// Rows of these are written again by REINDEX, VACUUM FULL, CLUSTER, REFRESH MATERIALIZED VIEW and TRUNCATE, which
// change no definition: they count by what they say, without the columns of where the data lies and how much there is.
struct Contents {
  std::string_view id;
  std::vector<std::string_view> state;
};
const std::map<std::string, Contents, std::less<>> kContents = {
    {"pg_class",
     {"o.oid::text",
      {"oid_text", "relfilenode", "relpages", "reltuples", "relallvisible", "relallfrozen", "relfrozenxid",
       "relminmxid", "relhasindex", "relhasrules", "relhastriggers", "relhassubclass", "relhasoids"}}},
    {"pg_index", {"o.indexrelid::text", {"oid_text", "indcheckxmin"}}},
};

// Takes all away by one operator where the server has it: each makes a new row. Either way gives the same text.
std::string without_columns(const std::vector<std::string_view>& columns, int version) {
  if (version >= since::kRemovalOfKeys) {
    return fmt::format("(pg_catalog.to_jsonb(c) - '{{{}}}'::text[])::text", fmt::join(columns, ","));
  }
  std::string sql = "(pg_catalog.to_jsonb(c)";
  for (const std::string_view column : columns) sql += fmt::format(" - '{}'", column);
  return sql + ")::text";
}

constexpr std::int64_t kIds = 4294967296;  // a row's xmin is the last 32 bits of an id

}  // namespace

std::string definitions_mark(Connection& connection) {
  const Result catalogs = connection.execute(
      fmt::format("SELECT c.relname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
                  " WHERE n.nspname = 'pg_catalog' AND c.relkind = 'r' AND NOT c.relisshared AND c.relname !~ {}"
                  " AND pg_catalog.has_table_privilege('public', c.oid, 'SELECT') ORDER BY 1",
                  kLeftOut));
  // Extension membership is recorded in pg_depend only.
  std::vector<std::string> queries = {
      "SELECT 'pg_depend', pg_catalog.count(*), pg_catalog.sum(xmin::text::bigint) FROM pg_catalog.pg_depend"
      " WHERE deptype IN ('e', 'x')"};
  for (const Row row : catalogs) {
    const auto contents = kContents.find(row.text(0));
    if (contents != kContents.end()) {
      queries.push_back(
          fmt::format("SELECT {}, pg_catalog.count(*), pg_catalog.sum(('x' || pg_catalog.substr("
                      "pg_catalog.md5(c.oid_text || {}), 1, 15))::bit(60)::bigint) FROM"
                      " (SELECT {} AS oid_text, o.* FROM pg_catalog.{} o{}) c",
                      quote_literal(row.text(0)), without_columns(contents->second.state, connection.server_version()),
                      contents->second.id, quote_identifier(row.text(0)), condition_of(row.text(0))));
      continue;
    }
    queries.push_back(
        fmt::format("SELECT {}, pg_catalog.count(*), pg_catalog.sum(xmin::text::bigint) FROM pg_catalog.{}{}",
                    quote_literal(row.text(0)), quote_identifier(row.text(0)), condition_of(row.text(0))));
  }
  const Result counts = connection.execute(fmt::format("{}", fmt::join(queries, " UNION ALL ")));
  // A row that is changed or comes has a later transaction than all that go: no two states have the same sums.
  std::string text;
  for (const Row row : counts) {
    text += fmt::format("{} {} {}\n", row.text(0), row.text(1), row.optional_text(2).value_or("0"));
  }
  return digest_of(text).hex();
}

std::string not_shown_condition(const SnapshotMark& earlier, const SnapshotMark& now) {
  // "xmin:xmax:running": all transactions before the first are over, and none from the second on has begun to be seen.
  const std::string& text = now.snapshot.text;
  const std::int64_t first = std::stoll(earlier.snapshot.text);
  const std::int64_t tail = std::stoll(text.substr(text.find(':') + 1));
  // A row keeps the end of an id for ever, and ids go round: what is older than that many may look like anything.
  if (tail - first >= kIds / 2) return "true";
  // Ids below 3 are reserved, and visible to everybody.
  return fmt::format("(xmin::text::bigint > 2 AND (xmin::text::bigint - {0} + {1}) % {1} < {2})", first % kIds, kIds,
                     std::max<std::int64_t>(tail - first, 0));
}

}  // namespace pgsluice::pg
