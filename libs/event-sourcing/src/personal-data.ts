import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import type { DomainEvent, JsonValue } from './event';

/*
 * The field `personal` of an event holds personal data, and nothing else does. A decision states it in the clear; the
 * codec seals it before the event gets its place in the hash chain, and from then on it is sealed wherever the event
 * goes: store, state, cache, snapshot, row. Only who asks the keys of its subject can open it (DataKeys.open).
 */

/** As a decision states it. `subject`: the uuid whose data key seals it. */
export interface ClearPersonal {
  readonly subject: string;
  readonly clear: JsonValue;
}

/** AES-256-GCM under the data key of the subject: base64url of nonce (12 bytes), tag (16 bytes) and ciphertext. */
export interface SealedPersonal {
  readonly subject: string;
  /** Where it belongs, `<aggregate>-<id>/<event type>`: authenticated, so that it opens nowhere else. */
  readonly of: string;
  readonly sealed: string;
}

/** In place of what would have been sealed: the key was destroyed before. */
export interface ErasedPersonal {
  readonly subject: string;
  readonly erased: true;
}

export type StoredPersonal = SealedPersonal | ErasedPersonal;

/** 32 bytes, or that the key was destroyed, for ever. */
export type DataKey = Buffer | 'destroyed';

/** The sealed bytes do not open under the subject's key: they, or where they belong, were changed. */
export class SealBroken extends Error {
  override readonly name = 'SealBroken';
  constructor(readonly of: string) {
    super(`the personal data of ${of} does not open under the key of its subject`);
  }
}

const ALGORITHM = 'aes-256-gcm';
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/** Encrypts and authenticates `bytes`, bound to `about`: base64url of nonce, tag and ciphertext. */
export function encrypt(bytes: Buffer, key: Buffer, about: readonly string[]): string {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv(ALGORITHM, key, nonce, { authTagLength: TAG_BYTES });
  cipher.setAAD(Buffer.from(JSON.stringify(about)));
  const ciphertext = Buffer.concat([cipher.update(bytes), cipher.final()]);
  return Buffer.concat([nonce, cipher.getAuthTag(), ciphertext]).toString('base64url');
}

/** The reverse of `encrypt`; undefined when the text, the key or `about` is another. */
export function decrypt(text: string, key: Buffer, about: readonly string[]): Buffer | undefined {
  const bytes = Buffer.from(text, 'base64url');
  if (bytes.length < NONCE_BYTES + TAG_BYTES) return undefined;
  const decipher = createDecipheriv(ALGORITHM, key, bytes.subarray(0, NONCE_BYTES), { authTagLength: TAG_BYTES });
  decipher.setAuthTag(bytes.subarray(NONCE_BYTES, NONCE_BYTES + TAG_BYTES));
  decipher.setAAD(Buffer.from(JSON.stringify(about)));
  try {
    return Buffer.concat([decipher.update(bytes.subarray(NONCE_BYTES + TAG_BYTES)), decipher.final()]);
  } catch {
    return undefined;
  }
}

const aboutPersonal = ({ of, subject }: Omit<SealedPersonal, 'sealed'>) => ['personal', '1', of, subject];

/** What is stored in place of personal data. */
export function seal({ subject, clear }: ClearPersonal, of: string, key: DataKey): StoredPersonal {
  if (key === 'destroyed') return { subject, erased: true };
  const sealed = encrypt(Buffer.from(JSON.stringify(clear)), key, aboutPersonal({ of, subject }));
  return { subject, of, sealed };
}

/** The personal data in the clear. Throws SealBroken. */
export function unseal(personal: SealedPersonal, key: Buffer): JsonValue {
  const bytes = decrypt(personal.sealed, key, aboutPersonal(personal));
  if (!bytes) throw new SealBroken(personal.of);
  return JSON.parse(bytes.toString()) as JsonValue;
}

/** Where the personal data of an event belongs; `stream` without what the installation puts before it. */
export function placeOf(aggregate: string, id: string, type: string): string {
  return `${aggregate}-${id}/${type}`;
}

/** The events with their personal data sealed; what `keyOf` throws passes through. */
export async function sealEvents(
  events: readonly DomainEvent[],
  aggregate: string,
  id: string,
  keyOf: (subject: string) => Promise<DataKey>,
): Promise<readonly DomainEvent[]> {
  if (!events.some(({ data }) => 'personal' in data)) return events;
  return Promise.all(
    events.map(async (event) => {
      const { personal } = event.data as { personal?: ClearPersonal | StoredPersonal };
      if (personal === undefined || !('clear' in personal)) return event;
      const sealed = seal(personal, placeOf(aggregate, id, event.type), await keyOf(personal.subject));
      return { type: event.type, data: { ...event.data, personal: sealed } };
    }),
  );
}

/** Why `personal` cannot stand in an event at this place; undefined when it can, or there is none. */
export function misplaced(data: object, of: string): string | undefined {
  const { personal } = data as { personal?: Partial<SealedPersonal & ErasedPersonal> };
  if (personal === undefined) return undefined;
  if (typeof personal !== 'object' || personal === null || typeof personal.subject !== 'string') {
    return 'personal names no subject';
  }
  if (personal.erased === true && personal.sealed === undefined) return undefined;
  if (typeof personal.sealed !== 'string') return 'personal is not sealed';
  return personal.of === of ? undefined : `personal belongs to ${personal.of}`;
}
