// What is worth a line on stderr beside an injection that was done: settings of the app that it left alone, and what they
// mean for it.

import { get, objectAt, textAt } from '../edits/objects.ts';
import type { InjectSettings } from '../settings.ts';
import { portNumber, type TlsPort } from './tls-ports.ts';
import { type Container, containersOf, podAnnotationsOf, runningContainersOf, type Workload } from './workload.ts';

const SIDECAR_UID = 65532;
/** The sidecar's --drain-timeout, and time to end after it. */
const LEAST_GRACE_SECONDS = 30;

export function notesOn(
  workload: Workload,
  app: Container,
  settings: InjectSettings,
  tlsPorts: readonly TlsPort[],
): string[] {
  const { object, template } = workload;
  const spec = objectAt(object, [...template, 'spec']);
  const notes: string[] = [];
  const annotations = podAnnotationsOf(workload);
  const sleep = settings.appPrestopSleepSeconds;
  if (sleep > 0 && get(app.spec, ['lifecycle', 'preStop', 'sleep']) === undefined) {
    const own = get(app.spec, ['lifecycle', 'preStop']);
    if (own !== undefined && own !== null && Object.keys(own).length > 0)
      notes.push(
        `container "${app.name}" keeps its own preStop hook: let it last ${sleep} s, so that no request is lost`,
      );
  }
  const grace = spec.terminationGracePeriodSeconds;
  if (typeof grace === 'number' && grace < LEAST_GRACE_SECONDS)
    notes.push(
      `terminationGracePeriodSeconds is ${grace}: a drain may take ${LEAST_GRACE_SECONDS}; what is left is cut`,
    );
  const sameUser = usersOf(workload).find(({ uid }) => uid === SIDECAR_UID);
  if (sameUser !== undefined) notes.push(sameUid(sameUser.name, spec.shareProcessNamespace === true));
  const exposed = hostPorts(workload, tlsPorts);
  if (exposed.length > 0 && settings.mode === 'target-port')
    notes.push(`hostPort of port ${exposed.join(', ')} still leads to the app, in plain HTTP; use --mode redirect`);
  const scraped = annotations['prometheus.io/scrape'] === 'true' && annotations['prometheus.io/scheme'] !== 'https';
  const scrapedPort = portNumber(annotations['prometheus.io/port']);
  if (settings.mode === 'redirect' && scraped && tlsPorts.some(({ app: port }) => port === scrapedPort))
    notes.push(`prometheus.io/port ${scrapedPort} speaks TLS now: set prometheus.io/scheme to https`);
  return notes;
}

function usersOf(workload: Workload): { name: string; uid: unknown }[] {
  const { object, template } = workload;
  const ofPod = get(object, [...template, 'spec', 'securityContext', 'runAsUser']);
  return containersOf(workload, 'containers').map(({ name, spec }) => ({
    name,
    uid: get(spec, ['securityContext', 'runAsUser']) ?? ofPod,
  }));
}

function sameUid(name: string, shared: boolean): string {
  const why = shared
    ? 'with shareProcessNamespace it can read the private key in its memory'
    : "where the two ever share a volume or a process namespace, it can read what is the sidecar's";
  return `container "${name}" runs as uid ${SIDECAR_UID}, which is the sidecar's, too: ${why}; give it another runAsUser`;
}

function hostPorts(workload: Workload, tlsPorts: readonly TlsPort[]): unknown[] {
  const ports = runningContainersOf(workload).flatMap(({ spec }) => (Array.isArray(spec.ports) ? spec.ports : []));
  return ports
    .filter((port) => get(port, ['hostPort']) !== undefined && textAt(port, ['protocol']) !== 'UDP')
    .map((port) => get(port, ['containerPort']))
    .filter((port) => tlsPorts.some(({ app }) => app === port));
}
