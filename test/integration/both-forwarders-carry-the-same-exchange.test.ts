// Every row of the table of exchanges runs through the real program twice, once a forwarder, before the same recording app.
// What the client sees and what the app received must be as the row says, and equal; a difference stands in the row.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { Difference, ExchangeRow, Wanted } from '../support/exchange-row.ts';
import { EVERYWHERE, EXCHANGES } from '../support/exchanges.ts';
import { eventually } from '../support/poll.ts';
import type { RawClient } from '../support/raw-client.ts';
import { createRecorder, type Recorder, type RecorderConnection, response } from '../support/recorder.ts';
import { cutRequest } from '../support/requests.ts';
import { type RawResponse, valuesOf } from '../support/response.ts';
import { forwarders, type Lane, openLane } from '../support/stage.ts';

const CANARY = /^GET \/canary /;
/** Short enough to see that the outcome did not wait for a time-out, long enough for a busy machine. */
const LIMITS = ['--upstream-timeout', '8s', '--client-timeout', '8s', '--upstream-connect-timeout', '4s'];

/** A request, or the beginning of one, at the app; in the order of arrival, whatever connection it came on. */
type Arrival = { connection: RecorderConnection; start: number; end: number | undefined };
type Post = { lane: Lane; app: Recorder; row: ExchangeRow; client: RawClient | undefined; arrivals: Arrival[] };
/** What one lane made of a row. */
type Seen = {
  answers: string[];
  complete: boolean;
  stays: boolean;
  app: Message[];
  appText: string;
};
type Message = { line: string; fields: string[]; body: string; trailers: string[] };

const posts: Post[] = [];

before(async () => {
  for (const forwarder of forwarders) {
    const post = { row: EXCHANGES[0], arrivals: [] as Arrival[] } as Post;
    post.app = await openApp(post, 0);
    post.lane = await openLane({ forwarder, upstream: post.app.port, args: LIMITS });
    posts.push(post);
  }
});

after(async () => {
  for (const { lane, app } of posts) {
    await lane.close();
    await app.close();
  }
});

for (const row of EXCHANGES) {
  test(row.name, async () => {
    const runs = await Promise.allSettled(posts.map((post) => run(post, row)));
    const failures = runs.flatMap((ran) => (ran.status === 'rejected' ? [ran.reason] : []));
    if (failures.length > 0)
      throw failures.length === 1 ? failures[0] : new AggregateError(failures, failures.join('; '));
    const [wire, proxy] = runs.map((ran) => ran.status === 'fulfilled' && ran.value) as [Seen, Seen];
    check(row.want, wire, 'wire');
    check(row.httpProxy ?? row.want, proxy, 'http-proxy');
    compare(row, wire, proxy);
  });
}

test('neither lane has logged a defect', () => {
  for (const { lane } of posts) assert.deepEqual(lane.defects, [], lane.forwarder);
});

test('the table holds at least 90 rows, none twice', () => {
  const names = EXCHANGES.map((row) => row.name);
  assert.deepEqual(
    names.filter((name, at) => names.indexOf(name) !== at),
    [],
  );
  assert.ok(EXCHANGES.length >= 90, `${EXCHANGES.length} rows`);
});

// ---- the app

function openApp(post: Post, port: number): Promise<Recorder> {
  return createRecorder((connection) => serve(post, connection), { port });
}

async function serve(post: Post, connection: RecorderConnection): Promise<void> {
  let at = 0;
  let acted = -1;
  let arrival: Arrival | undefined;
  const act = async (text: string): Promise<void> => {
    acted = at;
    if (CANARY.test(text)) return connection.write(response('canary'));
    const { app } = post.row;
    if (typeof app !== 'function') connection.socket.write(app, 'latin1');
    else await app(connection, text, async (wanted) => await post.client?.waitFor(wanted));
  };
  for (;;) {
    const had = connection.received.length;
    if (had > at && arrival?.start !== at) {
      arrival = { connection, start: at, end: undefined };
      post.arrivals.push(arrival);
    }
    const next = cutRequest(connection.received, at);
    if (next.kind === 'complete') {
      (arrival as Arrival).end = next.request.end;
      if (acted !== at) await act(next.request.bytes.toString('latin1'));
      at = next.request.end;
      continue;
    }
    const waiting = connection.received.subarray(at);
    if (post.row.early && acted !== at && waiting.includes('\r\n\r\n')) {
      await act(waiting.toString('latin1'));
      continue;
    }
    if (connection.ended) return;
    await connection.waitFor((received) => received.length > had || connection.ended, Number.POSITIVE_INFINITY);
  }
}

