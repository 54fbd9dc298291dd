// Heads that repeat: a client's requests, and an app's answers, are mostly made of the same bytes again and again. What was
// read of such text once is used for the next message with the same text, byte for byte. Whatever is kept is one object for
// all of these messages, so nobody may change it; its size is bounded, and text that comes once is never worth its place.

import type { RawHeaders } from './fields.ts';

/** Text above this is read anew each time: what is kept holds on to the text that it was cut from. */
const MAX_TEXT = 2048;
/** A power of two. */
const SLOTS = 256;
const SAMPLES = 8;

/** Lists that are kept, of which more may be remembered: see Derived. */
const kept = new WeakSet<RawHeaders>();

class Slot<T extends object> {
  text = '';
  value: T | undefined = undefined;
}

/** What was read of texts that came twice, each in the one place that a few of its characters point to. */
export class Repeats<T extends object> {
  readonly #slots: readonly Slot<T>[] = Array.from({ length: SLOTS }, () => new Slot<T>());

  /** What was read of the same text before. */
  find(text: string): T | undefined {
    if (text.length > MAX_TEXT) return undefined;
    const slot = this.#slots[placeOf(text)] as Slot<T>;
    return slot.value !== undefined && slot.text === text ? slot.value : undefined;
  }

  /** `value` is what `text` means. True: it is kept from now on, as this is the second time in a row for its place. */
  saw(text: string, value: T): boolean {
    if (text.length > MAX_TEXT) return false;
    const slot = this.#slots[placeOf(text)] as Slot<T>;
    const again = slot.text === text;
    slot.text = text;
    slot.value = again ? value : undefined;
    return again;
  }
}

/** Only a place: texts that share one take it from each other, and are told apart by all of their bytes. */
function placeOf(text: string): number {
  const { length } = text;
  let place = length;
  for (let i = 1; i <= SAMPLES; i++) place = (place * 31 + text.charCodeAt(((length * i) >> 3) - 1)) | 0;
  return (place ^ (place >>> 8)) & (SLOTS - 1);
}

/** The list will be given again for the same text; it must not be changed. */
export function keep(list: RawHeaders): void {
  kept.add(list);
}

/** Something that follows from a field list alone, remembered as long as the list is kept. */
export class Derived<T> {
  readonly #values = new WeakMap<RawHeaders, T>();

  of(list: RawHeaders): T | undefined {
    return this.#values.get(list);
  }

  /** False: the list is not kept, and nothing is remembered of it. */
  set(list: RawHeaders, value: T): boolean {
    if (!kept.has(list)) return false;
    this.#values.set(list, value);
    return true;
  }
}
