import { v7 } from 'uuid';

/** A new id that sorts by its time of birth (uuid v7); for what has no natural key. Real time, real randomness. */
export function newId(): string {
  return v7();
}
