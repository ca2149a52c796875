import type { Price } from '../price/price';
import { rateRun, type UsageRun } from './rate-usage';

const ONE = 10n ** 12n;
const alone = { before: 0n, isFirst: true, first: [], usedRecords: 0, usedAmount: 0n } as const;
/** What a run of so many comes to, after so many before it. */
const run = (of: Price, quantity: number, more: Partial<UsageRun> & { records?: number } = {}) =>
  rateRun(of, { ...alone, quantity: BigInt(quantity) * ONE, total: BigInt(quantity) * ONE, records: 1, ...more });
const parts = (...args: Parameters<typeof run>) => run(...args).rating.parts;
const after = (before: number) => ({ before: BigInt(before) * ONE, isFirst: false });

const unit = (tier: number, quantity: string, unitPrice: string) => ({ tier, per: 'unit', quantity, unitPrice });
const amount = (tier: number, quantity: string, unitPrice: string) => ({ tier, per: 'amount', quantity, unitPrice });
const fee = (tier: number, unitPrice: string) => ({ tier, per: 'flat-fee', quantity: '1', unitPrice });

describe('a run of usage', () => {
  it('at one price is its quantity', () => {
    expect(run({ model: 'per-unit', unitPrice: '0.04' }, 12)).toStrictEqual({
      rating: { quantity: '12', unitPrice: '0.04' },
      free: 0n,
    });
    expect(run({ model: 'flat', unitPrice: '3' }, 2).rating).toEqual({ quantity: '2', unitPrice: '3' });
  });

  describe('in graduated tiers', () => {
    const of: Price = {
      model: 'graduated',
      tiers: [
        { upTo: '10', unitPrice: '5', flatFee: '100' },
        { upTo: '20', unitPrice: '4', flatFee: '50' },
        { upTo: null, unitPrice: '3', flatFee: '25' },
      ],
    };
    it('goes on where the one before it stopped, and pays each flat fee once, on entering', () => {
      expect(run(of, 12)).toStrictEqual({
        rating: {
          quantity: '12',
          unitPrice: '0',
          parts: [unit(0, '10', '5'), fee(0, '100'), unit(1, '2', '4'), fee(1, '50')],
        },
        free: 0n,
      });
      expect(parts(of, 10)).toEqual([unit(0, '10', '5'), fee(0, '100')]);
      expect(parts(of, 0)).toEqual([unit(0, '0', '5'), fee(0, '100')]);
      expect(parts(of, 2, after(10))).toEqual([unit(1, '2', '4'), fee(1, '50')]);
      expect(parts(of, 2, after(9))).toEqual([unit(0, '1', '5'), unit(1, '1', '4'), fee(1, '50')]);
      expect(parts(of, 2, after(12))).toEqual([unit(1, '2', '4')]);
      expect(parts(of, 12, after(15))).toEqual([unit(1, '5', '4'), unit(2, '7', '3'), fee(2, '25')]);
      expect(parts(of, 5, after(20))).toEqual([unit(2, '5', '3'), fee(2, '25')]);
      expect(parts(of, 5, after(30))).toEqual([unit(2, '5', '3')]);
      expect(parts(of, 0, after(12))).toEqual([]);
      expect(parts(of, 0, after(10))).toEqual([]);
    });

    it('of amounts does the same in percent', () => {
      const rates: Price = {
        model: 'graduated-percentage',
        tiers: [
          { upTo: '10', rate: '1', flatFee: '100' },
          { upTo: null, rate: '0.5' },
        ],
      };
      expect(parts(rates, 12)).toEqual([amount(0, '10', '0.01'), fee(0, '100'), amount(1, '2', '0.005')]);
      expect(parts(rates, 12, after(5))).toEqual([amount(0, '5', '0.01'), amount(1, '7', '0.005')]);
    });
  });

  it('by volume has the tier of all runs, whose flat fee the run pays that enters it', () => {
    const of: Price = {
      model: 'volume',
      tiers: [
        { upTo: '10', unitPrice: '5', flatFee: '100' },
        { upTo: '20', unitPrice: '4', flatFee: '50' },
        { upTo: null, unitPrice: '3' },
      ],
    };
    const total = (n: number) => ({ total: BigInt(n) * ONE });
    expect(parts(of, 10)).toEqual([unit(0, '10', '5'), fee(0, '100')]);
    expect(parts(of, 4, { ...after(6), ...total(10) })).toEqual([unit(0, '4', '5')]);
    expect(parts(of, 6, total(12))).toEqual([unit(1, '6', '4')]);
    expect(parts(of, 6, { ...after(6), ...total(12) })).toEqual([unit(1, '6', '4'), fee(1, '50')]);
    expect(parts(of, 10, total(12))).toEqual([unit(1, '10', '4')]);
    expect(parts(of, 2, { ...after(10), ...total(12) })).toEqual([unit(1, '2', '4'), fee(1, '50')]);
    expect(parts(of, 2, { ...after(11), ...total(13) })).toEqual([unit(1, '2', '4')]);
    expect(parts(of, 21)).toEqual([unit(2, '21', '3')]);
  });

  it('in packages starts none that the one before it has started', () => {
    const of: Price = { model: 'package', packageSize: '10', packagePrice: '7', freeUnits: '5' };
    const packages = (...args: [number, Partial<UsageRun>?]) => parts(of, ...args)?.map((part) => part.quantity);
    expect(parts(of, 16)).toEqual([{ tier: 0, per: 'package', quantity: '2', unitPrice: '7' }]);
    expect([packages(5), packages(6), packages(15), packages(16)]).toEqual([['0'], ['1'], ['1'], ['2']]);
    expect([packages(9, after(6)), packages(10, after(6)), packages(1, after(5)), packages(5, after(0))]).toEqual([
      ['0'],
      ['1'],
      ['1'],
      ['0'],
    ]);
  });

  describe('in percent', () => {
    const percentage = { model: 'percentage', rate: '2.5' } as const;
    const record = (quantity: string) => ({ tier: 0, per: 'record', quantity, unitPrice: '3' });

    it('is of all, and of each record a fee', () => {
      expect(run(percentage, 40)).toStrictEqual({
        rating: { quantity: '40', unitPrice: '0', parts: [amount(0, '40', '0.025')] },
        free: 0n,
      });
      expect(parts({ ...percentage, recordFee: '0' }, 40)).toEqual([amount(0, '40', '0.025')]);
      expect(parts({ ...percentage, recordFee: '3' }, 40, { records: 4 })).toEqual([
        amount(0, '40', '0.025'),
        record('4'),
      ]);
    });

    it('of a free amount takes what the runs before have left of it', () => {
      const of: Price = { ...percentage, freeAmount: '30' };
      expect(run(of, 40)).toMatchObject({ rating: { parts: [amount(0, '10', '0.025')] }, free: 30n * ONE });
      expect(run(of, 20)).toMatchObject({ rating: { parts: [amount(0, '0', '0.025')] }, free: 20n * ONE });
      expect(run(of, 40, { usedAmount: 20n * ONE })).toMatchObject({ free: 10n * ONE });
      expect(run(of, 40, { usedAmount: 31n * ONE })).toMatchObject({
        rating: { parts: [amount(0, '40', '0.025')] },
        free: 0n,
      });
    });

    it('of free records takes the first that the runs before have left, whole', () => {
      const of: Price = { ...percentage, recordFee: '3', freeRecords: 3 };
      const more = { records: 4, first: ['10', '20', '5'] };
      expect(run(of, 40, more)).toMatchObject({
        rating: { parts: [amount(0, '5', '0.025'), record('1')] },
        free: 35n * ONE,
      });
      expect(run(of, 40, { ...more, usedRecords: 2 })).toMatchObject({
        rating: { parts: [amount(0, '30', '0.025'), record('3')] },
        free: 10n * ONE,
      });
      expect(run(of, 40, { ...more, usedRecords: 4 })).toMatchObject({
        rating: { parts: [amount(0, '40', '0.025'), record('4')] },
        free: 0n,
      });
    });

    it('of free records with a free amount splits the one that uses it up, which pays its fee', () => {
      const of: Price = { ...percentage, recordFee: '3', freeRecords: 3, freeAmount: '20' };
      const of3 = (first: string[]) => run(of, 40, { records: 4, first });
      expect(of3(['10', '10', '10'])).toMatchObject({ rating: { parts: [amount(0, '20', '0.025'), record('2')] } });
      expect(of3(['10', '11', '10'])).toMatchObject({ rating: { parts: [amount(0, '20', '0.025'), record('3')] } });
      // Nothing is left that a record of nothing could be free of.
      expect(of3(['20', '0', '10'])).toMatchObject({ rating: { parts: [amount(0, '20', '0.025'), record('3')] } });
      expect(of3(['5', '5', '5'])).toMatchObject({
        rating: { parts: [amount(0, '25', '0.025'), record('1')] },
        free: 15n * ONE,
      });
    });

    it('takes less than nothing for nothing', () => {
      const of: Price = { ...percentage, freeRecords: 1 };
      expect(run(of, 5, { first: ['10'] })).toMatchObject({
        rating: { parts: [amount(0, '0', '0.025')] },
        free: 10n * ONE,
      });
      expect(run(of, 5, { first: ['-10'] })).toMatchObject({ rating: { parts: [amount(0, '5', '0.025')] }, free: 0n });
    });
  });
});