// ---- one row through one lane

async function run(post: Post, row: ExchangeRow): Promise<Seen> {
  post.row = row;
  const { port } = post.app;
  if (row.down) await post.app.close();
  const client = await post.lane.connect();
  post.client = client;
  post.arrivals = [];
  const sending = typeof row.send === 'function' ? row.send(client) : client.send(bytesOf(row.send));
  const answers: RawResponse[] = [];
  try {
    for (let n = row.answers ?? 1; n > 0; n--) {
      const answer = await client.readResponse({ head: row.head === true }).catch((error: unknown) => {
        if (client.ended && client.received.length === 0) return undefined;
        throw error;
      });
      if (answer !== undefined) answers.push(answer);
    }
    await sending;
    return await look(post, row, client, answers);
  } catch (error) {
    if (row.down) post.app = await openApp(post, port).catch(() => post.app);
    throw new Error(`${post.lane.forwarder}: ${error instanceof Error ? error.message : error}`, { cause: error });
  } finally {
    client.destroy();
  }
}

async function look(post: Post, row: ExchangeRow, client: RawClient, answers: RawResponse[]): Promise<Seen> {
  const { port } = post.app;
  const appText = await receivedBy(post, row);
  const last = answers.at(-1);
  if (row.down) post.app = await openApp(post, port);
  const stays = last === undefined || last.status === 101 ? false : await staysUsable(post, client, last);
  if (!stays) await probe(post);
  return { answers: answers.map(textOf), complete: last?.complete === true, stays, app: messagesOf(appText), appText };
}

/** What the app received for this row. What the client sends last may still be on its way. */
async function receivedBy(post: Post, row: ExchangeRow): Promise<string> {
  if (row.down) return '';
  const read = (): string =>
    post.arrivals.map(({ connection, start, end }) => connection.received.toString('latin1', start, end)).join('');
  const wanted = row.want.app;
  if (!(wanted instanceof RegExp)) return read();
  return await eventually(() => wanted.test(read()) && read(), { what: 'the bytes at the app' }).catch(() => read());
}

/** Whether the next request on the same connection is answered. A connection that says it closes must do so. */
async function staysUsable(post: Post, client: RawClient, last: RawResponse): Promise<boolean> {
  if (!last.complete || last.framing === 'close' || valuesOf(last.headers, 'connection').includes('close')) {
    await eventually(() => client.ended, { what: 'the end of the connection' });
    assert.equal(client.unread.toString('latin1'), '', `${post.lane.forwarder}: bytes after the last answer`);
    return false;
  }
  client.send('GET /canary HTTP/1.1\r\nHost: app.test\r\n\r\n');
  if (post.lane.forwarder === 'http-proxy' && post.row.differs?.includes('cuts-the-client')) {
    return await expectCanary(post, client).then(
      () => true,
      () => false,
    );
  }
  await expectCanary(post, client);
  return true;
}

/** The pool is as good as before: a new client is served. */
async function probe(post: Post): Promise<void> {
  const client = await post.lane.connect();
  client.send('GET /canary HTTP/1.1\r\nHost: app.test\r\n\r\n');
  await expectCanary(post, client);
  client.destroy();
}

async function expectCanary(post: Post, client: RawClient): Promise<void> {
  const answer = await client.readResponse();
  assert.equal(
    textOf(answer),
    'HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\ncanary',
    `${post.lane.forwarder}: the next request`,
  );
}

function bytesOf(send: string | Buffer): Buffer {
  return typeof send === 'string' ? Buffer.from(send, 'latin1') : send;
}

// ---- what was seen

/** An answer as text, decoded, without what changes from one to the next: our Date and our request's id. */
function textOf({ headText, body, trailers, informational }: RawResponse): string {
  const interim = informational.map(({ status, headers }) => `${status}\r\n${pairs(headers)}`).join('');
  const head = headText.replace(/\r\nDate: [^\r]*GMT/, '');
  const told = body.toString('latin1').replace(/ and requestId "[^"]*"/, '');
  return `${interim}${head}\r\n\r\n${told}${trailers.length === 0 ? '' : `\r\n${pairs(trailers).slice(0, -2)}`}`;
}

function pairs(list: readonly string[]): string {
  let text = '';
  for (let at = 0; at < list.length; at += 2) text += `${list[at]}: ${list[at + 1]}\r\n`;
  return text;
}

