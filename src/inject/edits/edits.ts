// What is to change in an object, as a list of edits that say nothing of its text: they become splices of a file
// (text/splices.ts) or a JSON Patch (json-patch.ts). Every path is one of the object before the first edit.

import { get, isEmpty, type JsonObject, type Path } from './objects.ts';

/** The first one that is there counts. */
type Before = readonly string[] | undefined;

export type Edit =
  /** A pair that is not there yet; the path ends with its key. `before`: keys that it may stand before in a file. */
  | { readonly kind: 'add'; readonly path: Path; readonly value: unknown; readonly before?: Before }
  /** New items at the head of a list. */
  | { readonly kind: 'insert'; readonly path: Path; readonly values: readonly unknown[] }
  /** A null, `{}` or `[]` gets its content. */
  | { readonly kind: 'fill'; readonly path: Path; readonly value: unknown }
  /** Another scalar. */
  | { readonly kind: 'replace'; readonly path: Path; readonly value: string | number }
  /** Another key for the same value. */
  | { readonly kind: 'rename'; readonly path: Path; readonly to: string };

/** Adds `entries` to the map at `path`, which is made where it does not exist. */
export function merge(object: JsonObject, path: Path, entries: JsonObject, before?: Before): Edit[] {
  const found = get(object, path);
  if (found === undefined) return addMissing(object, path, entries, before);
  if (isEmpty(found)) return [{ kind: 'fill', path, value: entries }];
  return Object.entries(entries).map(([key, value]) => ({ kind: 'add', path: [...path, key], value, before }));
}

/** Puts `values` before the items of the list at `path`, which is made where it does not exist. */
export function prepend(object: JsonObject, path: Path, values: readonly unknown[], before?: Before): Edit[] {
  const found = get(object, path);
  if (found === undefined) return addMissing(object, path, values, before);
  return isEmpty(found) ? [{ kind: 'fill', path, value: values }] : [{ kind: 'insert', path, values }];
}

function addMissing(object: JsonObject, path: Path, value: unknown, before?: Before): Edit[] {
  return merge(object, path.slice(0, -1), { [String(path.at(-1))]: value }, before);
}
