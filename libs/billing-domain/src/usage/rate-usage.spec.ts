import fc from 'fast-check';
import { propertyRuns } from '../../../../test/support/property-runs';
import { formatTrillionths, parseDecimal } from '../decimal';
import { price, toTrillionths, type Price } from '../price/price';
import { rate, type Rating } from '../price/rate';
import { rateRun } from './rate-usage';

const ONE = 10n ** 12n;
const trillionths = (text: string) => toTrillionths(parseDecimal(text));

/** Exactly what a rating asks for, in 10^-24 of a minor unit. */
const asked = ({ quantity, unitPrice, parts }: Rating) =>
  (parts ?? [{ quantity, unitPrice }]).reduce(
    (sum, part) => sum + trillionths(part.quantity) * trillionths(part.unitPrice),
    0n,
  );

const prices: readonly Price[] = [
  { model: 'per-unit', unitPrice: '0.04' },
  {
    model: 'graduated',
    tiers: [
      { upTo: '5', unitPrice: '10', flatFee: '100' },
      { upTo: '12.5', unitPrice: '7.5', flatFee: '20' },
      { upTo: null, unitPrice: '1' },
    ],
  },
  {
    model: 'volume',
    tiers: [
      { upTo: '5', unitPrice: '10', flatFee: '100' },
      { upTo: '12.5', unitPrice: '7.5', flatFee: '20' },
      { upTo: null, unitPrice: '1', flatFee: '3' },
    ],
  },
  {
    model: 'graduated',
    tiers: [
      { upTo: '5', unitPrice: '10', packageSize: '2' },
      { upTo: '12.5', unitPrice: '7.5', flatFee: '20', packageSize: '0.3' },
      { upTo: null, unitPrice: '1' },
    ],
  },
  {
    model: 'volume',
    tiers: [
      { upTo: '5', unitPrice: '10', packageSize: '2' },
      { upTo: null, unitPrice: '7.5', flatFee: '20', packageSize: '4' },
    ],
  },
  { model: 'package', packageSize: '4', packagePrice: '30', freeUnits: '2' },
  { model: 'percentage', rate: '2.5', recordFee: '3', freeRecords: 4 },
  // With a fee a free amount has a free count beside it: terms without one are refused.
  { model: 'percentage', rate: '2.5', freeAmount: '9.5' },
  { model: 'percentage', rate: '2.5', recordFee: '3', freeRecords: 4, freeAmount: '9.5' },
  {
    model: 'graduated-percentage',
    tiers: [
      { upTo: '10', rate: '3' },
      { upTo: null, rate: '1.5', flatFee: '50' },
    ],
  },
].map((each) => price(each as Price));

/** The records of each run, in order of time. */
const runs = fc.array(fc.array(fc.integer({ min: 0, max: 60 }), { maxLength: 5 }), { minLength: 1, maxLength: 4 });

describe('a price over several runs of one period', () => {
  it.each(prices)('asks for what it asks for over one: %j', (of) => {
    fc.assert(
      fc.property(runs, (tenths) => {
        const quantityOf = (records: readonly number[]) =>
          records.reduce((sum, n) => sum + (BigInt(n) * ONE) / 10n, 0n);
        const total = quantityOf(tenths.flat());
        let [before, usedRecords, usedAmount, sum] = [0n, 0, 0n, 0n];
        const freeRecords = of.model === 'percentage' ? (of.freeRecords ?? 0) : 0;
        let left = freeRecords;
        tenths.forEach((records, i) => {
          const first = records.slice(0, left).map((n) => formatTrillionths((BigInt(n) * ONE) / 10n));
          left -= first.length;
          const quantity = quantityOf(records);
          const isFirst = i === 0;
          const run = { quantity, before, total, isFirst, records: records.length, first, usedRecords, usedAmount };
          const { rating, free } = rateRun(of, run);
          sum += asked(rating);
          before += quantity;
          usedRecords += records.length;
          usedAmount += free;
        });
        const whole = rate(of, { records: tenths.flat().map((n) => formatTrillionths((BigInt(n) * ONE) / 10n)) });
        expect(sum).toBe(asked(whole));
      }),
      propertyRuns(200),
    );
  });
});
