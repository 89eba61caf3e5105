// Writes an archive of version 1.16 with the pg_dump 18 that npm's @electric-sql/pglite-tools holds.
// node make_archive_18.mjs FOLDER-WITH-NODE_MODULES SCHEMA.sql ARCHIVE
//
// That package returns the archive as text up to its first zero byte, since it is made for plain dumps: a copy of its
// module is changed to return all bytes.
import { File } from 'node:buffer';
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

globalThis.File ??= File;  // Node.js 18, Debian 12's, has it in this module only
const [folder, schema, archive] = process.argv.slice(2);
const dist = join(folder, 'node_modules/@electric-sql/pglite-tools/dist');
for (const name of readdirSync(dist).filter((n) => n.startsWith('chunk-') && n.endsWith('.js'))) {
  const module = join(dist, name);
  const text = readFileSync(module, 'utf8');
  const patched = text.replace(/(\w+)\.FS\.readFile\((\w+),\{encoding:"utf8"\}\)/,
                               'Buffer.from($1.FS.readFile($2)).toString("latin1")');
  if (patched !== text) writeFileSync(module, patched);
}
const { PGlite } = await import(pathToFileURL(join(folder, 'node_modules/@electric-sql/pglite/dist/index.js')));
const { pgDump } = await import(pathToFileURL(join(dist, 'pg_dump.js')));
const database = await PGlite.create();
await database.exec(readFileSync(schema, 'utf8'));
const file = await pgDump({
  pg: database,
  args: ['--format=custom', '--no-large-objects', '--section=pre-data', '--section=post-data'],
});
writeFileSync(archive, Buffer.from(await file.text(), 'latin1'));
