#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "pgsluice/cancel.h"

namespace pgsluice::store {

/// Something in an archive that is not as it was written.
struct Damage {
  std::string what;  ///< "table public.orders", "large object 16405", "the table of contents"
  std::string why;   ///< "frame 3 of 12 in 3021.dat.zst, at byte 4194304: …"
};

/// Counters for progress; read by others at any time. Those of several archives add up.
struct VerificationProgress {
  std::atomic<std::int64_t> bytes{0};  ///< decompressed
  std::atomic<std::size_t> files_done{0};
  std::atomic<std::size_t> files_total{0};
};

/// Reads an archive of ArchiveCreation's (archive.h) whole, in so many threads, and compares it with its manifest: the
/// table of contents, each file's size and index, each frame's content, and each table's rows with what the source
/// sent. Needs no server. Throws Error(kConfig) where there is no manifest, Error(kCancelled). Returns nothing for one
/// that is as it was written.
std::vector<Damage> verify_archive(const std::filesystem::path& folder, int jobs, VerificationProgress& progress,
                                   const CancelToken& cancel);

}  // namespace pgsluice::store
