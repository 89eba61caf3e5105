#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/mutex.h"
#include "pgsluice/error.h"
#include "store/compression.h"
#include "store/data_file.h"

namespace pgsluice::store {

/// Returns the level of zstd for the next frame, by how the last one went: higher where the disk takes longer than the
/// compression, or no frame waits; lower where as many wait as may, so that the readers wait for the compression.
int next_level(int level, std::size_t waiting, std::size_t most_waiting, bool is_disk_slower);

/// Threads that compress what other threads read, and write it into files. At most as many frames wait for them as
/// there are threads: who brings more waits, so a full disk or a slow one stops the reading.
///
/// Lifecycle: made, used by the streams of any number of threads, and destroyed after them. Memory: two frames for each
/// thread and one for each stream, whatever the size of the rows.
class Pump {
 public:
  /// Throws Error(kSystem) when the system gives no threads.
  Pump(const Compression& compression, int threads);
  Pump(const Pump&) = delete;
  Pump& operator=(const Pump&) = delete;
  /// Waits for what was put.
  ~Pump();

 private:
  friend class DataStream;
  struct Piece {
    PartFile* file = nullptr;
    std::size_t number = 0;
    std::string content;
  };

  std::string take_buffer();
  /// Waits for room. Throws the first error that a write ended with.
  void put(Piece piece);
  void work();
  std::optional<Piece> take();
  void write(const Piece& piece, Compressor& compressor);
  std::size_t waiting();

  const Compression compression_;
  std::atomic<int> level_;  ///< where it is automatic
  const std::size_t max_waiting_;
  Mutex mutex_;
  std::condition_variable changed_;
  std::deque<Piece> waiting_ GUARDED_BY(mutex_);
  std::vector<std::string> buffers_ GUARDED_BY(mutex_);
  bool is_over_ GUARDED_BY(mutex_) = false;
  std::optional<Error> error_ GUARDED_BY(mutex_);
  std::vector<std::thread> threads_;
};

/// A part of a data file, written by one thread. Destroyed before the pump.
class DataStream {
 public:
  DataStream(Pump& pump, std::filesystem::path path) : pump_(pump), file_(std::move(path)) {}
  DataStream(const DataStream&) = delete;
  DataStream& operator=(const DataStream&) = delete;
  /// Waits for the frames that are on their way.
  ~DataStream();

  /// Throws Error(kSystem) that names the file that could not be written, which may be another stream's.
  void write(std::string_view bytes);
  /// Ends the part. Throws as write() does.
  WrittenPart finish();

 private:
  void put();

  Pump& pump_;
  PartFile file_;
  std::string content_;
  std::size_t frames_ = 0;
  bool is_finished_ = false;
};

}  // namespace pgsluice::store
