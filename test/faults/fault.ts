import type { Random } from '../support/random';

/** What a round of a fault is given. Everything in it that is left to chance comes from `random`, so its seed replays it. */
export interface FaultRound {
  readonly seed: number;
  readonly random: Random;
  /** Empty, of this round alone, and removed after it. */
  readonly directory: string;
  readonly say: (line: string) => void;
}

/** What came of a round: empty violations when every oracle held, and how often what it is about happened. */
export interface FaultOutcome {
  readonly violations: readonly string[];
  /** For example commands, acknowledged, unknown, kills: proof that the round tried something. Names that end in Ms and MiB are not summed. */
  readonly counts: Readonly<Record<string, number>>;
}

/** A row of the fault matrix. A round brings up what it needs and takes it down again, also when it fails; 5 to 30 s. */
export interface Fault {
  readonly name: string;
  readonly about: string;
  round(o: FaultRound): Promise<FaultOutcome>;
}
