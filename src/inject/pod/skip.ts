// Which workloads get no sidecar, and why: in the words of the report, with the way out where there is one.

import { get, objectAt, textAt } from '../edits/objects.ts';
import { INJECTED, optedOut, PREFIX } from '../settings.ts';
import { CERTS, INIT, SIDECAR } from './containers.ts';
import { annotationsOf, containersOf, podAnnotationsOf, type Workload } from './workload.ts';

/** Why nothing is to be done, or undefined. */
export function reasonToSkip(workload: Workload): string | undefined {
  const { object, template } = workload;
  const spec = objectAt(object, [...template, 'spec']);
  const annotations = annotationsOf(workload);
  const injected = podAnnotationsOf(workload)[INJECTED];
  const out = optedOut(annotations);
  if (out !== undefined) return out;
  if (injected !== undefined) return `the sidecar is there already (version ${injected}); uninject takes it out`;
  if (annotations['kubernetes.io/config.mirror'] !== undefined) return 'a mirror Pod belongs to its kubelet';
  if (spec.hostNetwork === true) return 'hostNetwork: its ports are those of the whole node';
  if (textAt(spec, ['os', 'name']) === 'windows') return 'the images are for Linux';
  if (containersOf(workload, 'containers').length === 0) return 'has no containers';
  return undefined;
}

/** What stands in the way, a problem each. */
export function unusable(workload: Workload): string[] {
  const { object, template } = workload;
  const names = (['containers', 'initContainers'] as const).flatMap((list) =>
    containersOf(workload, list).map(({ name }) => name),
  );
  const volumes = get(object, [...template, 'spec', 'volumes']);
  const hasVolume = Array.isArray(volumes) && volumes.some((volume) => textAt(volume, ['name']) === CERTS);
  const wayOut = `rename it, take it out, or opt out with the annotation ${PREFIX}inject: "false"`;
  return [
    ...[SIDECAR, INIT]
      .filter((name) => names.includes(name))
      .map((name) => `has a container "${name}" already, which inject did not add: ${wayOut}`),
    ...(hasVolume ? [`has a volume "${CERTS}" already, which inject did not add: ${wayOut}`] : []),
  ];
}
