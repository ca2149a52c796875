import * as ids from './ids';

const service = { from: '2026-01-01', to: '2026-02-01' };

/** Every derived id there is; another value for any of them would give a thing that exists another id. */
const derived = () => ({
  subscription: ids.subscriptionId('default', { key: 'k-1' }),
  subscriptionByExternalId: ids.subscriptionId('default', { externalId: 'k-1' }),
  plan: ids.planId('default', { key: 'k-1' }),
  planByExternalId: ids.planId('default', { externalId: 'k-1' }),
  customer: ids.customerId('default', { key: 'k-1' }),
  customerByExternalId: ids.customerId('default', { externalId: 'k-1' }),
  coupon: ids.couponId('default', 'k-1'),
  reservation: ids.reservationId('c-1', 's-1', 'k-1'),
  reserve: ids.reservationKey('r-1', 'reserve'),
  redeem: ids.reservationKey('r-1', 'redeem'),
  release: ids.reservationKey('r-1', 'release'),
  invoice: ids.invoiceId('s-1', 1),
  creditNote: ids.creditNoteId('s-1', 1),
  balance: ids.customerBalanceId('default', 'c-1', 'USD'),
  grantCredit: ids.grantCreditKey('i-1'),
  applyCredit: ids.applyCreditKey('i-1'),
  returnCredit: ids.returnCreditKey('i-1'),
  numbers: ids.invoiceNumbersId('default', 'INV'),
  apiKey: ids.apiKeyId('default', 'k-1'),
  line: ids.lineId('s-1', 'base', 'recurring', service, null, 0),
  lineItem: ids.lineItemLineId('s-1', 'li-1'),
  usage: ids.usageId('default', 's-1', 1),
  recordUsage: ids.usageKey('k-1', 'u-1', ['a', 'b']),
  billUsage: ids.billUsageKey('s-1', 1),
  cut: ids.usageStepKey('cut', 'u-1', 7),
  cutAtRevision: ids.usageStepKey('cut', 'u-1', 7, 8n),
  seal: ids.usageStepKey('seal', 'u-1', 7),
  rollOver: ids.rollOverKey('s-1', 1),
  policy: ids.policyKey('e-1', 0),
  grant: ids.grantNumberKey('i-1'),
});

it('derives ids that can never change', () =>
  expect(derived()).toMatchInlineSnapshot(`
   {
     "apiKey": "d35711a6-d74c-5f3c-9409-b96e82ebe121",
     "applyCredit": "7b2d1257-b349-5e8e-a051-8526382749d6",
     "balance": "cd474c43-d98c-5e8c-98e5-2d2708a56780",
     "billUsage": "c8a550e7-f1c3-5300-8653-8cf72c943302",
     "coupon": "72761451-1dc4-59b6-816a-19902c2aa762",
     "creditNote": "0874445e-fefd-56ce-9fd8-501b9e13e32c",
     "customer": "a31649f5-1c5e-5ea4-9e91-c2e4fc3bf508",
     "customerByExternalId": "ec008083-99b8-510e-aee7-dd7346cc78eb",
     "cut": "6ca13151-f5cd-5041-b8c5-d39d3f64a61a",
     "cutAtRevision": "4a87454a-7596-5467-84af-fe0ff68aa6a5",
     "grant": "79a3994d-30aa-5edd-af2f-824c14585a70",
     "grantCredit": "2e2cd2f3-3002-52ef-bf91-6fa55cf3f39c",
     "invoice": "4d518294-c311-56c6-abe1-a94af7144992",
     "line": "8484b20e-eedc-5ec7-b5eb-3a0cfd54db9c",
     "lineItem": "c3abcc27-235c-5717-9d0e-cebd598a8a17",
     "numbers": "0ecdad84-c034-5a42-8d14-ec152e044a03",
     "plan": "77cce8de-763b-50c6-a5da-dc55e10ec034",
     "planByExternalId": "ff8a81c6-6ce1-5205-8d8e-fcb85fa5a8d7",
     "policy": "62135622-b6a9-5e09-90d0-61da2d4368c7",
     "recordUsage": "d9e73242-41a0-505f-9e9f-da06ac6e04ca",
     "redeem": "0c615a95-dc23-5604-a0b0-d44517c7345c",
     "release": "f847d530-651c-5f18-bb43-d00b08337d1a",
     "reservation": "f3ea9d12-8b9b-52fd-9c4f-31c476f1f518",
     "reserve": "ae18d090-9f64-51e7-a242-a3d6b75ee3b2",
     "returnCredit": "55d22541-d76b-5443-ba9b-308f52166df6",
     "rollOver": "cdd4eebb-fb90-5582-a6ff-55d651f2f0c5",
     "seal": "d44e3f3f-819b-5245-8e01-fa66ab0c5d2d",
     "subscription": "29725f23-50f5-5444-9ee2-8fccf9098621",
     "subscriptionByExternalId": "0678fdb6-153d-5504-909b-9224e3ee9dc3",
     "usage": "0dddcac0-0852-5d83-8b04-148b43e4bf56",
   }
  `));

it('tells everything apart that is not the same', () => {
  const others = [
    ids.subscriptionId('other', { key: 'k-1' }),
    ids.customerBalanceId('default', 'c-1', 'EUR'),
    ids.lineItemLineId('s-1', 'base'),
    ids.lineId('s-1', 'base', 'recurring', service, null, 1),
    ids.lineId('s-1', 'base', 'correction', service, null, 0),
    ids.lineId('s-1', 'base', 'recurring', service, 'l', 0),
    ids.lineId('s-1', 'base', 'recurring', { from: service.from, to: '2026-01-31' }, null, 0),
    ids.lineId('s-1base', '', 'recurring', service, null, 0),
    ids.usageKey('k-1', 'u-1', ['a']),
    ids.usageKey('k-1', 'u-1', ['b', 'a']),
    ids.usageStepKey('cut', 'u-1', 7, 9n),
  ];
  const all = [...Object.values(derived()), ...others];
  expect(new Set(all).size).toBe(all.length);
});

it('knows the id of a customer from any other name', () => {
  const id = derived().customer;
  expect(ids.isCustomerId(id)).toBe(true);
  expect(ids.customerIdOf('default', id)).toBe(id);
  const version4 = `${id.slice(0, 14)}4${id.slice(15)}`;
  const variant = `${id.slice(0, 19)}7${id.slice(20)}`;
  for (const named of ['k-1', '', id.toUpperCase(), ` ${id}`, `${id}0`, id.replaceAll('-', ''), version4, variant]) {
    expect(ids.isCustomerId(named)).toBe(false);
    expect(ids.customerIdOf('default', named)).toBe(ids.customerId('default', { externalId: named }));
  }
});
