// Values as text in the style of the file around them: its indentation, its way with lists, its line breaks; JSON inside
// of flow collections. Strings are quoted where YAML 1.1 would read something else, as Kubernetes does.

import { type Document, isMap, isScalar, isSeq, stringify, visit } from 'yaml';
import { breakOf, dashesOf, lineStart, type Source, startOf } from './nodes.ts';

export type Style = {
  /** Columns of one level. */
  readonly step: number;
  /** Whether the dashes of a list stand deeper than its key. */
  readonly indented: boolean;
  readonly newline: string;
};

/** Read off the first nested map and the first list in the document; else as kubectl writes. */
export function styleOf({ text, document }: Source): Style {
  const column = (offset: number): number => offset - lineStart(text, offset);
  let step: number | undefined;
  let indented: boolean | undefined;
  visit(document as Document, {
    Pair(_, { key, value }) {
      if (!isScalar(key) || !key.range) return undefined;
      const at = column(startOf(key));
      if (isMap(value) && !value.flow && value.range) step ??= column(value.range[0]) - at;
      const dash = isSeq(value) && !value.flow ? dashesOf(value)[0] : undefined;
      if (dash !== undefined) indented ??= column(dash) > at;
      return step !== undefined && indented !== undefined ? visit.BREAK : undefined;
    },
  });
  const sane = step !== undefined && step > 0 && step <= 8 ? step : 2;
  return { step: sane, indented: indented ?? true, newline: breakOf(text) };
}

/** Lines without indentation and without line breaks. */
export function blockLines(value: unknown, { step, indented }: Style): string[] {
  const options = { version: '1.1', lineWidth: 0, indent: step, indentSeq: indented } as const;
  return stringify(value, { ...options, aliasDuplicateObjects: false })
    .trimEnd()
    .split('\n');
}

/** One line, as it may stand for a scalar in a block. */
export function blockScalar(value: string | number): string {
  const [line = '', ...rest] = stringify(value, { version: '1.1', lineWidth: 0 }).trimEnd().split('\n');
  return rest.length === 0 ? line : JSON.stringify(value);
}

/** JSON in one line, or, with an indentation, over several. */
export function flowText(value: unknown, { newline }: Style, indentation?: string, step = '  '): string {
  if (indentation === undefined) return oneLine(value);
  return JSON.stringify(value, null, step).replaceAll('\n', `${newline}${indentation}`);
}

function oneLine(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(oneLine).join(', ')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  return `{${Object.entries(value)
    .map(([key, item]) => `${JSON.stringify(key)}: ${oneLine(item)}`)
    .join(', ')}}`;
}
