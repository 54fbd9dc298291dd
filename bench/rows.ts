// The table of rows: what is measured of every lane, in this order.
import type { Metric } from './report/results.ts';
import { bulk, connect, grpc, http2, http2Memory, keepAlive, memory, start, type Trial } from './trials.ts';

export type Row = {
  readonly id: string;
  readonly title: string;
  /** In a quick run too. */
  readonly quick?: boolean;
  readonly columns: readonly Metric[];
  readonly measure: Trial;
};

const requestColumns = [
  'cpuUs',
  'rps',
  'offered',
  'halfCpuUs',
  'p50Ms',
  'p99Ms',
  'busyPercent',
  'dialled',
  'ownMib',
] as const;
const tenOfTwenty = { connections: 10, streams: 20 };
const connectColumns = ['cpuUs', 'rps', 'busyPercent', 'dialled', 'ownMib'] as const;

export const rows: readonly Row[] = [
  {
    id: 'h1-small',
    title: 'HTTP/1.1 keep-alive, 100 B responses',
    quick: true,
    columns: requestColumns,
    measure: keepAlive({ path: '/bytes/100', expect: 100 }),
  },
  {
    id: 'h1-16k',
    title: 'HTTP/1.1 keep-alive, 16 KiB responses',
    columns: requestColumns,
    measure: keepAlive({ path: '/bytes/16384', expect: 16384 }),
  },
  {
    id: 'h1-1m',
    title: 'HTTP/1.1 keep-alive, 1 MiB responses',
    columns: requestColumns,
    measure: keepAlive({ path: '/bytes/1048576', expect: 1048576 }),
  },
  {
    id: 'h1-upload',
    title: 'HTTP/1.1 keep-alive, 16 KiB uploads',
    quick: true,
    columns: requestColumns,
    measure: keepAlive({ path: '/upload', upload: 16384, expect: 5 }),
  },
  {
    id: 'h2-small',
    title: 'HTTP/2, 10 connections of 20 streams, 100 B responses',
    columns: requestColumns,
    measure: http2({ ...tenOfTwenty, path: '/bytes/100', expect: 100 }),
  },
  {
    id: 'h2-wide',
    title: 'HTTP/2, 100 connections of one stream, 100 B responses',
    columns: requestColumns,
    measure: http2({ connections: 100, streams: 1, path: '/bytes/100', expect: 100 }),
  },
  {
    id: 'h2-1m',
    title: 'HTTP/2, 10 connections of 20 streams, 1 MiB responses',
    columns: requestColumns,
    measure: http2({ ...tenOfTwenty, path: '/bytes/1048576', expect: 1048576 }),
  },
  {
    id: 'h2-upload',
    title: 'HTTP/2, 10 connections of 20 streams, 16 KiB uploads',
    columns: requestColumns,
    measure: http2({
      ...tenOfTwenty,
      path: '/upload',
      expect: 5,
      body: { name: 'upload', bytes: Buffer.alloc(16384, '0123456789abcdef') },
    }),
  },
  {
    id: 'grpc-unary',
    title: 'gRPC, 10 connections of 20 calls, one message of 100 B each way',
    columns: requestColumns,
    measure: grpc(1),
  },
  {
    id: 'grpc-stream',
    title: 'gRPC, 10 connections of 20 calls, 100 messages of 100 B from the app for each',
    columns: requestColumns,
    measure: grpc(100),
  },
  {
    id: 'connect-full',
    title: 'New connections, full handshake and one request',
    quick: true,
    columns: connectColumns,
    measure: connect(false),
  },
  {
    id: 'connect-resumed',
    title: 'New connections, resumed handshake and one request',
    columns: connectColumns,
    measure: connect(true),
  },
  {
    id: 'bulk',
    title: 'Bulk download, 1 GiB on one connection',
    quick: true,
    columns: ['mbPerCpuS', 'mbPerS', 'busyPercent', 'ownMib'],
    measure: bulk,
  },
  {
    id: 'start',
    title: 'Start',
    columns: ['openMs', 'bareMs', 'timesBare', 'startMs'],
    measure: start,
  },
  {
    id: 'memory',
    title: 'Memory: idle, per idle HTTP/1.1 connection, after a load of 16 KiB answers',
    columns: ['idleOwnMib', 'idleSharedMib', 'idleMib', 'perConnectionKib', 'afterOwnMib', 'laterOwnMib'],
    measure: memory,
  },
  {
    id: 'memory-h2',
    title: 'Memory of idle HTTP/2 connections',
    columns: ['perConnectionKib', 'idleOwnMib', 'idleSharedMib'],
    measure: http2Memory,
  },
];
