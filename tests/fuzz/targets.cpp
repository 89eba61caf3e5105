#include "tests/fuzz/targets.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <iostream>

#include "base/digest.h"
#include "base/file_descriptor.h"
#include "copy/row_digest.h"
#include "pg/conninfo.h"
#include "pg/result.h"
#include "pg/wire_reader.h"
#include "pgsluice/bytes.h"
#include "pgsluice/error.h"
#include "pgsluice/filter_rules.h"
#include "schema/archive/archive.h"
#include "schema/catalog/archived_catalog.h"
#include "schema/catalog/archived_properties.h"
#include "schema/catalog/roles.h"
#include "schema/selection/archived_selection.h"
#include "schema/selection/definitions_file.h"
#include "store/archive_data.h"
#include "store/compression.h"
#include "store/data_entries.h"
#include "store/data_file.h"
#include "store/journal.h"
#include "store/manifest.h"
#include "store/stream_decompressor.h"
#include "store/tar_stream.h"
#include "tests/schema/archive_builder.h"

namespace pgsluice::test {

namespace {

void require(bool holds, std::string_view what) {
  if (holds) return;
  std::cerr << "not so: " << what << "\n";
  std::abort();
}

// An error is a good answer to bad input.
template <class Read>
bool reads(Read read) {
  try {
    read();
    return true;
  } catch (const Error&) {
    return false;
  }
}

std::string message(char type, const std::string& body) {
  const std::size_t length = body.size() + 4;
  std::string bytes(1, type);
  for (const unsigned shift : {24U, 16U, 8U, 0U}) bytes += static_cast<char>((length >> shift) & 0xFFU);
  return bytes + body;
}

// What comes out of a reader that gets the input in pieces of this size: messages, and copied bytes in one.
std::string read_wire(std::string_view input, std::size_t piece) {
  pg::WireReader reader(Side::kSource);
  std::string out;
  const bool good = reads([&] {
    while (!input.empty()) {
      const std::span<char> space = reader.space();
      require(!space.empty(), "there is room for more");
      const std::size_t count = std::min({space.size(), piece, input.size()});
      std::copy_n(input.data(), count, space.data());
      input.remove_prefix(count);
      reader.received(count);
      for (auto item = reader.next(); item.kind != pg::WireReader::Item::Kind::kNothing; item = reader.next()) {
        if (item.kind == pg::WireReader::Item::Kind::kCopyData) {
          require(item.copy.payload <= item.copy.bytes.size(), "a run's payload is a part of it");
          out += item.copy.bytes;
        } else {
          out += message(item.type, std::string(item.body));
        }
      }
    }
  });
  return good ? out : "error";
}

void run_wire(std::string_view input) {
  if (input.empty()) return;
  const std::size_t piece = 1 + static_cast<unsigned char>(input.front());
  input.remove_prefix(1);
  require(read_wire(input, piece) == read_wire(input, input.size() + 1), "it does not matter how the bytes come");
}

std::vector<std::string> wire_seeds() {
  const std::string rows = message('d', "1\ta\n") + message('d', std::string(300, 'x')) + message('c', "");
  return {"\x03" + message('H', std::string("\0\0\0", 3)) + rows + message('C', std::string("COPY 2\0", 7)) +
              message('Z', "I"),
          "\x40" + message('E', std::string("SERROR\0C42P01\0Mno\0\0", 20)) + message('Z', "E"),
          "\x01" + message('S', std::string("TimeZone\0UTC\0", 13)) + message('D', std::string("\0\1\0\0\0\1x", 7)),
          "\x07" + message('N', std::string("SNOTICE\0Mhello\0\0", 17)) + message('G', std::string("\0\0\0", 3))};
}

void run_archive(std::string_view input) {
  reads([&] {
    const schema::Archive archive = schema::parse_archive(input, "fuzz");
    for (const schema::TocEntry& entry : archive.entries) require(!entry.describe().empty(), "an entry has a name");
    schema::Catalog catalog = schema::catalog_of(archive);
    schema::properties_of_archive(archive, "other", {});
    const schema::FilterRules rules = schema::parse_filter_rules("[exclude-table]\ns.t\n", "fuzz");
    const schema::Selection selection = schema::select_objects(archive, catalog, {.rules = rules});
    schema::apply(selection, catalog);
    for (const schema::TocEntry& entry : archive.entries) store::large_objects_named(entry);
  });
}

std::vector<std::string> archive_seeds() {
  std::vector<std::string> seeds;
  for (const int minor : {12, 13, 14, 15, 16}) {
    schema::TocEntry entry;
    entry.dump_id = 7;
    entry.catalog_id = {schema::kPgClass, 16384};
    entry.tag = "t";
    entry.kind = schema::EntryKind::kTable;
    entry.definition = "CREATE TABLE s.t (i int);\n";
    entry.drop_statement = "DROP TABLE s.t;\n";
    entry.schema = "s";
    entry.owner = "o";
    entry.dependencies = {3, 5};
    seeds.push_back(ArchiveBuilder(minor).entry(entry, 2).bytes());
    ArchiveBuilder directory(minor);
    directory.format = 3;
    entry.data_file = "7.dat";
    seeds.push_back(directory.entry(entry, 3).bytes());
  }
  return seeds;
}

// A custom archive with its data, as a file that is nowhere.
void run_data(std::string_view input) {
  const FileDescriptor memory(::memfd_create("fuzz", MFD_CLOEXEC));
  if (::write(memory.get(), input.data(), input.size()) != static_cast<ssize_t>(input.size())) std::abort();
  reads([&] {
    const store::ArchiveData data(fmt::format("/proc/self/fd/{}", memory.get()));
    for (const schema::TocEntry& entry : data.archive().entries) {
      reads([&] {
        data.read_rows(entry, {}, [](std::string_view piece) { require(!piece.empty(), "a piece has bytes"); });
      });
    }
    data.read_large_objects([](schema::Oid, std::string_view) {});
  });
}

std::string data_block(char kind, int dump_id, const std::string& content) {
  const auto number = [](std::size_t value) {
    std::string bytes(1, '\0');
    for (const unsigned shift : {0U, 8U, 16U, 24U}) bytes += static_cast<char>((value >> shift) & 0xFFU);
    return bytes;
  };
  std::string block(1, kind);
  block += number(static_cast<std::size_t>(dump_id));
  if (kind == '\3') block += number(4711);
  block += number(content.size()) + content + number(0);
  if (kind == '\3') block += number(0);
  return block;
}

std::vector<std::string> data_seeds() {
  std::vector<std::string> seeds;
  for (const int minor : {12, 15, 16}) {
    ArchiveBuilder builder(minor);
    builder.entry({.dump_id = 7,
                   .catalog_id = {schema::kPgClass, 16384},
                   .tag = "t",
                   .kind = schema::EntryKind("TABLE DATA"),
                   .schema = "s",
                   .has_data = true,
                   .copy_statement = "COPY s.t (a) FROM stdin;\n"},
                  3);
    builder.entry({.dump_id = 8, .kind = schema::EntryKind("BLOBS"), .has_data = true}, 3);
    store::Compressor gzip(store::parse_compression("gzip:6"));
    const std::string rows(gzip.compress("1\n2\n\\.\n\n\n"));
    const std::string object(gzip.compress("x"));
    seeds.push_back(builder.bytes() + data_block('\1', 7, rows) + data_block('\3', 8, object));
  }
  return seeds;
}

void run_catalog(std::string_view input) {
  reads([&] {
    const schema::SavedDefinitions saved = schema::parse_definitions(input, "fuzz");
    require(schema::definitions_text(schema::parse_definitions(schema::definitions_text(saved), "fuzz")) ==
                schema::definitions_text(saved),
            "definitions can be written and read");
  });
}

std::vector<std::string> catalog_seeds() {
  schema::SavedDefinitions saved;
  saved.catalog.relations.push_back({.oid = 16384, .schema = "s", .name = "t", .columns = {"a"}});
  saved.catalog.indexes.push_back({.oid = 16385, .table = 16384, .schema = "s", .name = "i"});
  saved.filters = "[exclude-table]\ns.t\n";
  return {schema::definitions_text(saved)};
}

std::string decompressed(schema::ArchiveCompression algorithm, std::string_view input, std::size_t piece) {
  constexpr std::size_t kEnough = 1'000'000;  // of what a few bytes may say of themselves
  std::string content;
  const bool good = reads([&] {
    store::StreamDecompressor stream(algorithm);
    for (; !input.empty(); input.remove_prefix(std::min(piece, input.size()))) {
      stream.add(input.substr(0, piece), [&](std::string_view part) {
        if (content.size() < kEnough) content += part;
      });
    }
    stream.finish();
  });
  return good ? content.substr(0, kEnough) : "error";
}

void run_frames(std::string_view input) {
  reads([&] {
    const std::vector<store::Frame> frames = store::decode_index(input, "fuzz");
    require(store::encode_index(frames) == input, "an index is written as it was read");
  });
  for (const auto algorithm :
       {schema::ArchiveCompression::kZstd, schema::ArchiveCompression::kGzip, schema::ArchiveCompression::kLz4}) {
    require(decompressed(algorithm, input, input.size() + 1) == decompressed(algorithm, input, 3),
            "it does not matter how a stream comes");
    if (algorithm == schema::ArchiveCompression::kLz4) continue;
    reads([&] {
      constexpr std::size_t kContent = 1000;
      store::Decompressor decompressor(algorithm);
      require(decompressor.decompress(input, kContent).size() == kContent, "a frame has the size that was asked for");
    });
  }
}

std::vector<std::string> frames_seeds() {
  std::vector<std::string> seeds = {
      store::encode_index({}), store::encode_index({{.stored = 9, .content = 100, .rows = 3, .digest = digest_of("a")},
                                                    {.stored = 1, .content = 1, .rows = 0, .digest = digest_of("b")}})};
  for (const char* compression : {"zstd:3", "gzip:6"}) {
    seeds.emplace_back(store::Compressor(store::parse_compression(compression)).compress(std::string(1000, 'x')));
  }
  return seeds;
}

void run_manifest(std::string_view input) {
  reads([&] {
    for (const store::ArchivedTable& table : store::parse_manifest(input, "fuzz").tables) {
      require(table.file.name.find('/') == std::string::npos, "a file is in the archive's folder");
    }
  });
}

void run_journal(std::string_view input) {
  reads([&] {
    const store::JournalContents journal = store::parse_journal(input, "fuzz");
    for (const store::JournaledPart& part : journal.parts) {
      require(part.file.find('/') == std::string::npos, "a part is in the archive's folder");
    }
    for (const store::JournaledTable& table : journal.tables) {
      require(table.archived.file.name.find('/') == std::string::npos, "a file is in the archive's folder");
    }
  });
}

std::vector<std::string> journal_seeds() {
  const TemporaryFolder folder;
  store::JournalContents contents{
      .run = "a run", .log_is_on_disk = false, .parts = {}, .tables = {}, .large_objects = {}};
  contents.parts.push_back({.table = 1,
                            .file_node = 2,
                            .file = "7.dat.zst",
                            .number = 1,
                            .bounds = {.by = "ctid", .from = 1, .to = 2},
                            .rows = {.rows = 3, .sum = {}},
                            .frames = {{.stored = 1, .content = 2, .rows = 3, .digest = {}}}});
  contents.tables.push_back(
      {.table = 1, .archived = {.schema = "s", .name = "t", .dump_id = 7, .rows = {}, .file = {.name = "7.dat.zst"}}});
  contents.large_objects.push_back({.oid = 9, .content = 1, .file = {.name = "blob_9.dat.zst"}});
  { store::Journal(folder.path(), contents); }
  return {read_file(folder.path() / store::kJournalFile), "", "{}\n"};
}

void run_tar(std::string_view input) {
  const TemporaryFolder folder;
  const std::filesystem::path target = folder.path() / "target";
  std::filesystem::create_directory(target);
  write_file(folder.path() / "stream", input);
  const FileDescriptor stream(::open((folder.path() / "stream").c_str(), O_RDONLY | O_CLOEXEC));
  reads([&] { store::receive_archive(stream.get(), target, {}); });
  for (const auto& entry : std::filesystem::directory_iterator(folder.path())) {
    const std::string name = entry.path().filename().string();
    require(name == "target" || name == "stream", "nothing is written outside of the folder");
  }
  for (const auto& entry : std::filesystem::directory_iterator(target)) {
    require(entry.is_regular_file() && !entry.is_symlink(), "a stream makes files");
  }
}

std::vector<std::string> tar_seeds() {
  const TemporaryFolder folder;
  const std::filesystem::path tar = folder.path() / "tar";
  {
    const FileDescriptor out(::open(tar.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    store::TarWriter writer(out.get(), {});
    for (const char* name : {"toc.dat", "pgsluice.json"}) {
      write_file(folder.path() / "file", name);
      writer.add(name, folder.path() / "file");
    }
    writer.finish();
  }
  return {read_file(tar), "PGDMP and more", ""};
}

std::vector<std::string> manifest_seeds() {
  return {
      R"({"format":1,"writtenBy":"0","created":"0","source":{"database":"d","encoding":"UTF8","serverVersion":"15",)"
      R"("pgDumpVersion":"15","systemIdentifier":"7","snapshot":"1:1:","moneyLocale":"C","logPosition":"0/1"},)"
      R"("compression":"zstd:3","smallFiles":[{"name":"toc.dat","digest":"00000000000000000000000000000001"}],"tables":[{"schema":"s","name":"t","dumpId":7,)"
      R"("bytes":1,"rows":1,"digest":"00000000000000000000000000000002","file":{"name":"7.dat.zst","size":1,)"
      R"("index":"00000000000000000000000000000003"}}],"largeObjects":[{"oid":5,"bytes":1,"file":{"name":"b","size":1,)"
      R"("index":"00000000000000000000000000000004"}}]})"};
}

void run_digest(std::string_view input) {
  if (input.size() < 2) return;
  const auto format =
      (static_cast<unsigned char>(input[0]) & 1U) != 0 ? copy::CopyFormat::kBinary : copy::CopyFormat::kText;
  const std::size_t cut = static_cast<unsigned char>(input[1]);
  input.remove_prefix(2);
  // Lengths below four do not come out of a WireReader, which has looked at them.
  for (std::size_t at = 0; at + 5 <= input.size();) {
    std::size_t length = 0;
    for (std::size_t i = 1; i <= 4; ++i) length = (length << 8U) | static_cast<unsigned char>(input[at + i]);
    if (length < 4) return;
    at += 1 + length;
  }
  const auto digest = [&](std::size_t first) -> std::pair<bool, copy::RowsDigest> {
    copy::RowDigester digester(format);
    digester.add_messages(input.substr(0, first));
    digester.add_messages(input.substr(std::min(first, input.size())));
    copy::RowsDigest result;
    return {reads([&] { result = digester.result(); }), result};
  };
  require(digest(0) == digest(std::min(cut, input.size())), "it does not matter where the stream is cut");
}

std::vector<std::string> digest_seeds() {
  const std::string header = std::string("PGCOPY\n\xff\r\n\0", 11) + std::string(8, '\0');
  return {std::string("\0\x06", 2) + message('d', "1\ta\n") + message('d', "\n"),
          std::string("\1\x11", 2) + message('d', header + std::string("\0\1\0\0\0\1q", 7)) + message('d', "\xff\xff")};
}

void run_bytes(std::string_view input) {
  reads([&] { require(parse_bytes(input).count >= 0, "a size is not negative"); });
}

std::vector<std::string> bytes_seeds() { return {"250 GB", "10kB", "1.5 TB", "0", "99999999999999999999", "1e5 MB"}; }

void run_conninfo(std::string_view input) {
  reads([&] {
    const pg::ConnInfo parsed = pg::ConnInfo::parse(input, Side::kTarget);
    const pg::ConnInfo other = parsed.with("password", "another one");
    require(parsed.redacted() == other.redacted(), "what is shown does not depend on the password");
    std::string in_arguments;
    if (reads([&] { in_arguments = parsed.for_program().conninfo; })) {
      require(in_arguments == other.for_program().conninfo, "nor does an argument");
    }
  });
}

std::vector<std::string> conninfo_seeds() {
  return {"postgresql://me:secret-word@host:5432/db?sslmode=require", "host=h password='se cret\\'word' dbname=x",
          "postgres://host1,host2/db?password=hidden-word", "service=none", "password=hidden-word"};
}

void run_array(std::string_view input) {
  reads([&] { pg::parse_text_array(input); });
}

std::vector<std::string> array_seeds() { return {"{a,\"b c\",NULL}", "{}", R"({"a\"b","c\\d"})"}; }

void run_filter(std::string_view input) {
  reads([&] {
    const schema::FilterRules rules = schema::parse_filter_rules(input, "fuzz");
    for (const auto& [section, entries] : rules.sections) {
      require(!entries.empty(), "a section that is there has entries");
      for (const schema::FilterEntry& entry : entries) entry.name.matches("orders");
    }
    // Read once more, what it says is the same.
    const std::string text = rules.to_text();
    require(schema::parse_filter_rules(text, "fuzz").to_text() == text, "rules can be written and read");
  });
}

std::vector<std::string> filter_seeds() {
  return {"[exclude-table]\npublic.orders ; x\n\"A b\".\"c\"\"d\"\npublic.~/^tmp_/\n",
          "[include-only-schema]\napp\n[exclude-index]\n~/a|b/.~/c\\/d/ # e\n[exclude-table-data]\na.b = 1\n",
          "[exclude-extension]\nhstore\n",
          "x\n",
          "[exclude-table]\npublic.~/^t++++++++++++++++++++++++++++p_/\n",
          "[exclude-table]\n~/((a{1,255}){1,255}){1,255}/.x\n"};
}

void run_roles(std::string_view input) {
  reads([&] { schema::parse_roles(input); });
}

std::vector<std::string> roles_seeds() {
  return {
      ";CREATE ROLE a;\nALTER ROLE a WITH LOGIN PASSWORD 'se;cret';\n",
      "\\restrict x\nCREATE ROLE \"A b\";\nGRANT a TO \"A b\" GRANTED BY b;\n\\unrestrict x\n",
      "ALTER ROLE a SET search_path TO 'x', 'y';\nCOMMENT ON ROLE a IS E'it\\'s';\nSECURITY LABEL ON ROLE a IS 'x';"};
}

}  // namespace

const std::vector<FuzzTarget>& fuzz_targets() {
  static const std::vector<FuzzTarget> targets = {{"wire", &run_wire, &wire_seeds},
                                                  {"archive", &run_archive, &archive_seeds},
                                                  {"frames", &run_frames, &frames_seeds},
                                                  {"manifest", &run_manifest, &manifest_seeds},
                                                  {"journal", &run_journal, &journal_seeds},
                                                  {"tar", &run_tar, &tar_seeds},
                                                  {"data", &run_data, &data_seeds},
                                                  {"catalog", &run_catalog, &catalog_seeds},
                                                  {"digest", &run_digest, &digest_seeds},
                                                  {"bytes", &run_bytes, &bytes_seeds},
                                                  {"conninfo", &run_conninfo, &conninfo_seeds},
                                                  {"array", &run_array, &array_seeds},
                                                  {"filter", &run_filter, &filter_seeds},
                                                  {"roles", &run_roles, &roles_seeds}};
  return targets;
}

}  // namespace pgsluice::test
