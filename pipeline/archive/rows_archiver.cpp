#include "pipeline/archive/rows_archiver.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>
#include <utility>

#include "base/digest.h"
#include "base/threads.h"
#include "copy/copy_statement.h"
#include "copy/large_objects.h"
#include "copy/row_digest.h"
#include "pgsluice/error.h"
#include "pipeline/prepare/sessions.h"

namespace pgsluice::pipeline {

namespace {

constexpr std::size_t kObjectsAtOnce = 500;
constexpr std::string_view kEndOfRows = "\\.\n\n\n";

// The digest of the index covers the whole content, by the digests of the frames.
store::ArchivedFile described(std::string name, std::uintmax_t size, const std::vector<store::Frame>& frames) {
  return {.name = std::move(name), .size = size, .index = digest_of(store::encode_index(frames))};
}

std::uintmax_t content_of(const std::vector<store::Frame>& frames) {
  std::uintmax_t content = 0;
  for (const store::Frame& frame : frames) content += frame.content;
  return content;
}

}  // namespace

std::string table_file_name(const DataToArchive& data, const TablePlan& plan) {
  return store::data_file_of(*data.entries.tables.at(plan.table->oid), data.version) +
         std::string(schema::suffix_of(data.compression.algorithm));
}

std::string large_object_file_name(const DataToArchive& data, schema::Oid object) {
  return store::large_object_file(object) + std::string(schema::suffix_of(data.compression.algorithm));
}

void hand_on(const DataToArchive& data, const std::string& name) {
  if (!data.hand_on) return;
  std::error_code failed;
  for (const std::string& file : {name, store::index_file_of(name).string()}) {
    const std::filesystem::path path = data.folder / file;
    if (!std::filesystem::exists(path, failed)) continue;
    data.hand_on(file, path);
    std::filesystem::remove(path, failed);
  }
}

void ArchivingProgress::reset() {
  for (std::atomic<std::int64_t>* counter : {&bytes, &rows, &size_done, &size_total}) *counter = 0;
  for (std::atomic<std::size_t>* counter : {&tables_done, &tables_total, &files_done, &files_total}) *counter = 0;
}

RowsArchiver::RowsArchiver(const DataToArchive& data, store::Journal* journal, ArchivingProgress& progress, Log log,
                           const CancelToken& cancel)
    : data_(data),
      journal_(journal),
      progress_(progress),
      log_(log),
      cancel_(cancel),
      pump_(data.compression, data.compress_jobs),
      log_is_on_disk_(data.mark.log_is_on_disk) {
  for (const store::JournaledTable& table : data.done.tables) done_tables_[table.table] = &table.archived;
  for (const store::JournaledPart& part : data.done.parts) done_parts_[{part.table, part.number}] = &part;
}

void RowsArchiver::plan_pieces() {
  std::int64_t size = 0;
  std::size_t files = data_.tables.size();
  for (const TablePlan& plan : data_.tables) {
    for (const copy::RowRange& range : plan.ranges) size += range.size.count;
  }
  for (const store::LargeObjectsEntry& entry : data_.entries.large_objects) files += entry.objects.size();
  progress_.tables_total = data_.tables.size();
  progress_.files_total = files;
  progress_.size_total = size;
  const MutexLock lock(mutex_);
  for (std::size_t table = 0; table < data_.tables.size(); ++table) plan_table(table);
  large_objects_ = data_.done.large_objects;
  progress_.files_done += large_objects_.size();
  for (const store::LargeObjectsEntry& entry : data_.entries.large_objects) plan_objects(entry);
  std::stable_sort(pieces_.begin(), pieces_.end(), [](const Piece& a, const Piece& b) { return b.size < a.size; });
}

void RowsArchiver::plan_table(std::size_t table) {
  if (take_done(table)) return;
  const std::vector<copy::RowRange>& ranges = data_.tables[table].ranges;
  Gathered& gathered = gathered_[table];
  gathered.parts.resize(ranges.size());
  gathered.missing = ranges.size();
  for (std::size_t range = 0; range < ranges.size(); ++range) {
    const Piece piece{.table = table, .range = range, .objects = {}, .size = ranges[range].size};
    if (!take_done(piece, gathered)) pieces_.push_back(piece);
  }
}

// Returns true if the whole table is in its file.
bool RowsArchiver::take_done(std::size_t table) {
  const TablePlan& plan = data_.tables[table];
  const auto done = done_tables_.find(plan.table->oid);
  if (done == done_tables_.end()) return false;
  tables_.push_back(*done->second);
  ++progress_.tables_done;
  ++progress_.files_done;
  progress_.rows += done->second->rows.rows;
  for (const copy::RowRange& range : plan.ranges) progress_.size_done += range.size.count;
  return true;
}

// Returns true if the part is in its file.
bool RowsArchiver::take_done(const Piece& piece, Gathered& gathered) {
  const auto done = done_parts_.find({data_.tables[piece.table].table->oid, piece.range});
  if (done == done_parts_.end()) return false;
  const store::JournaledPart& part = *done->second;
  gathered.parts[piece.range] = {.path = data_.folder / store::part_file_name(part.file, part.number),
                                 .frames = part.frames};
  gathered.rows += part.rows;
  --gathered.missing;
  progress_.rows += part.rows.rows;
  progress_.size_done += piece.size.count;
  return true;
}

void RowsArchiver::plan_objects(const store::LargeObjectsEntry& entry) {
  std::set<schema::Oid> done;
  for (const store::ArchivedLargeObject& object : data_.done.large_objects) done.insert(object.oid);
  std::vector<schema::Oid> missing;
  for (const schema::Oid object : entry.objects) {
    if (!done.contains(object)) missing.push_back(object);
  }
  for (std::size_t at = 0; at < missing.size(); at += kObjectsAtOnce) {
    const auto begin = missing.begin() + static_cast<std::ptrdiff_t>(at);
    const std::size_t count = std::min(kObjectsAtOnce, missing.size() - at);
    pieces_.push_back({.objects = {begin, begin + static_cast<std::ptrdiff_t>(count)}, .size = {}});
  }
}

// Tables whose parts have all come, but were not joined when the earlier attempt ended.
void RowsArchiver::join_what_is_done() {
  std::map<std::size_t, Gathered> whole;
  {
    const MutexLock lock(mutex_);
    for (auto& [table, gathered] : gathered_) {
      if (gathered.missing == 0) whole.emplace(table, std::move(gathered));
    }
  }
  for (auto& [table, gathered] : whole) finish_table(table, std::move(gathered));
}

void RowsArchiver::run() {
  plan_pieces();
  join_what_is_done();
  if (!pieces_.empty()) {
    run_in_threads(std::min(data_.table_jobs, static_cast<int>(pieces_.size())), [this](int number) { work(number); });
  }
  {
    const MutexLock lock(mutex_);
    if (error_) throw Error(*error_);
  }
  if (journal_ != nullptr) journal_->flush();
}

std::vector<store::ArchivedTable> RowsArchiver::take_tables() {
  const MutexLock lock(mutex_);
  return std::move(tables_);
}

std::vector<store::ArchivedLargeObject> RowsArchiver::take_large_objects() {
  const MutexLock lock(mutex_);
  return std::move(large_objects_);
}

void RowsArchiver::work(int number) {
  try {
    std::optional<pg::Connection> source;
    for (std::size_t at = next_++; at < pieces_.size() && !cancel_.cancelled(); at = next_++) {
      if (!source) {
        source = open_reader(data_.source, fmt::format("copy {}", number), data_.encoding, log_, cancel_.token());
        // Amounts of money in the form of the source, as pg_dump writes them and pg_restore expects them.
        source->execute("RESET lc_monetary");
        pg::import_snapshot(*source, data_.mark.snapshot);
      }
      const Piece& piece = pieces_[at];
      if (piece.objects.empty()) {
        read_part(piece, *source);
      } else {
        read_objects(piece, *source);
      }
      pg::require_read_in_time(*source, data_.mark.read_before);
      if (!log_is_on_disk_ && journal_ != nullptr) look_for_log(*source);
    }
    // Others may still read what this one was to have read.
    cancel_.token().throw_if_cancelled();
  } catch (const Error& error) {
    const MutexLock lock(mutex_);
    if (!error_ || error_->kind() == ErrorKind::kCancelled) error_ = error;
    cancel_.cancel();
  } catch (const std::exception& error) {
    const MutexLock lock(mutex_);
    if (!error_) error_ = Error(ErrorKind::kSystem, error.what());
    cancel_.cancel();
  }
}

// On a quiet server the log's last page may wait for a while: as long as it does, a restart would make what is done
// useless.
void RowsArchiver::look_for_log(pg::Connection& source) {
  if (!pg::is_log_on_disk(source, data_.mark) || log_is_on_disk_.exchange(true)) return;
  journal_->add_log_is_on_disk();
}

void RowsArchiver::read_part(const Piece& piece, pg::Connection& source) {
  const TablePlan& plan = data_.tables[piece.table];
  const copy::RowRange& range = plan.ranges[piece.range];
  const std::string name = table_file_name(data_, plan);
  try {
    store::DataStream stream(pump_, data_.folder / store::part_file_name(name, piece.range));
    const std::array<copy::DigestRequest, 1> request = {copy::DigestRequest{
        .connection = source,
        .copy_out = copy::copy_out_statement(*plan.table, copy::CopyFormat::kText, range.condition()),
        .format = copy::CopyFormat::kText,
        .flow = {progress_.bytes, data_.throttle},
        .sink = [&](std::string_view payload) { stream.write(payload); }}};
    const copy::RowsDigest rows = copy::digest_rows(request).front();
    if (piece.range + 1 == plan.ranges.size()) stream.write(kEndOfRows);
    store::WrittenPart part = stream.finish();
    // A part that is the whole table becomes its file at once.
    if (plan.ranges.size() > 1) {
      record(store::JournaledPart{.table = plan.table->oid,
                                  .file_node = plan.table->file_node,
                                  .file = name,
                                  .number = piece.range,
                                  .bounds = range.bounds,
                                  .rows = rows,
                                  .frames = part.frames});
    }
    progress_.rows.fetch_add(rows.rows, std::memory_order_relaxed);
    progress_.size_done.fetch_add(piece.size.count, std::memory_order_relaxed);
    std::optional<Gathered> whole;
    {
      const MutexLock lock(mutex_);
      Gathered& gathered = gathered_[piece.table];
      gathered.parts[piece.range] = std::move(part);
      gathered.rows += rows;
      if (--gathered.missing == 0) whole = std::move(gathered);
    }
    if (whole) finish_table(piece.table, std::move(*whole));
  } catch (Error& error) {
    if (error.object().empty()) error.object("table " + plan.table->display());
    throw;
  }
}

void RowsArchiver::finish_table(std::size_t table, Gathered gathered) {
  const TablePlan& plan = data_.tables[table];
  const std::string name = table_file_name(data_, plan);
  std::vector<store::Frame> frames;
  for (const store::WrittenPart& part : gathered.parts) {
    frames.insert(frames.end(), part.frames.begin(), part.frames.end());
  }
  const std::uintmax_t size = store::join_parts(data_.folder / name, gathered.parts, data_.compression.algorithm);
  log_.info(fmt::format("table {}: {} rows", plan.table->display(), gathered.rows.rows));
  const store::ArchivedTable archived{.schema = plan.table->schema,
                                      .name = plan.table->name,
                                      .dump_id = data_.entries.tables.at(plan.table->oid)->dump_id,
                                      .content = content_of(frames),
                                      .rows = gathered.rows,
                                      .file = described(name, size, frames)};
  record(store::JournaledTable{.table = plan.table->oid, .archived = archived});
  // Its parts are gone: it would be read again.
  if (gathered.parts.size() > 1 && journal_ != nullptr) journal_->flush();
  hand_on(data_, name);
  ++progress_.tables_done;
  ++progress_.files_done;
  const MutexLock lock(mutex_);
  tables_.push_back(archived);
}

void RowsArchiver::read_objects(const Piece& piece, pg::Connection& source) {
  std::optional<store::DataStream> stream;
  schema::Oid current = 0;
  std::int64_t next = 0;
  std::size_t finished = 0;
  const auto finish = [&] {
    if (!stream) return;
    finish_object(current, stream->finish());
    ++finished;
    stream.reset();
  };
  const auto take = [&](schema::Oid object, std::int64_t at, std::string_view bytes) {
    if (at == 0) {
      finish();
      current = object;
      next = 0;
      stream.emplace(pump_, data_.folder / store::part_file_name(large_object_file_name(data_, object), 0));
    }
    if (object != current || at != next) {
      throw Error(ErrorKind::kInternal, fmt::format("large object {} comes out of order", object)).on(Side::kSource);
    }
    stream->write(bytes);
    next = at + static_cast<std::int64_t>(bytes.size());
  };
  try {
    copy::read_large_objects(source, piece.objects, {progress_.bytes, data_.throttle}, take);
    finish();
  } catch (Error& error) {
    if (error.object().empty()) error.object(current == 0 ? "large objects" : fmt::format("large object {}", current));
    throw;
  }
  if (finished == piece.objects.size()) return;
  throw Error(ErrorKind::kMismatch,
              fmt::format("the source has sent {} large objects of {}", finished, piece.objects.size()))
      .on(Side::kSource);
}

void RowsArchiver::finish_object(schema::Oid object, store::WrittenPart part) {
  const std::string name = large_object_file_name(data_, object);
  const std::vector<store::Frame> frames = part.frames;
  const std::uintmax_t size = store::join_parts(data_.folder / name, {std::move(part)}, data_.compression.algorithm);
  const store::ArchivedLargeObject archived{
      .oid = object, .content = content_of(frames), .file = described(name, size, frames)};
  record(archived);
  hand_on(data_, name);
  ++progress_.files_done;
  const MutexLock lock(mutex_);
  large_objects_.push_back(archived);
}

}  // namespace pgsluice::pipeline
