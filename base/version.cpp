#include "pgsluice/version.h"

namespace pgsluice {

std::string_view version() { return PGSLUICE_VERSION; }

}  // namespace pgsluice
