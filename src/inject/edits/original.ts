// The annotation `tls-sidecar.dev/original`: what an injection did, one record an edit, so that `uninject` can take exactly
// that back. Pointers are those of the injected object; containers and volumes in them are found by name, because the
// others of their list may come and go.

import type { Edit } from './edits.ts';
import { fromPointer, toPointer } from './json-patch.ts';
import { get, isObject, type JsonObject, type Path, textAt } from './objects.ts';

export type OriginalRecord =
  /** A pair or an item was added; of a map or list also its own keys or names. */
  | readonly ['add', pointer: string, entries?: readonly string[]]
  /** Something empty, as `text`, got these entries. */
  | readonly ['fill', pointer: string, text: string, entries: readonly string[]]
  /** A value was written as `text`, and is `now` another one. */
  | readonly ['value', pointer: string, text: string, now: string]
  /** A key was written as `text`. */
  | readonly ['key', pointer: string, text: string];

/** How the source says what an edit replaces; of a fill everything after the colon. */
export type SourceOf = (edit: Edit) => string;

/** An object has no spelling of its own: what is replaced is kept as JSON. */
export function jsonOf(object: JsonObject): SourceOf {
  return (edit) => {
    if (edit.kind === 'rename') return JSON.stringify(String(edit.path.at(-1)));
    return JSON.stringify(get(object, edit.path)) ?? '';
  };
}

export function recordsOf(object: JsonObject, edits: readonly Edit[], sourceOf: SourceOf): OriginalRecord[] {
  const pointer = (path: Path): string => toPointer(stepsOf(object, edits, path));
  return edits.flatMap((edit) => recordsOfEdit(edit, pointer, sourceOf));
}

function recordsOfEdit(edit: Edit, pointer: (path: Path) => string, sourceOf: SourceOf): OriginalRecord[] {
  switch (edit.kind) {
    case 'add': {
      const entries = entriesOf(edit.value);
      return [entries.length === 0 ? ['add', pointer(edit.path)] : ['add', pointer(edit.path), entries]];
    }
    case 'insert':
      return entriesOf(edit.values).map((name) => ['add', pointer([...edit.path, name])]);
    case 'fill':
      return [['fill', pointer(edit.path), sourceOf(edit), entriesOf(edit.value)]];
    case 'replace':
      return [['value', pointer(edit.path), sourceOf(edit), String(edit.value)]];
    case 'rename':
      return [['key', pointer(edit.path), sourceOf(edit)]];
  }
}

/** Undefined where the annotation is not one of ours. */
export function readRecords(text: string): OriginalRecord[] | undefined {
  try {
    const records: unknown = JSON.parse(text);
    return Array.isArray(records) && records.every(isRecord) ? records : undefined;
  } catch {
    return undefined;
  }
}

export function pathOf(record: OriginalRecord): Path {
  return fromPointer(record[1]);
}

/** Keys of a map, names of a list's items; nothing of a scalar. */
function entriesOf(value: unknown): string[] {
  if (Array.isArray(value)) return value.map((item) => textAt(item, ['name']) ?? '');
  return isObject(value) ? Object.keys(value) : [];
}

const BY_NAME: readonly unknown[] = ['containers', 'initContainers', 'volumes'];

function stepsOf(object: JsonObject, edits: readonly Edit[], path: Path): Path {
  return path.map((step, at) => {
    const here = path.slice(0, at + 1);
    if (typeof step === 'number' && BY_NAME.includes(path[at - 1])) {
      return textAt(get(object, here), ['name']) ?? step;
    }
    const renamed = edits.find((edit) => edit.kind === 'rename' && toPointer(edit.path) === toPointer(here));
    return renamed?.kind === 'rename' ? renamed.to : step;
  });
}

function isTexts(value: unknown): boolean {
  return Array.isArray(value) && value.every((text) => typeof text === 'string');
}

function isRecord(value: unknown): value is OriginalRecord {
  if (!Array.isArray(value)) return false;
  const [kind, pointer, third, fourth] = value as unknown[];
  if (typeof pointer !== 'string' || !pointer.startsWith('/')) return false;
  if (kind === 'add') return third === undefined || isTexts(third);
  if (kind === 'fill') return typeof third === 'string' && isTexts(fourth);
  if (kind === 'value') return typeof third === 'string' && typeof fourth === 'string';
  return kind === 'key' && typeof third === 'string';
}
