#include "store/archive_data.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <system_error>
#include <utility>

#include "base/digest.h"
#include "base/file_descriptor.h"
#include "pgsluice/error.h"
#include "store/frame_reader.h"

namespace pgsluice::store {

namespace {

namespace fs = std::filesystem;

// As pg_dump ends the rows of a table.
constexpr std::string_view kEndOfRows = "\\.\n\n\n";
// pg_dump's text is about so many times as long as what a compression makes of it.
constexpr std::uintmax_t kTimesCompressed = 4;

Error not_this(const fs::path& path, std::string_view why) {
  return Error(ErrorKind::kConfig, fmt::format("{}: {}", path.string(), why));
}

// As much of a file as its table of contents, and maybe more: data follows there.
std::string read_toc(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  if (!in) throw not_this(file, "it cannot be read");
  std::string bytes;
  constexpr std::size_t kFirst = 1024 * 1024;
  for (std::size_t wanted = kFirst;; wanted *= 2) {
    const std::size_t before = bytes.size();
    bytes.resize(wanted);
    in.read(bytes.data() + before, static_cast<std::streamsize>(wanted - before));
    bytes.resize(before + static_cast<std::size_t>(in.gcount()));
    // The parser says where a file is cut off.
    if (!in || schema::has_whole_toc(bytes, file.string())) return bytes;
  }
}

fs::path toc_of(const fs::path& path) {
  require_plain_files(path);
  std::error_code failed;
  const fs::file_status status = fs::status(path, failed);
  if (!fs::exists(status)) throw not_this(path, "there is no such archive");
  if (!fs::is_directory(status)) return path;
  if (fs::exists(path / kTocFile, failed)) return path / kTocFile;
  if (is_unfinished(path)) throw unfinished_error(path);
  throw not_this(path, fmt::format("it has no {}", kTocFile))
      .hint("it is no archive of pg_dump or pgsluice, or one that was not completed");
}

// True if a row that began before a frame reaches into it. Frames without content stand for parts without rows.
bool is_in_row_before(FrameReader& reader, std::size_t frame) {
  while (frame > 0 && reader.frames()[frame - 1].content == 0) --frame;
  return frame > 0 && reader.read(frame - 1).back() != '\n';
}

// Passes on all but the line that ends the rows, which has to be there.
class RowsBeforeEnd {
 public:
  explicit RowsBeforeEnd(const TakePiece& take) : take_(take) {}

  void add(std::string_view piece) {
    if (piece.size() < kEndOfRows.size()) {
      kept_ += piece;
      if (kept_.size() > kEndOfRows.size()) hand_on(kept_.size() - kEndOfRows.size());
      return;
    }
    hand_on(kept_.size());
    const std::size_t rows = piece.size() - kEndOfRows.size();
    give(piece.substr(0, rows));
    kept_ = piece.substr(rows);
  }

  void finish() const {
    if (kept_ == kEndOfRows && last_ == '\n') return;
    throw Error(ErrorKind::kConfig, "its rows have no end: the archive is cut off");
  }

 private:
  void hand_on(std::size_t count) {
    give(std::string_view(kept_).substr(0, count));
    kept_.erase(0, count);
  }

  void give(std::string_view rows) {
    if (rows.empty()) return;
    last_ = rows.back();
    take_(rows);
  }

