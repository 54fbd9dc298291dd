// THE ordered list of what every request passes before it is forwarded. Each line says why it stands there.

import type { Admission } from '../clients/allow.ts';
import type { Rejection } from '../errors.ts';
import type { Exchange } from '../exchange.ts';
import type { AddressList } from '../net/addresses.ts';
import { client } from './client.ts';
import { clientCertificate, clientIdentity } from './client-identity.ts';
import { forwarded } from './forwarded.ts';
import { grpc } from './grpc.ts';
import { type PlaintextMode, redirectPlaintext, refusePlaintext } from './plaintext.ts';
import { requestRules } from './request-rules.ts';
import { webSocket } from './websocket.ts';

export interface Policy {
  readonly name: string;
  /** Edits the request, or says why it is refused. Never throws, waits or touches a socket. */
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
};

export function createPolicies({ appAuthority, plaintext, trusted, admission }: PolicyOptions): readonly Policy[] {
  return [
    ...(trusted.empty ? [] : [client(trusted)]), // first: what is refused is logged with its client, too
    ...(plaintext === 'reject' ? [refusePlaintext] : []), // then: told so, whatever else is wrong
    grpc, // before the request rules, which may refuse: it says how a refusal is told
    requestRules, // before anything reads a field: all that follow rely on what it settled
    ...(plaintext === 'redirect' ? [redirectPlaintext] : []), // after the request rules: host and target go into the answer
    clientIdentity(admission), // after the request rules, so that the log says whom and what it wanted; before all else
    webSocket, // after the request rules have found it acceptable; from here on it is like one of HTTP/1.1
    forwarded(appAuthority, trusted), // nothing may edit the list after our fields are set
    clientCertificate, // last: what any policy let pass under this name is taken out here
  ];
}
