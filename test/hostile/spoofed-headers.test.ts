// The spoof table: every field that tells an app who its client is, in every spelling an app may read as that field, alone,
// repeated, and named in Connection. Judged by the raw bytes that reached the app: it sees ours, once, and nothing else.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { connectH2, fieldsOf, type H2Client } from '../support/h2-client.ts';
import type { RawClient } from '../support/raw-client.ts';
import { createRecorder, type Recorder, response } from '../support/recorder.ts';
import { forwarders, type Lane, openLane } from '../support/stage.ts';

const SPOOFED = 'sp00fed';

/** Ours to say, and what each must be at the app; undefined: not there at all. */
const OURS: Readonly<Record<string, RegExp | undefined>> = {
  'X-Forwarded-For': /^127\.0\.0\.1$/,
  'X-Forwarded-Proto': /^https$/,
  'X-Forwarded-Host': /^app\.test$/,
  'X-Forwarded-Port': /^443$/,
  'X-Request-Id': /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
  'X-Forwarded-Client-Cert': undefined,
  Forwarded: undefined,
  'X-Forwarded-Prefix': undefined,
  'X-Forwarded-Server': undefined,
  'X-Forwarded-User': undefined,
  'X-Forwarded-Scheme': undefined,
  'X-Forwarded-Ssl': undefined,
};
const CERT = 'X-Forwarded-Client-Cert';

const SPELLINGS: Readonly<Record<string, (name: string) => string>> = {
  canonical: (name) => name,
  lower: (name) => name.toLowerCase(),
  upper: (name) => name.toUpperCase(),
  'with _': (name) => name.replaceAll('-', '_'),
  mixed: (name) => name.replace('-', '_'),
};

type Field = readonly [name: string, value: string];

/** The ways in which one spelling is sent. */
function listsOf(name: string, sent: string): Field[][] {
  return [
    [[sent, SPOOFED]],
    [
      [sent, SPOOFED],
      [name, SPOOFED],
      [sent, SPOOFED],
    ],
    [
      [sent, ''],
      [sent, `${SPOOFED}, ${SPOOFED}`],
    ],
    [
      ['Connection', sent],
      [sent, SPOOFED],
    ],
    [
      [sent, SPOOFED],
      ['Connection', `keep-alive, ${sent}`],
    ],
    // Ours must not be removed by a name alone.
    [['Connection', name]],
  ];
}

type Post = { lane: Lane; app: Recorder; h1: RawClient; h2: H2Client };
const posts: Post[] = [];
/** The same, but this client's TCP peer is trusted. */
const trusting: Post[] = [];

/** The connections are opened first, and some of them are asked last. */
const patient = ['--idle-timeout', '30m', '--header-timeout', '30m'];

async function openPost(forwarder: Lane['forwarder'], args: string[]): Promise<Post> {
  const app = await createRecorder(response('ok'));
  const lane = await openLane({ forwarder, upstream: app.port, args: ['--access-log', 'off', ...patient, ...args] });
  return { app, lane, h1: await lane.connect(), h2: await connectH2({ port: lane.sidecar.port }) };
}

before(async () => {
  for (const forwarder of forwarders) {
    posts.push(await openPost(forwarder, ['--trust-forwarded', '10.0.0.0/8', '--trust-forwarded', '::/0']));
    trusting.push(await openPost(forwarder, ['--trust-forwarded', '127.0.0.1']));
  }
});

after(async () => {
  for (const { lane, app, h1, h2 } of [...posts, ...trusting]) {
    assert.deepEqual(lane.defects, []);
    h1.destroy();
    h2.destroy();
    await lane.close();
    await app.close();
  }
});

/** The request as its bytes reached the app. */
async function viaHttp1({ h1, app }: Post, fields: readonly Field[]): Promise<string> {
  const lines = fields.map(([name, value]) => `${name}: ${value}\r\n`).join('');
  h1.send(`GET / HTTP/1.1\r\nHost: app.test\r\n${lines}X-Last: 1\r\n\r\n`);
  assert.equal((await h1.readResponse()).status, 200);
  return app.requests.at(-1) ?? '';
}

