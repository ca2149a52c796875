import { createHash, hash } from 'node:crypto';

/** Revisions whose keys are held exactly; older ones move to the slices, at the same places in every process. */
const BLOCK = 1024n;
/** Keys that a block may hold before it ends with the next revision: commands that remember many ids fill it early. */
const BLOCK_KEYS = 4096;
const HASHES = 11;
/** At 15.5 bits a key and 11 hashes a full slice says yes to 0.06 % of new keys: three full ones stay under 0.2 %. */
const BITS_PER_KEY = 15.5;
const HEADER = 64;
const MAGIC = 0x504b4631; // "PKF1"
const FIRST_SLICE_BYTES = 16 * 1024;
const SLICE_BYTES = 256 * 1024;
const RECENT_BYTES = 16;
const PLACES_MAGIC = 0x504b5031; // "PKP1"
/** Of a slice of places: 10 bytes of a hash, 6 of its revision + 1; all zero is free. */
const SLOT_BYTES = 16;
/** Tokens held outside the slices of places before the next revision moves them there. */
const RECENT_PLACES = 4_096;

/**
 * How a memory keeps what is not recent. `filter`: in Bloom filters, under 2 bytes a token, where a hit names a range of revisions
 * to read. `places`: in hash tables of revisions, 21 bytes a token, for streams that remember very many ids and are asked for them
 * a thousand at a time; a hit names one revision.
 */
export type KeyMemoryKind = 'filter' | 'places';

/** Inclusive revisions in which something may stand. */
export interface RevisionRange {
  readonly from: bigint;
  readonly to: bigint;
  /** False for a place known exactly (but for a collision of 80 bits), true for a hit of the filter. */
  readonly filtered: boolean;
}

/** What a snapshot must find again in the slice streams: they may hold more, never less. */
export interface SliceExtent {
  readonly from: string;
  readonly to: string;
}

/** The part of a key memory that a snapshot carries; the slices stand in streams of their own. */
export interface KeyMemoryJson {
  /** Base64 of 16 bytes for each key: 10 of its hash, 6 of its revision. */
  readonly recent: string;
  /** The first revision whose keys are not in the slices. */
  readonly from: string;
  readonly slices: readonly SliceExtent[];
}

interface Slice {
  readonly bits: Buffer;
  from: bigint;
  to: bigint;
  count: number;
  /** `to` of what stands in the slice's stream, as far as this process knows. */
  stored?: bigint;
}

export function commandKey(key: string): string {
  return `k\0${key}`;
}

export function rememberedId(kind: string, id: string): string {
  return `r\0${kind}\0${id}`;
}

/**
 * The keys of a stream, for as long as it lives: exactly for the newest revisions, before that in slices of at most 256 KiB
 * each. It never forgets; a hit must be settled by reading the stream.
 */
export class KeyMemory {
  #recent = new Map<string, bigint>();
  #from = 0n;
  #last = -1n;
  readonly #slices: Slice[] = [];

  constructor(readonly kind: KeyMemoryKind = 'filter') {}

