import { createHash, randomBytes } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { v7 as uuid } from 'uuid';
import { OutcomeUnknown, RevisionConflict, StoreUnavailable, StreamDeleted } from './errors';
import type { JsonValue, RecordedEvent } from './event';
import type { EventStore } from './event-store';
import { type DataKey, decrypt, encrypt, type StoredPersonal, unseal } from './personal-data';
import { type StreamNames, streamNames } from './streams';

const WRAPPED = 'DataKeyWrapped';
const KEY_BYTES = 32;
const MAX_REMEMBERED = 10_000;
const REMEMBERED_FOR_MS = 5_000;

/** A key that wraps data keys; named by what it is, so that it cannot be taken for another. */
export interface MasterKey {
  readonly id: string;
  readonly key: Buffer;
}

/** A data key is wrapped by a master key that this process was not given. */
export class MasterKeyMissing extends Error {
  override readonly name = 'MasterKeyMissing';
  readonly code = 'personal-data-unavailable';
  constructor(readonly id: string) {
    super(`personal data is sealed under the master key ${id}, which is not configured`);
  }
}

/** A subject whose data was sealed has no key, and it was not destroyed either: the streams of keys are not whole. */
export class DataKeyMissing extends Error {
  override readonly name = 'DataKeyMissing';
  readonly code = 'personal-data-unavailable';
  constructor(readonly subject: string) {
    super(`there is no data key of ${subject}, and it was not destroyed`);
  }
}

/** Keys of 32 bytes in base64, separated by commas; the first wraps what is new. Throws a TypeError. */
export function parseMasterKeys(text: string): readonly [MasterKey, ...MasterKey[]] {
  const [first, ...others] = text.split(',').map((part): MasterKey => {
    const key = Buffer.from(part.trim(), 'base64');
    if (key.length !== KEY_BYTES) throw new TypeError(`a master key is ${KEY_BYTES} bytes in base64`);
    return { id: createHash('sha256').update(key).digest('hex').slice(0, 16), key };
  });
  return [first!, ...others];
}

interface Wrapped {
  readonly subject: string;
  readonly masterKey: string;
  /** The data key, encrypted by `encrypt` and bound to its subject. */
  readonly wrapped: string;
}

const aboutKey = (subject: string) => ['data-key', '1', subject];

/**
 * One data key for each subject, wrapped by a master key, each in a stream of its own that destroying it tombstones:
 * the name is burnt, so no key can come after it. A key that another process destroys is forgotten here within the
 * seconds that keys are remembered (5).
 */
export class DataKeys {
  readonly #names: StreamNames;
  readonly #known: LRUCache<string, DataKey>;

  constructor(
    private readonly store: EventStore,
    streamPrefix: string,
    private readonly masterKeys: readonly [MasterKey, ...MasterKey[]],
    rememberedForMs = REMEMBERED_FOR_MS,
  ) {
    this.#names = streamNames(streamPrefix);
    this.#known = new LRUCache({ max: MAX_REMEMBERED, ttl: rememberedForMs, ttlResolution: 0 });
  }

  /** The subject's key, made when there was none. Throws StoreUnavailable, MasterKeyMissing. */
  async keyFor(subject: string): Promise<DataKey> {
    return (await this.find(subject)) ?? this.#make(subject);
  }

  /** The subject's key; undefined when there never was one. Throws StoreUnavailable, MasterKeyMissing. */
  async find(subject: string): Promise<DataKey | undefined> {
    const known = this.#known.get(subject);
    return known ?? this.#read(subject);
  }

