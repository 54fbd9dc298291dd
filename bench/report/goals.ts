// What the wire forwarder is meant to reach: ratios within one run, start, and memory. Shown in the
// results, met or missed; never a test.
import type { LaneTable } from '../lanes.ts';
import type { Metric, Results } from './results.ts';

type Goal = {
  readonly row: string;
  readonly metric: Metric;
  /** Undefined: the figure itself is meant, not a ratio. */
  readonly against?: string;
  readonly atMost?: number;
  readonly atLeast?: number;
  readonly text: string;
  /** Where the CPU time goes, for whoever reads that it was missed: measured with `perf` and `--cpu-prof` on Node 24. */
  readonly where?: string;
};

const SMALL =
  'Of a small request the kernel has 49 % of the CPU time, Node and OpenSSL 34 %, JavaScript 12 %, libc 5 %. Two thirds of it are two writes: the request to the app and the answer to the client.';
const UPLOADS =
  'Of a 16 KiB upload over HTTP/1.1 the kernel has 36 % of the CPU time, V8 (its builtins, its runtime, its collector) 22 %, JavaScript 14 %, OpenSSL 10 %, Node 8 %, libc, malloc and the rest 10 %.';
const H2_UPLOADS =
  'Of a 16 KiB upload over HTTP/2 the kernel has 31 % of the CPU time, V8 29 %, 9 of them on helper threads, JavaScript 18 %, OpenSSL 7 %, Node 6 %, libc 6 %.';
const WIDE =
  'Nothing is shared by the streams of a connection here, so each request pays for a read and two writes of its own: the kernel has 30 % of the CPU time, V8 26 %, 6 of them on helper threads, JavaScript 19 %, Node 9 %, OpenSSL 8 %.';
const HANDSHAKES =
  'A connection is a chain of Node objects (socket, TLS wrap, streams, timers) that are made and collected for one request.';
const COPIES =
  "The kernel's copies from the app and to the client have 30 %, AES 6 %, and 5 % are copies through OpenSSL's memory buffers, which nginx does not need: it lets OpenSSL write to the socket.";

const FRAMES =
  'Of 1 MiB over HTTP/2, OpenSSL and the kernel have 62 % of the CPU time, Node 10 %, our own code 16 %; 7 % is the copy of each payload behind the head of its frame.';

const CONNECTION =
  'Node and OpenSSL 3.5 have 29 KiB of it outside of the heap (record layers 9, connection 5, AES contexts and session 4, buffers 2, small ones 5, and what the allocator rounds up); in the heap are 7.5 KiB, 3.6 of them of a bare TLS server.';
const YOUNG =
  'The young generation has 24 MiB of it, which the collection of an idle process gives back some seconds later; half of that would cost 15 % more CPU time over HTTP/2.';

const START =
  "A TLS server of Node's, with nothing of ours, takes 1.5 times a bare Node (45 and 30 ms, by hand). Of the rest, chunks of the program that are read and run have 15 ms, arguments 11, the certificate and what is checked of it 12, Node's own modules 8, pino 7, and 5 Node's test whether an address is link-local.";
const IDLE =
  'A bare Node with the same flags has 8.8 MiB of its own and 43.4 resident, a TLS server of Node, with nothing of ours, 12.8 and 52.3.';

