import { customerIdOf, type InvoiceFinalised, type PersonalData } from '@perennial/billing-domain';
import { ERASED, type StoredPersonal } from '@perennial/event-sourcing';
import type { BillingRepositories } from './repositories';

/**
 * Whom an invoice of this customer bills now, to be sealed into the invoice; undefined when the customer names nobody or
 * was not created here. Throws what opening personal data throws.
 */
export async function billToOf(
  { customers, dataKeys }: BillingRepositories,
  tenant: string,
  named: string,
): Promise<InvoiceFinalised['data']['personal']> {
  const subject = customerIdOf(tenant, named);
  const customer = (await customers.load(subject, tenant))?.state;
  if (customer?.status === 'erased') return { subject, erased: true };
  if (customer?.status !== 'active' || customer.personal === undefined) return undefined;
  const opened = await dataKeys.open(customer.personal as StoredPersonal);
  if (opened === ERASED) return { subject, erased: true };
  const { billTo } = opened as PersonalData;
  return billTo && { subject, clear: { billTo } };
}
