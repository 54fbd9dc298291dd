// Who waits for something that is lent, and whose turn it is: round robin by client, among the connections of one client
// round robin by connection, and on one connection first come, first served. So no client waits for another one's crowd,
// and behind a gateway, where all have one address, no connection for another one's. Every step costs the same, however
// many wait.

import { Queue, type Queued } from '../net/queue.ts';

export interface Waiter {
  /** Whom it is counted to. */
  readonly client: string;
  /** The client's connection that it came on. */
  readonly clientConnection: object;
}

class Place<W> implements Queued<Place<W>> {
  before: Place<W> | undefined = undefined;
  after: Place<W> | undefined = undefined;
  readonly waiter: W;
  readonly deadlineMs: number;
  readonly turn: ConnectionTurn<W>;

  constructor(waiter: W, deadlineMs: number, turn: ConnectionTurn<W>) {
    this.waiter = waiter;
    this.deadlineMs = deadlineMs;
    this.turn = turn;
  }
}

class ConnectionTurn<W> implements Queued<ConnectionTurn<W>> {
  before: ConnectionTurn<W> | undefined = undefined;
  after: ConnectionTurn<W> | undefined = undefined;
  readonly connection: object;
  readonly turn: ClientTurn<W>;
  readonly places = new Queue<Place<W>>();

  constructor(connection: object, turn: ClientTurn<W>) {
    this.connection = connection;
    this.turn = turn;
  }
}

class ClientTurn<W> implements Queued<ClientTurn<W>> {
  before: ClientTurn<W> | undefined = undefined;
  after: ClientTurn<W> | undefined = undefined;
  readonly client: string;
  readonly queue = new Queue<ConnectionTurn<W>>();
  readonly byConnection = new Map<object, ConnectionTurn<W>>();

  constructor(client: string) {
    this.client = client;
  }
}

export class Line<W extends Waiter> {
  readonly #clients = new Queue<ClientTurn<W>>();
  readonly #byClient = new Map<string, ClientTurn<W>>();
  /** In the order of their arrival, which is that of their deadlines. */
  readonly #places = new Map<W, Place<W>>();

  get length(): number {
    return this.#places.size;
  }

  /** Deadlines never decrease from one call to the next. `first`: before all others. */
  add(waiter: W, deadlineMs: number, first: boolean): void {
    const client = this.#clientTurn(waiter.client, first);
    const connection = connectionTurn(client, waiter.clientConnection, first);
    const place = new Place(waiter, deadlineMs, connection);
    if (first) connection.places.unshift(place);
    else connection.places.push(place);
    this.#places.set(waiter, place);
  }

  /** Whose turn it is; one of a client that is `full` only where no other client waits, and nobody who is `barred`. */
  next(full: (client: string) => boolean, barred: (waiter: W) => boolean = () => false): W | undefined {
    let second: W | undefined;
    for (let turn = this.#clients.first; turn !== undefined; turn = turn.after) {
      const waiter = turn.queue.first?.places.first?.waiter;
      if (waiter === undefined || barred(waiter)) continue;
      if (!full(turn.client)) return waiter;
      second ??= waiter;
    }
    return second;
  }

  /** It was its turn: what else waits of its connection, and of its client, waits behind the others. */
  served(waiter: W): void {
    const place = this.#places.get(waiter);
    if (place === undefined) return;
    const connection = place.turn;
    const client = connection.turn;
    this.forget(waiter);
    if (client.queue.first === undefined) return;
    this.#clients.delete(client);
    this.#clients.push(client);
    if (connection.places.first === undefined) return;
    client.queue.delete(connection);
    client.queue.push(connection);
  }

  /** It does not wait any more. */
  forget(waiter: W): void {
    const place = this.#places.get(waiter);
    if (place === undefined) return;
    this.#places.delete(waiter);
    const connection = place.turn;
    const client = connection.turn;
    connection.places.delete(place);
    if (connection.places.first !== undefined) return;
    client.queue.delete(connection);
    client.byConnection.delete(connection.connection);
    if (client.queue.first !== undefined) return;
    this.#clients.delete(client);
    this.#byClient.delete(client.client);
  }

  /** Takes out those whose time is over. */
  late(nowMs: number): W[] {
    const late: W[] = [];
    for (const { waiter, deadlineMs } of this.#places.values()) {
      if (deadlineMs > nowMs) break;
      late.push(waiter);
    }
    for (const waiter of late) this.forget(waiter);
    return late;
  }

  #clientTurn(client: string, first: boolean): ClientTurn<W> {
    let turn = this.#byClient.get(client);
    if (turn === undefined) {
      turn = new ClientTurn(client);
      this.#byClient.set(client, turn);
    } else if (first) this.#clients.delete(turn);
    else return turn;
    if (first) this.#clients.unshift(turn);
    else this.#clients.push(turn);
    return turn;
  }
}

function connectionTurn<W>(client: ClientTurn<W>, connection: object, first: boolean): ConnectionTurn<W> {
  let turn = client.byConnection.get(connection);
  if (turn === undefined) {
    turn = new ConnectionTurn(connection, client);
    client.byConnection.set(connection, turn);
  } else if (first) client.queue.delete(turn);
  else return turn;
  if (first) client.queue.unshift(turn);
  else client.queue.push(turn);
  return turn;
}
