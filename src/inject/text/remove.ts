// The records of an injection as splices that take it back: the exact reverse of what insert.ts writes. What somebody added
// since to a map or list that came with the injection stays.

import { isMap, isScalar, isSeq, type Pair, type YAMLMap, type YAMLSeq } from 'yaml';
import type { Path } from '../edits/objects.ts';
import { type OriginalRecord, pathOf } from '../edits/original.ts';
import {
  afterColon,
  dashesOf,
  endOf,
  findPair,
  isBlank,
  lineEnd,
  lineStart,
  nodeAt,
  pairAt,
  resolve,
  type Source,
  startOf,
  Unspliceable,
} from './nodes.ts';
import type { Splice } from './splices.ts';

/**
 * `at` is where the object of the records stands in the document. Pointers of what is not there any more, or is another value
 * than the injection wrote, are added to `left`: it stays as it is.
 */
export function toReverseSplices(
  source: Source,
  at: Path,
  records: readonly OriginalRecord[],
  left: string[],
): Splice[] {
  const removed = new Removals(source);
  const splices = records.flatMap((record): Splice[] => {
    const path = [...at, ...pathOf(record)];
    if (record[0] === 'add') return remove(source, removed, path, record[2]);
    const map = resolve(source, nodeAt(source, path.slice(0, -1)));
    const pair = isMap(map) ? findPair(map, path.at(-1) ?? '') : undefined;
    if (isMap(map) && pair !== undefined && isAsWritten(pair, record)) return reverse(source, removed, path, record);
    left.push(record[1]);
    return [];
  });
  return [...splices, ...removed.splices()];
}

function isAsWritten({ value }: Pair, record: OriginalRecord): boolean {
  return record[0] !== 'value' || (isScalar(value) && String(value.value) === record[3]);
}

function reverse(source: Source, removed: Removals, path: Path, record: OriginalRecord): Splice[] {
  const { map, pair, key } = pairAt(source, path);
  const { value } = pair;
  const text = String(record[2]);
  if (record[0] === 'key') return [{ start: startOf(key), end: endOf(key), text }];
  if (record[0] === 'fill') {
    if (hasOthers(source, path, record[3])) return removeEntries(source, removed, path, record[3]);
    return [{ start: map.flow ? startOf(value) : afterColon(pair), end: endOf(value), text }];
  }
  const start = text === '' ? afterColon(pair) : startOf(value);
  return [{ start, end: endOf(value), text }];
}

function remove(source: Source, removed: Removals, path: Path, entries: readonly string[] | undefined): Splice[] {
  if (entries !== undefined && hasOthers(source, path, entries)) return removeEntries(source, removed, path, entries);
  const parent = resolve(source, nodeAt(source, path.slice(0, -1)));
  if (isMap(parent)) {
    const pair = findPair(parent, path.at(-1) ?? '');
    if (pair !== undefined) removed.add(parent, pair);
  } else if (isSeq(parent)) {
    const item = nodeAt(source, path);
    if (item !== undefined) removed.add(parent, item);
  }
  return [];
}

function removeEntries(source: Source, removed: Removals, path: Path, entries: readonly string[]): Splice[] {
  return entries.flatMap((entry) => remove(source, removed, [...path, entry], undefined));
}

/** Whether there is more in a map or list than what the injection put there. */
function hasOthers(source: Source, path: Path, entries: readonly string[]): boolean {
  const node = resolve(source, nodeAt(source, path));
  if (isMap(node)) return node.items.some((pair) => !entries.some((entry) => findPair(node, entry) === pair));
  if (!isSeq(node)) return false;
  const ours = entries.map((entry) => nodeAt(source, [...path, entry]));
  return node.items.some((item) => !ours.includes(item));
}

/** Pairs and items to take out, gathered by the collection they are in, because neighbours share what is between them. */
class Removals {
  readonly #source: Source;
  readonly #byCollection = new Map<YAMLMap | YAMLSeq, Set<unknown>>();

  constructor(source: Source) {
    this.#source = source;
  }

  add(collection: YAMLMap | YAMLSeq, member: unknown): void {
    const members = this.#byCollection.get(collection) ?? new Set();
    this.#byCollection.set(collection, members.add(member));
  }

  splices(): Splice[] {
    return [...this.#byCollection].flatMap(([collection, members]) =>
      collection.flow ? this.#fromFlow(collection, members) : this.#fromBlock(collection, members),
    );
  }

  /** Each with the separator behind it; the last with the one before it. */
  #fromFlow(collection: YAMLMap | YAMLSeq, members: ReadonlySet<unknown>): Splice[] {
    const items = collection.items as unknown[];
    const kept = items.findLastIndex((item) => !members.has(item));
    return [...members].map((member): Splice => {
      const at = items.indexOf(member);
      const next = items[at + 1];
      if (at < kept && next !== undefined) return { start: beginning(member), end: beginning(next), text: '' };
      const previous = items[at - 1];
      return { start: previous === undefined ? beginning(member) : ending(previous), end: ending(member), text: '' };
    });
  }

  #fromBlock(collection: YAMLMap | YAMLSeq, members: ReadonlySet<unknown>): Splice[] {
    const { text } = this.#source;
    const items = collection.items as unknown[];
    const starts = isSeq(collection) ? dashesOf(collection) : items.map(beginning);
    return items.flatMap((item, at): Splice[] => {
      if (!members.has(item)) return [];
      const start = starts[at] ?? 0;
      const line = lineStart(text, start);
      if (isBlank(text.slice(line, start)) && !isInline(text, starts, at, members, items)) {
        return [this.#wholeLines(line, ending(item))];
      }
      const next = starts[at + 1];
      if (next === undefined) throw new Unspliceable('nothing would be left of a mapping; take it out by hand');
      return [{ start, end: next, text: '' }];
    });
  }

  #wholeLines(start: number, end: number): Splice {
    const { text } = this.#source;
    const last = lineEnd(text, end);
    if (last < text.length) return { start, end: text.indexOf('\n', last) + 1, text: '' };
    // It is the end of the file, which had no line break: that before it goes.
    return { start: start === 0 ? 0 : lineEnd(text, lineStart(text, start - 1)), end: last, text: '' };
  }
}

/** Whether it follows members that are removed from the line of a dash, to which the next one moves up. */
function isInline(
  text: string,
  starts: readonly number[],
  at: number,
  members: ReadonlySet<unknown>,
  items: readonly unknown[],
): boolean {
  const first = starts[0] ?? 0;
  const onDash = !isBlank(text.slice(lineStart(text, first), first));
  return onDash && items.slice(0, at).every((item) => members.has(item));
}

function beginning(member: unknown): number {
  return startOf((member as Pair).key ?? member);
}

function ending(member: unknown): number {
  const { key, value } = member as Pair;
  return endOf(key === undefined ? member : (value ?? key));
}
