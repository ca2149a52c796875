import {
  ApplyCredit,
  ChangeItems,
  GrantCredit,
  RequestFinalisation,
  ReturnCredit,
} from '@perennial/billing-application';
import { applyCreditKey, grantCreditKey, returnCreditKey } from '../../libs/billing-domain/src/ids';
import { type Askings, request } from './request';

/*
 * Who is given credit, and who asks again for what moved it: the commands that grant, use and return a credit have a key for ever, so
 * whoever repeats them, and whenever, must be told what became of the first.
 */

/** What is asked about credit. */
export const creditAskings: Askings = {
  'take-back': [
    3,
    ({ random }, of) => {
      const itemId = random.pick(['base', 'seats', 'access', 'users']);
      const edit = { kind: 'quantity', itemId, quantity: '0' } as const;
      return request(
        'take-back',
        { edits: [edit], when: 'now', billing: 'now' } as const,
        (each, context) => new ChangeItems(of.id, each, context),
      );
    },
  ],
  'grant-again': [
    1,
    ({ random, documents: { issued } }) => {
      if (issued.length === 0) return undefined;
      const { id, ...of } = random.pick(issued);
      const credit = { creditNoteId: id, ...of };
      return request('grant-again', credit, (each, context) => new GrantCredit(each, context), {
        key: grantCreditKey(id),
      });
    },
  ],
  'apply-again': [
    1,
    ({ random, documents: { applied } }) => {
      if (applied.length === 0) return undefined;
      const { id, ...of } = random.pick(applied);
      const credit = { invoiceId: id, ...of };
      return request('apply-again', credit, (each, context) => new ApplyCredit(each, context), {
        key: applyCreditKey(id),
      });
    },
  ],
  'return-again': [
    0.5,
    ({ random, documents: { returned } }) => {
      if (returned.length === 0) return undefined;
      const { id, ...of } = random.pick(returned);
      const credit = { invoiceId: id, ...of };
      return request('return-again', credit, (each, context) => new ReturnCredit(each, context), {
        key: returnCreditKey(id),
      });
    },
  ],
  finalise: [
    3,
    ({ random, documents: { drafts } }) => {
      if (drafts.length === 0) return undefined;
      const invoiceId = random.pick(drafts);
      return request('finalise', { invoiceId }, (_, context) => new RequestFinalisation(invoiceId, context));
    },
  ],
};
