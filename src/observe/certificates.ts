// Our own certificates in log and metrics: taken, refused, outside their dates, watched. `name`, the label
// of their metrics, is the --cert path.

import { isValidAt } from '../identity/dates.ts';
import type { IdentityObserver } from '../identity/identity.ts';
import type { PairState, Served } from '../identity/pair.ts';
import type { WatchObserver } from '../identity/watch.ts';
import type { Log } from './log.ts';
import type { Metrics } from './metrics.ts';

const HOUR_MS = 3_600_000;

export function observeIdentity(log: Log, metrics: Metrics, now: () => Date): IdentityObserver {
  const tell = (served: Served): void => tellOfServed(served, log, metrics, now());
  return {
    waiting: (name, reason, detail) => log.warn({ name, reason, detail }, 'waiting for a certificate'),
    opened(served) {
      metrics.certificate_last_reload_success_timestamp_seconds.set(now().getTime() / 1000);
      tell(served);
    },
    reloaded(served, previous) {
      metrics.certificate_reloads_total.inc({ result: 'success', reason: 'changed' });
      metrics.certificate_last_reload_success_timestamp_seconds.set(now().getTime() / 1000);
      const { subject, names, serial, sha256, notAfter } = served.bundle;
      const { name, source } = served;
      const previousSerial = previous.bundle.serial;
      log.info({ name, subject, names, serial, sha256, notAfter, previousSerial, source }, 'certificate reloaded');
      tell(served);
    },
    refused(name, reason, message) {
      metrics.certificate_reloads_total.inc({ result: 'failed', reason });
      log.error({ name, reason, detail: message }, 'certificate not reloaded; the old one is still served');
    },
    restored: (name) => log.info({ name }, 'the files hold again the certificate that is served'),
    aged(served) {
      if (isValidAt(served.bundle, now())) log.info({ name: served.name }, 'the certificate is within its dates now');
      warnOfDates(served, log, now());
    },
    nearsEnd({ name, bundle }, leftMs) {
      const { subject, notBefore, notAfter } = bundle;
      const facts = { name, subject, notAfter, hoursLeft: Math.round(leftMs / HOUR_MS) };
      // At a third most are renewed: later than that, one was not.
      const late = leftMs * 10 <= notAfter.getTime() - notBefore.getTime();
      log[late ? 'warn' : 'info'](facts, 'the certificate nears its end');
    },
    differs: (name, differs) => metrics.certificate_disk_differs.set({ name }, differs ? 1 : 0),
  };
}

/** What the line `serving` says of a pair. */
export function certificateFacts({ name, served }: PairState) {
  const { subject, names, notAfter } = served?.bundle ?? {};
  return { name, subject, names, notAfter };
}

export function observeWatch(log: Log, metrics: Metrics): WatchObserver {
  return {
    failed: (error) => log.warn({ err: error }, 'watching the certificate failed; polling goes on'),
    rearmed: (reason) => metrics.certificate_watch_rearmed_total.inc({ reason }),
  };
}

function tellOfServed(served: Served, log: Log, metrics: Metrics, now: Date): void {
  const { name, bundle, warnings } = served;
  metrics.certificate_not_before_timestamp_seconds.set({ name }, bundle.notBefore.getTime() / 1000);
  metrics.certificate_not_after_timestamp_seconds.set({ name }, bundle.notAfter.getTime() / 1000);
  for (const { reason, text } of warnings)
    log.warn({ name, reason, detail: text }, 'the certificate is served, but needs attention');
  warnOfDates(served, log, now);
}

function warnOfDates({ name, bundle }: Served, log: Log, now: Date): void {
  if (isValidAt(bundle, now)) return;
  const { notBefore, notAfter } = bundle;
  log.error({ name, notBefore, notAfter }, 'the certificate that is served is outside its dates');
}
