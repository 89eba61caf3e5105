#include "store/frame_reader.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <cerrno>

#include "base/digest.h"
#include "pgsluice/error.h"

namespace pgsluice::store {

FrameReader::FrameReader(const std::filesystem::path& folder, const ArchivedFile& file,
                         schema::ArchiveCompression compression)
    : path_(folder / file.name),
      name_(file.name),
      frames_(read_index(path_, compression)),
      opened_(::open(path_.c_str(), O_RDONLY | O_CLOEXEC)),
      decompressor_(compression) {
  if (!opened_.valid()) throw Error(ErrorKind::kConfig, system_error("cannot open " + path_.string(), errno).what());
  if (digest_of(encode_index(frames_)) != file.index || std::filesystem::file_size(path_) != file.size) {
    throw Error(ErrorKind::kConfig, fmt::format("{} is another file than the one that was written", name_));
  }
  std::uintmax_t at = 0;
  for (const Frame& frame : frames_) {
    begins_.push_back(at);
    at += frame.stored;
    content_size_ += frame.content;
  }
}

std::string_view FrameReader::read(std::size_t number) {
  const Frame& frame = frames_[number];
  const auto where = [&](std::string_view why) {
    return Error(ErrorKind::kConfig, fmt::format("frame {} of {} in {}, at byte {}: {}", number + 1, frames_.size(),
                                                 name_, begins_[number], why));
  };
  std::string_view content;
  try {
    stored_ = read_at(opened_.get(), begins_[number], frame.stored, path_);
    content = decompressor_.decompress(stored_, frame.content);
  } catch (const Error& error) {
    throw where(error.what());
  }
  if (digest_of(content) != frame.digest) throw where("its content is not the one that was written");
  return content;
}

}  // namespace pgsluice::store
