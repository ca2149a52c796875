import type { CustomerBalanceEvent } from '@perennial/billing-domain';
import type { Projection, StoredEvent } from '@perennial/event-sourcing';
import { customerBalanceEventTypes } from '../event-types';
import { foldRows } from '../fold-rows';
import { createTable, type Table } from '../table';

/** What a customer has to its credit in one currency, minor units: balance = granted + returned − applied. */
export interface CustomerBalanceRow {
  tenant: string;
  customer_balance_id: string;
  customer_id: string;
  currency: string;
  balance: string;
  granted: string;
  applied: string;
  returned: string;
  revision: bigint;
  position: bigint;
  recorded_at: string;
}

export const customerBalanceRows: Table<CustomerBalanceRow> = {
  name: 'customer_balance',
  columns: {
    tenant: 'text',
    customer_balance_id: 'uuid',
    customer_id: 'text',
    currency: 'char(3)',
    balance: 'numeric',
    granted: 'numeric',
    applied: 'numeric',
    returned: 'numeric',
    revision: 'int8',
    position: 'int8',
    recorded_at: 'timestamptz',
  },
  key: ['customer_balance_id'],
  indexes: [{ on: ['tenant', 'customer_id', 'currency'] }],
};

const columns = { CreditGranted: 'granted', CreditApplied: 'applied', CreditReturned: 'returned' } as const;

function evolve(row: CustomerBalanceRow | undefined, stored: StoredEvent): CustomerBalanceRow {
  const seen = { revision: stored.revision, position: stored.position, recorded_at: stored.metadata.recordedAt };
  const { type, data } = stored.event as CustomerBalanceEvent;
  if (!Object.hasOwn(columns, type)) {
    if (row === undefined) throw new Error(`${stored.stream}: ${type} before the first credit`);
    return { ...row, ...seen };
  }
  const column = columns[type];
  const before = row ?? {
    tenant: stored.metadata.tenant,
    customer_balance_id: stored.aggregateId,
    customer_id: data.customerId,
    currency: data.currency,
    balance: '0',
    granted: '0',
    applied: '0',
    returned: '0',
  };
  const sum = (BigInt(before[column]) + BigInt(data.amount)).toString();
  return { ...before, [column]: sum, balance: data.balance, ...seen };
}

export const customerBalances: Projection = {
  name: 'customer-balances',
  version: 1,
  handles: customerBalanceEventTypes,
  tables: [customerBalanceRows.name],
  create: (db, schema) => createTable(db, schema, customerBalanceRows),
  apply: (events, tx, schema) =>
    foldRows(
      events.filter((event) => event.aggregate === 'customer-balance'),
      tx,
      schema,
      { table: customerBalanceRows, column: 'customer_balance_id', keyOf: (stored) => stored.aggregateId, evolve },
    ),
};