  const TakePiece& take_;
  std::string kept_;
  char last_ = '\n';
};

}  // namespace

ArchiveData::ArchiveData(fs::path path) : path_(std::move(path)) {
  const fs::path toc = toc_of(path_);
  const std::string bytes = read_toc(toc);
  archive_ = schema::parse_archive(bytes, toc.string());
  identity_ = digest_of(std::string_view(bytes).substr(0, archive_.toc_size)).hex();
  if (toc == path_) {
    if (archive_.format != schema::ArchiveFormat::kCustom) {
      throw not_this(path_, "it is the table of contents of a folder").hint("give the folder");
    }
    data_ = open_custom_data(path_, archive_);
    return;
  }
  if (archive_.format != schema::ArchiveFormat::kDirectory) throw not_this(toc, "it is not that of a folder");
  data_ = open_folder_data(path_, archive_);
  if (!fs::exists(path_ / kManifestFile)) {
    // All else may be there, and not yet on the disk.
    if (!is_unfinished(path_)) return;
    throw unfinished_error(path_);
  }
  manifest_ = read_manifest(path_);
  for (const SmallFile& file : manifest_->small_files) {
    if (digest_of(read_file(path_ / file.name)) == file.digest) continue;
    throw not_this(path_ / file.name, "it is not as it was written").hint("copy the archive again, whole");
  }
  identity_ += " " + digest_of(read_file(path_ / kManifestFile)).hex();
}

const ArchivedTable* ArchiveData::find_table(const schema::TocEntry& entry) const {
  if (!manifest_) return nullptr;
  const auto found = std::lower_bound(manifest_->tables.begin(), manifest_->tables.end(), entry.dump_id,
                                      [](const ArchivedTable& table, int dump_id) { return table.dump_id < dump_id; });
  return found != manifest_->tables.end() && found->dump_id == entry.dump_id ? &*found : nullptr;
}

std::uintmax_t ArchiveData::content_size(const schema::TocEntry& entry) const {
  if (const ArchivedTable* table = find_table(entry)) return table->content;
  const bool is_plain = archive_.compression == schema::ArchiveCompression::kNone;
  return data_->stored_size(entry) * (is_plain ? 1 : kTimesCompressed);
}

std::optional<copy::RowsDigest> ArchiveData::rows_of(const schema::TocEntry& entry) const {
  const ArchivedTable* table = find_table(entry);
  return table == nullptr ? std::nullopt : std::optional(table->rows);
}

void ArchiveData::read_rows(const schema::TocEntry& entry, const copy::RangeBounds& part, const TakePiece& take) const {
  if (const ArchivedTable* table = find_table(entry)) return read_frames(*table, part, take);
  if (!part.by.empty()) throw Error(ErrorKind::kInternal, "an archive without frames has no parts of tables");
  if (manifest_) throw not_this(path_ / kManifestFile, fmt::format("it does not know {}", entry.describe()));
  RowsBeforeEnd rows(take);
  data_->read(entry, [&](std::string_view piece) { rows.add(piece); });
  rows.finish();
}

// A row belongs to the part in which its first byte is: the reader of a part skips the rest of a row that began before
// it, and reads on after it to the end of its own last row.
void ArchiveData::read_frames(const ArchivedTable& table, const copy::RangeBounds& part, const TakePiece& take) const {
  try {
    FrameReader reader(path_, table.file, manifest_->compression.algorithm);
    const std::size_t frames = reader.frames().size();
    const auto frame_of = [&](std::optional<std::int64_t> bound, std::size_t otherwise) {
      return bound ? std::min(static_cast<std::size_t>(std::max<std::int64_t>(*bound, 0)), frames) : otherwise;
    };
    const std::size_t from = frame_of(part.from, 0);
    const std::size_t to = frame_of(part.to, frames);
    if (reader.content_size() < kEndOfRows.size()) throw Error(ErrorKind::kConfig, "its rows have no end");
    const std::uintmax_t end_of_rows = reader.content_size() - kEndOfRows.size();
    std::uintmax_t at = 0;
    for (std::size_t i = 0; i < from; ++i) at += reader.frames()[i].content;
    bool skips = is_in_row_before(reader, from);
    bool is_in_row = false;
    for (std::size_t i = from; i < frames && (i < to || is_in_row); ++i) {
      std::string_view rows = reader.read(i);
      const std::uintmax_t size = rows.size();
      rows = rows.substr(0, at < end_of_rows ? static_cast<std::size_t>(std::min(size, end_of_rows - at)) : 0);
      at += size;
      if (skips) {
        const std::size_t end = rows.find('\n');
        skips = end == std::string_view::npos;
        rows.remove_prefix(skips ? rows.size() : end + 1);
      }
      if (rows.empty()) continue;  // also a part of the source's table that had no rows
      if (i >= to) rows = rows.substr(0, std::min(rows.find('\n'), rows.size() - 1) + 1);
      is_in_row = rows.back() != '\n';
      take(rows);
    }
  } catch (Error& error) {
    if (error.kind() == ErrorKind::kConfig) error.hint("copy the archive again, whole");
    throw;
  }
}

void ArchiveData::read_large_objects(const TakeObject& take) const {
  if (manifest_) {
    for (const ArchivedLargeObject& object : manifest_->large_objects) {
      FrameReader reader(path_, object.file, manifest_->compression.algorithm);
      for (std::size_t i = 0; i < reader.frames().size(); ++i) take(object.oid, reader.read(i));
    }
    return;
  }
  for (const schema::TocEntry& entry : archive_.entries) {
    if (entry.has_data && entry.kind == schema::EntryKind::kLargeObjects) data_->read_large_objects(entry, take);
  }
}

}  // namespace pgsluice::store
