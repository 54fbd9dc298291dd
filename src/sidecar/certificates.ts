// Joins our own certificates and the CA of the clients, which share every TLS context and one watch of their files. It
// decides nothing itself, but one order: a new CA is in force before those who were verified by the old one are told to go.

import type { Config } from '../config/config.ts';
import { pairPaths } from '../identity/files.ts';
import { type Identity, openIdentity } from '../identity/identity.ts';
import { watchFiles } from '../identity/watch.ts';
import { observeIdentity, observeWatch } from '../observe/certificates.ts';
import { observeTrust } from '../observe/client-ca.ts';
import type { Log } from '../observe/log.ts';
import type { Metrics } from '../observe/metrics.ts';
import { type Clients, openClients } from './clients.ts';

export interface Certificates {
  readonly identity: Identity;
  readonly clients: Clients;
  /** Looks at all files now. False: they hold what is in force. */
  reload(): boolean;
  /** Called whenever clients are verified by another CA from now on. */
  onClientCaChanged(listener: () => void): void;
  close(): Promise<void>;
}

export type CertificatesOptions = { readonly log: Log; readonly metrics: Metrics; readonly now: () => Date };

/** Throws a ConfigError when a file cannot be used, unless a certificate is waited for. */
export function openCertificates(config: Config, { log, metrics, now }: CertificatesOptions): Certificates {
  const clients = openClients(config, { log, now, observer: observeTrust(log, metrics, now) });
  const { shared } = clients;
  const identity = openIdentity({
    pairs: pairPaths(config),
    wait: config.waitForCert,
    shared: shared.current,
    now,
    observer: observeIdentity(log, metrics, now),
  });
  shared.publishTo(identity.rebuild);
  let clientCaChanged = (): void => {};
  const reloadTrust = (): boolean => {
    const taken = shared.reload();
    if (taken && shared.stricter) clientCaChanged();
    return taken;
  };
  const watch = watchFiles({
    paths: [config.cert, config.key, config.clientCa ?? [], config.clientCrl ?? []].flat(),
    onHint() {
      reloadTrust();
      return identity.catchUp();
    },
    observer: observeWatch(log, metrics),
  });
  return {
    identity,
    clients,
    reload() {
      const taken = [identity.reload(), reloadTrust()].includes(true);
      return taken || identity.pairs.some(({ differs }) => differs) || shared.clientCa?.differs === true;
    },
    onClientCaChanged(listener) {
      clientCaChanged = listener;
    },
    async close() {
      clients.close();
      await watch.close();
    },
  };
}
