#include "store/archived_large_objects.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "copy/large_object_batch.h"
#include "copy/libpq_copy.h"
#include "pg/query_pipeline.h"
#include "pgsluice/error.h"
#include "schema/archive/acl.h"
#include "schema/archive/ddl_restore.h"
#include "schema/catalog/inventory.h"
#include "store/data_entries.h"

namespace pgsluice::store {

namespace {

using copy::LargeObjectBatch;
using schema::EntryKind;
using schema::Oid;
using schema::TocEntry;

constexpr std::size_t kLockedAtOnce = 50;  // GRANT locks each object: below any max_locks_per_transaction
constexpr std::size_t kFlushObjectsAt = 256 * 1024;

// Most significant byte first.
void append_number(std::string& to, std::uint64_t value, int bytes) {
  for (int shift = (bytes - 1) * 8; shift >= 0; shift -= 8) to += static_cast<char>((value >> shift) & 0xFFU);
}

// Rows (oid, bigint, bytea) of a COPY in binary. PostgreSQL's documentation, COPY, "Binary Format".
std::string header() { return std::string("PGCOPY\n\377\r\n\0", 11) + std::string(8, '\0'); }

std::string row(Oid object, std::int64_t at, std::string_view piece) {
  std::string bytes;
  append_number(bytes, 3, 2);
  append_number(bytes, 4, 4);
  append_number(bytes, object, 4);
  append_number(bytes, 8, 4);
  append_number(bytes, static_cast<std::uint64_t>(at), 8);
  append_number(bytes, piece.size(), 4);
  bytes += piece;
  return bytes;
}

// Takes pieces of one object after another, and makes them in transactions of many.
class Loader {
 public:
  Loader(pg::Connection& target, std::map<Oid, std::string> owners, const schema::RestoreOptions& options,
         const copy::Flow& flow)
      : target_(target),
        owners_(std::move(owners)),
        options_(options),
        flow_(flow),
        there_(copy::find_large_objects(target)) {}

  void add(Oid object, std::string_view piece) {
    if (object != current_) begin(object);
    if (there_.contains(object)) return;
    do {
      const std::string_view part = piece.substr(0, copy::kLargeObjectPiece);
      put(part);
      piece.remove_prefix(part.size());
    } while (!piece.empty());
  }

  copy::LargeObjectsOutcome finish() {
    end_batch();
    return std::move(outcome_);
  }

 private:
  void begin(Oid object) {
    current_ = object;
    at_ = 0;
    ++outcome_.objects;
    if (there_.contains(object)) return;
    const auto found = owners_.find(object);
    const std::string& owner = found == owners_.end() ? nobody_ : found->second;
    if (batch_ && (owner != owner_ || objects_ >= copy::kLargeObjectsInABatch)) end_batch();
    if (batch_) return;
    if (!role_ || owner != owner_) role_ = copy::role_that_makes(target_, owner, options_, outcome_);
    owner_ = owner;
    batch_ = std::make_unique<LargeObjectBatch>(target_, *role_);
    objects_ = 0;
  }

  void put(std::string_view part) {
    if (!writer_) {
      writer_ = std::make_unique<copy::CopyWriter>(target_, LargeObjectBatch::copy_in());
      writer_->write(header());
    }
    writer_->write(row(current_, at_, part));
    if (writer_->unflushed() >= kFlushObjectsAt) writer_->flush_all();
    ++pieces_;
    if (at_ == 0) {
      ++begun_;
      ++objects_;
    }
    const auto size = static_cast<std::int64_t>(part.size());
    at_ += size;
    sent_ += size;
    flow_.passed(part.size(), target_.cancel_token());
    if (sent_ >= copy::kLargeObjectBytesAtOnce) make();
  }

  void make() {
    if (!writer_) return;
    std::string trailer;
    append_number(trailer, 0xFFFF, 2);
    writer_->write(trailer);
    writer_->finish();
    writer_.reset();
    batch_->make(pieces_, begun_);
    pieces_ = 0;
    begun_ = 0;
    sent_ = 0;
  }

  void end_batch() {
    if (!batch_) return;
    make();
    batch_->commit();
    batch_.reset();
  }

  pg::Connection& target_;
  const std::map<Oid, std::string> owners_;
  const schema::RestoreOptions& options_;
  const copy::Flow flow_;
  const std::set<Oid> there_;
  const std::string nobody_;