  /** Destroys the subject's key for ever; returns when it is gone, also when it never was. Throws StoreUnavailable. */
  async destroy(subject: string): Promise<void> {
    try {
      await this.store.tombstone(this.#names.key(subject));
    } catch (error) {
      if (error instanceof OutcomeUnknown) {
        if ((await this.#read(subject)) !== 'destroyed') throw new StoreUnavailable('destroying a data key', error);
      } else if (!(error instanceof StreamDeleted)) throw error;
    }
    this.#known.set(subject, 'destroyed');
  }

  /** Personal data in the clear, or ERASED. Throws SealBroken, DataKeyMissing, MasterKeyMissing, StoreUnavailable. */
  async open(personal: StoredPersonal): Promise<JsonValue | typeof ERASED> {
    if ('erased' in personal) return ERASED;
    const key = await this.find(personal.subject);
    if (key === undefined) throw new DataKeyMissing(personal.subject);
    return key === 'destroyed' ? ERASED : unseal(personal, key);
  }

  /**
   * Wraps every key that is not under the first master key under it, so that the others can be put away. Safe to repeat
   * and beside running processes that have both. Gives how many keys there are and how many were wrapped anew.
   */
  async rewrap(): Promise<{ readonly keys: number; readonly rewrapped: number }> {
    const head = await this.store.headPosition();
    const subjects = new Set<string>();
    const done = new AbortController();
    const events = this.store.subscribe({
      from: 'start',
      prefixes: [this.#names.key('')],
      signal: done.signal,
      onCaughtUp: () => done.abort(),
    });
    if (head !== undefined) for await (const { type, stream } of events) if (type === WRAPPED) subjects.add(stream);
    let rewrapped = 0;
    for (const stream of subjects) if (await this.#rewrap(stream)) rewrapped += 1;
    return { keys: subjects.size, rewrapped };
  }

  async #rewrap(stream: string): Promise<boolean> {
    for (;;) {
      try {
        const last = await this.store.last(stream);
        if (!last || (last.data as Wrapped).masterKey === this.masterKeys[0].id) return false;
        const { subject } = last.data as Wrapped;
        await this.#append(subject, this.#unwrap(last), last.revision);
        return true;
      } catch (error) {
        if (error instanceof StreamDeleted) return false;
        if (!(error instanceof RevisionConflict)) throw error;
      }
    }
  }

  async #read(subject: string): Promise<DataKey | undefined> {
    let key: DataKey | undefined;
    try {
      const last = await this.store.last(this.#names.key(subject));
      if (!last) return undefined;
      key = this.#unwrap(last);
    } catch (error) {
      if (!(error instanceof StreamDeleted)) throw error;
      key = 'destroyed';
    }
    // A read that began before the key was destroyed must not bring it back.
    if (this.#known.peek(subject) === 'destroyed') return 'destroyed';
    this.#known.set(subject, key);
    return key;
  }

  async #make(subject: string): Promise<DataKey> {
    const stream = this.#names.key(subject);
    try {
      await this.store.setMetadata(stream, { maxCount: 1 });
      await this.#append(subject, randomBytes(KEY_BYTES), 'no_stream');
    } catch (error) {
      if (error instanceof StreamDeleted) return 'destroyed';
      // Another process made one meanwhile, or it is not known whether this one did: the one that stands is the key.
      if (!(error instanceof RevisionConflict) && !(error instanceof OutcomeUnknown)) throw error;
    }
    const key = await this.#read(subject);
    if (key === undefined) throw new StoreUnavailable('making a data key', 'its outcome is unknown');
    return key;
  }

  async #append(subject: string, key: Buffer, expected: bigint | 'no_stream'): Promise<void> {
    const [{ id: masterKey, key: master }] = this.masterKeys;
    const data: Wrapped = { subject, masterKey, wrapped: encrypt(key, master, aboutKey(subject)) };
    await this.store.append(this.#names.key(subject), [{ id: uuid(), type: WRAPPED, data }], expected);
  }

  #unwrap({ data, stream }: RecordedEvent): Buffer {
    const { subject, masterKey, wrapped } = data as Wrapped;
    const master = this.masterKeys.find(({ id }) => id === masterKey);
    if (!master) throw new MasterKeyMissing(masterKey);
    const key = this.#names.key(subject) === stream ? decrypt(wrapped, master.key, aboutKey(subject)) : undefined;
    if (!key) throw new DataKeyMissing(subject);
    return key;
  }
}

/** What `open` gives for data whose key was destroyed. */
export const ERASED = Symbol('erased');
