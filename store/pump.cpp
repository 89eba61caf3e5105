#include "store/pump.h"

#include <algorithm>
#include <system_error>
#include <utility>

#include "base/digest.h"
#include "base/duration.h"

namespace pgsluice::store {

namespace {

// Summed up in bytes, which the compiler takes sixteen at a time: a wider sum takes several times as long.
std::uint32_t line_ends_in(std::string_view bytes) {
  constexpr std::size_t kMaxPerCount = 240;
  std::uint32_t all = 0;
  while (!bytes.empty()) {
    std::uint8_t found = 0;
    for (const char c : bytes.substr(0, kMaxPerCount)) found = static_cast<std::uint8_t>(found + (c == '\n' ? 1 : 0));
    all += found;
    bytes.remove_prefix(std::min(kMaxPerCount, bytes.size()));
  }
  return all;
}

}  // namespace

int next_level(int level, std::size_t waiting, std::size_t most_waiting, bool is_disk_slower) {
  constexpr int kLowest = 1;
  constexpr int kHighest = 9;  // beyond it, a few percent cost several times the time
  if (is_disk_slower || waiting == 0) return std::min(level + 1, kHighest);
  return waiting >= most_waiting ? std::max(level - 1, kLowest) : level;
}

Pump::Pump(const Compression& compression, int threads)
    : compression_(compression), level_(compression.level), max_waiting_(static_cast<std::size_t>(threads)) {
  try {
    for (int i = 0; i < threads; ++i) threads_.emplace_back([this] { work(); });
  } catch (const std::system_error& error) {
    if (threads_.empty()) throw Error(ErrorKind::kSystem, error.what());  // else fewer do
  }
}

Pump::~Pump() {
  {
    const MutexLock lock(mutex_);
    is_over_ = true;
    changed_.notify_all();
  }
  for (std::thread& thread : threads_) thread.join();
}

std::string Pump::take_buffer() {
  const MutexLock lock(mutex_);
  if (buffers_.empty()) return {};
  std::string buffer = std::move(buffers_.back());
  buffers_.pop_back();
  return buffer;
}

void Pump::put(Piece piece) {
  MutexLock lock(mutex_);
  while (waiting_.size() >= max_waiting_ && !error_) lock.wait(changed_);
  if (error_) throw Error(*error_);
  waiting_.push_back(std::move(piece));
  changed_.notify_all();
}

std::optional<Pump::Piece> Pump::take() {
  MutexLock lock(mutex_);
  while (waiting_.empty() && !is_over_) lock.wait(changed_);
  if (waiting_.empty()) return std::nullopt;
  Piece piece = std::move(waiting_.front());
  waiting_.pop_front();
  changed_.notify_all();
  return piece;
}

std::size_t Pump::waiting() {
  const MutexLock lock(mutex_);
  return waiting_.size();
}

void Pump::write(const Piece& piece, Compressor& compressor) {
  if (compression_.is_automatic) compressor.set_level(level_);
  const SteadyClock::time_point begin = SteadyClock::now();
  const std::string_view stored = compressor.compress(piece.content);
  const Frame frame{.stored = static_cast<std::uint32_t>(stored.size()),
                    .content = static_cast<std::uint32_t>(piece.content.size()),
                    .rows = line_ends_in(piece.content),
                    .digest = digest_of(piece.content)};
  const SteadyClock::time_point compressed = SteadyClock::now();
  piece.file->put(piece.number, stored, frame);
  if (!compression_.is_automatic) return;
  const bool is_disk_slower = SteadyClock::now() - compressed > compressed - begin;
  level_ = next_level(level_, waiting(), max_waiting_, is_disk_slower);
}

void Pump::work() {
  std::optional<Compressor> compressor;
  while (std::optional<Piece> piece = take()) {
    std::optional<Error> error;
    try {
      if (!compressor) compressor.emplace(compression_);
      write(*piece, *compressor);
    } catch (const Error& thrown) {
      error = thrown;
    } catch (const std::exception& thrown) {
      error = Error(ErrorKind::kSystem, thrown.what());
    }
    piece->file->settle(error);
    piece->content.clear();
    const MutexLock lock(mutex_);
    if (error && !error_) error_ = error;
    buffers_.push_back(std::move(piece->content));
    changed_.notify_all();
  }
}

DataStream::~DataStream() {
  if (is_finished_) return;
  try {
    file_.finish(frames_);
  } catch (const Error&) {
    // It was thrown before, by write() or finish(); here the frames' threads have only to be done with the file.
  }
}

void DataStream::write(std::string_view bytes) {
  while (!bytes.empty()) {
    if (content_.capacity() < kFrameContent) {
      content_ = pump_.take_buffer();
      content_.reserve(kFrameContent);
    }
    const std::string_view piece = bytes.substr(0, kFrameContent - content_.size());
    content_ += piece;
    bytes.remove_prefix(piece.size());
    if (content_.size() == kFrameContent) put();
  }
}

void DataStream::put() {
  pump_.put({.file = &file_, .number = frames_, .content = std::move(content_)});
  content_ = {};
  ++frames_;
}

WrittenPart DataStream::finish() {
  // Readers of zstd want a frame in every file.
  if (!content_.empty() || frames_ == 0) put();
  WrittenPart part{.path = file_.path(), .frames = file_.finish(frames_)};
  is_finished_ = true;
  return part;
}

}  // namespace pgsluice::store
