// Reading of Kubernetes objects of which nothing is known but that they were parsed: whatever is not there, or of another
// type, reads as absent. It never throws.

export type JsonObject = { readonly [key: string]: unknown };
export type Path = readonly (string | number)[];

export function get(value: unknown, path: Path): unknown {
  return path.reduce<unknown>((found, step) => {
    if (typeof found !== 'object' || found === null) return undefined;
    return Object.hasOwn(found, step) ? (found as Record<string | number, unknown>)[step] : undefined;
  }, value);
}

export function objectAt(value: unknown, path: Path): JsonObject {
  const found = get(value, path);
  return isObject(found) ? found : {};
}

export function listAt(value: unknown, path: Path): readonly unknown[] {
  const found = get(value, path);
  return Array.isArray(found) ? found : [];
}

/** The text at `path`, or undefined. */
export function textAt(value: unknown, path: Path): string | undefined {
  const found = get(value, path);
  return typeof found === 'string' ? found : undefined;
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date);
}

/** Absent, null, `{}` or `[]`. */
export function isEmpty(value: unknown): boolean {
  if (value === undefined || value === null) return true;
  return Array.isArray(value) ? value.length === 0 : isObject(value) && Object.keys(value).length === 0;
}

/** `Deployment/web`, with the namespace where it is named. */
export function nameOf(object: JsonObject): string {
  const name = textAt(object, ['metadata', 'name']) ?? textAt(object, ['metadata', 'generateName']) ?? '(no name)';
  const namespace = textAt(object, ['metadata', 'namespace']);
  return `${textAt(object, ['kind']) ?? 'object'}/${name}${namespace === undefined ? '' : ` in ${namespace}`}`;
}
