import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { answer } from './case-answers';
import { CaseBook } from './case-book';
import { readingsOf, type Case } from './case-reading';

/*
 * What public sources expect (billing-cases.json, untouched), each case under the preset of its source: commands in, invoices and
 * credit notes out.
 */

const cases = JSON.parse(readFileSync(join(__dirname, 'billing-cases.json'), 'utf8')) as Case[];

/** Expectations that are remarks: how a source stored something before it mended it. */
const remarks = new Set(['first_as_stored_before_fix']);

describe('cases of public sources', () => {
  let book: CaseBook;

  beforeAll(async () => {
    book = await CaseBook.open();
  });

  afterAll(() => book.close());

  it.each(cases.map((each) => [each.id, each.description, each] as const))('%s %s', async (_id, _description, each) => {
    const readings = readingsOf(each);
    for (const [name, expected] of Object.entries(each.expected)) {
      if (remarks.has(name)) continue;
      const one = Array.isArray(expected) && readings.length > 1 && expected.length === readings.length;
      for (const [i, reading] of readings.entries()) {
        const { is, wanted } = await answer(book, reading, name, one ? (expected as unknown[])[i] : expected);
        expect([name, i, is]).toEqual([name, i, wanted]);
      }
    }
  });
});
