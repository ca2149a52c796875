import { Inject, Injectable } from '@nestjs/common';
import type { EventStore } from '@perennial/event-sourcing';
import { Config } from '@perennial/platform';
import { STORE } from '../../../process/src/tokens';
import { Visibility } from '../../../process/src/visibility';
import { EdgeProblem } from './edge-problem';

/** Lets a read wait until its read model has seen a position that an earlier answer gave: read your own writes. */
@Injectable()
export class Reading {
  constructor(
    private readonly visibility: Visibility,
    @Inject(STORE) private readonly store: EventStore,
    private readonly config: Config,
  ) {}

  /**
   * Returns when `model` has seen `minPosition`, at once when there is none. Throws `unknown-position` when no event
   * stands there (nor any behind it that this process appended), `not-yet-visible` when the bounded wait was not enough.
   */
  async waitFor(model: string, minPosition: string | undefined): Promise<void> {
    if (minPosition === undefined) return;
    const wanted = BigInt(minPosition);
    if (await this.visibility.waitFor(model, wanted, 0)) return;
    const stands = this.visibility.hasAppended(wanted) || (await this.store.readAt(wanted)) !== undefined;
    if (!stands) throw new EdgeProblem('unknown-position');
    if (await this.visibility.waitFor(model, wanted, this.config.visibilityWaitMs)) return;
    throw new EdgeProblem('not-yet-visible');
  }
}
