#include "copy/large_objects.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <optional>
#include <set>
#include <span>
#include <tuple>

#include "base/sqlstate.h"
#include "copy/large_object_batch.h"
#include "copy/relay.h"
#include "copy/row_digest.h"
#include "pg/query_pipeline.h"
#include "pg/quote.h"
#include "pg/transaction.h"
#include "pgsluice/error.h"
#include "schema/archive/acl.h"
#include "schema/catalog/inventory.h"

namespace pgsluice::copy {

namespace {

using schema::Oid;

constexpr std::int64_t kChunk = kLargeObjectPiece;
constexpr std::int64_t kBytesInACopy = kLargeObjectBytesAtOnce;
constexpr std::size_t kLockedInABatch = 50;  // GRANT and COMMENT lock each object: below any max_locks_per_transaction

struct LargeObject {
  Oid oid = 0;
  std::int64_t size = 0;
  std::string owner;
  std::string acl;  // as text: equal texts are granted together
  std::optional<std::string> comment;
};

// A piece of an object that travels in one COPY.
struct Piece {
  Oid oid;
  std::int64_t from;
  std::int64_t to;
};

// The size is found by seeking. The functions are called in a subquery over one row and not by LATERAL, where the
// planner remembers results by the descriptor's number, which is the same for each object.
std::vector<LargeObject> list_objects(pg::Connection& source) {
  std::vector<LargeObject> objects;
  for (const pg::Row row :
       source.execute("SELECT o.oid, (SELECT pg_catalog.lo_lseek64(f.fd, 0, 2) + pg_catalog.lo_close(f.fd)"
                      "                 FROM (SELECT pg_catalog.lo_open(o.oid, 262144) AS fd OFFSET 0) f),"
                      " pg_catalog.pg_get_userbyid(o.lomowner), coalesce(o.lomacl::text, ''),"
                      " pg_catalog.obj_description(o.oid, 'pg_largeobject')"
                      " FROM pg_catalog.pg_largeobject_metadata o ORDER BY o.lomowner, o.oid")) {
    objects.push_back({.oid = row.oid(0),
                       .size = row.integer(1),
                       .owner = std::string(row.text(2)),
                       .acl = std::string(row.text(3)),
                       .comment = row.optional_text(4)});
  }
  return objects;
}

std::string copy_out(const std::vector<Piece>& pieces) {
  std::vector<std::string> rows;
  for (const Piece& piece : pieces)
    rows.push_back(fmt::format("({},{}::bigint,{}::bigint)", piece.oid, piece.from, piece.to));
  return fmt::format(
      "COPY (SELECT p.oid::pg_catalog.oid, g.at,"
      " pg_catalog.lo_get(p.oid::pg_catalog.oid, g.at, least({0}, p.upto - g.at)::integer)"
      " FROM (VALUES {1}) AS p(oid, start, upto),"
      " LATERAL pg_catalog.generate_series(p.start, greatest(p.upto - 1, p.start), {0}) AS g(at)) TO STDOUT (FORMAT "
      "binary)",
      kChunk, fmt::join(rows, ","));
}

class Copier {
 public:
  Copier(pg::Connection& source, pg::Connection& target, const Flow& flow)
      : source_(source), target_(target), relay_(make_relay(source, target)), flow_(flow) {}

  // Objects of one owner, in one transaction.
  void copy(const std::vector<const LargeObject*>& batch, const std::string& role) {
    LargeObjectBatch objects(target_, role);
    std::vector<Piece> pieces;
    std::int64_t collected = 0;
    for (const LargeObject* object : batch) {
      std::int64_t from = 0;
      do {
        const std::int64_t to = std::min(object->size, from + kBytesInACopy);
        pieces.push_back({object->oid, from, to});
        collected += to - from;
        from = to;
        if (collected >= kBytesInACopy) {
          send(pieces, objects);
          pieces.clear();
          collected = 0;
        }
      } while (from < object->size);
    }
    if (!pieces.empty()) send(pieces, objects);
    objects.commit();
  }

