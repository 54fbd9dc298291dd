// How much the object of a review may list. An injection compares ports, containers and volumes with each other, and one review
// holds up all others; so what is far beyond any Pod or Service is refused before that. Pure.

import { type JsonObject, listAt, objectAt } from '../inject/edits/objects.ts';
import { ORIGINAL, PREFIX } from '../inject/settings.ts';

/** Together, of what is compared with each other. */
const MAX_LISTED = 512;
/** Characters of an annotation of ours that is read: `original` is the record of an injection, and is not. */
const MAX_ANNOTATION = 4096;

/** What it has too much of, as a sentence for its user; undefined where nothing. */
export function excessOf(object: JsonObject): string | undefined {
  const containers = ['containers', 'initContainers'].flatMap((name) => listAt(object, ['spec', name]));
  const listed = [
    ['containers', containers.length],
    ['ports', listAt(object, ['spec', 'ports']).length + sum(containers, (one) => listAt(one, ['ports']).length)],
    ['volumes', listAt(object, ['spec', 'volumes']).length],
  ] as const;
  const found = listed.find(([, length]) => length > MAX_LISTED);
  if (found !== undefined) return `it has ${found[1]} ${found[0]}; the webhook reads ${MAX_LISTED} at the most`;
  const annotation = Object.entries(objectAt(object, ['metadata', 'annotations'])).find(isTooLong)?.[0];
  return annotation && `the annotation ${annotation} has more than ${MAX_ANNOTATION} characters`;
}

function isTooLong([name, value]: [string, unknown]): boolean {
  if (!name.startsWith(PREFIX) || name === ORIGINAL) return false;
  return typeof value === 'string' && value.length > MAX_ANNOTATION;
}

function sum<T>(list: readonly T[], amountOf: (one: T) => number): number {
  return list.reduce((total, one) => total + amountOf(one), 0);
}
