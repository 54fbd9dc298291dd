// Twenty rollouts of two replicas with the drain delay of the manifests, under load of HTTP/1.1 and HTTP/2 clients that ask
// nothing a second time: no request fails. SOAK_REPLICAS says how many replicas are replaced (40). `npm run test:soak`; a
// smaller version is in test/integration.
import { test } from 'node:test';
import { replaceReplicas } from '../support/rollout-scene.ts';

const times = Number(process.env.SOAK_REPLICAS ?? 40);

test(`${times} replicas are replaced, and none of the requests fails`, (t) =>
  replaceReplicas(t, { times, drainDelay: '5s', h1: 12, h2: 8 }));
