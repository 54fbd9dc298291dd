// The engine on one parsed object, as an admission request brings it: the same plan as for a file, as a JSON Patch. It is pure;
// the object stays as it is.

import { type Operation, toJsonPatch } from './edits/json-patch.ts';
import type { JsonObject } from './edits/objects.ts';
import { jsonOf } from './edits/original.ts';
import { type Plan, planInjection } from './pod/plan.ts';
import { workloadOf } from './pod/workload.ts';
import type { InjectSettings } from './settings.ts';

export type ObjectInjection = {
  readonly plan: Plan;
  /** Empty where nothing is to be done. */
  readonly patch: readonly Operation[];
};

export function injectObject(object: JsonObject, settings: InjectSettings): ObjectInjection {
  const workload = workloadOf(object);
  if (workload === undefined) return { plan: { kind: 'skip', reason: 'the kind is not supported' }, patch: [] };
  const plan = planInjection(workload, settings, jsonOf(object));
  return { plan, patch: plan.kind === 'injection' ? toJsonPatch(plan.edits) : [] };
}
