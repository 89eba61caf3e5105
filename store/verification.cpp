#include "store/verification.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <optional>

#include "base/digest.h"
#include "base/file_descriptor.h"
#include "base/mutex.h"
#include "base/threads.h"
#include "copy/row_digest.h"
#include "pg/quote.h"
#include "pgsluice/error.h"
#include "store/data_entries.h"
#include "store/frame_reader.h"

namespace pgsluice::store {

namespace {

Error unlike(const std::string& why) { return Error(ErrorKind::kConfig, why); }

// The rows in what COPY wrote as text, to the line that ends them. Holds no row.
class TextRows {
 public:
  void add(std::string_view content) {
    while (!content.empty()) {
      const std::size_t end = content.find('\n');
      const bool is_whole = end != std::string_view::npos;
      const std::string_view piece = content.substr(0, is_whole ? end + 1 : content.size());
      content.remove_prefix(piece.size());
      if (is_over_ && piece != "\n") throw unlike("there is more after the end of its rows");
      if (!is_over_) add_to_row(piece, is_whole);
    }
  }

  copy::RowsDigest result() const {
    if (!is_over_) throw unlike("its rows have no end");
    return digester_.result();
  }

 private:
  static constexpr std::string_view kEnd = "\\.\n";

  void add_to_row(std::string_view piece, bool is_whole) {
    if (may_be_end_) {
      begin_ += piece.substr(0, kEnd.size());
      if (begin_ == kEnd) {
        is_over_ = true;
        return;
      }
      if (!is_whole && kEnd.starts_with(begin_)) return;
      // The bytes that were kept, which are not the end but of a row.
      digester_.add_piece(std::string_view(begin_).substr(0, begin_.size() - std::min(piece.size(), kEnd.size())));
      may_be_end_ = false;
    }
    digester_.add_piece(piece);
    if (!is_whole) return;
    digester_.end_row();
    may_be_end_ = true;
    begin_.clear();
  }

  copy::RowDigester digester_{copy::CopyFormat::kText};
  std::string begin_;  // of a row, as long as it may be the end
  bool may_be_end_ = true;
  bool is_over_ = false;
};

class Verification {
 public:
  Verification(const std::filesystem::path& folder, const Manifest& manifest, VerificationProgress& progress,
               const CancelToken& cancel)
      : folder_(folder), manifest_(manifest), progress_(progress), cancel_(cancel) {}

  void check_small_files() {
    for (const SmallFile& file : manifest_.small_files) {
      try {
        if (digest_of(read_file(folder_ / file.name)) != file.digest) throw unlike("it is not as it was written");
      } catch (const Error& error) {
        add({file.name == kTocFile ? "the table of contents" : "the list of large objects " + file.name, error.what()});
      }
    }
  }

  void check_files(int jobs) {
    const std::size_t tables = manifest_.tables.size();
    const std::size_t files = tables + manifest_.large_objects.size();
    progress_.files_total += files;
    std::atomic<std::size_t> next{0};
    run_in_threads(std::clamp(static_cast<int>(files), 1, jobs), [&](int) {
      for (std::size_t at = next++; at < files && !cancel_.cancelled(); at = next++) {
        if (at < tables) {
          check_table(manifest_.tables[at]);
        } else {
          check_large_object(manifest_.large_objects[at - tables]);
        }
        ++progress_.files_done;
      }
    });
  }

  std::vector<Damage> take_found() {
    const MutexLock lock(mutex_);
    std::sort(found_.begin(), found_.end(), [](const Damage& a, const Damage& b) { return a.what < b.what; });
    return std::move(found_);
  }

 private:
  void check_table(const ArchivedTable& table) {
    try {
      TextRows rows;
      const std::uintmax_t content = read(table.file, [&](std::string_view piece) { rows.add(piece); });
      const copy::RowsDigest there = rows.result();
      if (there.rows != table.rows.rows) {
        throw unlike(fmt::format("it has {} rows, and the source sent {}", there.rows, table.rows.rows));
      }
      if (there != table.rows || content != table.content) throw unlike("its rows are not those that the source sent");
    } catch (const std::exception& error) {
      add({"table " + pg::display_name(table.schema, table.name), error.what()});
    }
  }

