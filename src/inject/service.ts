// Which Services lead to an app that has a sidecar, and how they change in target-port mode: their targetPort becomes the
// sidecar's port, by number, since a Service finds the name of a native sidecar's port from Kubernetes 1.32 on only
// (kubernetes/kubernetes#127976).

import { type Edit, merge } from './edits/edits.ts';
import { get, isObject, type JsonObject, listAt, objectAt, textAt } from './edits/objects.ts';
import { recordsOf, type SourceOf } from './edits/original.ts';
import { declaredPorts, portNumber, type TlsPort } from './pod/tls-ports.ts';
import { runningContainersOf, type Workload } from './pod/workload.ts';
import { type Mode, ORIGINAL } from './settings.ts';

/** A workload that got the sidecar. */
export type Target = { readonly workload: Workload; readonly tlsPorts: readonly TlsPort[]; readonly mode: Mode };

export type ServicePlan = {
  readonly edits: readonly Edit[];
  /** `80 → 8080`, one a port. */
  readonly moved: readonly string[];
  readonly headless: boolean;
  /** Those of its Pods. */
  readonly targets: readonly Target[];
  /** False where it leads to the same port of the app on different ports of sidecars. */
  readonly isOne: boolean;
};

export function isService(object: JsonObject): boolean {
  return object.kind === 'Service' && object.apiVersion === 'v1';
}

/** Whether the Service selects the Pods of the workload: same namespace, and every label of a selector that has some. */
export function selects(service: JsonObject, { object, template }: Workload): boolean {
  const selector = Object.entries(objectAt(service, ['spec', 'selector']));
  const labels = objectAt(object, [...template, 'metadata', 'labels']);
  const [here, there] = [service, object].map((one) => textAt(one, ['metadata', 'namespace']));
  return here === there && selector.length > 0 && selector.every(([key, value]) => labels[key] === value);
}

/** The ports of a Service that lead to a port with TLS of the targets that it selects. */
export function movesOf(service: JsonObject, targets: readonly Target[]): Move[] {
  const selected = targets.filter(({ workload }) => selects(service, workload));
  return listAt(service, ['spec', 'ports']).flatMap((port, at) => {
    const [tlsPort, ...others] = selected.flatMap((target) => tlsPortOf(port, target) ?? []);
    if (tlsPort === undefined) return [];
    return [{ at, port, tlsPort, isOne: others.every(({ listen }) => listen === tlsPort.listen) }];
  });
}

type Move = {
  readonly at: number;
  readonly port: unknown;
  readonly tlsPort: TlsPort;
  /** Whether it is the same port of all of them. */
  readonly isOne: boolean;
};

/** Undefined where nothing of it leads to a target in target-port mode. */
export function planService(
  service: JsonObject,
  targets: readonly Target[],
  sourceOf: SourceOf,
): ServicePlan | undefined {
  const movable = targets.filter(({ mode }) => mode === 'target-port');
  const moves = movesOf(service, movable);
  if (moves.length === 0) return undefined;
  const edits = moves.map(({ at, tlsPort, port }): Edit => {
    const path = ['spec', 'ports', at, 'targetPort'];
    return isObject(port) && Object.hasOwn(port, 'targetPort')
      ? { kind: 'replace', path, value: tlsPort.listen }
      : { kind: 'add', path, value: tlsPort.listen };
  });
  const annotate = (text: string): Edit[] => merge(service, ['metadata', 'annotations'], { [ORIGINAL]: text });
  const records = recordsOf(service, [...annotate(''), ...edits], sourceOf);
  return {
    edits: [...annotate(JSON.stringify(records)), ...edits],
    moved: moves.map(({ tlsPort }) => `${tlsPort.app} → ${tlsPort.listen}`),
    headless: get(service, ['spec', 'clusterIP']) === 'None',
    targets: movable.filter(({ workload }) => selects(service, workload)),
    isOne: moves.every(({ isOne }) => isOne),
  };
}

/** What a port of a Service leads to. Without a targetPort it is the port's own number. */
function tlsPortOf(port: unknown, { workload, tlsPorts }: Target): TlsPort | undefined {
  if ((textAt(port, ['protocol']) ?? 'TCP') !== 'TCP') return undefined;
  const target = get(port, ['targetPort']) ?? get(port, ['port']);
  const named = runningContainersOf(workload)
    .flatMap(declaredPorts)
    .find(({ name }) => name !== undefined && name === target);
  const number = named?.port ?? portNumber(target);
  return tlsPorts.find(({ app }) => app === number);
}
