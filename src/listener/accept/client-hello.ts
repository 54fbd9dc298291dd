// The name that a client asks for, out of the first bytes of TLS: RFC 8446 sections 4.1.2 and 5.1, RFC 6066 section 3.
// Pure. What is no ClientHello has no name; OpenSSL, which gets the same bytes, says what is wrong with it.

const HANDSHAKE_RECORD = 22;
const RECORD_HEADER_BYTES = 5;
const VERSION_BYTES = 2;
const CLIENT_HELLO = 1;
const MESSAGE_HEADER_BYTES = 4;
const RANDOM_BYTES = 32;
const SERVER_NAME = 0;
const HOST_NAME = 0;

/** A browser's has up to 2 KiB, one with the ticket of a long client certificate 6; OpenSSL itself takes 128. */
const MAX_HELLO_BYTES = 16 * 1024;
/** Some clients split one, to get past middleboxes. One in very small records must not be parsed again for each. */
const MAX_RECORDS = 64;

/**
 * '' where the client asks for no name; undefined when more bytes are needed. Of a message that is too long, or that breaks
 * off, it is the name in what is there.
 */
export function serverNameOf(bytes: Buffer): string | undefined {
  const { handshake, goesOn } = handshakeIn(bytes);
  if (handshake.length > 0 && handshake[0] !== CLIENT_HELLO) return '';
  const end = handshake.length < MESSAGE_HEADER_BYTES ? Infinity : MESSAGE_HEADER_BYTES + handshake.readUIntBE(1, 3);
  if (handshake.length < end && goesOn && bytes.length < MAX_HELLO_BYTES) return undefined;
  return nameIn(handshake.subarray(MESSAGE_HEADER_BYTES, end));
}

/** What the records hold, the last of them perhaps in part, up to one of another kind or one too many. */
function handshakeIn(bytes: Buffer): { handshake: Buffer; goesOn: boolean } {
  const records = new Cursor(bytes);
  const fragments: Buffer[] = [];
  while (records.left >= RECORD_HEADER_BYTES) {
    const type = records.number(1);
    records.skip(VERSION_BYTES);
    const length = records.number(2);
    if (type !== HANDSHAKE_RECORD || fragments.length === MAX_RECORDS)
      return { handshake: Buffer.concat(fragments), goesOn: false };
    fragments.push(records.take(length));
  }
  return { handshake: Buffer.concat(fragments), goesOn: true };
}

function nameIn(message: Buffer): string {
  const hello = new Cursor(message);
  hello.skip(VERSION_BYTES + RANDOM_BYTES);
  hello.vector(1); // legacy_session_id
  hello.vector(2); // cipher_suites
  hello.vector(1); // legacy_compression_methods
  // Of a message that breaks off, as many extensions as are there.
  const extensions = new Cursor(hello.take(hello.number(2)));
  while (extensions.left > 0) {
    const type = extensions.number(2);
    const content = extensions.vector(2);
    if (type === SERVER_NAME) return hostIn(content);
  }
  return '';
}

function hostIn(extension: Buffer): string {
  const list = new Cursor(new Cursor(extension).vector(2));
  while (list.left > 0) {
    const type = list.number(1);
    const name = list.vector(2);
    if (type === HOST_NAME) return name.toString('latin1');
  }
  return '';
}

const NOTHING = Buffer.alloc(0);

/** Beyond the end there is nothing: no bytes, and the number 0. Each step moves on, so that a loop over `left` ends. */
class Cursor {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get left(): number {
    return this.#bytes.length - this.#at;
  }

  skip(length: number): void {
    this.take(length);
  }

  take(length: number): Buffer {
    const taken = this.#bytes.subarray(this.#at, this.#at + length);
    this.#at += taken.length;
    return taken;
  }

  /** Big-endian, of as many bytes. */
  number(length: number): number {
    const taken = this.take(length);
    return taken.length < length ? 0 : taken.readUIntBE(0, length);
  }

  /** What follows a length of as many bytes: all of it, or nothing. */
  vector(lengthBytes: number): Buffer {
    const length = this.number(lengthBytes);
    const taken = this.take(length);
    return taken.length === length ? taken : NOTHING;
  }
}
