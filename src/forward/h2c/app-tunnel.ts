// The app's side of a WebSocket over HTTP/2. A reset or a lost session is a cut, never an end; a client that has left takes
// the stream along, after what it sent.

import type { Exchange } from '../../exchange.ts';
import type { H2Stream } from '../../http/h2/stream.ts';
import { Tunnel } from '../../http/h2/tunnel.ts';
import { type Guarded, guarded } from '../../net/guard.ts';
import type { TunnelEnd } from '../tunnel.ts';

export class AppTunnel implements TunnelEnd {
  readonly stream: Tunnel;
  readonly #under: H2Stream;
  readonly #exchange: Exchange;
  #left = false;

  /** `closed` is called once, when nothing of it is left; `owner` is told of what throws. */
  constructor(under: H2Stream, exchange: Exchange, owner: Guarded, closed: () => void) {
    this.#under = under;
    this.#exchange = exchange;
    // What has come is held until it is read.
    under.pause();
    this.stream = new Tunnel(under, owner);
    const onClose = guarded(owner, closed);
    this.stream.on('close', onClose);
  }

  readonly leave = (): void => {
    this.#left = true;
    if (this.#under.localEnded) this.stream.destroy();
    else this.stream.end();
  };

  /** All that was written has been sent, and its end. */
  sent(): void {
    if (this.#left) this.stream.destroy();
  }

  lost(): void {
    // Before the tunnel hears of an end.
    this.#exchange.cut();
    this.stream.destroy();
  }
}
