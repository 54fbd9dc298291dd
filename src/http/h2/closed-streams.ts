// How the last streams of a connection ended. What may still come for one that is closed depends on that (RFC 9113 section
// 5.1): frames that crossed our reset are nobody's fault, others are.

/** `unknown`: never begun, or too long ago. */
export const Ending = { unknown: 0, ended: 1, resetByPeer: 2, resetByUs: 3 } as const;
export type Ending = (typeof Ending)[keyof typeof Ending];

/** More than run side by side. */
const REMEMBERED = 256;

export class ClosedStreams {
  readonly #forgotten: Ending;
  #closed: Uint32Array | undefined = undefined;

  /** `forgotten`: what is said of streams that are not remembered. What comes for one of our own is as little a fault as right after its end. */
  constructor(forgotten: Ending) {
    this.#forgotten = forgotten;
  }

  add(id: number, ending: Ending): void {
    this.#closed ??= new Uint32Array(REMEMBERED);
    this.#closed[place(id)] = entry(id, ending);
  }

  endingOf(id: number): Ending {
    const found = this.#closed?.[place(id)] ?? 0;
    return found >>> 2 === id >>> 1 ? ((found & 3) as Ending) : this.#forgotten;
  }
}

function place(id: number): number {
  return (id >>> 1) & (REMEMBERED - 1);
}

/** All streams of a connection are the client's, and odd. */
function entry(id: number, ending: Ending): number {
  return ((id >>> 1) << 2) | ending;
}
