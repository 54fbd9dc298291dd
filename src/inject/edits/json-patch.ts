// Edits as a JSON Patch (RFC 6902), and the result of one. The operations are in an order in which each finds its path:
// what is inside of a renamed key before the key, items at the head of a list last.

import type { Edit } from './edits.ts';
import { isObject, type JsonObject, type Path } from './objects.ts';

export type Operation =
  | { readonly op: 'add' | 'replace'; readonly path: string; readonly value: unknown }
  | { readonly op: 'move'; readonly from: string; readonly path: string };

const ORDER: readonly Edit['kind'][] = ['replace', 'fill', 'add', 'rename', 'insert'];

export function toJsonPatch(edits: readonly Edit[]): Operation[] {
  const sorted = ORDER.flatMap((kind) => edits.filter((edit) => edit.kind === kind));
  return sorted.flatMap(operationsOf);
}

function operationsOf(edit: Edit): Operation[] {
  const path = toPointer(edit.path);
  switch (edit.kind) {
    case 'add':
      return [{ op: 'add', path, value: edit.value }];
    case 'fill':
    case 'replace':
      return [{ op: 'replace', path, value: edit.value }];
    case 'rename':
      return [{ op: 'move', from: path, path: toPointer([...edit.path.slice(0, -1), edit.to]) }];
    case 'insert':
      return edit.values.map((value, at) => ({ op: 'add', path: `${path}/${at}`, value }));
  }
}

/** RFC 6901 section 3. */
export function toPointer(path: Path): string {
  return path.map((step) => `/${String(step).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');
}

export function fromPointer(pointer: string): string[] {
  const steps = pointer.split('/').slice(1);
  return steps.map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'));
}

/** A new object; `object` stays as it is. The paths must exist. */
export function applyPatch(object: JsonObject, operations: readonly Operation[]): JsonObject {
  const result = copy(object) as JsonObject;
  for (const operation of operations) {
    const path = fromPointer(operation.path);
    const value = operation.op === 'move' ? take(result, fromPointer(operation.from)) : copy(operation.value);
    const parent = parentOf(result, path);
    const key = path.at(-1) ?? '';
    if (Array.isArray(parent) && operation.op === 'add') parent.splice(Number(key), 0, value);
    else (parent as Record<string, unknown>)[key] = value;
  }
  return result;
}

function take(object: JsonObject, path: readonly string[]): unknown {
  const parent = parentOf(object, path) as Record<string, unknown>;
  const key = path.at(-1) ?? '';
  const value = parent[key];
  delete parent[key];
  return value;
}

function parentOf(object: JsonObject, path: readonly string[]): unknown {
  return path.slice(0, -1).reduce<unknown>((found, step) => (found as Record<string, unknown>)[step], object);
}

/** Deep, and without the sharing that YAML aliases bring. */
function copy(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(copy);
  if (!isObject(value) || ![Object.prototype, null].includes(Object.getPrototypeOf(value))) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, copy(item)]));
}
