// A Service by itself, as an admission request brings it: which of its ports lead to the sidecar in target-port mode. The Pods
// behind it are not known, only what it says of them, so that it is one port, or those that the settings name. Pure.

import { type Operation, toJsonPatch } from './edits/json-patch.ts';
import { get, type JsonObject, listAt, objectAt, textAt } from './edits/objects.ts';
import { jsonOf } from './edits/original.ts';
import { portNumber, type TlsPort, tlsPortsOf } from './pod/tls-ports.ts';
import { containersOf, type Workload } from './pod/workload.ts';
import { planService } from './service.ts';
import { type InjectSettings, ORIGINAL, optedOut, PREFIX, withAnnotations } from './settings.ts';

export type ServiceInjection =
  | { readonly kind: 'moved'; readonly patch: readonly Operation[]; readonly notes: readonly string[] }
  | { readonly kind: 'skip'; readonly reason: string }
  | { readonly kind: 'refusal'; readonly problems: readonly string[] };

const WAY_OUT = `say which of its ports have TLS with the annotation ${PREFIX}ports`;

export function injectService(service: JsonObject, given: InjectSettings): ServiceInjection {
  const annotations = objectAt(service, ['metadata', 'annotations']);
  const out = optedOut(annotations);
  if (out !== undefined) return { kind: 'skip', reason: out };
  if (Object.keys(objectAt(service, ['spec', 'selector'])).length === 0)
    return { kind: 'skip', reason: 'it selects no Pods' };
  const problems: string[] = [];
  const settings = withAnnotations(given, annotations, problems);
  if (problems.length > 0) return { kind: 'refusal', problems };
  if (settings.mode === 'redirect') return { kind: 'skip', reason: 'in redirect mode it stays on the port of the app' };
  const targets = targetsOf(service);
  if (settings.appPorts.length === 0 && targets.length !== 1)
    return { kind: 'skip', reason: `it has ${targets.length} TCP ports: ${WAY_OUT}` };
  if (settings.appPorts.length === 0 && targets[0] === settings.listenPort)
    return { kind: 'skip', reason: `it leads to port ${settings.listenPort} already` };
  const workload = podBehind(service, targets);
  const tlsPorts = portsOf(workload, settings);
  const plan = planService(service, [{ workload, tlsPorts, mode: settings.mode }], jsonOf(service));
  if (plan === undefined) return { kind: 'skip', reason: `none of its ports leads to one with TLS: ${WAY_OUT}` };
  const headless = plan.headless
    ? ['it is headless, its clients dial the Pods themselves, whose port stays plain HTTP']
    : [];
  return { kind: 'moved', patch: toJsonPatch(plan.edits), notes: headless };
}

/** Whether it was moved before, or says itself that it shall be: then a change of it must not undo that. */
export function staysMoved(before: JsonObject, after: JsonObject): boolean {
  const says = (service: JsonObject, name: string): boolean =>
    textAt(service, ['metadata', 'annotations', name]) !== undefined;
  return says(before, ORIGINAL) || says(after, `${PREFIX}ports`);
}

function targetsOf(service: JsonObject): unknown[] {
  const ports = listAt(service, ['spec', 'ports']).filter((port) => (textAt(port, ['protocol']) ?? 'TCP') === 'TCP');
  return ports.map((port) => get(port, ['targetPort']) ?? get(port, ['port']));
}

/** What a Pod that it leads to looks like. Of a named port the number is unknown: one that nobody's sidecar listens on. */
function podBehind(service: JsonObject, targets: readonly unknown[]): Workload {
  const ports = targets.map((target, at) => {
    const number = portNumber(target);
    return number === undefined ? { name: target, containerPort: at + 1 } : { containerPort: number };
  });
  const { namespace } = objectAt(service, ['metadata']);
  const metadata = { namespace, labels: objectAt(service, ['spec', 'selector']) };
  return { object: { metadata, spec: { containers: [{ name: 'app', ports }] } }, template: [] };
}

/** As for the Pod itself. What does not fit there is told there. */
function portsOf(workload: Workload, settings: InjectSettings): TlsPort[] {
  const [app] = containersOf(workload, 'containers');
  return app === undefined ? [] : tlsPortsOf(workload, app, settings, []);
}
