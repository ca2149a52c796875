import {
  ApplyCredit,
  ChangeItems,
  GrantCredit,
  type RequestContext,
  RequestFinalisation,
  ReturnCredit,
} from '@perennial/billing-application';
import { applyCreditKey, grantCreditKey, returnCreditKey } from '../../libs/billing-domain/src/ids';
import type { Credit, Documents } from './documents';
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
    again('grant-again', ({ issued }) => issued, {
      key: grantCreditKey,
      named: ({ id, ...of }) => ({ creditNoteId: id, ...of }),
      command: (credit, context) => new GrantCredit(credit, context),
    }),
  ],
  'apply-again': [
    1,
    again('apply-again', ({ applied }) => applied, {
      key: applyCreditKey,
      named: ({ id, ...of }) => ({ invoiceId: id, ...of }),
      command: (credit, context) => new ApplyCredit(credit, context),
    }),
  ],
  'return-again': [
    0.5,
    again('return-again', ({ returned }) => returned, {
      key: returnCreditKey,
      named: ({ id, ...of }) => ({ invoiceId: id, ...of }),
      command: (credit, context) => new ReturnCredit(credit, context),
    }),
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

/** Asks for one of the movements that were made once more, under the key that it has for ever. */
function again<Named extends object>(
  what: string,
  made: (documents: Documents) => readonly Credit[],
  how: {
    readonly key: (id: string) => string;
    readonly named: (credit: Credit) => Named;
    readonly command: (credit: Named, context: RequestContext) => object;
  },
): Askings[string][1] {
  return ({ random, documents }) => {
    const credits = made(documents);
    if (credits.length === 0) return undefined;
    const credit = random.pick(credits);
    return request(what, how.named(credit), how.command, { key: how.key(credit.id) });
  };
}
