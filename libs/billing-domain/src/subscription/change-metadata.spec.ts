import { changeMetadata } from './change-metadata';
import { cancelNow } from './cancel';
import { given, refusal, startOn } from './decisions.fixture';
import { notStarted, type Subscription } from './state';

const now = '2026-01-05T00:00:00.000Z';
const started = given(startOn('2026-01-01', { metadata: { tier: 'gold', team: 'a' } }));
const changed = (state: Subscription, patch: Record<string, string | null>) =>
  changeMetadata(state, patch, now)[0]?.data;

describe('the metadata of a subscription', () => {
  it('is set and taken away by name; the others stay', () => {
    expect(changed(started, { tier: 'silver', team: null, po: '7' })).toEqual({
      effectiveAt: now,
      metadata: { tier: 'silver', po: '7' },
    });
    const after = given(startOn('2026-01-01'), (s) => changeMetadata(s, { po: '7' }, now));
    expect(after).toMatchObject({ metadata: { po: '7' } });
  });

  it('is so already, whatever the order of names', () => {
    expect(changeMetadata(started, { team: 'a', tier: 'gold' }, now)).toEqual([]);
    expect(changeMetadata(started, { none: null }, now)).toEqual([]);
  });

  it('changes after the end too, but not before a boundary that is due', () => {
    const ended = given(startOn('2026-01-01'), (s) => cancelNow(s, { credit: 'none' }, now));
    expect(changed(ended, { po: '7' })).toMatchObject({ metadata: { po: '7' } });
    expect(refusal(() => changeMetadata(started, { po: '7' }, '2026-03-01T00:00:00.000Z'))).toBe('boundary-due');
    expect(refusal(() => changeMetadata(notStarted, {}, now))).toBe('subscription-not-found');
  });

  it('stays within its bounds after every change', () => {
    const many = (n: number, value: string) =>
      Object.fromEntries(Array.from({ length: n }, (_, i) => [`k${i}`, value]));
    expect(refusal(() => changeMetadata(started, many(49, 'x'), now))).toBe('invalid-metadata');
    expect(refusal(() => changeMetadata(started, many(20, 'x'.repeat(450)), now))).toBe('invalid-metadata');
    expect(changed(started, many(48, 'x'))).toBeDefined();
  });
});
