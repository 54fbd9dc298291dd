// How much of what is lent each client has, and how much of it may be one client's while others wait. Alone, a client may
// have everything, but not all of it for exchanges that may be silent for ever: those leave a part for others at all times,
// since nothing would give it back.

export type ShareOptions = {
  /** Of all that can be lent. */
  readonly percent: number;
  /** Somebody who waited was refused, whose client had its share. */
  readonly refused: () => void;
};

/** Of all that can be lent, what one client may have for WebSockets, event streams and calls of gRPC. */
const LASTING_PART = 0.9;

export class Shares {
  /** Of clients that have something. */
  readonly #held = new Map<string, number>();
  /** And of that, what may last for ever. */
  readonly #lasting = new Map<string, number>();
  readonly #percent: number;
  readonly #refused: () => void;
  #most = 1;
  #mostLasting = 1;

  constructor(all: number, { percent, refused }: ShareOptions) {
    this.#percent = percent;
    this.#refused = refused;
    this.resize(all);
  }

  /** How much there is to lend. */
  resize(all: number): void {
    this.#most = Math.max(1, Math.floor((all * this.#percent) / 100));
    this.#mostLasting = Math.max(1, Math.ceil(all * LASTING_PART));
  }

  take(client: string): void {
    add(this.#held, client, 1);
  }

  giveBack(client: string): void {
    add(this.#held, client, -1);
  }

  /** Whether it may have one more that may last for ever. */
  mayLast(client: string): boolean {
    return (this.#lasting.get(client) ?? 0) < this.#mostLasting;
  }

  last(client: string): void {
    add(this.#lasting, client, 1);
  }

  lastNoMore(client: string): void {
    add(this.#lasting, client, -1);
  }

  /** Whether it has its share: while others wait, it gets no more. */
  readonly full = (client: string): boolean => (this.#held.get(client) ?? 0) >= this.#most;

  refused(client: string): void {
    if (this.full(client)) this.#refused();
  }
}

function add(counts: Map<string, number>, client: string, change: number): void {
  const count = (counts.get(client) ?? 0) + change;
  if (count > 0) counts.set(client, count);
  else counts.delete(client);
}
