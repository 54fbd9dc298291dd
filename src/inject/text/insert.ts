// Edits as splices of the text they are made in. What is new is put before something that is there, as whole lines above
// its comments, so that neither the end of a file nor a block scalar is ever touched.

import { isMap, isSeq, type Pair, type YAMLMap, type YAMLSeq } from 'yaml';
import type { Edit } from '../edits/edits.ts';
import type { SourceOf } from '../edits/original.ts';
import { blockLines, blockScalar, flowText, type Style, styleOf } from './emit.ts';
import {
  afterColon,
  dashesOf,
  endOf,
  findPair,
  isBlank,
  lineEnd,
  lineStart,
  mapAt,
  nodeAt,
  pairAt,
  resolve,
  type Source,
  startOf,
  Unspliceable,
} from './nodes.ts';
import type { Splice } from './splices.ts';

export function toSplices(source: Source, edits: readonly Edit[]): Splice[] {
  const style = styleOf(source);
  return edits.map((edit) => toSplice(source, style, edit));
}

function toSplice(source: Source, style: Style, edit: Edit): Splice {
  switch (edit.kind) {
    case 'add':
      return addPair(source, style, edit);
    case 'insert':
      return insertItems(source, style, edit);
    case 'fill':
      return fill(source, style, edit);
    case 'replace':
      return replaceValue(source, edit);
    case 'rename': {
      const { map, key } = pairAt(source, edit.path);
      const text = map.flow ? JSON.stringify(edit.to) : edit.to;
      return { start: startOf(key), end: endOf(key), text };
    }
  }
}

/** What each edit replaces, as it is written. */
export function sourceOf(source: Source): SourceOf {
  return (edit) => {
    if (edit.kind === 'rename') {
      const { key } = pairAt(source, edit.path);
      return source.text.slice(startOf(key), endOf(key));
    }
    if (edit.kind !== 'fill' && edit.kind !== 'replace') return '';
    const { map, pair } = pairAt(source, edit.path);
    const isLine = edit.kind === 'fill' && !map.flow;
    const end = isLine ? lineEnd(source.text, endOf(pair.value)) : endOf(pair.value);
    return source.text.slice(isLine ? afterColon(pair) : startOf(pair.value), end);
  };
}

function addPair(source: Source, style: Style, edit: Edit & { kind: 'add' }): Splice {
  const map = mapAt(source, edit.path.slice(0, -1));
  const key = String(edit.path.at(-1));
  const next = pairBefore(source.text, map, edit.before);
  const at = startOf(next.key);
  if (map.flow) return intoFlow(source.text, map, at, style, { key, value: edit.value });
  return asLines(source, at, blockLines({ [key]: edit.value }, style), style.newline, map.items.indexOf(next) > 0);
}

/** The pair that a new one is put before: the one asked for, else the first that has a line of its own. */
function pairBefore(text: string, map: YAMLMap, before: readonly string[] = []): Pair {
  const [first, second] = map.items;
  if (first === undefined) throw new Unspliceable('a mapping is empty');
  const wanted = before.map((key) => findPair(map, key)).find((pair) => pair !== undefined);
  if (wanted !== undefined || map.flow || second === undefined) return wanted ?? first;
  const at = startOf(first.key);
  return isBlank(text.slice(lineStart(text, at), at)) ? first : second;
}

function insertItems(source: Source, style: Style, { path, values }: Edit & { kind: 'insert' }): Splice {
  const seq = resolve(source, nodeAt(source, path));
  if (!isSeq(seq)) throw new Unspliceable(`${path.join('.')} is no plain list; write it out`);
  if (seq.flow) return intoFlow(source.text, seq, startOf(seq.items[0]), style, { values });
  const [dash] = dashesOf(seq);
  if (dash === undefined) throw new Unspliceable(`${path.join('.')} has no dashes`);
  return asLines(source, dash, blockLines(values, style), style.newline, false);
}

