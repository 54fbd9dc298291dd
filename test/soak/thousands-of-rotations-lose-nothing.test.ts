// Thousands of rotations as the kubelet does them, under HTTP/1.1, HTTP/2, WebSocket and gRPC load: no request fails, no
// connection breaks, memory stays flat, and one directory is watched. Once with ECDSA keys, once with RSA and ECDSA in turn.
// Half as many come before them, in which the runtime takes what it needs. SOAK_ROTATIONS says how many (2000: the resident
// set goes up and down by a MiB, which over fewer of them looks like a slope). `npm run test:soak`; a smaller version is in
// test/integration.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import type { Issued } from '../../certs/authority.ts';
import { askAdmin, readMetrics } from '../support/admin.ts';
import { endsWell } from '../support/ended-well.ts';
import { eventually } from '../support/poll.ts';
import { type Stage, setStage } from '../support/stage.ts';
import { lows, type Sample, slope } from './memory.ts';
import { startMixedApp, startMixedLoad } from './mixed-load.ts';

const rotations = Number(process.env.SOAK_ROTATIONS ?? 2000);
const warmUp = Math.floor(rotations / 2);
const window = Math.max(1, Math.floor(rotations * 0.05));
/** Bytes a rotation. A context that was held would be tens of KiB. */
const mostGrowth = 2048;
/**
 * Collects often, so that what stays is what is held, not what was not collected yet. The young generation has its whole size
 * from the start: else it grows by 16 and 32 MiB at moments of its own, and the resident set with it.
 */
const collecting = [
  ...['--expose-gc', '--import', 'data:text/javascript,setInterval(() => gc(), 1000).unref()'],
  ...['--min-semi-space-size=16', '--max-semi-space-size=16'],
];

const sequences: Record<string, (stage: Stage) => Promise<(rotation: number) => Promise<Issued>>> = {
  async ECDSA(stage) {
    return () => stage.issue();
  },
  // RSA keys take long to make: there are a few, each certified once.
  async 'RSA and ECDSA in turn'(stage) {
    const made = Array.from({ length: 12 }, () => stage.authority.issue({ dns: ['localhost'], keyType: 'rsa' }));
    const rsa = await Promise.all(made);
    return async (rotation) => (rotation % 2 === 0 ? (rsa[(rotation / 2) % rsa.length] as Issued) : stage.issue());
  },
};

for (const [what, sequence] of Object.entries(sequences)) {
  test(`${rotations} rotations, ${what}`, { timeout: 1_200_000 }, async (t) => {
    const stage = await setStage(t);
    const app = await startMixedApp();
    t.after(() => app.close());
    const next = await sequence(stage);
    const sidecar = await stage.start({
      upstream: app.port,
      args: ['--access-log', 'errors'],
      nodeArgs: collecting,
    });
    const load = startMixedLoad(sidecar.port, stage.authority.rootPem);
    const { counts } = load;
    await eventually(() => Math.min(counts.http1, counts.h2, counts.webSocket, counts.grpc, counts.handshakes) > 5, {
      what: 'all kinds of traffic',
      deadlineMs: 20_000,
    });
    const samples: Sample[] = [];
    for (let rotation = 0; rotation < warmUp + rotations; rotation += 1) {
      const pair = await next(rotation);
      await stage.volume.write(stage.files(pair));
      const taken = (): boolean => counts.serial === pair.serial.toLowerCase() || counts.failures.length > 0;
      await eventually(taken, { what: `rotation ${rotation}`, everyMs: 5, deadlineMs: 15_000 });
      assert.deepEqual([counts.failures, counts.broken], [[], []], `after ${rotation} rotations`);
      const { body } = await askAdmin(sidecar, '/metrics');
      const heapBytes = Number(/^nodejs_heap_size_used_bytes (\S+)$/m.exec(body)?.[1]);
      samples.push({ rotation, rssBytes: sidecar.rssBytes(), heapBytes });
    }
    const handles = watchesOf(sidecar.pid);
    await load.stop();

    const metrics = await readMetrics(sidecar);
    const rssLows = lows(samples, ({ rssBytes }) => rssBytes, warmUp, window);
    const rss = slope(rssLows);
    const heap = slope(lows(samples, ({ heapBytes }) => heapBytes, warmUp, window));
    const { failures, broken, serial: _, ...passed } = counts;
    const mebibytes = rssLows.map(({ y }) => (y / 2 ** 20).toFixed(1)).join(' ');
    t.diagnostic(
      `${process.env.TEST_NODE ?? process.version}: ${warmUp} rotations and ${rotations} more, ${JSON.stringify(passed)}, ${failures.length} failed, ${broken.length} broken`,
    );
    t.diagnostic(
      `RSS after warm-up, in MiB, window by window: ${mebibytes}; slope ${rss.toFixed(0)} B a rotation (at most ${mostGrowth}); heap slope ${heap.toFixed(0)} B; ${handles} watch handles`,
    );
    assert.equal(metrics.sum('certificate_reloads_total', { result: 'success' }), warmUp + rotations);
    assert.equal(metrics.sum('certificate_reloads_total', { result: 'failed' }), 0);
    assert.equal(metrics.sum('handshake_failures_total'), 0);
    assert.equal(metrics.sum('failures_total'), 0);
    assert.equal(metrics.sum('certificate_watch_rearmed_total'), 0);
    assert.equal(handles, 1);
    // Over fewer rotations the noise is larger than what is looked for.
    if (rotations < 500) return endsWell(sidecar);
    assert.ok(heap < mostGrowth, `the heap grows by ${heap.toFixed(0)} bytes a rotation`);
    assert.ok(rss < mostGrowth, `the resident set grows by ${rss.toFixed(0)} bytes a rotation`);
    await endsWell(sidecar);
  });
}

/** The inotify watches of a process. */
function watchesOf(pid: number): number {
  const infos = readdirSync(`/proc/${pid}/fdinfo`).map((fd) => {
    try {
      return readFileSync(`/proc/${pid}/fdinfo/${fd}`, 'utf8');
    } catch {
      // A connection that ended since the listing.
      return '';
    }
  });
  return infos.join('\n').match(/^inotify /gm)?.length ?? 0;
}
