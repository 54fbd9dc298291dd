// Replacements of pieces of a text, all given by offsets of the text before. They never overlap.

import { Unspliceable } from './nodes.ts';

export type Splice = { readonly start: number; readonly end: number; readonly text: string };

/** Splices at one place are put in the order given; one that is given twice, as for two aliases of a node, counts once. */
export function applySplices(text: string, splices: readonly Splice[]): string {
  const once = splices.filter((splice, at) => splices.findIndex((other) => isSame(other, splice)) === at);
  // The sort is stable.
  const sorted = [...once].sort((a, b) => a.start - b.start);
  let result = '';
  let done = 0;
  for (const { start, end, text: replacement } of sorted) {
    if (start < done) throw new Unspliceable('two changes meet in one place (a YAML anchor?); write it out');
    result += text.slice(done, start) + replacement;
    done = end;
  }
  return result + text.slice(done);
}

function isSame(a: Splice, b: Splice): boolean {
  return a.start === b.start && a.end === b.end && a.text === b.text;
}
