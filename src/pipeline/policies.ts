// THE ordered list of what every request passes before it is forwarded. Each line says why it stands there.

import type { Admission } from '../clients/allow.ts';
import type { Rejection } from '../errors.ts';
import type { Exchange } from '../exchange.ts';
import type { AddressList } from '../net/addresses.ts';
import type { ClientRates } from '../net/client-rates.ts';
import { type BodyLimit, bodySize } from './body-size.ts';
import { client } from './client.ts';
import { clientCertificate, clientIdentity } from './client-identity.ts';
import { forwarded } from './forwarded.ts';
import { grpc } from './grpc.ts';
import { type PlaintextMode, redirectPlaintext, refusePlaintext } from './plaintext.ts';
import { type RateLimit, rateLimit } from './rate-limit.ts';
import { requestRules } from './request-rules.ts';
import { traceContext } from './trace-context.ts';
import { webSocket } from './websocket.ts';

export interface Policy {
  readonly name: string;
  /** Edits the request, or gives the rejection that ends it. Never throws, waits or touches a socket. */
  apply(exchange: Exchange): Rejection | undefined;
}

export type PolicyOptions = {
  /** host:port of the app, for requests that name no host. */
  readonly appAuthority: string;
  readonly plaintext: PlaintextMode;
  /** TCP peers whose forwarding fields are kept. */
  readonly trusted: AddressList;
  /** Which clients are admitted. */
  readonly admission: Admission;
  /** Whether exchanges have spans. */
  readonly traced?: boolean;
  /** Read for each exchange: a reload may change them. */
  readonly limits: BodyLimit & RateLimit;
  /** Of the clients of all listeners. */
  readonly rates: ClientRates;
};

export function createPolicies(options: PolicyOptions): readonly Policy[] {
  const { appAuthority, plaintext, trusted, admission, limits, rates, traced = false } = options;
  return [
    ...(trusted.empty ? [] : [client(trusted)]), // first: rejected requests are logged with their client, too
    ...(plaintext === 'reject' ? [refusePlaintext] : []), // early: the client learns this, whatever else is wrong
    grpc, // before the request rules, which may reject: it decides how a rejection is told
    requestRules, // before anything reads a field: all that follow rely on what they settle
    ...(plaintext === 'redirect' ? [redirectPlaintext] : []), // after the request rules: host and target go into the answer
    clientIdentity(admission), // after the request rules, so that the log has host and path; before anything is changed for the app
    bodySize(limits), // after the request rules, which settle how long the body is
    rateLimit(limits, rates), // after all that reject: only what would reach the app is counted
    webSocket, // after the request rules have accepted it; from here on it is a WebSocket handshake of HTTP/1.1
    ...(traced ? [traceContext] : []), // before our fields are set, as it takes some of the client's out
    forwarded(appAuthority, trusted), // nothing may edit the list after our fields are set
    clientCertificate, // last: what any policy let pass under this name is taken out here
  ];
}
