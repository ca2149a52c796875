import { createHash } from 'node:crypto';
import type { DomainEvent, StoredEvent } from '@perennial/event-sourcing';

/** Any text as a uuid, the same one each time. */
export function uuidOf(text: string): string {
  const hex = createHash('sha256').update(text).digest('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}

/** Events as a projection meets them: each append is one stream's, revisions dense, positions increasing with gaps. */
export class Log {
  readonly events: StoredEvent[] = [];
  private readonly revisions = new Map<string, bigint>();
  private position = 100n;

  append(tenant: string, aggregate: string, id: string, events: readonly DomainEvent[], recordedAt: string): void {
    const stream = `test.${aggregate}-${id}`;
    for (const event of events) {
      const revision = (this.revisions.get(stream) ?? -1n) + 1n;
      this.revisions.set(stream, revision);
      this.position += 7n;
      this.events.push({
        event,
        aggregate,
        aggregateId: id,
        stream,
        revision,
        position: this.position,
        id: uuidOf(`${stream}@${revision}`),
        metadata: {
          version: 1,
          recordedAt,
          tenant,
          key: `${revision}`,
          fingerprint: '',
          principal: 'test',
          correlationId: 'test',
          hash: '',
        },
      });
    }
  }
}
