// Admission reviews as the API server sends them, and what their answers come to.
import assert from 'node:assert/strict';
import type { JsonObject } from '../../src/inject/edits/objects.ts';
import { applyStrictly } from './json-patch.ts';

export type ReviewRequest = {
  uid?: unknown;
  kind?: { group: string; version: string; kind: string };
  operation?: string;
  namespace?: string;
  subResource?: string;
  dryRun?: boolean;
  object?: unknown;
  oldObject?: unknown;
};

export type ReviewResponse = {
  uid: string;
  allowed: boolean;
  status?: { code: number; message: string };
  patchType?: string;
  patch?: string;
  warnings?: string[];
};

export const POD = { group: '', version: 'v1', kind: 'Pod' };
export const UID = '705ab4f5-6393-11e8-b7cc-42010a800002';

/** A Pod that a ReplicaSet makes, as the API server shows it: its defaults are filled in, its name is not chosen. */
export function podOf(changes: { metadata?: JsonObject; spec?: JsonObject } = {}): JsonObject {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { generateName: 'web-5d8f-', namespace: 'shop', labels: { app: 'web' }, ...changes.metadata },
    spec: {
      containers: [
        {
          name: 'nginx',
          image: 'nginx:1.29',
          ports: [{ name: 'http', containerPort: 80, protocol: 'TCP' }],
          resources: {},
          terminationMessagePath: '/dev/termination-log',
          terminationMessagePolicy: 'File',
          imagePullPolicy: 'IfNotPresent',
          volumeMounts: [
            { name: 'kube-api-access-x', readOnly: true, mountPath: '/var/run/secrets/kubernetes.io/serviceaccount' },
          ],
        },
      ],
      volumes: [{ name: 'kube-api-access-x', projected: { sources: [], defaultMode: 420 } }],
      restartPolicy: 'Always',
      terminationGracePeriodSeconds: 30,
      dnsPolicy: 'ClusterFirst',
      serviceAccountName: 'default',
      securityContext: {},
      schedulerName: 'default-scheduler',
      enableServiceLinks: true,
      ...changes.spec,
    },
    status: {},
  };
}

export function reviewOf(request: ReviewRequest = {}, changes: JsonObject = {}): string {
  return JSON.stringify({
    apiVersion: 'admission.k8s.io/v1',
    kind: 'AdmissionReview',
    request: {
      uid: UID,
      kind: POD,
      resource: { group: '', version: 'v1', resource: 'pods' },
      operation: 'CREATE',
      namespace: 'shop',
      userInfo: { username: 'system:serviceaccount:kube-system:replicaset-controller' },
      object: podOf(),
      oldObject: null,
      dryRun: false,
      options: { kind: 'CreateOptions', apiVersion: 'meta.k8s.io/v1' },
      ...request,
    },
    ...changes,
  });
}

/** The answer, which must be an AdmissionReview of the same version. */
export function responseIn(text: string): ReviewResponse {
  const { apiVersion, kind, response } = JSON.parse(text) as {
    apiVersion: string;
    kind: string;
    response: ReviewResponse;
  };
  assert.deepEqual([apiVersion, kind], ['admission.k8s.io/v1', 'AdmissionReview']);
  assert.equal(response.patch === undefined, response.patchType === undefined);
  return response;
}

/** What the API server makes of the object. */
export function patched(object: unknown, { patch, patchType }: ReviewResponse): unknown {
  if (patch === undefined) return object;
  assert.equal(patchType, 'JSONPatch');
  return applyStrictly(object, JSON.parse(Buffer.from(patch, 'base64').toString()));
}
