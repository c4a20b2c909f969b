// gRPC messages as they come in pieces, without stringing the pieces together: a client that reads gigabytes would pay
// for that more than the server for sending them.

/** Bytes that lie in several pieces, read from the front. */
export class Pieces {
  #pieces: Buffer[] = [];
  #first = 0;
  #at = 0;
  #length = 0;

  /** Bytes that are there to be read. */
  get length(): number {
    return this.#length;
  }

  add(piece: Buffer): void {
    if (piece.length === 0) return;
    this.#pieces.push(piece);
    this.#length += piece.length;
  }

  /** Takes so many bytes off the front, still in pieces. They must be there. */
  take(count: number): Pieces {
    const taken = new Pieces();
    while (count > 0) {
      const piece = this.#pieces[this.#first]!;
      const end = Math.min(piece.length, this.#at + count);
      taken.add(piece.subarray(this.#at, end));
      count -= end - this.#at;
      this.#move(end - this.#at);
    }
    if (this.#first > 0) {
      this.#pieces = this.#pieces.slice(this.#first);
      this.#first = 0;
    }
    return taken;
  }

  byte(): number {
    const byte = this.#pieces[this.#first]![this.#at]!;
    this.#move(1);
    return byte;
  }

  skip(count: number): void {
    while (count > 0) {
      const here = Math.min(count, this.#pieces[this.#first]!.length - this.#at);
      this.#move(here);
      count -= here;
    }
  }

  /** A number of up to 32 bits, as protobuf writes it. */
  varint(): number {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = this.byte();
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value >>> 0;
    }
  }

  /** ASCII, as names are. */
  text(count: number): string {
    const piece = this.#pieces[this.#first];
    if (piece === undefined || piece.length - this.#at < count) return this.take(count).joined().toString("latin1");
    const text = piece.toString("latin1", this.#at, this.#at + count);
    this.#move(count);
    return text;
  }

  /** The same bytes, to be read once more. */
  copy(): Pieces {
    const copy = new Pieces();
    copy.#pieces = this.#pieces.slice(this.#first);
    copy.#at = this.#at;
    copy.#length = this.#length;
    return copy;
  }

  /** All that is left, in one piece. */
  joined(): Buffer {
    return Buffer.concat(
      this.#pieces.slice(this.#first).map((piece, index) => (index === 0 ? piece.subarray(this.#at) : piece)),
    );
  }

  #move(count: number): void {
    this.#at += count;
    this.#length -= count;
    if (this.#at < this.#pieces[this.#first]!.length) return;
    this.#first++;
    this.#at = 0;
  }
}

/** A gRPC frame's head: not compressed, and the length of the message in four bytes. */
const HEAD = 5;

/** Returns a function that is given what arrives, and calls back with each whole message and its length in bytes. */
export function messagesFrom(received: (message: Pieces, bytes: number) => void): (piece: Buffer) => void {
  const waiting = new Pieces();
  let length: number | undefined;
  return (piece) => {
    waiting.add(piece);
    for (;;) {
      if (length === undefined) {
        if (waiting.length < HEAD) return;
        length = waiting.take(HEAD).joined().readUInt32BE(1);
      }
      if (waiting.length < length) return;
      const message = waiting.take(length),
        bytes = length;
      length = undefined;
      received(message, bytes);
    }
  };
}

/** Returns a message as gRPC frames it. */
export function framed(message: Uint8Array): Buffer {
  const head = Buffer.alloc(HEAD);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}
