import type { Line } from '@perennial/billing-domain';
import { recomputedNet } from './line-arithmetic';

const line = (quantity: string, unitPrice: string, numerator = '1', denominator = '1'): Line => ({
  lineId: 'l',
  kind: 'one-time',
  description: '',
  service: { from: '2026-01-01', to: '2026-01-02' },
  quantity,
  unitPrice,
  net: '0',
  taxCode: null,
  taxBehaviour: 'unspecified',
  discountable: true,
  change: 0,
  rule: { name: 'flat', fraction: { numerator, denominator }, rounding: 'half-away-from-zero' },
  metadata: {},
});

describe('recomputedNet', () => {
  it.each([
    ['3', '999', '10', '31', 967n],
    ['1', '0.5', '1', '1', 1n],
    ['-1', '0.5', '1', '1', -1n],
    ['1', '0.4', '1', '1', 0n],
    ['2.5', '0.04', '100', '1', 10n],
    ['1', '3100', '31', '31', 3100n],
  ])('%s × %s × %s/%s is %s', (quantity, unitPrice, numerator, denominator, net) => {
    expect(recomputedNet(line(quantity, unitPrice, numerator, denominator))).toBe(net);
  });

  it.each([
    ['minimum', '7000', undefined, 3000n],
    ['minimum', '12000', undefined, 0n],
    ['maximum', '12000', undefined, -2000n],
    ['maximum', '7000', undefined, 0n],
    ['minimum', '9000', '3000', -2000n],
  ])('a %s of 10000 on fees of %s, trued up by %s before, is %s', (name, fees, netSoFar, net) => {
    const { rule, ...rest } = line('1', '10000');
    const credit = netSoFar === undefined ? {} : { credit: { basis: 're-rate', netSoFar } as const };
    expect(recomputedNet({ ...rest, rule: { ...rule, name, fees, ...credit } })).toBe(net);
  });

  it('does not read what is no number', () => {
    expect(recomputedNet(line('1e3', '1'))).toBeUndefined();
    expect(recomputedNet(line('1', '1', '1', '0'))).toBeUndefined();
  });
});
