// Finds in a parsed YAML document what a path names, and where its text stands. Aliases are followed; what comes in by a
// merge key (`<<`) is not found, because it has no text of its own here.

import {
  type Document,
  isAlias,
  isCollection,
  isMap,
  isScalar,
  isSeq,
  type Pair,
  type Scalar,
  type YAMLMap,
} from 'yaml';
import type { Path } from '../edits/objects.ts';

/** The text cannot be edited as asked; the message says why. */
export class Unspliceable extends Error {}

export type Source = { readonly text: string; readonly document: Document };

export function nodeAt(source: Source, path: Path): unknown {
  return path.reduce<unknown>((node, step) => childOf(source, node, step), source.document.contents);
}

export function mapAt(source: Source, path: Path): YAMLMap {
  const node = resolve(source, nodeAt(source, path));
  if (!isMap(node) || !node.range) throw notFound(path);
  return node;
}

export type FoundPair = { readonly map: YAMLMap; readonly pair: Pair; readonly key: Scalar };

export function pairAt(source: Source, path: Path): FoundPair {
  const map = mapAt(source, path.slice(0, -1));
  const pair = findPair(map, path.at(-1) ?? '');
  if (pair === undefined || !isScalar(pair.key)) throw notFound(path);
  return { map, pair, key: pair.key };
}

export function findPair(map: YAMLMap, key: string | number): Pair | undefined {
  return map.items.find((pair) => isScalar(pair.key) && pair.key.value === key);
}

/** The node itself, or the one that an alias stands for. */
export function resolve({ document }: Source, node: unknown): unknown {
  return isAlias(node) ? node.resolve(document) : node;
}

function childOf(source: Source, parent: unknown, step: string | number): unknown {
  const node = resolve(source, parent);
  if (isMap(node)) return findPair(node, step)?.value;
  if (!isSeq(node)) return undefined;
  const named = node.items.find((item) => {
    const map = resolve(source, item);
    return typeof step === 'string' && isMap(map) && map.get('name') === step;
  });
  return named ?? node.items[Number(step)];
}

function notFound(path: Path): Unspliceable {
  return new Unspliceable(`${path.join('.')} comes from a YAML merge key or is no plain mapping; write it out`);
}

/** Where the text of a node begins and ends; comments behind it are not part of it. */
export function startOf(node: unknown): number {
  const start = (node as { range?: readonly number[] | null } | null)?.range?.[0];
  if (start === undefined) throw new Unspliceable('a value has no text');
  return start;
}

export function endOf(node: unknown): number {
  if (isCollection(node) && node.flow !== true) {
    const last = node.items.at(-1) as unknown;
    if (isSeq(node)) return endOf(last);
    const { key, value } = last as Pair;
    return endOf(value ?? key);
  }
  const end = (node as { range?: readonly number[] | null } | null)?.range?.[1];
  if (end === undefined) throw new Unspliceable('a value has no text');
  return end;
}

type Token = { readonly type: string; readonly offset: number };

/** Where the value of a pair may begin: behind its colon. */
export function afterColon(pair: Pair): number {
  const tokens = (pair as { srcToken?: { sep?: readonly Token[] } }).srcToken?.sep ?? [];
  const colon = tokens.find(({ type }) => type === 'map-value-ind');
  if (colon === undefined) throw new Unspliceable('a key has no colon');
  return colon.offset + 1;
}

/** Where the dash of each item of a block sequence stands. */
export function dashesOf(seq: unknown): number[] {
  const items = (seq as { srcToken?: { items?: readonly { start?: readonly Token[] }[] } }).srcToken?.items ?? [];
  return items.flatMap(({ start }) => start?.find(({ type }) => type === 'seq-item-ind')?.offset ?? []);
}

export function lineStart(text: string, offset: number): number {
  return offset === 0 ? 0 : text.lastIndexOf('\n', offset - 1) + 1;
}

/** Before the line's break. */
export function lineEnd(text: string, offset: number): number {
  const found = text.indexOf('\n', offset);
  if (found === -1) return text.length;
  return found > offset && text[found - 1] === '\r' ? found - 1 : found;
}

export function breakOf(text: string): string {
  const first = text.indexOf('\n');
  return first > 0 && text[first - 1] === '\r' ? '\r\n' : '\n';
}

export function isBlank(text: string): boolean {
  return /^ *$/.test(text);
}
