#pragma once

#include <string>
#include <string_view>

#include "pgsluice/row_options.h"
#include "schema/catalog/catalog.h"

namespace pgsluice::copy {

enum class CopyFormat { kText, kBinary };

/// "text", "binary".
std::string_view to_string(CopyFormat format);

enum class FormatUse {
  kCopy,
  kCompare,  ///< the streams of both servers must be identical; a binary array has the OID of its elements' type, which
             ///< may differ
};

struct FormatChoice {
  CopyFormat format = CopyFormat::kText;
  /// For a person: "column mood: an array of the user's type app.mood".
  std::string reason;
};

/// Returns binary if the binary form of every column's type is the same on every server from 9.5 to 18: a list of
/// built-in types, their arrays, domains and ranges, and enums. It costs the servers about half the CPU of text for
/// numbers and times, and carries values of more than 512 MB, which text cannot. Not for tables of extensions, whose
/// definition on the target is that of the extension's version there.
FormatChoice choose_format(const schema::Catalog& source, const schema::Relation& table, int target_version,
                           FormatWish wish, FormatUse use = FormatUse::kCopy);

}  // namespace pgsluice::copy
