// Frames are followed by their heads alone, however the bytes are cut; and the closing frames are what a peer expects.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { describe, test } from 'node:test';
import { FrameTrack, goingAway } from '../../../src/http/websocket-frames.ts';

/** The two ends of the ws package, which its types leave out. */
const { Receiver, Sender } = createRequire(import.meta.url)('ws') as {
  Receiver: new (
    options: object,
  ) => { on(event: string, listener: (code: number) => void): void; write(bytes: Buffer): void };
  Sender: { frame(data: Buffer, options: object): Buffer[] };
};

function frameOf(length: number, mask: boolean, opcode = 2): Buffer {
  const parts = Sender.frame(Buffer.alloc(length, 0xff), {
    fin: true,
    rsv1: false,
    opcode,
    mask,
    readOnly: false,
  });
  return Buffer.concat(parts);
}

describe('frames', () => {
  for (const mask of [false, true]) {
    for (const length of [0, 1, 125, 126, 65_535, 65_536, 70_000]) {
      const frame = frameOf(length, mask);
      test(`${mask ? 'masked ' : ''}of ${length} bytes, in one piece and byte by byte`, () => {
        const track = new FrameTrack();
        assert.equal(track.atBoundary, true);
        assert.equal(track.take(frame), frame.length);
        assert.equal(track.atBoundary, true);
        for (const [at, byte] of frame.entries()) {
          track.take(Buffer.of(byte));
          assert.equal(track.atBoundary, at === frame.length - 1, `after byte ${at}`);
        }
      });

      test(`${mask ? 'masked ' : ''}of ${length} bytes: taken as far as its end`, () => {
        const track = new FrameTrack();
        track.take(frame.subarray(0, 1));
        const rest = Buffer.concat([frame.subarray(1), frameOf(7, mask)]);
        assert.equal(track.take(rest, true), frame.length - 1);
        assert.equal(track.atBoundary, true);
      });
    }
  }

  test('a closing frame is known', () => {
    const track = new FrameTrack();
    track.take(frameOf(3, true));
    assert.equal(track.closing, false);
    track.take(frameOf(2, true, 8));
    assert.equal(track.closing, true);
  });
});

for (const from of ['server', 'client'] as const) {
  test(`the closing frame of a ${from} says 1001`, async () => {
    const receiver = new Receiver({ isServer: from === 'client' });
    const concluded = new Promise((resolve) => receiver.on('conclude', resolve));
    receiver.write(goingAway(from));
    assert.equal(await concluded, 1001);
  });
}
