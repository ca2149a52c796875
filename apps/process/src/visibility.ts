import type { ProjectionRunner, ProjectionWatch } from '@perennial/event-sourcing';

/** What a process knows of how far the read models have come: its own runner at once, another's through the database. */
export class Visibility {
  private appended = -1n;

  constructor(
    private readonly watch: ProjectionWatch,
    private readonly runner?: ProjectionRunner,
  ) {}

  /** True once `model` holds everything up to `position`; false when it does not within `timeoutMs`. */
  waitFor(model: string, position: bigint, timeoutMs: number): Promise<boolean> {
    return (this.runner ?? this.watch).waitFor(model, position, timeoutMs);
  }

  /** Whether this process appended something at `position` or behind it: the log reaches that far. */
  hasAppended(position: bigint): boolean {
    return position <= this.appended;
  }

  /** That this process appended something at `position`: it must come back through the subscription. */
  noteAppended(position: bigint): void {
    if (position > this.appended) this.appended = position;
    this.runner?.noteAppended(position);
  }
}
