// What may be held for clients: every byte that waits for somebody is counted to its connection, its client and the process.
// A client with its share gets no more windows and no more reads, and above that its exchanges end; a little is always
// left to each. Counting is a few additions, and nothing where nothing waits. Whoever counts a byte takes it back.

export type BudgetLimits = {
  /** Of the process. */
  readonly bytes: number;
  /** Of what is free, that one client may have. */
  readonly percent: number;
};

/** Of one connection: the first windows of all streams of one in HTTP/2, or an answer's first read for each, and half as much. */
export const CONNECTION_BYTES = 12 << 20;
/** Of one client, however much memory there is. */
export const CLIENT_BYTES = 20 << 20;
/** Every connection may have that much, whatever its client has on others: behind one address there may be many. */
const LEAST_CONNECTION_BYTES = 65_536;
/** Every client may have that much, whatever others have. */
const LEAST_CLIENT_BYTES = 1 << 20;
/** By how much a limit may be exceeded, by what is on its way when it is reached. */
const EXCESS = 4 / 3;

class ClientAccount {
  held = 0;
  lent = 0;
  connections = 0;
  readonly key: string;

  constructor(key: string) {
    this.key = key;
  }
}

export class Budget {
  /** Bytes that are held for somebody. */
  held = 0;
  /** Windows beyond the first ones: what may yet come. */
  lent = 0;
  /** For what belongs to no one client, as a connection to the app that many share: counted, and never too much. */
  readonly shared: Account;
  readonly #bytes: number;
  readonly #most: number;
  /** A client alone comes to `percent` of the whole, since what it has is not free. */
  readonly #ofFree: number;
  readonly #clients = new Map<string, ClientAccount>();

  constructor({ bytes, percent }: BudgetLimits) {
    this.#bytes = bytes;
    this.#ofFree = percent / Math.max(1, 100 - percent);
    this.#most = Math.max(LEAST_CLIENT_BYTES, Math.min(CLIENT_BYTES, (bytes * percent) / 100));
    this.shared = new Account(this, undefined);
  }

  /** The account of a connection of that client. */
  open(client: string): Account {
    return new Account(this, client);
  }

  /** Clients for whom something is held, or was since they connected. */
  get clients(): number {
    return this.#clients.size;
  }

  // ---- for its accounts

  find(key: string | undefined): ClientAccount | undefined {
    return key === undefined ? undefined : this.#clients.get(key);
  }

  enter(key: string): ClientAccount {
    let client = this.#clients.get(key);
    if (client === undefined) {
      client = new ClientAccount(key);
      this.#clients.set(key, client);
    }
    client.connections++;
    return client;
  }

  leave(client: ClientAccount): void {
    if (--client.connections === 0) this.#clients.delete(client.key);
  }

  /** What one client may have now. */
  get most(): number {
    const free = Math.max(0, this.#bytes - this.held - this.lent);
    return Math.max(LEAST_CLIENT_BYTES, Math.min(CLIENT_BYTES, free * this.#ofFree));
  }

  /** Whether a client has more than it may ever have, or more than its part while others have filled the rest. */
  exceeds(bytes: number): boolean {
    return bytes > this.#most * EXCESS || (this.held > this.#bytes && bytes > this.most);
  }
}

/** What is held for one connection. */
export class Account {
  held = 0;
  #lent = 0;
  readonly #budget: Budget;
  readonly #key: string | undefined;
  /** From the first byte on: most connections never hold one. */
  #client: ClientAccount | undefined = undefined;
  #closed = false;

  /** Without a key, it has no limit. */
  constructor(budget: Budget, key: string | undefined) {
    this.#budget = budget;
    this.#key = key;
  }

  /** That many bytes are held from now on; below 0: not any more. */
  count(bytes: number): void {
    this.held += bytes;
    this.#budget.held += bytes;
    if (this.#key === undefined) return;
    this.#client ??= this.#budget.enter(this.#key);
    this.#client.held += bytes;
    if (this.#closed) this.#leave();
  }

  /** Whether a window may be wider by so much; it has to be given back. Windows have at most half of what may be held. */
  lend(bytes: number): boolean {
    if (this.#key !== undefined) {
      this.#client ??= this.#budget.enter(this.#key);
      if ((this.held + this.#lent + bytes) * 2 > CONNECTION_BYTES) return false;
      if ((this.#client.held + this.#client.lent + bytes) * 2 > this.#budget.most) return false;
    }
    this.#addLent(bytes);
    return true;
  }

  giveBack(bytes: number): void {
    if (bytes === 0) return;
    this.#addLent(-bytes);
    if (this.#closed) this.#leave();
  }

  #addLent(bytes: number): void {
    this.#lent += bytes;
    this.#budget.lent += bytes;
    if (this.#client !== undefined) this.#client.lent += bytes;
  }

  /** Half of its share is used up: what comes is read piece by piece. */
  get tight(): boolean {
    const client = this.#client ?? this.#budget.find(this.#key);
    return client !== undefined && (client.held * 2 >= this.#budget.most || this.held * 2 >= CONNECTION_BYTES);
  }

  /** Its share is used up: nothing more is asked for. */
  get full(): boolean {
    const client = this.#client ?? this.#budget.find(this.#key);
    if (client === undefined) return false;
    return this.held + this.#lent >= CONNECTION_BYTES || client.held + client.lent >= this.#budget.most;
  }

  /** It has more than what may have been on its way when it was full: something has to end. */
  get exceeded(): boolean {
    const client = this.#client;
    if (client === undefined || this.held <= LEAST_CONNECTION_BYTES) return false;
    return this.held > CONNECTION_BYTES * EXCESS || this.#budget.exceeds(client.held);
  }

  /** The connection is gone; what is still held for it counts until it is let go. */
  close(): void {
    this.#closed = true;
    this.#leave();
  }

  #leave(): void {
    if (this.#client === undefined || this.held !== 0 || this.#lent !== 0) return;
    this.#budget.leave(this.#client);
    this.#client = undefined;
  }
}
