/**
 * Reading and writing the few protobuf messages of the hot path (append requests, their answers, recorded events)
 * without building message objects. Everything else uses the generated classes.
 * Encoding: https://protobuf.dev/programming-guides/encoding/
 */

/** Wire types that occur in the EventStoreDB messages. */
export const VARINT = 0;
export const LENGTH_DELIMITED = 2;

/** Thrown when bytes are not the protobuf message they should be. */
export class MalformedMessage extends Error {}

/** A cursor over one message. Numbers are exact up to 2^53; beyond that use `bigVarint`. */
export class Reader {
  constructor(
    readonly bytes: Buffer,
    public at = 0,
    readonly end = bytes.length,
  ) {}

  get more(): boolean {
    return this.at < this.end;
  }

  varint(): number {
    const bytes = this.bytes;
    let value = 0;
    let scale = 1;
    for (let i = 0; i < 10; i++) {
      if (this.at >= this.end) throw new MalformedMessage('message ends inside a number');
      const byte = bytes[this.at++] as number;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
      scale *= 128;
    }
    throw new MalformedMessage('number longer than ten bytes');
  }

  bigVarint(): bigint {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      if (this.at >= this.end) throw new MalformedMessage('message ends inside a number');
      const byte = this.bytes[this.at++] as number;
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return BigInt.asUintN(64, value);
    }
    throw new MalformedMessage('number longer than ten bytes');
  }

  /** The bytes of a length-delimited field, not copied. */
  slice(): Buffer {
    const length = this.varint();
    const from = this.at;
    if (from + length > this.end) throw new MalformedMessage('field longer than its message');
    this.at = from + length;
    return this.bytes.subarray(from, this.at);
  }

  message(): Reader {
    const length = this.varint();
    const from = this.at;
    if (from + length > this.end) throw new MalformedMessage('field longer than its message');
    this.at = from + length;
    return new Reader(this.bytes, from, this.at);
  }

  text(): string {
    const length = this.varint();
    const from = this.at;
    if (from + length > this.end) throw new MalformedMessage('field longer than its message');
    this.at = from + length;
    return this.bytes.toString('utf8', from, this.at);
  }

  skip(wireType: number): void {
    if (wireType === VARINT) this.bigVarint();
    else if (wireType === LENGTH_DELIMITED) this.slice();
    else if (wireType === 1) this.at += 8;
    else if (wireType === 5) this.at += 4;
    else throw new MalformedMessage(`unknown wire type ${wireType}`);
    if (this.at > this.end) throw new MalformedMessage('field longer than its message');
  }
}

/** Bytes that `value` (0 … 2^53) takes as a varint. */
export function varintLength(value: number): number {
  let length = 1;
  while (value >= 128) {
    value = Math.floor(value / 128);
    length++;
  }
  return length;
}

/** Writes `value` (0 … 2^53) at `at`; returns the offset after it. */
export function putVarint(out: Buffer, at: number, value: number): number {
  while (value >= 0x80000000) {
    out[at++] = (value % 128) | 0x80;
    value = Math.floor(value / 128);
  }
  while (value >= 128) {
    out[at++] = (value & 0x7f) | 0x80;
    value >>>= 7;
  }
  out[at++] = value;
  return at;
}

/** A length-delimited field with a one-byte tag. */
export function field(tag: number, content: Buffer): Buffer {
  const out = Buffer.allocUnsafe(1 + varintLength(content.length) + content.length);
  out[0] = tag;
  content.copy(out, putVarint(out, 1, content.length));
  return out;
}

/** A number field with a one-byte tag. */
export function numberField(tag: number, value: number): Buffer {
  const out = Buffer.allocUnsafe(1 + varintLength(value));
  out[0] = tag;
  putVarint(out, 1, value);
  return out;
}
