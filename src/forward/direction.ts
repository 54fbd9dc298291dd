// One direction of a tunnel: the bytes of one side on their way to the other. It knows where the frames of a WebSocket end, so
// that a closing frame of ours can be the last one; what its source says after that is dropped.

import type { Duplex } from 'node:stream';
import type { Exchange } from '../exchange.ts';
import { FrameTrack, goingAway } from '../http/websocket-frames.ts';

export type DirectionOptions = {
  readonly source: Duplex;
  readonly sink: Duplex;
  /** Whether the bytes are frames of a WebSocket. */
  readonly framed: boolean;
  readonly exchange: Exchange;
  /** Which of its bytes these are: what comes in goes to the app. */
  readonly counted: 'bytesIn' | 'bytesOut';
};

export class Direction {
  readonly #options: DirectionOptions;
  readonly #track: FrameTrack | undefined;
  /** Called when `closed` or `answered` has changed; set by close(). */
  #changed: (() => void) | undefined = undefined;
  /** Nothing follows on the way to the sink. */
  closed = false;

  constructor(options: DirectionOptions) {
    const { source, sink, framed } = options;
    this.#options = options;
    this.#track = framed ? new FrameTrack() : undefined;
    source.on('data', (chunk: Buffer) => this.#seen(chunk));
    // Not the hot path: pipe() brings back-pressure, and passes the end of one direction on without closing the other.
    source.pipe(sink);
  }

  /** The source has said that nothing follows. */
  get answered(): boolean {
    return this.#track?.closing === true;
  }

  /** Ends the source's other direction. */
  endSource(): void {
    const { source } = this.#options;
    if (!source.writableEnded) source.end();
  }

  /** Tells the sink that nothing follows, after the frame that is under way. Without effect where there are no frames. */
  close(changed: () => void): void {
    const { source, sink } = this.#options;
    const track = this.#track;
    if (track === undefined || this.#changed !== undefined) return;
    this.#changed = changed;
    // They are at it themselves.
    if (track.closing || source.readableEnded || !sink.writable) return this.#close();
    source.unpipe(sink);
    source.on('end', () => sink.end());
    if (track.atBoundary) this.#sayClose();
    source.resume();
  }

  #seen(chunk: Buffer): void {
    const { exchange, counted } = this.#options;
    exchange[counted] += chunk.length;
    const track = this.#track;
    if (track === undefined) return;
    if (this.#changed === undefined || this.closed) {
      track.take(chunk);
      if (this.closed && track.closing) this.#changed?.();
      return;
    }
    const used = track.take(chunk, true);
    this.#pass(chunk.subarray(0, used));
    if (!track.atBoundary) return;
    this.#sayClose();
    track.take(chunk.subarray(used));
  }

  #pass(bytes: Buffer): void {
    const { source, sink } = this.#options;
    if (!sink.writable || sink.write(bytes)) return;
    source.pause();
    sink.once('drain', () => source.resume());
  }

  #sayClose(): void {
    const { sink, counted } = this.#options;
    if (this.#track?.closing !== true && sink.writable)
      sink.write(goingAway(counted === 'bytesOut' ? 'server' : 'client'));
    this.#close();
  }

  #close(): void {
    this.closed = true;
    this.#changed?.();
  }
}