 private:
  void send(const std::vector<Piece>& pieces, LargeObjectBatch& objects) {
    const RelayOutcome outcome =
        relay_->run(source_, target_,
                    {.copy_out = copy_out(pieces), .copy_in = std::string(LargeObjectBatch::copy_in()), .flow = flow_});
    const std::int64_t begun =
        std::count_if(pieces.begin(), pieces.end(), [](const Piece& piece) { return piece.from == 0; });
    objects.make(outcome.source_rows, begun);
  }

  pg::Connection& source_;
  pg::Connection& target_;
  const std::unique_ptr<Relay> relay_;
  const Flow flow_;
};

// Executes what `text` makes of up to kLockedInABatch objects at a time, each text one transaction.
template <class Object, class Text>
void in_locked_batches(pg::QueryPipeline& target, const std::vector<Object>& objects, Text text) {
  const std::span<const Object> all(objects);
  for (std::size_t begin = 0; begin < objects.size(); begin += kLockedInABatch) {
    target.require({text(all.subspan(begin, std::min(objects.size() - begin, kLockedInABatch)))});
  }
}

void copy_comments(pg::Connection& target, const std::vector<LargeObject>& objects) {
  std::vector<const LargeObject*> commented;
  for (const LargeObject& object : objects) {
    if (object.comment) commented.push_back(&object);
  }
  pg::QueryPipeline pipeline(target);
  in_locked_batches(pipeline, commented, [](std::span<const LargeObject* const> batch) {
    std::string sql;
    for (const LargeObject* object : batch) {
      sql += fmt::format("COMMENT ON LARGE OBJECT {} IS {};", object->oid, pg::quote_literal(*object->comment));
    }
    return sql;
  });
  pipeline.finish();
}

// Returns what could not be carried over.
std::vector<std::string> copy_acls(pg::Connection& source, pg::Connection& target,
                                   const schema::RestoreOptions& options, const std::vector<LargeObject>& objects) {
  std::vector<const LargeObject*> granted;
  for (const LargeObject& object : objects) {
    if (!object.acl.empty()) granted.push_back(&object);
  }
  const auto alike = [](const LargeObject* a, const LargeObject* b) {
    return a->owner == b->owner && a->acl == b->acl;
  };
  std::stable_sort(granted.begin(), granted.end(), [](const LargeObject* a, const LargeObject* b) {
    return std::tie(a->owner, a->acl) < std::tie(b->owner, b->acl);
  });
  schema::RestoreOptions acting = options;
  acting.out_of_reach = schema::roles_out_of_reach(target);
  schema::RoleNames left_out;
  for (auto begin = granted.begin(); begin != granted.end();) {
    const auto end = std::find_if_not(begin, granted.end(), [&](const LargeObject* o) { return alike(*begin, o); });
    // One object stands for all of the same ACL and owner.
    const std::vector<schema::Grant> grants =
        schema::read_grants(source, {.catalog = "pg_largeobject_metadata",
                                     .acl = "lomacl",
                                     .owner = "lomowner",
                                     .condition = fmt::format("o.oid = {}", (*begin)->oid)});
    left_out.merge(schema::grantors_out_of_reach(grants, acting));
    pg::QueryPipeline pipeline(target);
    in_locked_batches(pipeline, std::vector(begin, end), [&](std::span<const LargeObject* const> batch) {
      std::vector<Oid> oids;
      for (const LargeObject* object : batch) oids.push_back(object->oid);
      return schema::acl_sql(fmt::format("LARGE OBJECT {}", fmt::join(oids, ", ")), batch.front()->owner, grants,
                             acting);
    });
    pipeline.finish();
    begin = end;
  }
  std::vector<std::string> skipped;
  for (const std::string& grantor : left_out) {
    skipped.push_back(fmt::format("grantor {} of privileges on large objects: {} may not act for it",
                                  pg::display_name("", grantor), target.user()));
  }
  return skipped;
}

}  // namespace

std::string role_that_makes(pg::Connection& target, const std::string& owner, const schema::RestoreOptions& options,
                            LargeObjectsOutcome& outcome) {
  if (!options.owners || owner.empty() || owner == target.user()) return "";
  if (schema::may_act_for(target, owner)) return owner;
  outcome.skipped.push_back(
      fmt::format("owner {} of large objects: {} may not act for it", pg::display_name("", owner), target.user()));
  return "";
}

LargeObjectsOutcome copy_large_objects(pg::Connection& source, pg::Connection& target,
                                       const schema::RestoreOptions& options, const Flow& flow) {
  LargeObjectsOutcome outcome;
  try {
    const std::vector<LargeObject> objects = list_objects(source);
    const std::set<Oid> there = find_large_objects(target);
    Copier copier(source, target, flow);
    std::vector<const LargeObject*> batch;
    std::int64_t batch_size = 0;
    std::string role;
    const auto send_batch = [&] {
      if (!batch.empty()) copier.copy(batch, role);
      outcome.objects += static_cast<std::int64_t>(batch.size());
      batch.clear();
      batch_size = 0;
    };
    const std::string* owner = nullptr;
    for (const LargeObject& object : objects) {
      if (owner == nullptr || *owner != object.owner) {
        send_batch();
        owner = &object.owner;
        role = role_that_makes(target, object.owner, options, outcome);
      }
      if (there.contains(object.oid)) {
        ++outcome.objects;
        continue;
      }
      batch.push_back(&object);
      batch_size += object.size;
      if (batch.size() >= kLargeObjectsInABatch || batch_size >= kBytesInACopy) send_batch();
    }
    send_batch();
    if (options.acls) {
      for (std::string& skipped : copy_acls(source, target, options, objects))
        outcome.skipped.push_back(std::move(skipped));
    }
    if (options.comments) copy_comments(target, objects);
  } catch (Error& error) {
    error.object("large objects").step("copying data");
    throw;
  }
  return outcome;
}

namespace {

// As p(oid, at, bytes); of an empty object one piece without bytes. The size is asked for once a row, as in
// list_objects().
std::string pieces(std::string_view condition = "") {
  return fmt::format(
      "(SELECT o.oid, g.at, pg_catalog.lo_get(o.oid, g.at, least({0}, o.size - g.at)::integer) AS bytes"
      " FROM (SELECT oid, (SELECT pg_catalog.lo_lseek64(f.fd, 0, 2) + pg_catalog.lo_close(f.fd)"
      " FROM (SELECT pg_catalog.lo_open(m.oid, 262144) AS fd OFFSET 0) f) AS size"
      " FROM pg_catalog.pg_largeobject_metadata m{1} OFFSET 0) o,"
      " LATERAL pg_catalog.generate_series(0::bigint, greatest(o.size - 1, 0), {0}) AS g(at)) p",
      kChunk, condition);
}

// Takes rows of (oid, bigint, bytea) out of a COPY in binary, cut anywhere. PostgreSQL's documentation, COPY, "Binary
// Format".
class PieceRows {
 public:
  using Take = std::function<void(Oid object, std::int64_t at, std::string_view piece)>;
  explicit PieceRows(const Take& take) : take_(take) {}

