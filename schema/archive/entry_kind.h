#pragma once

#include <algorithm>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

namespace pgsluice::schema {

/// The kind of an archive's entry, which pg_dump writes as words: "TABLE", "FK CONSTRAINT". A kind that is not in
/// Known keeps pg_dump's text, and is equal only to one with the same text.
class EntryKind {
 public:
  // Sorted as their texts in entry_kind.cpp.
  enum Known : std::uint8_t {
    kAcl,
    kAclLanguage,
    kAggregate,
    kLargeObject,
    kLargeObjectGroup,
    kLargeObjects,
    kCheckConstraint,
    kCollation,
    kComment,
    kConstraint,
    kConversion,
    kDatabase,
    kDatabaseProperties,
    kDefault,
    kDefaultAcl,
    kDomain,
    kEncoding,
    kEventTrigger,
    kExtension,
    kFkConstraint,
    kForeignDataWrapper,
    kForeignTable,
    kFunction,
    kIndex,
    kIndexAttach,
    kMaterializedView,
    kMaterializedViewData,
    kOperator,
    kOperatorClass,
    kOperatorFamily,
    kPolicy,
    kProceduralLanguage,
    kProcedure,
    kPublication,
    kPublicationTable,
    kRule,
    kSchema,
    kSearchPath,
    kSecurityLabel,
    kSequence,
    kSequenceOwnedBy,
    kSequenceSet,
    kServer,
    kShellType,
    kStatistics,
    kStdStrings,
    kSubscription,
    kTable,
    kTableData,
    kTextSearchConfiguration,
    kTextSearchDictionary,
    kTrigger,
    kType,
    kUserMapping,
    kView,
    kOther,  ///< unknown to this list
  };

  /// A kind without words.
  EntryKind() = default;
  EntryKind(Known known) : known_(known) {}
  explicit EntryKind(std::string_view words);

  /// For a switch; kOther for what is not listed.
  Known known() const { return known_; }
  /// As pg_dump writes it.
  std::string_view words() const;

  bool is_one_of(std::initializer_list<Known> kinds) const {
    return std::find(kinds.begin(), kinds.end(), known_) != kinds.end();
  }

  bool operator==(const EntryKind&) const = default;

 private:
  Known known_ = kOther;
  std::string other_;
};

}  // namespace pgsluice::schema
