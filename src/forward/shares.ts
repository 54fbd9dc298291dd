// How much of what is lent each client has, and how much of it may be one client's while others wait. Alone, a client may
// have everything.

export type ShareOptions = {
  /** Of all that can be lent. */
  readonly percent: number;
  /** Somebody who waited was refused, whose client had its share. */
  readonly refused: () => void;
};

export class Shares {
  /** Of clients that have something. */
  readonly #held = new Map<string, number>();
  readonly #most: number;
  readonly #refused: () => void;

  constructor(all: number, { percent, refused }: ShareOptions) {
    this.#most = Math.max(1, Math.floor((all * percent) / 100));
    this.#refused = refused;
  }

  take(client: string): void {
    this.#held.set(client, (this.#held.get(client) ?? 0) + 1);
  }

  giveBack(client: string): void {
    const left = (this.#held.get(client) ?? 0) - 1;
    if (left > 0) this.#held.set(client, left);
    else this.#held.delete(client);
  }

  /** Whether it has its share: while others wait, it gets no more. */
  readonly full = (client: string): boolean => (this.#held.get(client) ?? 0) >= this.#most;

  refused(client: string): void {
    if (this.full(client)) this.#refused();
  }
}