/** The requests in the bytes that an app received; a partial one at the end counts with what there is. */
function messagesOf(text: string): Message[] {
  const bytes = Buffer.from(text, 'latin1');
  const messages: Message[] = [];
  let at = 0;
  while (at < bytes.length) {
    const next = cutRequest(bytes, at);
    const end = next.kind === 'complete' ? next.request.end : bytes.length;
    messages.push(messageOf(bytes.toString('latin1', at, end), next.kind === 'complete'));
    at = end;
  }
  return messages;
}

function messageOf(text: string, whole: boolean): Message {
  const headEnd = text.indexOf('\r\n\r\n');
  const [line = '', ...fields] = text.slice(0, headEnd).split('\r\n');
  const raw = text.slice(headEnd + 4);
  const stable = fields.map((field) =>
    field
      .replace(/^X-Request-Id: [0-9a-f-]{36}$/, 'X-Request-Id: (an id)')
      .replace(/127\.0\.0\.1:\d+|(?<=^X-Forwarded-Port: )\d{5}$/, '(our port)'),
  );
  if (!whole) return { line, fields: stable, body: '(partial)', trailers: [] };
  if (!fields.includes('Transfer-Encoding: chunked')) return { line, fields: stable, body: raw, trailers: [] };
  let body = '';
  let at = 0;
  for (;;) {
    const lineEnd = raw.indexOf('\r\n', at);
    const size = Number.parseInt(raw.slice(at, lineEnd), 16);
    at = lineEnd + 2;
    if (size === 0) break;
    body += raw.slice(at, at + size);
    at += size + 2;
  }
  return {
    line,
    fields: stable,
    body,
    trailers: raw
      .slice(at)
      .split('\r\n')
      .filter((trailer) => trailer !== ''),
  };
}

// ---- the outcome

function check(want: Wanted, seen: Seen, who: string): void {
  const text = seen.answers.join('');
  const status = Number(/(?:^|\n)HTTP\/1\.1 (\d+)/.exec(seen.answers.at(-1) ?? '')?.[1] ?? 0);
  assert.equal(status, want.status, `${who}: ${text.slice(0, 600)}`);
  assert.equal(seen.complete, want.cut !== true, `${who}: complete`);
  if (want.client !== undefined) assert.match(text, want.client, who);
  if (want.app === 'nothing') assert.equal(seen.appText, '', who);
  else if (want.app !== undefined) assert.match(seen.appText, want.app, who);
  assert.doesNotMatch(text, /POISON/, who);
}

/** Differences in what Node's client makes of an answer: what each lane must show stands in the row. */
const WORDED: readonly Difference[] = ['node-reads-it', 'cut-later', 'cuts-the-client', 'notices-later'];

function compare(row: ExchangeRow, wire: Seen, proxy: Seen): void {
  const same = (a: Seen, b: Seen): void => {
    assert.deepEqual(b.answers, a.answers, 'what the client saw: http-proxy against wire');
    assert.equal(b.stays, a.stays, 'whether the connection stays');
    assert.deepEqual(b.app, a.app, 'what the app received: http-proxy against wire');
  };
  const bare = { ...proxy, app: proxy.app.map(withoutKeepAlive) };
  const differs = row.differs ?? [];
  if (differs.length === 0) return same(wire, bare);
  if (differs.some((difference) => WORDED.includes(difference))) return;
  assert.throws(() => same(wire, bare), 'a listed difference that is none any more');
  same({ ...wire, app: wire.app.map((message) => asHttpProxy(message, differs)) }, bare);
}

function withoutKeepAlive(message: Message): Message {
  return { ...message, fields: message.fields.filter((field) => field !== EVERYWHERE.addedByHttpProxy) };
}

/** A message of the wire forwarder, as http-proxy would have said it. */
function asHttpProxy(message: Message, differs: readonly Difference[]): Message {
  let { fields } = message;
  if (differs.includes('grouped')) {
    const groups = new Map<string, string[]>();
    for (const field of fields) {
      const name = field.slice(0, field.indexOf(':'));
      const group = groups.get(name.toLowerCase());
      if (group === undefined) groups.set(name.toLowerCase(), [field]);
      else group.push(`${group[0]?.slice(0, name.length)}${field.slice(name.length)}`);
    }
    // Cookie is one list (RFC 6265 section 5.4): Node joins it.
    fields = [...groups.values()].flatMap((group) =>
      /^cookie:/i.test(group[0] ?? '') ? [group.join('; ').replace(/; cookie: /gi, '; ')] : group,
    );
  }
  return { ...message, fields };
}
