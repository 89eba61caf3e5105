#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <optional>
#include <set>
#include <sstream>
#include <string>
#include <system_error>
#include <vector>

#include "base/file_descriptor.h"
#include "pgsluice/error.h"
#include "store/stored_data.h"

namespace pgsluice::store {

namespace {

namespace fs = std::filesystem;
using schema::ArchiveCompression;

constexpr std::size_t kReadAtOnce = 256 * 1024;

Error bad_file(const fs::path& file, std::string_view why) {
  return Error(ErrorKind::kConfig, fmt::format("{}: {}", file.string(), why));
}

// Names with a path in them would lead out of the folder.
void check_name(const std::string& name) {
  if (!name.empty() && name.find('/') == std::string::npos && name != "." && name != "..") return;
  throw Error(ErrorKind::kConfig, fmt::format("the archive names a file \"{}\", which is not in its folder", name))
      .hint("pg_dump writes no such archive: do not trust where it comes from");
}

struct FoundFile {
  fs::path path;
  ArchiveCompression compression;
  std::uintmax_t size;
};

// Whole, or compressed in one of the ways that pg_dump knows: people change that afterwards.
std::optional<FoundFile> find_file(const fs::path& folder, const std::string& name) {
  for (const ArchiveCompression compression :
       {ArchiveCompression::kNone, ArchiveCompression::kGzip, ArchiveCompression::kLz4, ArchiveCompression::kZstd}) {
    const fs::path path = folder / (name + std::string(schema::suffix_of(compression)));
    std::error_code failed;
    const std::uintmax_t size = fs::file_size(path, failed);
    if (!failed) return FoundFile{path, compression, size};
  }
  return std::nullopt;
}

void read_through(const FoundFile& file, const TakePiece& take) {
  const FileDescriptor opened(::open(file.path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!opened.valid()) throw bad_file(file.path, std::generic_category().message(errno));
  // Nothing, compressed by gzip, has a head and a tail.
  if (file.size == 0 && file.compression == ArchiveCompression::kGzip) throw bad_file(file.path, "it is empty");
  StreamDecompressor stream(file.compression);
  std::vector<char> buffer(kReadAtOnce);
  std::uintmax_t at = 0;
  const auto decompress = [&](const auto& what) {
    try {
      what();
    } catch (const DamagedStream& error) {
      throw bad_file(file.path, fmt::format("after byte {}: {}", at, error.what()));
    }
  };
  while (true) {
    const ssize_t count = ::read(opened.get(), buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw bad_file(file.path, std::generic_category().message(errno));
    if (count == 0) break;
    decompress([&] { stream.add({buffer.data(), static_cast<std::size_t>(count)}, take); });
    at += static_cast<std::uintmax_t>(count);
  }
  decompress([&] { stream.finish(); });
}

class FolderData : public StoredData {
 public:
  FolderData(fs::path folder, const schema::Archive& archive) : folder_(std::move(folder)) {
    for (const schema::TocEntry& entry : archive.entries) {
      if (!entry.data_file.empty()) check_name(entry.data_file);
    }
  }

  void read(const schema::TocEntry& entry, const TakePiece& take) const override {
    read_through(found(entry.data_file), take);
  }

  // Lines of an object and the file that it is in: "16405 blob_16405.dat".
  void read_large_objects(const schema::TocEntry& entry, const TakeObject& take) const override {
    const fs::path path = folder_ / entry.data_file;
    std::istringstream lines(read_file(path));
    std::set<schema::Oid> seen;
    for (std::string line; std::getline(lines, line);) {
      schema::Oid object = 0;
      const auto [end, status] = std::from_chars(line.data(), line.data() + line.size(), object);
      const auto size = static_cast<std::size_t>(end - line.data());
      if (status != std::errc() || object == 0 || size == line.size() || line[size] != ' ') {
        throw bad_file(path, fmt::format("\"{}\" names no large object", line));
      }
      const std::string name = line.substr(size + 1);
      check_name(name);
      if (!seen.insert(object).second) throw bad_file(path, fmt::format("it names large object {} twice", object));
      bool is_empty = true;
      read_through(found(name), [&](std::string_view piece) {
        is_empty = false;
        take(object, piece);
      });
      if (is_empty) take(object, {});
    }
  }

  std::uintmax_t stored_size(const schema::TocEntry& entry) const override {
    const std::optional<FoundFile> file = find_file(folder_, entry.data_file);
    return file ? file->size : 0;
  }

 private:
  FoundFile found(const std::string& name) const {
    if (std::optional<FoundFile> file = find_file(folder_, name)) return std::move(*file);
    throw bad_file(folder_ / name, "it is missing").hint("the archive is incomplete: copy it again, whole");
  }

  const fs::path folder_;
};

}  // namespace

std::unique_ptr<StoredData> open_folder_data(const fs::path& folder, const schema::Archive& archive) {
  return std::make_unique<FolderData>(folder, archive);
}

}  // namespace pgsluice::store