  /** Records that `token` first stands at `revision`; revisions must come in order. */
  add(token: string, revision: bigint): void {
    if (revision < this.#from) return; // In a slice already: a restored memory may be ahead of its snapshot.
    while (revision >= this.#from + BLOCK) this.#spill(this.#from + BLOCK);
    const most = this.kind === 'places' ? RECENT_PLACES : BLOCK_KEYS;
    if (this.#recent.size >= most && revision > this.#last) this.#spill(revision);
    this.#last = revision;
    const hash = hashOf(token).toString('latin1', 0, 10);
    if (!this.#recent.has(hash)) this.#recent.set(hash, revision);
  }

  /** Where the token may stand, exact places first; nothing means that it surely stands nowhere. */
  find(token: string): RevisionRange[] {
    const hash = hashOf(token);
    const revision = this.#recent.get(hash.toString('latin1', 0, 10));
    const exact = revision === undefined ? [] : [{ from: revision, to: revision, filtered: false }];
    if (this.kind === 'places') {
      const places = this.#slices.flatMap((slice) => placeOf(slice, hash) ?? []);
      return [...exact, ...places.map((place) => ({ from: place, to: place, filtered: false }))];
    }
    const hits = this.#slices.filter((slice) => contains(slice, hash));
    return [...exact, ...hits.map(({ from, to }) => ({ from, to, filtered: true }))];
  }

  /** Memory used, in bytes. */
  get bytes(): number {
    return this.#recent.size * 96 + this.#slices.reduce((sum, slice) => sum + slice.bits.length, 0);
  }

  get extents(): SliceExtent[] {
    return this.#slices.map(({ from, to }) => ({ from: `${from}`, to: `${to}` }));
  }

  /** The slice as it is stored: a header (extent, count, checksum) and the bits. */
  sliceBytes(index: number): Buffer {
    const { bits, from, to, count } = this.#slices[index]!;
    const bytes = Buffer.alloc(HEADER + bits.length);
    bytes.writeUInt32BE(this.kind === 'places' ? PLACES_MAGIC : MAGIC, 0);
    bytes.writeUInt32BE(index, 4);
    bytes.writeBigUInt64BE(from, 8);
    bytes.writeBigUInt64BE(to, 16);
    bytes.writeUInt32BE(count, 24);
    bits.copy(bytes, HEADER);
    checksum(bytes).copy(bytes, 32);
    return bytes;
  }

  /** Whether the slice covers more than what this process knows to be stored. */
  isDirty(index: number): boolean {
    const { stored, to } = this.#slices[index]!;
    return stored === undefined || stored < to;
  }

  markStored(index: number, to: string): void {
    this.#slices[index]!.stored = BigInt(to);
  }

  toJSON(): KeyMemoryJson {
    const recent = Buffer.alloc(this.#recent.size * RECENT_BYTES);
    let at = 0;
    for (const [hash, revision] of this.#recent) {
      recent.write(hash, at, 'latin1');
      recent.writeUIntBE(Number(revision), at + 10, 6);
      at += RECENT_BYTES;
    }
    return { recent: recent.toString('base64'), from: `${this.#from}`, slices: this.extents };
  }

  /** Undefined when a slice is missing, damaged, or behind what the snapshot needs. */
  static restore(
    json: KeyMemoryJson,
    slices: readonly (Uint8Array | undefined)[],
    kind: KeyMemoryKind = 'filter',
  ): KeyMemory | undefined {
    const memory = new KeyMemory(kind);
    memory.#from = BigInt(json.from);
    const recent = Buffer.from(json.recent, 'base64');
    if (recent.length % RECENT_BYTES !== 0) return undefined;
    for (let at = 0; at < recent.length; at += RECENT_BYTES) {
      const revision = BigInt(recent.readUIntBE(at + 10, 6));
      memory.#recent.set(recent.toString('latin1', at, at + 10), revision);
      if (revision > memory.#last) memory.#last = revision;
    }
    for (const [index, extent] of json.slices.entries()) {
      const slice = parseSlice(slices[index], index, kind);
      if (!slice || slice.from > BigInt(extent.from) || slice.to < BigInt(extent.to)) return undefined;
      memory.#slices.push({ ...slice, stored: slice.to });
    }
    return memory;
  }

  /**
   * Moves the recent keys, all of revisions before `next`, into the open slice, or into a new one when it would overfill it. They
   * are cut by revision and by what the stream holds, so every process fills the same slices with the same keys, whenever it loaded it.
   */
  #spill(next: bigint): void {
    if (this.kind === 'places') this.#spillPlaces(next);
    else this.#spillFilter(next);
    this.#from = next;
    this.#recent = new Map();
  }

  #spillFilter(next: bigint): void {
    const keys = this.#recent.size;
    let open = this.#slices.at(-1);
    if (!open || open.count + keys > capacity(open)) {
      const size = open || keys > FIRST_SLICE_BYTES / 2 ? SLICE_BYTES : FIRST_SLICE_BYTES;
      open = { bits: Buffer.alloc(size - HEADER), from: this.#from, to: this.#from, count: 0 };
      this.#slices.push(open);
    }
    for (const hash of this.#recent.keys()) insert(open, Buffer.from(hash, 'latin1'));
    open.count += keys;
    open.to = next - 1n;
  }

  /** One by one: what one command remembers may be more than a slice takes. */
  #spillPlaces(next: bigint): void {
    for (const [text, revision] of this.#recent) {
      const hash = Buffer.from(text, 'latin1');
      let open = this.#slices.at(-1);
      if (open && placeOf(open, hash) !== undefined) continue;
      if (!open || open.count >= placesIn(open)) {
        open = { bits: Buffer.alloc(SLICE_BYTES - HEADER), from: this.#from, to: this.#from, count: 0 };
        this.#slices.push(open);
      }
      insertPlace(open, hash, revision);
      open.count += 1;
      if (open.to < next - 1n) open.to = next - 1n;
    }
  }
}

/** What a stored slice covers; undefined when the bytes are no such slice or are damaged. */
export function parseSlice(
  stored: Uint8Array | undefined,
  index: number,
  kind: KeyMemoryKind = 'filter',
): Slice | undefined {
  if (!stored || stored.length <= HEADER || stored.length > SLICE_BYTES) return undefined;
  const bytes = Buffer.from(stored.buffer, stored.byteOffset, stored.byteLength);
  const magic = kind === 'places' ? PLACES_MAGIC : MAGIC;
  if (bytes.readUInt32BE(0) !== magic || bytes.readUInt32BE(4) !== index) return undefined;
  if (!checksum(bytes).equals(bytes.subarray(32, 64))) return undefined;
  return {
    bits: Buffer.from(bytes.subarray(HEADER)),
    from: bytes.readBigUInt64BE(8),
    to: bytes.readBigUInt64BE(16),
    count: bytes.readUInt32BE(24),
  };
}

function checksum(bytes: Buffer): Buffer {
  return createHash('sha256').update(bytes.subarray(0, 32)).update(bytes.subarray(HEADER)).digest();
}

function hashOf(token: string): Buffer {
  return hash('sha256', token, 'buffer');
}

function capacity(slice: Slice): number {
  return Math.floor((slice.bits.length * 8) / BITS_PER_KEY);
}

function insert(slice: Slice, hash: Buffer): void {
  for (const bit of bitsOf(hash, slice.bits.length * 8)) slice.bits[bit >>> 3]! |= 1 << (bit & 7);
}

function contains(slice: Slice, hash: Buffer): boolean {
  return bitsOf(hash, slice.bits.length * 8).every((bit) => (slice.bits[bit >>> 3]! & (1 << (bit & 7))) !== 0);
}

/** Enhanced double hashing (Dillinger, Manolios 2004) over the 80 bits of a key's hash that are kept. */
function bitsOf(hash: Buffer, size: number): number[] {
  const bits: number[] = [];
  let position = hash.readUIntBE(0, 5) % size;
  let step = hash.readUIntBE(5, 5) % size;
  for (let index = 0; index < HASHES; index++) {
    bits.push(position);
    position = (position + step) % size;
    step = (step + index + 1) % size;
  }
  return bits;
}

/** Three of four slots: a search stays a few steps long. */
function placesIn({ bits }: Slice): number {
  return Math.floor((bits.length / SLOT_BYTES) * 0.75);
}

/** Where the hash stands, or the free slot that ends the search for it. */
function slotOf(bits: Buffer, hash: Buffer): number {
  const slots = Math.floor(bits.length / SLOT_BYTES);
  const first = hash.readUInt32LE(0);
  for (let slot = hash.readUInt32LE(4) % slots; ; slot = (slot + 1) % slots) {
    const at = slot * SLOT_BYTES;
    if (bits.readUIntBE(at + 10, 6) === 0) return at;
    if (bits.readUInt32LE(at) === first && bits.compare(hash, 4, 10, at + 4, at + 10) === 0) return at;
  }
}

function placeOf({ bits }: Slice, hash: Buffer): bigint | undefined {
  const place = bits.readUIntBE(slotOf(bits, hash) + 10, 6);
  return place === 0 ? undefined : BigInt(place - 1);
}

function insertPlace({ bits }: Slice, hash: Buffer, revision: bigint): void {
  const at = slotOf(bits, hash);
  hash.copy(bits, at, 0, 10);
  bits.writeUIntBE(Number(revision) + 1, at + 10, 6);
}
