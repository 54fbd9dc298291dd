// Probes in redirect mode. The kubelet comes in from outside of the Pod and is redirected like everybody, so a probe of a
// captured port would meet TLS: it asks the sidecar's admin port instead, which asks the app inside the Pod. Timings and
// headers stay. Kubernetes has httpGet and grpc without TLS or with certificates unverified only, and no client certificates.

import type { Edit } from '../edits/edits.ts';
import { get, isObject, listAt, type Path, textAt } from '../edits/objects.ts';
import { declaredPorts, portNumber } from './tls-ports.ts';
import { type Container, runningContainersOf, type Workload } from './workload.ts';

export type ProbePlan = {
  readonly edits: readonly Edit[];
  /** Values of the sidecar's --probe. */
  readonly probes: readonly string[];
};

const PLACES: readonly Path[] = [
  ['startupProbe'],
  ['livenessProbe'],
  ['readinessProbe'],
  // A tcpSocket there fails by itself (kubernetes/kubernetes pkg/kubelet/lifecycle/handlers.go), grpc does not exist.
  ['lifecycle', 'postStart'],
  ['lifecycle', 'preStop'],
];
const KINDS = ['httpGet', 'tcpSocket', 'grpc'] as const;

type Handler = {
  readonly kind: (typeof KINDS)[number];
  readonly path: Path;
  readonly spec: unknown;
  readonly port: number;
  /** For a problem. */
  readonly where: string;
};

/** `captured` are the ports of the app that lead to the sidecar. */
export function planProbes(
  workload: Workload,
  captured: readonly number[],
  adminPort: number,
  problems: string[],
): ProbePlan {
  const handlers = runningContainersOf(workload).flatMap((container) => handlersOf(container));
  const redirected = handlers.filter(({ port }) => captured.includes(port));
  const probes = redirected.map((handler) => {
    const probe = probeOf(handler);
    if (/[;\p{Cc}]/u.test(probe.split(HEADER_MARK).join(''))) {
      problems.push(
        `${handler.where} has a ";" in its path or headers, which cannot be passed on; take it out, or use --probes keep`,
      );
    }
    return probe.replaceAll(HEADER_MARK, ';');
  });
  return {
    edits: redirected.flatMap((handler) => editsOf(handler, adminPort)),
    probes: [...new Set(probes)],
  };
}

/** Those that dial the Pod's own address; with `host` the kubelet dials another one. */
function handlersOf(container: Container): Handler[] {
  return PLACES.flatMap((place) =>
    KINDS.flatMap((kind): Handler[] => {
      const spec = get(container.spec, [...place, kind]);
      if (!isObject(spec) || (place.length > 1 && kind !== 'httpGet') || textAt(spec, ['host'])) return [];
      const named = declaredPorts(container).find(({ name }) => name === spec.port);
      const port = named?.port ?? portNumber(spec.port);
      const where = `the ${place.join('.')} of container "${container.name}"`;
      return port === undefined ? [] : [{ kind, path: [...container.path, ...place, kind], spec, port, where }];
    }),
  );
}

/** Stands for the semicolons that are ours. */
const HEADER_MARK = '\0';

/** The value of --probe: `http:80/healthz;Name=value`. */
function probeOf(handler: Handler): string {
  if (handler.kind !== 'httpGet') return `${handler.kind === 'grpc' ? 'grpc' : 'tcp'}:${targetOf(handler)}`;
  const headers = listAt(handler.spec, ['httpHeaders']).flatMap((header) => {
    const [name, value] = [textAt(header, ['name']), get(header, ['value'])];
    return name === undefined ? [] : [`${HEADER_MARK}${name}=${value ?? ''}`];
  });
  return `${schemeOf(handler)}:${targetOf(handler)}${headers.join('')}`;
}

function schemeOf({ spec }: Handler): 'http' | 'https' {
  return textAt(spec, ['scheme'])?.toUpperCase() === 'HTTPS' ? 'https' : 'http';
}

/** Port and path, or port and service. */
function targetOf({ kind, spec, port }: Handler): string {
  if (kind === 'tcpSocket') return `${port}`;
  const service = textAt(spec, ['service']);
  if (kind === 'grpc') return service ? `${port}/${service}` : `${port}`;
  const path = textAt(spec, ['path']) || '/';
  return `${port}${path.startsWith('/') ? '' : '/'}${path}`;
}

function editsOf(handler: Handler, adminPort: number): Edit[] {
  const { kind, path, spec } = handler;
  const word = { httpGet: schemeOf(handler), tcpSocket: 'tcp', grpc: 'grpc' }[kind];
  const asked = `/probe/${word}/${targetOf(handler)}`;
  const replace = (key: string, value: string | number): Edit => ({ kind: 'replace', path: [...path, key], value });
  const rename = (from: Path, to: string): Edit => ({ kind: 'rename', path: from, to });
  const has = (key: string): boolean => Object.hasOwn(spec as object, key);
  const key = kind === 'grpc' ? 'service' : 'path';
  const edits: Edit[] = [replace('port', adminPort)];
  edits.unshift(
    has(key) ? replace(key, asked) : { kind: 'add', path: [...path, 'path'], value: asked, before: ['port'] },
  );
  if (kind === 'httpGet') return schemeOf(handler) === 'https' ? [...edits, replace('scheme', 'HTTP')] : edits;
  if (kind === 'grpc' && has(key)) edits.push(rename([...path, key], 'path'));
  return [...edits, rename(path, 'httpGet')];
}