  void add(std::string_view payload) {
    waiting_ += payload;
    std::string_view rest = waiting_;
    if (!is_past_header_ && rest.size() >= kHeader) {
      rest.remove_prefix(kHeader);
      is_past_header_ = true;
    }
    while (is_past_header_ && take_row(rest)) {
    }
    waiting_.erase(0, waiting_.size() - rest.size());
  }

 private:
  static constexpr std::size_t kHeader = 19;  // the servers that are known write no extension
  static constexpr std::size_t kBeforeBytes = 2 + (4 + 4) + (4 + 8) + 4;

  static std::uint64_t number(std::string_view bytes) {
    std::uint64_t value = 0;
    for (const char byte : bytes) value = (value << 8U) | static_cast<unsigned char>(byte);
    return value;
  }

  // False where it has not come whole.
  bool take_row(std::string_view& rest) {
    if (rest.size() < kBeforeBytes) return false;  // the trailer too, which has two bytes
    const std::size_t size = number(rest.substr(kBeforeBytes - 4, 4));
    if (rest.size() < kBeforeBytes + size) return false;
    constexpr std::size_t kOidAt = 6;
    constexpr std::size_t kPlaceAt = 14;
    take_(static_cast<Oid>(number(rest.substr(kOidAt, 4))), static_cast<std::int64_t>(number(rest.substr(kPlaceAt, 8))),
          rest.substr(kBeforeBytes, size));
    rest.remove_prefix(kBeforeBytes + size);
    return true;
  }

