// The judge of Pod Security: what passes, and that each control is looked at.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { judge } from '../../support/pod-security.ts';

const good = {
  allowPrivilegeEscalation: false,
  runAsNonRoot: true,
  capabilities: { drop: ['ALL'], add: ['NET_BIND_SERVICE'] },
  seccompProfile: { type: 'RuntimeDefault' },
};
const container = (more: object) => ({ name: 'c', securityContext: good, ...more });
const context = (more: object) => container({ securityContext: { ...good, ...more } });

describe('a Pod', () => {
  test('that is confined passes both levels', () => {
    const spec = { containers: [container({})], volumes: [{ name: 'v', secret: {} }] };
    assert.deepEqual(judge(spec), { baseline: [], restricted: [] });
  });

  test('may say for all of its containers that they do not run as root, and which profile they have', () => {
    const spec = {
      securityContext: { runAsNonRoot: true, seccompProfile: { type: 'Localhost' } },
      containers: [context({ runAsNonRoot: undefined, seccompProfile: undefined })],
    };
    assert.deepEqual(judge(spec).restricted, []);
  });

  test('that says nothing breaks restricted, not baseline', () => {
    const { baseline, restricted } = judge({ containers: [{ name: 'c' }] });
    assert.deepEqual(baseline, []);
    assert.deepEqual(restricted, [
      'c: allowPrivilegeEscalation',
      'c: runAsNonRoot',
      'c: seccompProfile',
      'c: capabilities.drop',
    ]);
  });

  const rows: readonly (readonly [spec: object, baseline: string[], restricted: string[]])[] = [
    [{ hostNetwork: true, hostPID: true }, ['Pod: hostNetwork', 'Pod: hostPID'], []],
    [{ volumes: [{ name: 'v', hostPath: {} }] }, ['Pod: hostPath volume v'], ['Pod: type of volume v']],
    [{ securityContext: { sysctls: [{ name: 'kernel.msgmax' }] } }, ['Pod: sysctl kernel.msgmax'], []],
    [{ containers: [context({ privileged: true })] }, ['c: privileged'], []],
    [
      { initContainers: [context({ capabilities: { drop: ['ALL'], add: ['NET_ADMIN'] } })] },
      ['c: capabilities.add NET_ADMIN'],
      ['c: capabilities.add NET_ADMIN'],
    ],
    [{ containers: [container({ ports: [{ hostPort: 80 }] })] }, ['c: hostPort 80'], []],
    [
      { containers: [container({ livenessProbe: { httpGet: { host: 'other' } } })] },
      ['c: host other in a probe or hook'],
      [],
    ],
    [
      { containers: [context({ seccompProfile: { type: 'Unconfined' } })] },
      ['c: seccomp Unconfined'],
      ['c: seccompProfile'],
    ],
    [{ containers: [context({ seLinuxOptions: { type: 'spc_t' } })] }, ['c: seLinuxOptions'], []],
    [{ containers: [context({ runAsUser: 0 })] }, [], ['c: runAsUser 0']],
    [{ containers: [context({ capabilities: { drop: ['NET_RAW'] } })] }, [], ['c: capabilities.drop']],
  ];
  for (const [spec, baseline, restricted] of rows) {
    test(`with ${JSON.stringify(spec).slice(0, 90)} is told`, () => {
      assert.deepEqual(judge(spec as Parameters<typeof judge>[0]), { baseline, restricted });
    });
  }
});
