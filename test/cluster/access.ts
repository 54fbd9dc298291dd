// Who may talk to the API server: its certificate, and one token for each part, with the user and groups that Kubernetes'
// own roles are bound to. They are made anew for each run.

import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createAuthority } from '../../certs/authority.ts';
import { type Folders, NODE } from './place.ts';

const USERS = {
  admin: ['cluster-admin', 'system:masters'],
  'kube-controller-manager': ['system:kube-controller-manager', ''],
  'kube-scheduler': ['system:kube-scheduler', ''],
  'kube-proxy': ['system:kube-proxy', ''],
  kubelet: [`system:node:${NODE.name}`, 'system:nodes'],
} as const;

export type User = keyof typeof USERS;

export type Access = {
  readonly server: string;
  readonly ca: string;
  readonly tokens: ReadonlyMap<User, string>;
  /** Files. */
  readonly caFile: string;
  readonly certFile: string;
  readonly keyFile: string;
  readonly tokenFile: string;
  readonly accountKeyFile: string;
  kubeconfig(user: User): string;
};

export async function makeAccess(folders: Folders): Promise<Access> {
  const folder = join(folders.data, 'access');
  await mkdir(folder, { recursive: true });
  const file = (name: string) => join(folder, name);
  const write = (name: string, text: string) => writeFile(file(name), text, { mode: 0o600 });

  const authority = await createAuthority({ commonName: 'cluster CA' });
  const issued = await authority.issue({
    dns: ['kubernetes.default.svc', 'kubernetes.default', 'localhost'],
    ip: ['127.0.0.1', NODE.address, NODE.apiService],
  });
  const accountKey = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
  const users = Object.entries(USERS) as [User, readonly [string, string]][];
  const tokens = new Map(users.map(([user]) => [user, randomBytes(24).toString('hex')]));
  const server = 'https://127.0.0.1:6443';
  await write('ca.crt', authority.pem);
  await write('server.crt', issued.chain);
  await write('server.key', issued.key);
  await write('accounts.key', String(accountKey.export({ type: 'pkcs8', format: 'pem' })));
  const rows = users.map(([user, [name, group]]) => `${tokens.get(user)},${name},${user}${group && `,"${group}"`}`);
  await write('tokens.csv', `${rows.join('\n')}\n`);
  for (const [user, token] of tokens) await write(`${user}.json`, kubeconfig(server, authority.pem, token));
  return {
    server,
    ca: authority.pem,
    tokens,
    caFile: file('ca.crt'),
    certFile: file('server.crt'),
    keyFile: file('server.key'),
    tokenFile: file('tokens.csv'),
    accountKeyFile: file('accounts.key'),
    kubeconfig: (user) => file(`${user}.json`),
  };
}

function kubeconfig(server: string, ca: string, token: string): string {
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'c', cluster: { server, 'certificate-authority-data': Buffer.from(ca).toString('base64') } }],
    users: [{ name: 'u', user: { token } }],
    contexts: [{ name: 'c', context: { cluster: 'c', user: 'u', namespace: 'default' } }],
    'current-context': 'c',
  });
}
