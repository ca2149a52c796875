import { IsInstant } from './http/instant';

export class SetTestClockBody {
  /** The business time from now on; it stands still until it is set again, and never goes back. */
  @IsInstant()
  readonly now!: string;
}

export class TestClockAnswer {
  /** Business time, ISO 8601 UTC. */
  readonly now!: string;
}
