// RFC 6902 as strictly as it is written, for what the API server would make of a patch: a path that is not there is an error.
// It shares nothing with the program's own.

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
type Step = { readonly op: string; readonly path: string; readonly from?: string; readonly value?: unknown };

/** A new document; throws for an operation that cannot be done. */
export function applyStrictly(document: unknown, patch: unknown): unknown {
  if (!Array.isArray(patch)) throw new Error('a patch is a list of operations');
  return (patch as Step[]).reduce<Json>((result, step) => operate(result, step), structuredClone(document) as Json);
}

function operate(document: Json, step: Step): Json {
  const { op, path, from, value } = step;
  switch (op) {
    case 'add':
      return add(document, path, givenBy(step));
    case 'remove':
      return remove(document, path).document;
    case 'replace':
      remove(document, path);
      return add(document, path, givenBy(step));
    case 'move': {
      if (from === undefined || `${path}/`.startsWith(`${from}/`)) throw new Error(`move from ${from} to ${path}`);
      const taken = remove(document, from);
      return add(taken.document, path, taken.value);
    }
    default:
      throw new Error(`operation ${op} with ${JSON.stringify(value)} is not expected here`);
  }
}

function givenBy(step: Step): Json {
  if (!Object.hasOwn(step, 'value')) throw new Error(`${step.op} ${step.path} has no value`);
  return structuredClone(step.value) as Json;
}

function add(document: Json, path: string, value: Json): Json {
  const { parent, key } = locate(document, path);
  if (Array.isArray(parent)) parent.splice(key === '-' ? parent.length : indexIn(parent.length, key, path), 0, value);
  else parent[key] = value;
  return document;
}

function remove(document: Json, path: string): { document: Json; value: Json } {
  const { parent, key } = locate(document, path);
  if (Array.isArray(parent)) {
    const [value] = parent.splice(indexIn(parent.length - 1, key, path), 1);
    return { document, value: value ?? null };
  }
  const value = parent[key];
  if (value === undefined) throw new Error(`${path} is not there`);
  delete parent[key];
  return { document, value };
}

function locate(document: Json, path: string): { parent: Json[] | { [key: string]: Json }; key: string } {
  if (!path.startsWith('/')) throw new Error(`"${path}" is no pointer to a member`);
  const steps = path
    .slice(1)
    .split('/')
    .map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'));
  const key = steps.pop() ?? '';
  let parent = document;
  for (const step of steps) {
    const next = Array.isArray(parent) ? parent[indexIn(parent.length - 1, step, path)] : memberOf(parent, step);
    if (next === undefined) throw new Error(`${path}: there is no ${step}`);
    parent = next;
  }
  if (typeof parent !== 'object' || parent === null) throw new Error(`${path}: its parent holds nothing`);
  return { parent, key };
}

function memberOf(value: Json, key: string): Json | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  return Object.hasOwn(value, key) ? value[key] : undefined;
}

/** RFC 6901 section 4: no sign, no leading zero. */
function indexIn(most: number, step: string, path: string): number {
  if (!/^(0|[1-9][0-9]*)$/.test(step) || Number(step) > most) throw new Error(`${path}: ${step} is no index of it`);
  return Number(step);
}
