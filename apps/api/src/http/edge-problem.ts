import { type EdgeProblemCode, edgeProblems } from './problem';

export interface FieldError {
  /** JSON pointer into the body, or `/<name>` of a query or path parameter. */
  readonly pointer: string;
  readonly message: string;
}

/** A refusal at the edge: becomes problem+json with the code's status and title. */
export class EdgeProblem extends Error {
  constructor(
    readonly code: EdgeProblemCode,
    readonly detail: string = edgeProblems[code].about,
    readonly more: {
      readonly errors?: readonly FieldError[];
      readonly headers?: Readonly<Record<string, string>>;
    } = {},
  ) {
    super(detail);
    this.name = 'EdgeProblem';
  }
}
