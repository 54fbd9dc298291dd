// The CA of the clients (--client-ca) in log and metrics: taken, refused, outside its dates.

import type { TrustObserver } from '../clients/shared.ts';
import type { Trust } from '../clients/trust.ts';
import { isExpired, isValidAt } from '../identity/dates.ts';
import type { Log } from './log.ts';
import type { Metrics } from './metrics.ts';

export function observeTrust(log: Log, metrics: Metrics, now: () => Date): TrustObserver {
  return {
    trusted(trust, name) {
      metrics.certificate_disk_differs.set({ name }, 0);
      warnOfDates(trust, name, log, now());
    },
    reloaded(trust, name) {
      metrics.certificate_reloads_total.inc({ result: 'success', reason: 'client_ca_changed' });
      const subjects = trust.certificates.map(({ subject }) => subject);
      log.info({ clientCa: name, subjects, sha256: trust.digest }, 'client CA reloaded');
      warnOfDates(trust, name, log, now());
    },
    refused(reason, message, name) {
      metrics.certificate_reloads_total.inc({ result: 'failed', reason: `client_ca_${reason}` });
      log.error({ reason, detail: message, clientCa: name }, 'client CA not reloaded; the old one stays');
    },
    frozen: (detail, clientCa) =>
      log.warn({ clientCa, reason: 'subpath_mount', detail }, 'the client CA is used, but needs attention'),
    restored: (name) => log.info({ clientCa: name }, 'the file holds again the client CA that is in force'),
    differs: (differs, name) => metrics.certificate_disk_differs.set({ name }, differs ? 1 : 0),
  };
}

function warnOfDates({ certificates, revocations }: Trust, clientCa: string, log: Log, now: Date): void {
  for (const list of revocations?.lists.filter((one) => isExpired(one, now)) ?? []) {
    const issuer = certificates.find(({ name }) => name === list.issuer)?.subject;
    const { thisUpdate, nextUpdate } = list;
    log.warn({ clientCrl: revocations?.path, issuer, thisUpdate, nextUpdate }, 'a list of --client-crl has expired');
  }
  for (const { subject, notBefore, notAfter } of certificates.filter((authority) => !isValidAt(authority, now)))
    log.warn({ clientCa, subject, notBefore, notAfter }, 'a CA of --client-ca is outside its dates');
}
