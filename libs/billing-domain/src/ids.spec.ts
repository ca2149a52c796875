import {
  apiKeyId,
  grantNumberKey,
  invoiceId,
  invoiceNumbersId,
  lineId,
  lineItemLineId,
  policyKey,
  rollOverKey,
  subscriptionId,
} from './ids';

const service = { from: '2026-01-01', to: '2026-02-01' };

it('derives ids that can never change', () => {
  expect({
    subscription: subscriptionId('default', { key: 'k-1' }),
    byExternalId: subscriptionId('default', { externalId: 'k-1' }),
    invoice: invoiceId('s-1', 1),
    numbers: invoiceNumbersId('default', 'INV'),
    apiKey: apiKeyId('default', 'k-1'),
    line: lineId('s-1', 'base', 'recurring', service, null, 0),
    lineItem: lineItemLineId('s-1', 'li-1'),
    rollOver: rollOverKey('s-1', 1),
    policy: policyKey('e-1', 0),
    grant: grantNumberKey('i-1'),
  }).toMatchInlineSnapshot(`
   {
     "apiKey": "d35711a6-d74c-5f3c-9409-b96e82ebe121",
     "byExternalId": "0678fdb6-153d-5504-909b-9224e3ee9dc3",
     "grant": "79a3994d-30aa-5edd-af2f-824c14585a70",
     "invoice": "4d518294-c311-56c6-abe1-a94af7144992",
     "line": "8484b20e-eedc-5ec7-b5eb-3a0cfd54db9c",
     "lineItem": "c3abcc27-235c-5717-9d0e-cebd598a8a17",
     "numbers": "0ecdad84-c034-5a42-8d14-ec152e044a03",
     "policy": "62135622-b6a9-5e09-90d0-61da2d4368c7",
     "rollOver": "cdd4eebb-fb90-5582-a6ff-55d651f2f0c5",
     "subscription": "29725f23-50f5-5444-9ee2-8fccf9098621",
   }
  `);
});

it('tells everything apart that is not the same', () => {
  const ids = [
    subscriptionId('default', { key: 'a' }),
    subscriptionId('default', { externalId: 'a' }),
    subscriptionId('other', { key: 'a' }),
    lineItemLineId('s', 'a'),
    lineId('s', 'a', 'recurring', service, null, 0),
    lineId('s', 'a', 'recurring', service, null, 1),
    lineId('s', 'a', 'correction', service, null, 0),
    lineId('s', 'a', 'recurring', service, 'l', 0),
    lineId('s', 'a', 'recurring', { from: service.from, to: '2026-01-31' }, null, 0),
    lineId('sa', '', 'recurring', service, null, 0),
    invoiceId('s', 1),
    rollOverKey('s', 1),
    policyKey('s', 1),
  ];
  expect(new Set(ids).size).toBe(ids.length);
});
