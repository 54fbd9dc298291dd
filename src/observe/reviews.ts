// Admission reviews in log and metrics, one line each. Names are a user's own; nothing else of an object is logged.

import { RESULTS } from '../webhook/verdict.ts';
import type { ReviewObserver } from '../webhook/webhook.ts';
import { bounded, MAX_HOST, MAX_TEXT } from './bounded.ts';
import type { Log } from './log.ts';
import type { Metrics } from './metrics.ts';

export function observeReviews(log: Log, metrics: Metrics): ReviewObserver {
  for (const result of RESULTS) metrics.reviews_total.inc({ result }, 0);
  return {
    reviewed({ uid, kind, namespace, name, dryRun }, { result, details }) {
      metrics.reviews_total.inc({ result });
      const facts = {
        result,
        kind: bounded(kind, MAX_HOST),
        namespace: bounded(namespace, MAX_HOST),
        name: bounded(name, MAX_HOST),
        detail: details.length === 0 ? undefined : bounded(details.join('; '), MAX_TEXT),
        dryRun: dryRun || undefined,
        uid,
      };
      log[result === 'refused' ? 'warn' : 'info'](facts, 'admission review');
    },
  };
}
