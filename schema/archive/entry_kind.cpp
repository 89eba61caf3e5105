#include "schema/archive/entry_kind.h"

#include <array>
#include <iterator>

namespace pgsluice::schema {

namespace {

// In the order of EntryKind::Known, which is that of the alphabet.
constexpr std::array<std::string_view, EntryKind::kOther> kWords = {
    "ACL",
    "ACL LANGUAGE",
    "AGGREGATE",
    "BLOB",
    "BLOB METADATA",
    "BLOBS",
    "CHECK CONSTRAINT",
    "COLLATION",
    "COMMENT",
    "CONSTRAINT",
    "CONVERSION",
    "DATABASE",
    "DATABASE PROPERTIES",
    "DEFAULT",
    "DEFAULT ACL",
    "DOMAIN",
    "ENCODING",
    "EVENT TRIGGER",
    "EXTENSION",
    "FK CONSTRAINT",
    "FOREIGN DATA WRAPPER",
    "FOREIGN TABLE",
    "FUNCTION",
    "INDEX",
    "INDEX ATTACH",
    "MATERIALIZED VIEW",
    "MATERIALIZED VIEW DATA",
    "OPERATOR",
    "OPERATOR CLASS",
    "OPERATOR FAMILY",
    "POLICY",
    "PROCEDURAL LANGUAGE",
    "PROCEDURE",
    "PUBLICATION",
    "PUBLICATION TABLE",
    "RULE",
    "SCHEMA",
    "SEARCHPATH",
    "SECURITY LABEL",
    "SEQUENCE",
    "SEQUENCE OWNED BY",
    "SEQUENCE SET",
    "SERVER",
    "SHELL TYPE",
    "STATISTICS",
    "STDSTRINGS",
    "SUBSCRIPTION",
    "TABLE",
    "TABLE DATA",
    "TEXT SEARCH CONFIGURATION",
    "TEXT SEARCH DICTIONARY",
    "TRIGGER",
    "TYPE",
    "USER MAPPING",
    "VIEW",
};
static_assert(std::is_sorted(kWords.begin(), kWords.end()));

}  // namespace

EntryKind::EntryKind(std::string_view words) {
  const auto* const found = std::lower_bound(kWords.begin(), kWords.end(), words);
  if (found != kWords.end() && *found == words) {
    known_ = static_cast<Known>(std::distance(kWords.begin(), found));
  } else {
    other_ = words;
  }
}

std::string_view EntryKind::words() const { return known_ == kOther ? std::string_view(other_) : kWords.at(known_); }

}  // namespace pgsluice::schema
