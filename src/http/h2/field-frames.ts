// HEADERS and CONTINUATION (RFC 9113 sections 6.2 and 6.10): header blocks put together and decoded, all of them, whatever
// becomes of their streams, for the tables of both sides must stay in step.

import { HpackDecoder } from '../hpack/decoder.ts';
import { Code, Flag } from './frames.ts';
import { HeaderBlock } from './header-block.ts';
import type { H2Session } from './session.ts';

export class FieldFrames {
  readonly decoder: HpackDecoder;
  readonly #session: H2Session;
  readonly #block: HeaderBlock;

  /** As in SETTINGS_MAX_HEADER_LIST_SIZE, and how many bytes a block may have before it is decoded. */
  constructor(session: H2Session, maxListBytes: number, maxBlockBytes: number) {
    this.#session = session;
    this.decoder = new HpackDecoder(maxListBytes);
    this.#block = new HeaderBlock(maxBlockBytes);
  }

  /** The stream whose block is under way, or 0: until its end, no other frame may come. */
  get openBlock(): number {
    return this.#block.id;
  }

  headers(flags: number, id: number, bytes: Buffer, from: number, to: number): void {
    const block = this.#block;
    const session = this.#session;
    if (id === 0) return session.fail(Code.protocol, 'HEADERS on stream 0');
    const code = block.open(flags, bytes, from, to);
    if (code !== Code.none) return session.fail(code, 'a HEADERS frame that cannot be read');
    if ((flags & Flag.endHeaders) === 0) return block.begin(id, flags, bytes);
    this.#decode(id, flags, bytes, block.from, block.to);
  }

  continuation(flags: number, bytes: Buffer, from: number, to: number): void {
    const block = this.#block;
    const { id } = block;
    if (!block.add(bytes, from, to)) return this.#session.fail(Code.enhanceYourCalm, 'a header block without end');
    if ((flags & Flag.endHeaders) === 0) return;
    const whole = block.take();
    this.#decode(id, block.flags, whole, 0, whole.length);
  }

  #decode(id: number, flags: number, bytes: Buffer, from: number, to: number): void {
    const session = this.#session;
    if (!this.decoder.decode(bytes, from, to))
      return session.fail(Code.compression, 'a header block that cannot be read');
    session.fieldsCame(id, (flags & Flag.endStream) !== 0, this.#block.dependsOn === id);
  }
}