  void check_large_object(const ArchivedLargeObject& object) {
    try {
      const std::uintmax_t content = read(object.file, [](std::string_view) {});
      if (content != object.content) {
        throw unlike(fmt::format("it has {} bytes, and the source sent {}", content, object.content));
      }
    } catch (const std::exception& error) {
      add({fmt::format("large object {}", object.oid), error.what()});
    }
  }

  // Hands the content of each frame on. Returns its size.
  std::uintmax_t read(const ArchivedFile& file, const std::function<void(std::string_view)>& take) {
    FrameReader reader(folder_, file, manifest_.compression.algorithm);
    std::uintmax_t content = 0;
    for (std::size_t i = 0; i < reader.frames().size() && !cancel_.cancelled(); ++i) {
      const std::string_view piece = reader.read(i);
      take(piece);
      content += piece.size();
      progress_.bytes.fetch_add(static_cast<std::int64_t>(piece.size()), std::memory_order_relaxed);
    }
    return content;
  }

  void add(Damage damage) {
    const MutexLock lock(mutex_);
    found_.push_back(std::move(damage));
  }

  const std::filesystem::path& folder_;
  const Manifest& manifest_;
  VerificationProgress& progress_;
  const CancelToken& cancel_;
  Mutex mutex_;
  std::vector<Damage> found_ GUARDED_BY(mutex_);
};

}  // namespace

std::vector<Damage> verify_archive(const std::filesystem::path& folder, int jobs, VerificationProgress& progress,
                                   const CancelToken& cancel) {
  const Manifest manifest = read_manifest(folder);
  Verification verification(folder, manifest, progress, cancel);
  verification.check_small_files();
  verification.check_files(jobs);
  cancel.throw_if_cancelled();
  return verification.take_found();
}

namespace {

// pg_dump writes nowhere what there should be: that each table has its end is all that can be seen.
std::vector<Damage> read_to_the_ends(const ArchiveData& archive, int jobs, const CancelToken& cancel) {
  const DataEntries entries = find_data_entries(archive.archive());
  std::vector<const schema::TocEntry*> tables;
  for (const auto& [oid, entry] : entries.tables) tables.push_back(entry);
  Mutex mutex;
  std::vector<Damage> found;
  std::atomic<std::size_t> next{0};
  const auto add = [&](const std::string& what, const std::exception& error) {
    const MutexLock lock(mutex);
    found.push_back({what, error.what()});
  };
  run_in_threads(std::clamp(static_cast<int>(tables.size()), 1, jobs), [&](int) {
    for (std::size_t at = next++; at < tables.size() && !cancel.cancelled(); at = next++) {
      const schema::TocEntry& entry = *tables[at];
      try {
        archive.read_rows(entry, {}, [](std::string_view) {});
      } catch (const std::exception& error) {
        add("table " + pg::display_name(entry.schema.value_or(""), entry.tag), error);
      }
    }
  });
  try {
    if (!cancel.cancelled()) archive.read_large_objects([](schema::Oid, std::string_view) {});
  } catch (const std::exception& error) {
    add("large objects", error);
  }
  return found;
}

}  // namespace

void require_undamaged(const ArchiveData& archive, int jobs, const CancelToken& cancel) {
  VerificationProgress progress;
  const std::vector<Damage> found = archive.manifest() != nullptr
                                        ? verify_archive(archive.path(), jobs, progress, cancel)
                                        : read_to_the_ends(archive, jobs, cancel);
  cancel.throw_if_cancelled();
  if (found.empty()) return;
  const std::string more = found.size() > 1 ? fmt::format("; and {} more", found.size() - 1) : "";
  throw Error(ErrorKind::kConfig, fmt::format("the archive is damaged: {}{}", found.front().why, more))
      .object(found.front().what)
      .hint("copy it again, whole");
}

}  // namespace pgsluice::store