const goals: readonly Goal[] = [
  {
    row: 'h1-small',
    metric: 'cpuUs',
    against: 'nginx',
    atMost: 1.25,
    text: 'CPU per small request over HTTP/1.1',
    where: SMALL,
  },
  {
    row: 'h1-small',
    metric: 'cpuUs',
    against: 'go-httputil',
    atMost: 1 / 1.7,
    text: 'CPU per small request, to Go',
    where: SMALL,
  },
  {
    row: 'h1-small',
    metric: 'cpuUs',
    against: 'caddy',
    atMost: 1 / 1.7,
    text: 'CPU per small request, to Caddy',
    where: SMALL,
  },
  {
    row: 'h1-small',
    metric: 'p99Ms',
    against: 'nginx',
    atMost: 2,
    text: 'p99 of small requests at half load',
    where: SMALL,
  },
  {
    row: 'h1-upload',
    metric: 'cpuUs',
    against: 'nginx',
    atMost: 1.2,
    text: 'CPU per 16 KiB upload over HTTP/1.1',
    where: UPLOADS,
  },
  {
    row: 'h2-small',
    metric: 'cpuUs',
    against: 'nginx',
    atMost: 0.9,
    text: 'CPU per small request over HTTP/2, 10 connections of 20 streams',
  },
  {
    row: 'h2-wide',
    metric: 'cpuUs',
    against: 'nginx',
    atMost: 1.4,
    text: 'CPU per small request over HTTP/2, 100 connections of one stream',
    where: WIDE,
  },
  {
    row: 'h2-1m',
    metric: 'cpuUs',
    against: 'nginx',
    atMost: 1.1,
    text: 'CPU per 1 MiB response over HTTP/2',
    where: FRAMES,
  },
  {
    row: 'h2-upload',
    metric: 'cpuUs',
    against: 'nginx',
    atMost: 1.3,
    text: 'CPU per 16 KiB upload over HTTP/2',
    where: H2_UPLOADS,
  },
  { row: 'grpc-unary', metric: 'cpuUs', against: 'nginx', atMost: 1.0, text: 'CPU per unary gRPC call' },
  {
    row: 'connect-full',
    metric: 'cpuUs',
    against: 'nginx',
    atMost: 1.35,
    text: 'CPU per new connection',
    where: HANDSHAKES,
  },
  {
    row: 'bulk',
    metric: 'mbPerCpuS',
    against: 'nginx',
    atLeast: 1.1,
    text: 'bulk download, MB per CPU second',
    where: COPIES,
  },
  {
    row: 'start',
    metric: 'timesBare',
    atMost: 3,
    text: 'time until the port is open, to a bare `node -e 0`',
    where: START,
  },
  { row: 'memory', metric: 'idleOwnMib', atMost: 17, text: 'own memory when idle, MiB', where: IDLE },
  { row: 'memory', metric: 'idleMib', atMost: 62, text: 'resident memory when idle, MiB', where: IDLE },
  { row: 'memory', metric: 'afterOwnMib', atMost: 55, text: 'own memory after a load, MiB', where: YOUNG },
  { row: 'memory', metric: 'laterOwnMib', atMost: 25, text: 'own memory 30 s after a load, MiB' },
  {
    row: 'memory',
    metric: 'perConnectionKib',
    atMost: 30,
    text: 'own KiB per idle HTTP/1.1 connection',
    where: CONNECTION,
  },
  {
    row: 'memory-h2',
    metric: 'perConnectionKib',
    atMost: 40,
    text: 'own KiB per idle HTTP/2 connection',
    where: CONNECTION,
  },
];

function judge({ atMost, atLeast = 1 }: Goal, figure: number): { limit: number; meant: string; met: boolean } {
  if (atMost === undefined) return { limit: atLeast, meant: `at least ${atLeast.toFixed(2)}`, met: figure >= atLeast };
  return { limit: atMost, meant: `at most ${atMost.toFixed(2)}`, met: figure <= atMost };
}

/** A Markdown table and where the time goes of what was missed, each in lines; both empty where nothing could be compared. */
export function describeGoals(results: Results, lanes: LaneTable): { table: string[]; missed: string[] } {
  const lines: string[] = [];
  const missed = new Set<string>();
  for (const lane of lanes.found.filter(({ name, ours }) => ours && /^wire(@|$)/.test(name))) {
    for (const goal of goals) {
      const own = results.median(goal.row, lane.name, goal.metric);
      const other = goal.against === undefined ? 1 : results.median(goal.row, goal.against, goal.metric);
      if (own === undefined || other === undefined) continue;
      const figure = own / other;
      const { limit, meant, met } = judge(goal, figure);
      if (!met && goal.where !== undefined) missed.add(`- ${goal.text}: ${goal.where}`);
      const verdict = met ? 'met' : `**missed by ${Math.abs((figure / limit - 1) * 100).toFixed(0)} %**`;
      const against = goal.against ?? '(no ratio)';
      lines.push(`| ${lane.name}: ${goal.text} | ${against} | ${meant} | ${figure.toFixed(2)} | ${verdict} |`);
    }
  }
  if (lines.length === 0) return { table: [], missed: [] };
  const table = ['| goal | against | meant | measured | |', '|---|---|--:|--:|---|', ...lines];
  return { table, missed: [...missed] };
}