async function viaHttp2({ h2, app }: Post, fields: readonly Field[]): Promise<string> {
  const sent = fields
    .filter(([name]) => name !== 'Connection')
    .map(([name, value]) => [name.toLowerCase(), value] as const);
  const id = h2.request([
    ...fieldsOf(),
    ...sent.map(([name, value]): [string, string] => [name, value]),
    ['x-last', '1'],
  ]);
  await h2.over(id);
  assert.equal(h2.status(id), 200);
  return app.requests.at(-1) ?? '';
}

/** Fields of the request that an app may take for `name`: letter case, and `_` for `-`, as CGI and its heirs do. */
function readLeniently(request: string, name: string): string[] {
  const plain = (text: string): string => text.toLowerCase().replaceAll('_', '-').trim();
  const head = request.slice(request.indexOf('\r\n') + 2, request.indexOf('\r\n\r\n'));
  const fields = head
    .split(/\r\n|\r|\n/)
    .map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1)]);
  return fields.filter(([field]) => plain(field ?? '') === plain(name)).map(([, value]) => (value ?? '').trim());
}

function assertOurs(request: string, what: string): void {
  assert.ok(!request.includes(SPOOFED), `${what}: ${request}`);
  assert.match(request, /^x-last: 1\r$/im, what);
  for (const [name, wanted] of Object.entries(OURS)) {
    const values = readLeniently(request, name);
    assert.equal(values.length, wanted === undefined ? 0 : 1, `${what}: ${name} is there ${values.length} times`);
    if (wanted !== undefined) assert.match(values[0] ?? '', wanted, `${what}: ${name}`);
  }
}

for (const [index, forwarder] of forwarders.entries()) {
  for (const [protocol, send] of [
    ['HTTP/1.1', viaHttp1],
    ['HTTP/2', viaHttp2],
  ] as const) {
    describe(`from a stranger, over ${protocol}, through ${forwarder}`, () => {
      for (const name of Object.keys(OURS)) {
        test(`${name} is ours alone, however it was spelled`, async () => {
          const post = posts[index] as Post;
          for (const [how, spell] of Object.entries(SPELLINGS)) {
            for (const list of listsOf(name, spell(name))) {
              if (protocol === 'HTTP/2' && list.every(([field]) => field === 'Connection')) continue;
              assertOurs(await send(post, list), `${how} ${JSON.stringify(list)}`);
            }
          }
        });
      }

      test('all of them together are ours alone', async () => {
        const all = Object.keys(OURS).flatMap((name) =>
          Object.values(SPELLINGS).map((spell): Field => [spell(name), SPOOFED]),
        );
        assertOurs(await send(posts[index] as Post, [...all, ['Connection', Object.keys(OURS).join(', ')]]), 'all');
      });
    });

    test(`${CERT} never comes from a trusted peer either, over ${protocol}, through ${forwarder}`, async () => {
      for (const [how, spell] of Object.entries(SPELLINGS)) {
        for (const list of listsOf(CERT, spell(CERT))) {
          const request = await send(trusting[index] as Post, list);
          assert.ok(!request.includes(SPOOFED), how);
          assert.deepEqual(readLeniently(request, CERT), [], how);
        }
      }
    });

    test(`a name with _ never comes from a trusted peer either, over ${protocol}, through ${forwarder}`, async () => {
      for (const name of Object.keys(OURS).filter((candidate) => candidate.includes('-'))) {
        for (const how of ['with _', 'mixed']) {
          const list: Field[] = [[(SPELLINGS[how] as (name: string) => string)(name), SPOOFED]];
          assertOurs(await send(trusting[index] as Post, list), `${how} ${name}`);
        }
      }
    });

    test(`the client is not spoofed by a first field that is the balancer's own, over ${protocol}, through ${forwarder}`, async () => {
      const request = await send(trusting[index] as Post, [
        ['X-Forwarded-For', '192.0.2.7'],
        ['X_Forwarded_For', SPOOFED],
      ]);
      assert.deepEqual(readLeniently(request, 'X-Forwarded-For'), ['192.0.2.7, 127.0.0.1']);
    });
  }
}
