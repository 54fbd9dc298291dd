// Joins what decides about clients: the CA and ticket keys that all TLS contexts share, the allow rules, the reader of
// certificates. It decides nothing itself.

import { type Admission, createAdmission } from '../clients/allow.ts';
import { identify, subjectOf } from '../clients/certificate.ts';
import { openShared, type Shared, type TrustObserver } from '../clients/shared.ts';
import { TICKET_KEYS_MS } from '../clients/tickets.ts';
import { allowRulesOf, clientAuthOf } from '../config/client-rules.ts';
import type { Config } from '../config/config.ts';
import type { ClientCertificates } from '../listener/accept/client-certificates.ts';
import type { Log } from '../observe/log.ts';

export interface Clients {
  readonly shared: Shared;
  readonly admission: Admission;
  /** For the listener; undefined if clients are not asked for a certificate. */
  readonly certificates: ClientCertificates | undefined;
  /** Takes the allow rules of another configuration. */
  setRules(config: Config): void;
  close(): void;
}

export type ClientsOptions = { readonly log: Log; readonly now: () => Date; readonly observer: TrustObserver };

/** Throws a ConfigError when the CA file cannot be used. */
export function openClients(config: Config, { log, now, observer }: ClientsOptions): Clients {
  const auth = clientAuthOf(config);
  const rules = allowRulesOf(config);
  const { tlsMinVersion: minVersion, clientCa, clientCrl } = config;
  const settings = { minVersion, clientCa, clientCrl, clientAuth: auth, rules: JSON.stringify(rules) };
  const shared = openShared(settings, now, observer);
  const admission = createAdmission(rules);
  if (auth !== 'off' && !admission.restricted)
    log.warn({ clientCa, clientAuth: auth }, 'no allow rule: every certificate of the client CA is admitted');
  const rotation = setInterval(() => shared.rotateTicketKeys(), TICKET_KEYS_MS);
  rotation.unref();
  const required = auth === 'require';
  return {
    shared,
    admission,
    certificates:
      auth === 'off'
        ? undefined
        : { required, subjectOf, identify: (presented) => identify(presented, now(), (one) => shared.revoked(one)) },
    setRules(next) {
      const allowed = allowRulesOf(next);
      if (admission.replace(allowed)) shared.setRules(JSON.stringify(allowed));
    },
    close: () => clearInterval(rotation),
  };
}
