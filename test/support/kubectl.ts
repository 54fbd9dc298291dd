// What kubectl reads, without a server: a file as it stands, and an object as the release's own types hold it.
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

type Leaves = Map<string, unknown>;
export type KubernetesObject = {
  kind: string;
  apiVersion: string;
  metadata?: { name?: string };
  items?: KubernetesObject[];
};

/** The objects in a file or a folder, without any knowledge of their types. */
export function readUntyped(kubectl: string, file: URL): KubernetesObject[] {
  const args = ['annotate', '--local', '--overwrite', '-f', fileURLToPath(file), 'read=yes', '-o', 'json'];
  return concatenated(execFileSync(kubectl, args, { encoding: 'utf8', maxBuffer: 1e9 }));
}

/** The object as the release's own types hold it. */
export function readTyped(kubectl: string, object: KubernetesObject): unknown {
  return readAllTyped(kubectl, [object])[0];
}

/** The same of many, in their order, in two runs of kubectl. */
export function readAllTyped(kubectl: string, objects: readonly KubernetesObject[]): unknown[] {
  const read = (chosen: readonly KubernetesObject[], command: string[]): KubernetesObject[] => {
    if (chosen.length === 0) return [];
    const input = chosen.map((object) => JSON.stringify(object)).join('\n');
    const args = ['set', ...command, '-o', 'json'];
    const found = concatenated(execFileSync(kubectl, args, { encoding: 'utf8', input, maxBuffer: 1e9 }));
    if (found.length !== chosen.length) throw new Error(`${kubectl} read ${found.length} of ${chosen.length} objects`);
    return found;
  };
  const isService = ({ kind }: KubernetesObject): boolean => kind === 'Service';
  const services = read(objects.filter(isService), ['selector', '--local', '-f', '-', 'read=yes']);
  const workloads = read(
    objects.filter((object) => !isService(object)),
    ['image', '--local', '-f', '-', '*=read:1'],
  );
  return objects.map((object) => (isService(object) ? services : workloads).shift());
}

/** kubectl prints one JSON text after the other. */
export function concatenated(text: string): KubernetesObject[] {
  const objects = JSON.parse(`[${text.replaceAll(/^}\n\{/gm, '},\n{')}]`) as KubernetesObject[];
  return objects.flatMap((object) => (object.kind === 'List' ? (object.items ?? []) : [object]));
}

/** By path; items with a name are found by it. Empty values are left out, as Kubernetes leaves them out. */
export function leavesOf(value: unknown, path = '', leaves: Leaves = new Map()): Leaves {
  if (Array.isArray(value)) {
    const named = new Set(value.map((item) => (item as { name?: unknown } | null)?.name)).size === value.length;
    for (const [at, item] of value.entries()) {
      const step = named ? ((item as { name?: unknown } | null)?.name ?? at) : at;
      leavesOf(item, `${path}/${step}`, leaves);
    }
  } else if (typeof value === 'object' && value !== null) {
    for (const [key, item] of Object.entries(value)) leavesOf(item, `${path}/${key}`, leaves);
  } else if (value !== null && value !== undefined && value !== '') {
    leaves.set(path, value);
  }
  return leaves;
}

/** Images and the selector were set by the reading itself; a 0 may be left out. */
export function missing(wanted: Leaves, found: Leaves): string[] {
  const own = /\/image$|\/spec\/selector\/|\/metadata\/annotations\/read$/;
  return [...wanted]
    .filter(([path, value]) => !own.test(path) && (found.get(path) ?? 0) !== value)
    .map(([path]) => path);
}

/** What the release does not know, or reads otherwise, by path. */
export function unknownTo(kubectl: string, object: KubernetesObject): string[] {
  return missing(leavesOf(object), leavesOf(readTyped(kubectl, object)));
}
