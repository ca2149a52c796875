import type { JsonValue } from '../json';
import type { Subscription } from './state';

/** Raised with every change of the fold or of the state's JSON; history/state.v<n>.json holds what each version gave. */
export const stateVersion = 3;

/** The state is JSON-safe as it is. */
export function stateToJson(state: Subscription): JsonValue {
  return state as unknown as JsonValue;
}

/** The state of a snapshot of this `stateVersion`. */
export function stateFromJson(json: JsonValue): Subscription {
  return json as unknown as Subscription;
}
