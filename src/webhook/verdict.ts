// What becomes of the object of a review: it gets the sidecar, it stays as it is and its user is told why, or it is not let
// in. The engine is that of `inject`, so that a Pod becomes what the command would make of it. Pure.

import type { Operation } from '../inject/edits/json-patch.ts';
import { injectObject } from '../inject/object.ts';
import { injectService, staysMoved } from '../inject/service-object.ts';
import type { InjectSettings } from '../inject/settings.ts';
import { excessOf } from './extent.ts';
import type { Review } from './review.ts';

/** In the log and as the label of the metric. */
export const RESULTS = ['injected', 'skipped', 'refused'] as const;
export type Result = (typeof RESULTS)[number];

export type Verdict = {
  readonly result: Result;
  readonly patch: readonly Operation[];
  /** Why nothing was done, or what stands in the way; of an injection what its user may want to know. */
  readonly details: readonly string[];
};

export function judge(review: Review, settings: InjectSettings): Verdict {
  const { kind, subResource } = review;
  if (kind === 'v1/Pod' && subResource === '') return judgePod(review, settings);
  if (kind === 'v1/Service' && subResource === '') return judgeService(review, settings);
  return skipped(`only new Pods get a sidecar, not ${nameOf(review)}`);
}

function judgePod({ operation, object }: Review, settings: InjectSettings): Verdict {
  if (operation !== 'CREATE') return skipped(`a Pod gets a sidecar when it is created, not on ${operation}`);
  const excess = excessOf(object);
  if (excess !== undefined) return refused(excess);
  const { plan, patch } = injectObject(object, settings);
  if (plan.kind === 'skip') return skipped(plan.reason);
  if (plan.kind === 'refusal') return refused(...plan.problems);
  return { result: 'injected', patch, details: plan.notes };
}

/**
 * In target-port mode a new Service leads to the sidecar. One that was there before is left alone, because the Pods behind it
 * may be older than the webhook; and a change of any is nothing to warn of.
 */
function judgeService({ operation, object, oldObject }: Review, settings: InjectSettings): Verdict {
  if (operation !== 'CREATE' && !(operation === 'UPDATE' && staysMoved(oldObject, object))) return skipped();
  const excess = excessOf(object);
  if (excess !== undefined) return refused(excess);
  const plan = injectService(object, settings);
  if (plan.kind === 'skip') return operation === 'CREATE' ? skipped(plan.reason) : skipped();
  if (plan.kind === 'refusal') return refused(...plan.problems);
  return { result: 'injected', patch: plan.patch, details: plan.notes };
}

function skipped(...details: string[]): Verdict {
  return { result: 'skipped', patch: [], details };
}

function refused(...details: string[]): Verdict {
  return { result: 'refused', patch: [], details };
}

function nameOf({ kind, subResource }: Review): string {
  return subResource === '' ? `"${kind}"` : `"${kind}" ${subResource}`;
}
