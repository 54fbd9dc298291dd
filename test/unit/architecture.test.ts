// Executes the import table of ARCHITECTURE.md over src/: forbidden edges, stale rows and cycles fail.

import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const IMPORT =
  /^(?:import|export)\s+(type\s)?[^;']*?from '([^']+)'|import\('([^']+)'\)|createRequire\([^)]*\)\('([^']+)'\)/gm;

type Edges = { rooms: Set<string>; types: Set<string>; packages: Set<string> };

/** What the table allows, by room. */
function readTable(markdown: string): Map<string, Edges> {
  const table = markdown.split('<!-- imports -->')[1]?.split('<!-- /imports -->')[0] ?? '';
  const rows = table.split('\n').filter((line) => line.startsWith('| `'));
  return new Map(
    rows.map((row) => {
      const [, room = '', , rooms = '', types = '', packages = ''] = row.split('|').map((cell) => cell.trim());
      return [room.replaceAll('`', ''), { rooms: names(rooms), types: names(types), packages: names(packages) }];
    }),
  );
}

function names(cell: string): Set<string> {
  return new Set(
    cell
      .split(',')
      .map((name) => name.trim())
      .filter((name) => name !== ''),
  );
}

/** What the sources do, by room. A room that is imported for a value is not also listed for its types. */
function readSources(sources: ReadonlyMap<string, string>): Map<string, Edges> {
  const found = new Map<string, Edges>();
  for (const [path, text] of sources) {
    const edges = found.get(roomOf(path)) ?? { rooms: new Set(), types: new Set(), packages: new Set() };
    found.set(roomOf(path), edges);
    for (const match of text.matchAll(IMPORT)) addEdge(edges, path, match);
  }
  for (const { rooms, types } of found.values()) for (const room of rooms) types.delete(room);
  return found;
}

function addEdge(edges: Edges, path: string, [, typeOnly, from, dynamic, required]: RegExpMatchArray): void {
  const target = from ?? dynamic ?? required ?? '';
  if (target.startsWith('node:')) return;
  if (!target.startsWith('.')) return void edges.packages.add(target);
  const room = roomOf(join(dirname(path), target));
  if (room !== roomOf(path)) (typeOnly === undefined ? edges.rooms : edges.types).add(room);
}

/** Rooms whose own files and folders are rooms again, so that the table rules inside them, too. */
const WITH_INNER_ROOMS = ['listener', 'forward'];

function roomOf(path: string): string {
  const [outer = '', inner = ''] = path.replace(/\.ts$/, '').split('/');
  return WITH_INNER_ROOMS.includes(outer) ? `${outer}/${inner}` : outer;
}

function violations(allowed: Map<string, Edges>, found: Map<string, Edges>): string[] {
  const missing = [...allowed.keys()].filter((room) => !found.has(room)).map((room) => `${room} does not exist`);
  const wrong = [...found].flatMap(([room, edges]) => {
    const row = allowed.get(room);
    return row === undefined ? [`${room} has no row`] : differences(room, row, edges);
  });
  return [...wrong, ...missing];
}

function differences(room: string, row: Edges, edges: Edges): string[] {
  return (['rooms', 'types', 'packages'] as const).flatMap((kind) => [
    ...[...edges[kind]]
      .filter((name) => !row[kind].has(name))
      .map((name) => `${room} must not import ${name} (${kind})`),
    ...[...row[kind]]
      .filter((name) => !edges[kind].has(name))
      .map((name) => `${room} no longer imports ${name} (${kind})`),
  ]);
}

/** A room that reaches itself through values, or ''. */
function cycleIn(edges: Map<string, Edges>): string {
  const reaches = (from: string, wanted: string, seen: Set<string>): boolean =>
    [...(edges.get(from)?.rooms ?? [])].some((next) => {
      if (next === wanted) return true;
      if (seen.has(next)) return false;
      seen.add(next);
      return reaches(next, wanted, seen);
    });
  return [...edges.keys()].find((room) => reaches(room, room, new Set())) ?? '';
}

function typescriptUnder(directory: string): Map<string, string> {
  const entries = readdirSync(directory, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile() && entry.name.endsWith('.ts'));
  return new Map(
    files.map((entry) => {
      const path = join(entry.parentPath, entry.name);
      return [relative(directory, path), readFileSync(path, 'utf8')];
    }),
  );
}

const allowed = readTable(readFileSync(join(ROOT, 'ARCHITECTURE.md'), 'utf8'));
const sources = typescriptUnder(join(ROOT, 'src'));

describe('the import table of ARCHITECTURE.md', () => {
  it('is what the sources do', () => {
    assert.ok(allowed.size > 10);
    assert.deepEqual(violations(allowed, readSources(sources)), []);
  });

  it('has no cycle', () => {
    assert.equal(cycleIn(readSources(sources)), '');
  });

  it('refuses a forbidden edge', () => {
    const changed = new Map(sources).set(
      'listener/http1/bad.ts',
      "import { createPipeline } from '../../pipeline/pipeline.ts';\n",
    );
    assert.deepEqual(violations(allowed, readSources(changed)), ['listener/http1 must not import pipeline (rooms)']);
  });

  it('rules inside a room, too', () => {
    const changed = new Map(sources).set(
      'listener/http1/bad.ts',
      "import { Http2Connection } from '../http2/connection.ts';\n",
    );
    assert.deepEqual(violations(allowed, readSources(changed)), [
      'listener/http1 must not import listener/http2 (rooms)',
    ]);
  });

  it('refuses a package in a room that has no business with it', () => {
    const changed = new Map(sources).set('pipeline/bad.ts', "import { pino } from 'pino';\n");
    assert.deepEqual(violations(allowed, readSources(changed)), ['pipeline must not import pino (packages)']);
  });

  it('refuses a stale row', () => {
    const changed = new Map(sources);
    changed.delete('forward/dial.ts');
    assert.ok(violations(allowed, readSources(changed)).includes('forward/dial does not exist'));
  });

  it('sees a cycle', () => {
    const changed = new Map(sources).set('config/bad.ts', "import { run } from '../cli/cli.ts';\n");
    assert.notEqual(cycleIn(readSources(changed)), '');
  });
});

describe('the documents', () => {
  const FILE = /`([\w./-]+\.(?:ts|sh))`/g;
  const files = ['src', 'test', 'docs', 'certs', 'bench', 'build'].flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => `/${relative(ROOT, join(entry.parentPath, entry.name))}`),
  );

  for (const document of ['ARCHITECTURE.md', 'CONTRIBUTING.md', 'README.md', 'SECURITY.md']) {
    it(`${document} names only files that exist`, () => {
      const named = [...readFileSync(join(ROOT, document), 'utf8').matchAll(FILE)].map(([, name]) => name ?? '');
      assert.deepEqual(
        named.filter((name) => !files.some((file) => file.endsWith(`/${name}`))),
        [],
      );
    });
  }
});

describe('the house rules', () => {
  it('process.env and process.exit are read in the entry only', () => {
    const users = [...sources].filter(([, text]) =>
      /process\.(env|exit)\b/.test(text.replaceAll(/^\s*(\/\/|\*).*$/gm, '')),
    );
    assert.deepEqual(
      users.map(([path]) => path),
      ['proxy.ts'],
    );
  });

  it('the composition root stays short', () => {
    assert.ok((sources.get('sidecar/sidecar.ts')?.split('\n').length ?? 999) <= 100);
  });

  it('every file opens with what it decides', () => {
    const silent = [...sources].filter(([, text]) => !/^(#!.*\n)?\/\/ \S/.test(text)).map(([path]) => path);
    assert.deepEqual(silent, []);
  });
});