  Oid current_ = 0;
  std::int64_t at_ = 0;
  std::string owner_;
  std::optional<std::string> role_;
  std::unique_ptr<LargeObjectBatch> batch_;
  std::unique_ptr<copy::CopyWriter> writer_;  // destroyed before the batch
  std::size_t objects_ = 0;
  std::int64_t pieces_ = 0;
  std::int64_t begun_ = 0;
  std::int64_t sent_ = 0;
  copy::LargeObjectsOutcome outcome_;
};

std::map<Oid, std::string> owners_of(const schema::Archive& archive) {
  std::map<Oid, std::string> owners;
  for (const TocEntry& entry : archive.entries) {
    for (const Oid object : large_objects_named(entry)) owners[object] = entry.owner;
  }
  return owners;
}

// "… LARGE OBJECT 16405 …" for other objects: an entry of a group (from 17 on) names the first of them only.
std::string for_objects(const std::string& sql, std::span<const Oid> objects) {
  constexpr std::string_view kNamed = "LARGE OBJECT ";
  std::string result;
  std::size_t at = 0;
  for (std::size_t found = sql.find(kNamed); found != std::string::npos; found = sql.find(kNamed, at)) {
    const std::size_t begin = found + kNamed.size();
    result += sql.substr(at, begin - at) + fmt::format("{}", fmt::join(objects, ", "));
    at = std::min(sql.find_first_not_of("0123456789", begin), sql.size());
  }
  return result + sql.substr(at);
}

// Privileges, comments and labels, which stand in entries of their own.
void restore_properties(const schema::Archive& archive, pg::Connection& target, const schema::RestoreOptions& options) {
  schema::RestoreOptions acting = options;
  acting.out_of_reach = schema::roles_out_of_reach(target);
  std::map<int, const TocEntry*> by_dump_id;
  for (const TocEntry& entry : archive.entries) by_dump_id[entry.dump_id] = &entry;
  const schema::ArchivesLiterals literals(target, archive);
  pg::QueryPipeline pipeline(target);
  for (const TocEntry& entry : archive.entries) {
    if (!schema::is_about_large_objects(entry)) continue;
    const bool is_acl = entry.kind == EntryKind::kAcl;
    if ((is_acl && !options.acls) || (entry.kind == EntryKind::kComment && !options.comments)) continue;
    if (!is_acl) {
      pipeline.require({entry.definition});
      continue;
    }
    std::vector<Oid> objects;
    for (const int dependency : entry.dependencies) {
      const auto found = by_dump_id.find(dependency);
      if (found == by_dump_id.end()) continue;
      for (const Oid object : large_objects_named(*found->second)) objects.push_back(object);
    }
    const std::string sql = schema::acl_definition(entry, acting, schema::OwnersPart::kByOwner);
    if (objects.empty()) pipeline.require({sql});
    for (std::size_t begin = 0; begin < objects.size(); begin += kLockedAtOnce) {
      const std::span<const Oid> all(objects);
      pipeline.require({for_objects(sql, all.subspan(begin, std::min(kLockedAtOnce, objects.size() - begin)))});
    }
  }
  pipeline.finish();
}

}  // namespace

std::set<Oid> large_objects_of(const schema::Archive& archive) {
  std::set<Oid> objects;
  for (const TocEntry& entry : archive.entries) {
    for (const Oid object : large_objects_named(entry)) objects.insert(object);
  }
  return objects;
}

copy::LargeObjectsOutcome restore_large_objects(const ArchiveData& data, pg::Connection& target,
                                                const schema::RestoreOptions& options, const copy::Flow& flow) {
  try {
    Loader loader(target, owners_of(data.archive()), options, flow);
    const std::vector<TocEntry>& entries = data.archive().entries;
    const bool has_data = std::any_of(entries.begin(), entries.end(), [](const TocEntry& entry) {
      return entry.has_data && entry.kind == EntryKind::kLargeObjects;
    });
    if (has_data) {
      data.read_large_objects([&](Oid object, std::string_view piece) { loader.add(object, piece); });
    } else {
      // An archive of definitions alone names them up to 16: pg_restore makes them empty, too.
      for (const Oid object : large_objects_of(data.archive())) loader.add(object, {});
    }
    copy::LargeObjectsOutcome outcome = loader.finish();
    const std::size_t expected = large_objects_of(data.archive()).size();
    if (static_cast<std::size_t>(outcome.objects) != expected) {
      throw Error(ErrorKind::kMismatch,
                  fmt::format("the archive has the data of {} large objects, and names {}", outcome.objects, expected))
          .on(Side::kSource);
    }
    restore_properties(data.archive(), target, options);
    return outcome;
  } catch (Error& error) {
    if (error.object().empty()) error.object("large objects");
    error.step("copying data");
    throw;
  }
}

}  // namespace pgsluice::store
