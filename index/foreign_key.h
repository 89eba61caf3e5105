#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "schema/catalog/catalog.h"

namespace pgsluice::index {

/// The archive's "ALTER TABLE … ADD CONSTRAINT … FOREIGN KEY …;" with NOT VALID in front of its end: it holds both
/// tables for a moment only. Returns nullopt for a text that is not of this form.
std::optional<std::string> not_valid_statement(std::string_view definition);

/// "ALTER TABLE … ADD CONSTRAINT … NOT VALID" for a leaf's own key. When it is validated, the partitioned table's key
/// adopts it instead of making and checking one of its own.
std::string not_valid_statement(const schema::LeafForeignKey& key, const schema::Relation& leaf);

/// "ALTER TABLE … VALIDATE CONSTRAINT …": looks up every row of the child, under a lock of it that keeps only other
/// validations, VACUUM and DDL away.
std::string validate_statement(const schema::ForeignKey& key, const schema::Relation& child);

/// A query of the child's rows that have no parent.
std::string orphans_query(const schema::ForeignKey& key, const schema::Relation& child, const schema::Relation& parent);

}  // namespace pgsluice::index
