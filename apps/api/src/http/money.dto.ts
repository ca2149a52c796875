/** An amount of one currency. */
export class MoneyAnswer {
  /** Minor units as a decimal string. */
  readonly amount!: string;
  /** ISO 4217. */
  readonly currency!: string;
}