/** Whole lines before the one of `at`, above its comments; or at `at` itself where something stands before it. */
function asLines({ text }: Source, at: number, lines: readonly string[], newline: string, follows: boolean): Splice {
  const start = lineStart(text, at);
  const prefix = text.slice(start, at);
  const indentation = ' '.repeat(prefix.length);
  const block = lines.map((line) => `${line}${newline}${indentation}`).join('');
  if (!isBlank(prefix)) return { start: at, end: at, text: block };
  const above = follows || prefix !== '' ? aboveComments(text, start, prefix) : start;
  const whole = lines.map((line) => `${prefix}${line}${newline}`).join('');
  return { start: above, end: above, text: whole };
}

/** Comments right above a line, with its indentation, belong to it; what a block scalar holds stands deeper. */
function aboveComments(text: string, start: number, indentation: string): number {
  let above = start;
  while (above > 0) {
    const previous = lineStart(text, above - 1);
    if (!text.startsWith(`${indentation}#`, previous)) break;
    above = previous;
  }
  return above;
}

type Content = { readonly key: string; readonly value: unknown } | { readonly values: readonly unknown[] };

/** As JSON, before the first item; over several lines where that stands on a line of its own. */
function intoFlow(text: string, into: YAMLMap | YAMLSeq, at: number, style: Style, content: Content): Splice {
  const own = text.slice(lineStart(text, at), at);
  const isSplit = /^[ \t]*$/.test(own) && text.slice(startOf(into), at).includes('\n');
  const indentation = isSplit ? own : undefined;
  const step = own.includes('\t') ? '\t' : ' '.repeat(style.step);
  const item = (value: unknown): string => flowText(value, style, indentation, step);
  const items =
    'values' in content ? content.values.map(item) : [`${JSON.stringify(content.key)}: ${item(content.value)}`];
  const separator = isSplit ? `,${style.newline}${own}` : ', ';
  return { start: at, end: at, text: items.map((one) => `${one}${separator}`).join('') };
}

/** The emptiness goes, and what stood behind it on the line, a comment, stays. */
function fill(source: Source, style: Style, { path, value }: Edit & { kind: 'fill' }): Splice {
  const { text } = source;
  const { map, pair, key } = pairAt(source, path);
  const [from, start, end] = [afterColon(pair), startOf(pair.value), endOf(pair.value)];
  if (map.flow) {
    const gap = start === end && start === from ? ' ' : '';
    return { start, end, text: `${gap}${flowText(value, style, ...splitOf(text, map))}` };
  }
  const last = lineEnd(text, end);
  const behind = text.slice(end, last);
  if (!/^\s*(#.*)?$/.test(behind)) throw new Unspliceable(`${path.join('.')} shares its line; write it out`);
  const keyAt = startOf(key);
  const column = keyAt - lineStart(text, keyAt);
  const deeper = isMap(value) || !Array.isArray(value) || style.indented ? style.step : 0;
  const indentation = ' '.repeat(column + deeper);
  const lines = blockLines(value, style).map((line) => `${style.newline}${indentation}${line}`);
  const before = start === end ? text.slice(from, start) : text.slice(from, start).trimEnd();
  return { start: from, end: last, text: `${before}${behind}${lines.join('')}` };
}

function splitOf(text: string, map: YAMLMap): [string?, string?] {
  const at = startOf(map.items[0]?.key);
  const own = text.slice(lineStart(text, at), at);
  return /^[ \t]+$/.test(own) ? [own, own.includes('\t') ? '\t' : '  '] : [];
}

function replaceValue(source: Source, { path, value }: Edit & { kind: 'replace' }): Splice {
  const { map, pair } = pairAt(source, path);
  const [start, end] = [startOf(pair.value), endOf(pair.value)];
  const text = map.flow ? JSON.stringify(value) : blockScalar(value);
  // A value that is left out has no place behind its blank.
  return { start, end, text: start === end ? ` ${text}` : text };
}
