// Who carries an exchange: one transport speaks HTTP/1.1 to the app, one HTTP/2 in clear text, one is the http-proxy package,
// which is loaded only when it is chosen. What they have in common is the carriage.

import type { Exchange, Failures } from '../exchange.ts';
import { Carriage, type CarriageOptions } from './carriage.ts';
import { createH2c } from './h2c/h2c.ts';
import type { Lender } from './transport.ts';
import type { ForwarderOptions } from './upstream.ts';
import { createWire } from './wire/wire.ts';

export interface Forwarder {
  forward(exchange: Exchange, failures: Failures): void;
  /** Closes what is idle; connections that carry an exchange close after it. */
  close(): void;
}

export type ForwardOptions = ForwarderOptions & {
  /** auto: HTTP/1.1, and HTTP/2 for gRPC. An `h2c://` upstream is HTTP/2 for all. */
  readonly upstreamProtocol: 'auto' | 'http1' | 'h2c';
  /** What carries the plain requests of HTTP/1.1 clients in HTTP/1.1. */
  readonly forwarder: 'wire' | 'http-proxy';
};

export async function createForwarder(options: ForwardOptions): Promise<Forwarder> {
  const { upstream, upstreamProtocol } = options;
  const h2c = createH2c(options);
  if (upstreamProtocol === 'h2c' || (upstream.kind === 'tcp' && upstream.h2c)) return forwarderOf(h2c, options);
  const wire = createWire(options);
  const plain = options.forwarder === 'wire' ? wire : await loadHttpProxy(options);
  const choose = (exchange: Exchange): Lender => {
    if (exchange.grpc && upstreamProtocol === 'auto') return h2c;
    // Upgrades and HTTP/2 clients are carried by our own, whichever was chosen for the rest.
    return exchange.upgrade === undefined && exchange.protocol !== 'h2' ? plain : wire;
  };
  const routes = new Map([h2c, wire, plain].map((lender) => [lender, { ...options, lender }]));
  return {
    forward: (exchange, failures) => carry(exchange, failures, routes.get(choose(exchange)) as CarriageOptions),
    close() {
      for (const lender of routes.keys()) lender.close();
    },
  };
}

/** Everything by one of them. */
export function forwarderOf(lender: Lender, options: ForwarderOptions): Forwarder {
  const route = { ...options, lender };
  return {
    forward: (exchange, failures) => carry(exchange, failures, route),
    close: () => lender.close(),
  };
}

function carry(exchange: Exchange, failures: Failures, route: CarriageOptions): void {
  const carriage = new Carriage(exchange, failures, route);
  exchange.waiter = carriage;
  route.lender.borrow(carriage);
}

async function loadHttpProxy(options: ForwardOptions): Promise<Lender> {
  const { createHttpProxy } = await import('./http-proxy/http-proxy.ts');
  return createHttpProxy(options);
}
