interface Entry<Place> {
  readonly place: Place;
  done: boolean;
}

/**
 * The place up to which everything is done, when things are begun in order and finished in any order. What was begun
 * after it may be done too and is done again after a restart.
 */
export class LowWaterMark<Place> {
  #mark: Place | undefined;
  #open: Entry<Place>[] = [];

  constructor(mark?: Place) {
    this.#mark = mark;
  }

  get mark(): Place | undefined {
    return this.#mark;
  }

  /** How many were begun and stand behind the first that is not done. */
  get outstanding(): number {
    return this.#open.length;
  }

  /** Begins the next one, and answers what says that it is done. */
  begin(place: Place): () => void {
    const entry = { place, done: false };
    this.#open.push(entry);
    return () => {
      entry.done = true;
      const first = this.#open.findIndex(({ done }) => !done);
      const finished = this.#open.splice(0, first < 0 ? this.#open.length : first);
      this.#mark = finished.at(-1)?.place ?? this.#mark;
    };
  }
}
