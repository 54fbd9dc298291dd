// From one workload and the settings to the edits that give it the sidecar, or to the reason why it gets none. It knows
// objects only, not their text, so that a file and an admission request are treated alike.

import { type Edit, merge, prepend } from '../edits/edits.ts';
import { get, isEmpty, objectAt, type Path, textAt } from '../edits/objects.ts';
import { type OriginalRecord, recordsOf, type SourceOf } from '../edits/original.ts';
import { DEFAULT_CONTAINER, INJECTED, type InjectSettings, ORIGINAL, PREFIX, withAnnotations } from '../settings.ts';
import { certsVolume, initContainer, sidecarContainer } from './containers.ts';
import { notesOn } from './notes.ts';
import { planProbes } from './probes.ts';
import { reasonToSkip, unusable } from './skip.ts';
import { declaredPorts, type TlsPort, tlsPortsOf } from './tls-ports.ts';
import { annotationsOf, type Container, containersOf, runningContainersOf, type Workload } from './workload.ts';

export type Injection = {
  readonly kind: 'injection';
  readonly edits: readonly Edit[];
  readonly mode: InjectSettings['mode'];
  readonly tlsPorts: readonly TlsPort[];
  /** What the user may want to know, a sentence each. */
  readonly notes: readonly string[];
};
export type Plan =
  | Injection
  | { readonly kind: 'skip'; readonly reason: string }
  /** It cannot be done as asked: each problem says the way out. */
  | { readonly kind: 'refusal'; readonly problems: readonly string[] };

/** Without an app's grace period: its sleep, its own ending and the drain of 25 s fit in. */
const GRACE_SECONDS = 45;

/** Where the app's hook stands in a file, so that it does not part the name from the image. */
const BEFORE_HOOK = ['resources', 'volumeMounts', 'livenessProbe', 'readinessProbe', 'ports'];

/** `sourceOf` says how what is replaced was written, for the annotation that `uninject` reads. */
export function planInjection(workload: Workload, given: InjectSettings, sourceOf: SourceOf): Plan {
  const skipped = reasonToSkip(workload);
  if (skipped !== undefined) return { kind: 'skip', reason: skipped };
  const problems: string[] = [];
  const settings = withAnnotations(given, annotationsOf(workload), problems);
  const app = appOf(workload, settings);
  if (app === undefined) {
    return { kind: 'skip', reason: `has no container "${settings.container}" (--container)` };
  }
  const tlsPorts = tlsPortsOf(workload, app, settings, problems);
  if (problems.length === 0 && tlsPorts.length === 0) {
    return {
      kind: 'skip',
      reason: `container "${app.name}" declares no TCP port; name it with --app-port or the annotation tls-sidecar.dev/ports`,
    };
  }
  if (settings.secret === '') problems.push(`no Secret is named: say it with the annotation ${PREFIX}secret`);
  problems.push(...unusable(workload));
  const captured = settings.mode === 'redirect' ? tlsPorts.map((tlsPort) => tlsPort.app) : [];
  const keeps = settings.probes === 'keep';
  const meant = planProbes(workload, captured, settings.adminPort, keeps ? [] : problems);
  const rewritten = keeps ? { edits: [], probes: [] } : meant;
  if (problems.length > 0) return { kind: 'refusal', problems };
  const edits = [
    ...rewritten.edits,
    ...podEdits(workload, app, settings),
    ...containerEdits(workload, settings, tlsPorts, rewritten.probes),
  ];
  return {
    kind: 'injection',
    edits: [...annotationEdits(workload, app, settings, edits, sourceOf), ...edits],
    mode: settings.mode,
    tlsPorts,
    notes: [
      ...notesOn(workload, app, settings, tlsPorts),
      ...(keeps && meant.edits.length > 0
        ? ['--probes keep: its probes of a captured port meet TLS, where httpGet needs scheme: HTTPS and grpc fails']
        : []),
    ],
  };
}

/** The app's container: the one that was named, else the Pod's default one, else the first. */
function appOf(workload: Workload, { container }: InjectSettings): Container | undefined {
  const containers = containersOf(workload, 'containers');
  const find = (name: string | undefined) => containers.find((one) => one.name === name);
  if (container !== undefined) return find(container);
  return find(textAt(annotationsOf(workload), [DEFAULT_CONTAINER])) ?? containers[0];
}

function podEdits({ object, template }: Workload, app: Container, settings: InjectSettings): Edit[] {
  const spec = [...template, 'spec'];
  const seconds = settings.appPrestopSleepSeconds;
  const fields = { enableServiceLinks: false, terminationGracePeriodSeconds: GRACE_SECONDS };
  const absent = Object.entries(fields).filter(([key]) => !Object.hasOwn(objectAt(object, spec), key));
  const hooked = !isEmpty(get(app.spec, ['lifecycle', 'preStop']));
  return [
    ...merge(object, spec, Object.fromEntries(absent), ['containers']),
    ...(seconds === 0 || hooked
      ? []
      : merge(object, [...app.path, 'lifecycle', 'preStop'], { sleep: { seconds } }, BEFORE_HOOK)),
  ];
}

function containerEdits(
  workload: Workload,
  settings: InjectSettings,
  tlsPorts: readonly TlsPort[],
  probes: readonly string[],
): Edit[] {
  const { object, template } = workload;
  const at = (key: string): Path => [...template, 'spec', key];
  const names = runningContainersOf(workload).flatMap(declaredPorts);
  const portNames = names.flatMap(({ name }) => name ?? []);
  const sidecar = sidecarContainer(settings, { tlsPorts, probes, portNames });
  const containers = settings.mode === 'redirect' ? [initContainer(settings, tlsPorts), sidecar] : [sidecar];
  return [
    ...prepend(object, at('initContainers'), containers, ['containers']),
    ...prepend(object, at('volumes'), [certsVolume(settings)], ['containers']),
  ];
}

/** They hold what all other edits did, and what they do themselves. */
function annotationEdits(
  workload: Workload,
  app: Container,
  settings: InjectSettings,
  others: readonly Edit[],
  sourceOf: SourceOf,
): Edit[] {
  const { object, template } = workload;
  const path = [...template, 'metadata', 'annotations'];
  const isDefault = Object.hasOwn(objectAt(object, path), DEFAULT_CONTAINER);
  const write = (original: string): Edit[] =>
    merge(object, path, {
      [INJECTED]: settings.version,
      [ORIGINAL]: original,
      ...(!isDefault && { [DEFAULT_CONTAINER]: app.name }),
    });
  const records: OriginalRecord[] = recordsOf(object, [...write(''), ...others], sourceOf);
  return write(JSON.stringify(records));
}
