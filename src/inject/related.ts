// Objects of the same input that an injection does not change and that must know of it: each is a note, with what to do.

import { get, type JsonObject, listAt, nameOf, objectAt, textAt } from './edits/objects.ts';
import { declaredPorts } from './pod/tls-ports.ts';
import { runningContainersOf, workloadOf } from './pod/workload.ts';
import { isService, movesOf, selects, type Target } from './service.ts';

const BACKEND_PROTOCOL = 'nginx.ingress.kubernetes.io/backend-protocol';

export function notesOnRelated(objects: readonly JsonObject[], targets: readonly Target[]): string[] {
  const services = objects.filter((object) => isService(object) && movesOf(object, targets).length > 0);
  return objects.flatMap((object) => {
    const notes = [...ingressNotes(object, services), ...policyNotes(object, targets)];
    if (services.includes(object))
      notes.push(...protocolNotes(object, targets), ...plainPods(object, objects, targets));
    return notes.map((note) => `note on ${nameOf(object)}: ${note}`);
  });
}

/** Gateways and meshes go by it. */
function protocolNotes(service: JsonObject, targets: readonly Target[]): string[] {
  const protocols = movesOf(service, targets).map(({ port }) => textAt(port, ['appProtocol']));
  const plain = protocols.filter((protocol) => protocol !== undefined && !/https|tls/i.test(protocol));
  return plain.map(
    (protocol) => `appProtocol is ${protocol}, and the port speaks HTTPS now: set https, or take it out`,
  );
}

/** A controller speaks plain HTTP to its backends unless it is told. */
function ingressNotes(object: JsonObject, services: readonly JsonObject[]): string[] {
  if (object.kind !== 'Ingress') return [];
  const paths = listAt(object, ['spec', 'rules']).flatMap((rule) => listAt(rule, ['http', 'paths']));
  const backends = [get(object, ['spec', 'defaultBackend']), ...paths.map((path) => get(path, ['backend']))];
  const names = backends.map((backend) => textAt(backend, ['service', 'name']));
  const led = services.filter((one) => names.includes(textAt(one, ['metadata', 'name'])) && isBeside(one, object));
  const protocol = textAt(object, ['metadata', 'annotations', BACKEND_PROTOCOL]) ?? '';
  if (/^(HTTPS|GRPCS)$/i.test(protocol)) return [];
  return led.map(
    (service) =>
      `${nameOf(service)} speaks HTTPS now: tell the controller, ingress-nginx by ${BACKEND_PROTOCOL}: HTTPS`,
  );
}

/** In target-port mode, what comes in goes to another port of the Pod. */
function policyNotes(object: JsonObject, targets: readonly Target[]): string[] {
  if (object.kind !== 'NetworkPolicy') return [];
  const rules = listAt(object, ['spec', 'ingress']).flatMap((rule) => listAt(rule, ['ports']));
  const allowed = rules.map((rule) => get(rule, ['port']));
  const selector = Object.entries(objectAt(object, ['spec', 'podSelector', 'matchLabels']));
  return targets.flatMap(({ workload, tlsPorts, mode }) => {
    const labels = objectAt(workload.object, [...workload.template, 'metadata', 'labels']);
    const isSelected = selector.every(([key, value]) => labels[key] === value) && isBeside(workload.object, object);
    if (mode === 'redirect' || !isSelected) return [];
    const declared = runningContainersOf(workload).flatMap(declaredPorts);
    const named = (port: number) => declared.filter((one) => one.port === port).map(({ name }) => name);
    const missing = tlsPorts.filter(({ app, listen }) => {
      const isAllowed =
        allowed.includes(app) || named(app).some((name) => name !== undefined && allowed.includes(name));
      return isAllowed && !allowed.includes(listen);
    });
    return missing.map(
      ({ app, listen }) => `allows port ${app} of ${nameOf(workload.object)}; allow ${listen} instead`,
    );
  });
}

/** Those that the Service leads to as well, and that have no sidecar. */
function plainPods(service: JsonObject, objects: readonly JsonObject[], targets: readonly Target[]): string[] {
  if (!targets.some(({ workload, mode }) => mode === 'target-port' && selects(service, workload))) return [];
  return objects.flatMap((object) => {
    const workload = workloadOf(object);
    const isTarget = targets.some((target) => target.workload.object === object);
    if (workload === undefined || isTarget || !selects(service, workload)) return [];
    return [`leads to ${nameOf(object)}, too, which has no sidecar and would be refused`];
  });
}

function isBeside(a: JsonObject, b: JsonObject): boolean {
  return textAt(a, ['metadata', 'namespace']) === textAt(b, ['metadata', 'namespace']);
}