  const Take& take_;
  std::string waiting_;
  bool is_past_header_ = false;
};

}  // namespace

std::set<Oid> find_large_objects(pg::Connection& connection) {
  std::set<Oid> there;
  for (const pg::Row row : connection.execute("SELECT oid FROM pg_catalog.pg_largeobject_metadata")) {
    there.insert(row.oid(0));
  }
  return there;
}

std::string large_objects_statement() {
  return fmt::format("COPY (SELECT oid, at, bytes FROM {}) TO STDOUT (FORMAT binary)", pieces());
}

void read_large_objects(pg::Connection& source, const std::vector<Oid>& objects, const Flow& flow,
                        const std::function<void(Oid object, std::int64_t at, std::string_view piece)>& take) {
  PieceRows rows(take);
  const std::string these = fmt::format(" WHERE m.oid = ANY ('{{{}}}'::pg_catalog.oid[])", fmt::join(objects, ","));
  const std::array<DigestRequest, 1> request = {DigestRequest{
      .connection = source,
      .copy_out = fmt::format("COPY (SELECT oid, at, bytes FROM {}) TO STDOUT (FORMAT binary)", pieces(these)),
      .format = CopyFormat::kBinary,
      .flow = flow,
      .sink = [&](std::string_view payload) { rows.add(payload); }}};
  digest_rows(request);
}

std::string large_object_digests_sql() {
  return fmt::format("SELECT (oid || ' at byte ' || at) COLLATE \"C\", pg_catalog.md5(bytes) FROM {} ORDER BY 1",
                     pieces());
}

UnreadableLargeObjects find_unreadable_large_objects(pg::Connection& source) {
  const pg::Row row = source.execute(
      "SELECT count(*), coalesce(min(m.oid), 0) FROM pg_catalog.pg_largeobject_metadata m WHERE NOT"
      " (SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user)"
      " AND pg_catalog.current_setting('lo_compat_privileges') = 'off'"
      " AND NOT pg_catalog.pg_has_role(m.lomowner, 'USAGE') AND NOT EXISTS (SELECT FROM"
      "  pg_catalog.aclexplode(m.lomacl) a WHERE a.privilege_type = 'SELECT'"
      "   AND (a.grantee = 0 OR pg_catalog.pg_has_role(a.grantee, 'USAGE')))")[0];
  return {.count = row.integer(0), .one = row.oid(1)};
}

std::vector<Oid> find_large_objects_to_drop(const std::set<Oid>& on_source, pg::Connection& target) {
  const std::array<std::string, 1> parameters = {fmt::format("{{{}}}", fmt::join(on_source, ","))};
  const pg::Result there = target.execute(
      "SELECT oid, pg_catalog.pg_has_role(lomowner, 'USAGE') OR"
      " pg_catalog.current_setting('lo_compat_privileges') = 'on' FROM pg_catalog.pg_largeobject_metadata"
      " WHERE oid = ANY ($1::oid[])",
      parameters);
  std::vector<Oid> objects;
  for (const pg::Row row : there) {
    objects.push_back(row.oid(0));
    if (row.boolean(1)) continue;
    throw Error(ErrorKind::kServer, fmt::format("large object {} is another role's", row.text(0)))
        .on(Side::kTarget)
        .sqlstate(sqlstate::kInsufficientPrivilege)
        .hint("connect as its owner or as a superuser, or remove it there");
  }
  return objects;
}

void drop_large_objects(pg::Connection& target, const std::vector<Oid>& objects) {
  pg::QueryPipeline pipeline(target);
  in_locked_batches(pipeline, objects, [](std::span<const Oid> batch) {
    return fmt::format("SELECT pg_catalog.lo_unlink(o) FROM pg_catalog.unnest('{{{}}}'::oid[]) o",
                       fmt::join(batch, ","));
  });
  pipeline.finish();
}

std::vector<std::string> find_large_object_conflicts(const std::set<Oid>& on_source, pg::Connection& target,
                                                     std::size_t limit) {
  std::vector<std::string> conflicts;
  for (const Oid there : find_large_objects(target)) {
    if (!on_source.contains(there)) continue;
    conflicts.push_back(fmt::format("large object {}", there));
    if (conflicts.size() == limit) break;
  }
  return conflicts;
}

}  // namespace pgsluice::copy
