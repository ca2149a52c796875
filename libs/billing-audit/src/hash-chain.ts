import { type ChainState, type RecordedEvent, chainStart, chainStep } from '@perennial/event-sourcing';
import { type Difference, mismatch } from './difference';

/** Where a stream stands after the events that were checked: what the next must chain to, and where the last one is. */
export interface StreamHead extends ChainState {
  readonly revision: bigint;
  readonly position: bigint;
}

const messages = {
  hash: 'the event was rewritten or its chain is broken',
  'revision-gap': 'revisions are not gapless',
  'recorded-at-decreases': 'recordedAt decreases in the stream',
  'tenant-changes': 'the tenant changes within the stream',
  envelope: 'the envelope is incomplete',
} as const;

/** Checks one event against the head of its stream (undefined before the first). Gives the new head. */
export function checkChain(
  head: StreamHead | undefined,
  event: RecordedEvent,
): { readonly head: StreamHead; readonly differences: readonly Difference[] } {
  const { state, breaks } = chainStep(head ?? chainStart, event);
  const differences = breaks.map(({ problem, expected, found }) =>
    mismatch(
      problem === 'hash' ? 'hash-chain' : problem,
      event.stream,
      messages[problem],
      expected,
      found,
      event.revision,
    ),
  );
  if (head !== undefined && event.position <= head.position)
    differences.push(
      mismatch('position-order', event.stream, 'the log position does not rise', `> ${head.position}`, event.position),
    );
  return { head: { ...state, revision: event.revision, position: event.position }, differences };
}
