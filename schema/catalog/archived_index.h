#pragma once

#include <map>
#include <optional>

#include "schema/archive/archive.h"
#include "schema/catalog/catalog.h"

namespace pgsluice::schema {

/// Reads "ALTER TABLE ONLY … ADD CONSTRAINT name PRIMARY KEY (id) …" as an index, which the constraint takes over when
/// it is there. Returns nullopt for another constraint, and for a form that is not known here.
std::optional<Index> read_key(const TocEntry& entry, const Relation& table);

/// True if an index or statistics may call functions of the user's, whose bodies may read any table. An archive tells
/// which entry needs a function; of an extension's members it tells the extension alone, of which an index of plain
/// columns needs no more than operators, which read nothing.
bool calls_functions(const TocEntry& entry, const std::map<int, const TocEntry*>& by_dump_id);

}  // namespace pgsluice::schema
