// Which forwarder carries an exchange: one speaks HTTP/1.1 to the app, one HTTP/2 in clear text. http-proxy is loaded only
// when it is chosen.

import type { Clock, Exchange } from '../exchange.ts';
import type { Forwarder, ForwardLimits, Upstream } from './forward.ts';
import { createH2cForwarder } from './h2c/h2c.ts';
import { createWireForwarder } from './wire/wire.ts';

export type ForwardOptions = {
  readonly upstream: Upstream;
  /** auto: HTTP/1.1, and HTTP/2 for gRPC. An `h2c://` upstream is HTTP/2 for all. */
  readonly upstreamProtocol: 'auto' | 'http1' | 'h2c';
  /** What carries the plain requests of HTTP/1.1 clients in HTTP/1.1. */
  readonly forwarder: 'wire' | 'http-proxy';
  readonly limits: ForwardLimits;
  readonly clock: Clock;
};

export async function createForwarder(options: ForwardOptions): Promise<Forwarder> {
  const { upstream, upstreamProtocol } = options;
  const h2c = createH2cForwarder(options);
  if (upstreamProtocol === 'h2c' || (upstream.kind === 'tcp' && upstream.h2c)) return h2c;
  const wire = createWireForwarder(options);
  const plain = options.forwarder === 'wire' ? wire : await loadHttpProxy(options);
  const choose = (exchange: Exchange): Forwarder => {
    if (exchange.grpc && upstreamProtocol === 'auto') return h2c;
    // Upgrades and HTTP/2 clients are carried by our own, whichever was chosen for the rest.
    return exchange.upgrade === undefined && exchange.protocol !== 'h2' ? plain : wire;
  };
  return {
    forward: (exchange, failures) => choose(exchange).forward(exchange, failures),
    close() {
      for (const forwarder of new Set([h2c, wire, plain])) forwarder.close();
    },
  };
}

async function loadHttpProxy(options: ForwardOptions): Promise<Forwarder> {
  const { createHttpProxyForwarder } = await import('./http-proxy/http-proxy.ts');
  return createHttpProxyForwarder(options);
}
