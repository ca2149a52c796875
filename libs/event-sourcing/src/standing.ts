import type { AggregateType, DomainEvent, StoredEvent } from './event';
import { isCommandNoted } from './event-codec';
import { KeyMemory, type KeyMemoryKind, commandKey, rememberedId } from './key-filter';
import { freezeAndCount, NO_MEMORY } from './state-memory';
import type { Standing } from './snapshots';

/** The kind under which a memory has the ids that an event holds in its data. */
export const OWN_ID = 'own';

/** A type whose events hold ids remembers them by place, as it is asked for many at a time. */
export function memoryKind<State, Event extends DomainEvent>(type: AggregateType<State, Event>): KeyMemoryKind {
  return type.remembers ? 'places' : 'filter';
}

/** Folds events in order onto a snapshot or onto nothing, holding one at a time. */
export class Fold<State, Event extends DomainEvent> {
  #state: State;
  #last: StoredEvent | undefined;
  #key: string | undefined;
  events = 0;

  constructor(
    private readonly type: AggregateType<State, Event>,
    private readonly keys: KeyMemory = new KeyMemory(memoryKind(type)),
    private readonly from?: Omit<Standing<State>, 'keys'>,
  ) {
    this.#state = from?.state ?? type.initial;
  }

  add(stored: StoredEvent<Event>): void {
    this.#last = stored;
    this.events += 1;
    remember(this.keys, stored, this.#key);
    if (this.type.remembers && !isCommandNoted(stored.event)) {
      for (const id of this.type.remembers(stored.event)) this.keys.add(rememberedId(OWN_ID, id), stored.revision);
    }
    this.#key = stored.metadata.key;
    if (isCommandNoted(stored.event)) return;
    this.#state = this.type.evolve(this.#state, stored.event);
  }

  /** Undefined when there was neither a snapshot nor an event. */
  get standing(): Standing<State> | undefined {
    const memory = freezeAndCount(this.#state, this.from?.memory ?? NO_MEMORY);
    if (!this.#last) return this.from && { ...this.from, keys: this.keys, memory };
    const { revision, position, metadata } = this.#last;
    const { hash, recordedAt, tenant } = metadata;
    return { state: this.#state, revision, position, hash, recordedAt, tenant, keys: this.keys, memory };
  }
}

/** The standing after events that were just appended to it. */
export function advance<State, Event extends DomainEvent>(
  type: AggregateType<State, Event>,
  before: Standing<State> | undefined,
  appended: readonly StoredEvent<Event>[],
): Standing<State> {
  const fold = new Fold(type, before?.keys, before);
  for (const event of appended) fold.add(event);
  return fold.standing!;
}

/** A command's key and the ids that it remembers, each once, at the command's first event. */
function remember(keys: KeyMemory, { metadata, revision }: StoredEvent, previousKey: string | undefined): void {
  if (metadata.key !== previousKey) keys.add(commandKey(metadata.key), revision);
  for (const { kind, id } of metadata.remembers ?? []) keys.add(rememberedId(kind, id), revision);
}
