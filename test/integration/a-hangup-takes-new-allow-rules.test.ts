// SIGHUP reads the configuration again: the allow rules hold from the next request on, on open connections too; what
// cannot change while running is named; a configuration with a mistake changes nothing.
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { connect as connectHttp2 } from 'node:http2';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { createAuthority } from '../../certs/authority.ts';
import { startApp } from '../support/app.ts';
import { endsWell } from '../support/ended-well.ts';
import type { LogLine } from '../support/log-lines.ts';
import { answerOf } from '../support/node-h2-client.ts';
import { eventually } from '../support/poll.ts';
import { connect, type RawClient } from '../support/raw-client.ts';
import type { Sidecar } from '../support/sidecar.ts';
import { setStage } from '../support/stage.ts';

const get = 'GET / HTTP/1.1\r\nHost: localhost\r\n\r\n';
const authority = await createAuthority();
const { chain: cert, key } = await authority.issue({ usage: 'client', commonName: 'web', dns: ['web.example'] });

async function begin(t: TestContext, config: string, args: string[] = []) {
  const stage = await setStage(t);
  let reached = 0;
  const app = await startApp(t, (_, response) => response.end(String(++reached)));
  const [caFile, configFile] = [join(stage.dir, 'ca.pem'), join(stage.dir, 'options.yaml')];
  await writeFile(caFile, authority.pem);
  await writeFile(configFile, config);
  const sidecar = await stage.start({
    upstream: app.port,
    args: ['--client-ca', caFile, '--config', configFile, ...args],
  });
  /** Writes the file, hangs up, and waits for the count-th line with this message. */
  const reread = async (content: string, msg: string, count = 1): Promise<LogLine> => {
    await writeFile(configFile, content);
    sidecar.kill('SIGHUP');
    const lines = (): LogLine[] => sidecar.logs.filter((line) => line.msg === msg);
    await eventually(() => lines().length >= count, { what: `${count} lines "${msg}"` });
    return lines().at(-1) as LogLine;
  };
  return { sidecar, reread, reached: () => reached };
}

async function ask(client: RawClient): Promise<number> {
  client.send(get);
  return (await client.readResponse()).status;
}

test('new rules hold on open connections of HTTP/1.1 and HTTP/2, both ways', async (t) => {
  const { sidecar, reread, reached } = await begin(t, 'allow-cn: [web]\n');
  const open = () => connect({ port: sidecar.port, cert, key });
  const client = await open();
  const session = connectHttp2(`https://localhost:${sidecar.port}`, { rejectUnauthorized: false, cert, key });
  t.after(() => session.destroy());
  const askHttp2 = async (): Promise<number> => (await answerOf(session.request({ ':path': '/' }))).status;
  assert.deepEqual([await ask(client), await askHttp2()], [200, 200]);

  const line = await reread('allow-cn: [other]\n', 'configuration reloaded');
  assert.deepEqual(line.options, ['allow-cn']);
  assert.deepEqual([await ask(client), await askHttp2(), reached()], [403, 403, 2]);
  await client.closed;

  await reread('allow-dns: ["*.example"]\n', 'configuration reloaded', 2);
  const next = await open();
  assert.deepEqual([await ask(next), await askHttp2(), reached()], [200, 200, 4]);
  next.end();
  await next.closed;
  session.close();
  await endsWell(sidecar);
});

test('the access log and the log level change, too', async (t) => {
  const { sidecar, reread } = await begin(t, 'access-log: all\n');
  const client = await connect({ port: sidecar.port, cert, key });
  assert.equal(await ask(client), 200);
  await sidecar.waitForLog('request');
  const line = await reread('access-log: "off"\n', 'configuration reloaded');
  assert.deepEqual(line.options, ['access-log']);
  assert.equal(await ask(client), 200);
  client.end();
  await client.closed;
  await endsWell(sidecar);
  assert.equal(sidecar.logs.filter(({ msg }) => msg === 'request').length, 1);
});

test('what needs a restart is named in one line, and the rest is taken', async (t) => {
  const { sidecar, reread } = await begin(t, 'allow-cn: [web]\n');
  const line = await reread(
    'allow-cn: [other]\nidle-timeout: 5s\nheader-timeout: 5s\n',
    'changed options need a restart; the old values stay',
  );
  assert.deepEqual(line.options, ['header-timeout', 'idle-timeout']);
  const client = await connect({ port: sidecar.port, cert, key });
  assert.equal(await ask(client), 403);
  await client.closed;
  // Told at every hangup for as long as it is so; nothing else changed.
  sidecar.kill('SIGHUP');
  await sidecar.waitForLog(() => sidecar.logs.filter(({ msg }) => String(msg).includes('need a restart')).length === 2);
  assert.equal(sidecar.logs.filter(({ msg }) => msg === 'configuration reloaded').length, 1);
  await endsWell(sidecar);
});

const mistakes: readonly (readonly [what: string, config: string, says: RegExp])[] = [
  ['is no YAML', 'allow-cn: [\n', /is not valid YAML/],
  ['has an unknown option', 'allow-nc: [x]\nallow-cn: [x]\n', /unknown option "allow-nc"/],
  ['has a value out of range', 'allow-cn: [x]\nidle-timeout: 5\n', /--idle-timeout takes/],
  ['contradicts itself', 'allow-cn: [x]\nclient-auth: "off"\n', /need client certificates/],
];
for (const [what, config, says] of mistakes) {
  test(`a file that ${what} changes nothing and is one line`, async (t) => {
    const { sidecar, reread } = await begin(t, 'allow-cn: [web]\n');
    const line = await reread(config, 'configuration not reloaded; the old settings stay');
    assert.match(String((line.problems as string[])[0]), says);
    const client = await connect({ port: sidecar.port, cert, key });
    assert.equal(await ask(client), 200);
    client.end();
    await client.closed;
    await unchanged(sidecar);
  });
}

async function unchanged(sidecar: Sidecar): Promise<void> {
  assert.ok(!sidecar.logs.some(({ msg }) => msg === 'configuration reloaded'));
  await endsWell(sidecar);
}

test('rules of another CA are not taken: they belong together', async (t) => {
  const { sidecar, reread } = await begin(t, 'allow-cn: [other]\n');
  const line = await reread(
    'allow-cn: [web]\nclient-auth: request\n',
    'configuration not reloaded; the old settings stay',
  );
  assert.match(String(line.problems), /--client-ca or --client-auth has changed/);
  assert.equal(await ask(await connect({ port: sidecar.port, cert, key })), 403);
  await endsWell(sidecar);
});

for (const [what, content] of [
  ['an empty file', ''],
  ['a file without rules', 'access-log: all\n'],
] as const) {
  test(`${what} admits nobody: the last rules stay`, async (t) => {
    const { sidecar, reread } = await begin(t, 'allow-cn: [other]\n');
    const open = () => connect({ port: sidecar.port, cert, key });
    assert.equal(await ask(await open()), 403);
    const line = await reread(content, 'configuration not reloaded; the old settings stay');
    assert.match(String(line.problems), /no allow rule any more/);
    assert.equal(await ask(await open()), 403);
    await endsWell(sidecar);
  });
}

test('a reload that silences the log says so first', async (t) => {
  const { sidecar, reread } = await begin(t, 'log-level: info\n');
  const line = await reread('log-level: error\n', 'configuration reloaded');
  assert.deepEqual(line.options, ['log-level']);
  assert.deepEqual(await sidecar.stop(), { code: 0, signal: null });
});
