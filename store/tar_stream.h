#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "pgsluice/cancel.h"

namespace pgsluice::store {

/// Writes the files of an archive into a stream, a pipe say, as one tar (POSIX pax), each as soon as it is given. One
/// thread.
class TarWriter {
 public:
  /// The descriptor stays open until finish(), and is the caller's.
  TarWriter(int fd, CancelToken cancel);
  TarWriter(const TarWriter&) = delete;
  TarWriter& operator=(const TarWriter&) = delete;
  ~TarWriter();

  /// Throws Error(kSystem) where the stream or the file fails, Error(kCancelled).
  void add(const std::string& name, const std::filesystem::path& file);
  /// Writes the end of the tar. Throws as add() does.
  void finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Reads an archive from a stream to its end and keeps it in an empty folder: a tar of TarWriter's, or what pg_dump
/// --format=custom writes. Returns the path of the archive: the folder, or a file in it. Throws as unpack_tar() does,
/// also for a tar without the manifest, which comes last: it is cut off.
std::filesystem::path receive_archive(int fd, const std::filesystem::path& folder, const CancelToken& cancel);

/// Reads a tar of an archive's files to its end, and makes these files in an empty folder, with mode 0600. Throws
/// Error(kConfig) for a stream that is cut off or no tar, and for what no archive has: folders in folders, links,
/// names that lead out of the folder, a file twice; Error(kState) where a file cannot be written, Error(kCancelled).
void unpack_tar(int fd, const std::filesystem::path& folder, const CancelToken& cancel);

}  // namespace pgsluice::store
