// Which ports of the app get TLS, and on which ports of the sidecar. What does not fit is a problem that says the way out.

import { listAt, textAt } from '../edits/objects.ts';
import type { AppPort, InjectSettings } from '../settings.ts';
import { type Container, runningContainersOf, type Workload } from './workload.ts';

export type TlsPort = { readonly app: number; readonly listen: number };

type Declared = { readonly port: number; readonly name: string | undefined; readonly container: string };

/** TCP ports that a container says it has. */
export function declaredPorts({ spec, name: container }: Container): Declared[] {
  return listAt(spec, ['ports']).flatMap((port) => {
    const number = portNumber((port as { containerPort?: unknown } | null)?.containerPort);
    const tcp = (textAt(port, ['protocol']) ?? 'TCP') === 'TCP';
    return number === undefined || !tcp ? [] : [{ port: number, name: textAt(port, ['name']), container }];
  });
}

export function portNumber(value: unknown): number | undefined {
  const number = typeof value === 'string' && /^[0-9]+$/.test(value) ? Number(value) : value;
  return typeof number === 'number' && Number.isInteger(number) && number > 0 && number < 65536 ? number : undefined;
}

/** None where the app declares no port and none was named. */
export function tlsPortsOf(
  workload: Workload,
  app: Container,
  settings: InjectSettings,
  problems: string[],
): TlsPort[] {
  const running = runningContainersOf(workload);
  const declared = [app, ...running.filter((other) => other.name !== app.name)].flatMap(declaredPorts);
  const first = declaredPorts(app)[0];
  const wanted: readonly AppPort[] =
    settings.appPorts.length > 0 || first === undefined ? settings.appPorts : [{ app: first.port }];
  const resolved = wanted.flatMap(({ app: port, ...rest }) => {
    const number = typeof port === 'number' ? port : declared.find(({ name }) => name === port)?.port;
    if (number === undefined) problems.push(`no container has a port named "${port}"; give its number`);
    return number === undefined ? [] : [{ app: number, ...rest }];
  });
  const taken = new Set([...declared.map(({ port }) => port), ...resolved.map((port) => port.app), settings.adminPort]);
  const tlsPorts: TlsPort[] = [];
  let next = settings.listenPort;
  for (const { app: port, listen } of resolved) {
    // The first one is where clients expect it, so that it is told of rather than moved.
    if (listen === undefined && tlsPorts.length > 0) while (taken.has(next)) next++;
    const tlsPort = { app: port, listen: listen ?? next };
    tlsPorts.push(tlsPort);
    if (listen === undefined) next++;
    if (taken.has(tlsPort.listen)) problems.push(collision(tlsPort.listen, declared, settings));
    taken.add(tlsPort.listen);
  }
  const owner = declared.find(({ port }) => port === settings.adminPort);
  if (owner !== undefined)
    problems.push(
      `container "${owner.container}" uses port ${settings.adminPort}, where the sidecar answers probes and metrics: choose another with --admin-port`,
    );
  return tlsPorts;
}

function collision(port: number, declared: readonly Declared[], { adminPort }: InjectSettings): string {
  const owner = declared.find((other) => other.port === port)?.container;
  const taken = port === adminPort ? 'it is --admin-port' : "it is named twice, or the app's own";
  const why = owner === undefined ? taken : `container "${owner}" uses it`;
  const other = port === 8443 ? 9443 : 8443;
  return `the sidecar cannot accept TLS on port ${port}: ${why}; choose another with --listen-port ${other}, or as APP:LISTEN in --app-port or the annotation tls-sidecar.dev/ports`;
}
