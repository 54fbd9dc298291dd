// Buffers that wait for their next use, so that a busy moment allocates none. Each kind keeps a bounded number of them, and
// all kinds give theirs back when the process has been quiet for a while.

const kinds = new Set<Spares<unknown>>();

export class Spares<T> {
  readonly #most: number;
  readonly #spare: T[] = [];

  /** `most` of them are kept. Made once for a kind, and for as long as the process runs. */
  constructor(most: number) {
    this.#most = most;
    kinds.add(this);
  }

  take(): T | undefined {
    return this.#spare.pop();
  }

  keep(item: T): void {
    if (this.#spare.length < this.#most) this.#spare.push(item);
  }

  giveBack(): void {
    this.#spare.length = 0;
  }
}

export function giveBackSpares(): void {
  for (const kind of kinds) kind.giveBack();
}
