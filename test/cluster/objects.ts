// What the status of an object says.

import { get, type JsonObject, listAt } from '../../src/inject/edits/objects.ts';

export function hasCondition(object: JsonObject, type: string): boolean {
  const condition = listAt(object, ['status', 'conditions']).find((one) => get(one, ['type']) === type);
  return get(condition, ['status']) === 'True';
}
