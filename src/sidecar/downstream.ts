// The listener and its limits, made from the configuration. It decides nothing itself.

import type { Config } from '../config/config.ts';
import type { Clock, Handler } from '../exchange.ts';
import type { TlsChoice } from '../identity/sni/choice.ts';
import type { ClientCertificates } from '../listener/accept/client-certificates.ts';
import { LINGER_MS, type Limits, MAX_FIELDS } from '../listener/limits.ts';
import { createListener, type Listener, type ListenerObserver } from '../listener/listener.ts';
import { AddressList } from '../net/addresses.ts';
import type { Budget } from '../net/budget.ts';
import type { Deadlines } from '../net/deadlines.ts';

export type Downstream = {
  readonly tls: TlsChoice;
  /** In the order of --listen. */
  readonly handlers: readonly Handler[];
  readonly clientCertificates: ClientCertificates | undefined;
  readonly clock: Clock;
  readonly deadlines: Deadlines;
  readonly maxConnections: number;
  readonly budget: Budget;
  readonly observer: ListenerObserver;
};

/** It does not listen yet. */
export function makeListener(config: Config, given: Downstream): Listener {
  const limits: Limits = {
    handshakeTimeoutMs: config.handshakeTimeout,
    headerTimeoutMs: config.headerTimeout,
    clientTimeoutMs: config.clientTimeout,
    minBodyRate: config.minBodyRate,
    idleTimeoutMs: config.idleTimeout,
    maxConnectionAgeMs: config.maxConnectionAge,
    maxHeaderBytes: config.maxHeaderSize,
    maxFields: MAX_FIELDS,
    lingerMs: LINGER_MS,
  };
  const balancers = new AddressList(config.proxyProtocol);
  return createListener({ ...given, limits, http2: config.http2, balancers });
}
