// Which objects make Pods, and where in them the Pod is described.

import { get, isObject, type JsonObject, objectAt, type Path, textAt } from '../edits/objects.ts';

/** Where the Pod's metadata and spec stand in an object of each kind that is supported. */
const TEMPLATES: Readonly<Record<string, Path>> = {
  Pod: [],
  Deployment: ['spec', 'template'],
  DaemonSet: ['spec', 'template'],
  StatefulSet: ['spec', 'template'],
  ReplicaSet: ['spec', 'template'],
  ReplicationController: ['spec', 'template'],
  Job: ['spec', 'template'],
  CronJob: ['spec', 'jobTemplate', 'spec', 'template'],
};

const API_GROUPS: readonly string[] = ['v1', 'apps', 'batch', 'extensions'];

export const KINDS = Object.keys(TEMPLATES);

export type Workload = {
  readonly object: JsonObject;
  /** Where the Pod's metadata and spec stand in `object`. */
  readonly template: Path;
};

/** Undefined for what makes no Pods, or is of a kind that is not supported. */
export function workloadOf(object: JsonObject): Workload | undefined {
  const kind = textAt(object, ['kind']) ?? '';
  const group = textAt(object, ['apiVersion'])?.split('/')[0] ?? '';
  const template = Object.hasOwn(TEMPLATES, kind) && API_GROUPS.includes(group) ? TEMPLATES[kind] : undefined;
  return template === undefined ? undefined : { object, template };
}

/** Whether an object of a kind that is not supported seems to make Pods. */
export function looksLikeWorkload(object: JsonObject): boolean {
  return Array.isArray(get(object, ['spec', 'template', 'spec', 'containers']));
}

/** Those of the workload, over which those of its Pods win. */
export function annotationsOf({ object, template }: Workload): JsonObject {
  const own = objectAt(object, ['metadata', 'annotations']);
  return { ...own, ...podAnnotationsOf({ object, template }) };
}

export function podAnnotationsOf({ object, template }: Workload): JsonObject {
  return objectAt(object, [...template, 'metadata', 'annotations']);
}

export type Container = {
  readonly spec: JsonObject;
  readonly name: string;
  /** Within the workload's object. */
  readonly path: Path;
};

export function containersOf({ object, template }: Workload, list: 'containers' | 'initContainers'): Container[] {
  const path = [...template, 'spec', list];
  const found = get(object, path);
  if (!Array.isArray(found)) return [];
  return found.flatMap((spec, at) =>
    isObject(spec) ? [{ spec, name: textAt(spec, ['name']) ?? '', path: [...path, at] }] : [],
  );
}

/** Those that run beside the app: its containers, and native sidecars. */
export function runningContainersOf(workload: Workload): Container[] {
  const sidecars = containersOf(workload, 'initContainers').filter(({ spec }) => spec.restartPolicy === 'Always');
  return [...containersOf(workload, 'containers'), ...sidecars];
}
