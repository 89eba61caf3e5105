#pragma once

#include <array>
#include <string_view>

namespace pgsluice::migration {

struct PageFile {
  const char* path;
  const char* type;
  std::string_view content;
};

/// The files of page/, as they are served: nothing else is loaded.
const std::array<PageFile, 3>& page_files();

}  // namespace pgsluice::migration
