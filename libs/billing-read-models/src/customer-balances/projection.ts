import type { CustomerBalanceEvent } from '@perennial/billing-domain';
import type { Projection, StoredEvent } from '@perennial/event-sourcing';
import { customerBalanceEventTypes } from '../event-types';
import { foldRows } from '../fold-rows';
import { createTable, upsertRows, type Table } from '../table';

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
  stream: string;
  /** Log position of its first event: the order of the list. */
  first_position: bigint;
  revision: bigint;
  position: bigint;
  recorded_at: string;
}

/** What moved a balance: an event of its stream, with the credit note or the invoice that it is of. */
export interface CustomerBalanceMovementRow {
  tenant: string;
  customer_balance_id: string;
  revision: bigint;
  kind: 'granted' | 'applied' | 'returned';
  /** Minor units above zero, and the balance after it. */
  amount: string;
  balance: string;
  credit_note_id: string | null;
  invoice_id: string | null;
  effective_at: string;
  event_id: string;
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
    stream: 'text',
    first_position: 'int8',
    revision: 'int8',
    position: 'int8',
    recorded_at: 'timestamptz',
  },
  key: ['customer_balance_id'],
  indexes: [{ on: ['tenant', 'first_position'] }, { on: ['tenant', 'customer_id', 'first_position'] }],
};

export const customerBalanceMovements: Table<CustomerBalanceMovementRow> = {
  name: 'customer_balance_movement',
  columns: {
    tenant: 'text',
    customer_balance_id: 'uuid',
    revision: 'int8',
    kind: 'text',
    amount: 'numeric',
    balance: 'numeric',
    credit_note_id: 'uuid?',
    invoice_id: 'uuid?',
    effective_at: 'timestamptz',
    event_id: 'uuid',
    position: 'int8',
    recorded_at: 'timestamptz',
  },
  key: ['customer_balance_id', 'revision'],
  indexes: [{ on: ['customer_balance_id', 'position'] }],
};

const kinds = { CreditGranted: 'granted', CreditApplied: 'applied', CreditReturned: 'returned' } as const;

function evolve(row: CustomerBalanceRow | undefined, stored: StoredEvent): CustomerBalanceRow {
  const seen = { revision: stored.revision, position: stored.position, recorded_at: stored.metadata.recordedAt };
  const event = movementOf(stored);
  if (event === undefined) {
    if (row === undefined) throw new Error(`${stored.stream}: ${stored.event.type} before the first credit`);
    return { ...row, ...seen };
  }
  const { data } = event;
  const column = kinds[event.type];
  const before = row ?? {
    tenant: stored.metadata.tenant,
    customer_balance_id: stored.aggregateId,
    customer_id: data.customerId,
    currency: data.currency,
    balance: '0',
    granted: '0',
    applied: '0',
    returned: '0',
    stream: stored.stream,
    first_position: stored.position,
  };
  const sum = (BigInt(before[column]) + BigInt(data.amount)).toString();
  return { ...before, [column]: sum, balance: data.balance, ...seen };
}

/** The event as one that moves the balance; undefined for what moves its revision alone. */
function movementOf({ event }: StoredEvent): CustomerBalanceEvent | undefined {
  return Object.hasOwn(kinds, event.type) ? (event as CustomerBalanceEvent) : undefined;
}

export const customerBalances: Projection = {
  name: 'customer-balances',
  version: 1,
  handles: customerBalanceEventTypes,
  tables: [customerBalanceRows.name, customerBalanceMovements.name],
  async create(db, schema) {
    await createTable(db, schema, customerBalanceRows);
    await createTable(db, schema, customerBalanceMovements);
  },
  async apply(events, tx, schema) {
    const movements: CustomerBalanceMovementRow[] = [];
    await foldRows(
      events.filter((event) => event.aggregate === 'customer-balance'),
      tx,
      schema,
      { table: customerBalanceRows, column: 'customer_balance_id', keyOf: (stored) => stored.aggregateId, evolve },
      (stored) => {
        const event = movementOf(stored);
        if (event === undefined) return;
        const { amount, balance, effectiveAt } = event.data;
        movements.push({
          tenant: stored.metadata.tenant,
          customer_balance_id: stored.aggregateId,
          revision: stored.revision,
          kind: kinds[event.type],
          amount,
          balance,
          credit_note_id: event.type === 'CreditGranted' ? event.data.creditNoteId : null,
          invoice_id: event.type === 'CreditGranted' ? null : event.data.invoiceId,
          effective_at: effectiveAt,
          event_id: stored.id,
          position: stored.position,
          recorded_at: stored.metadata.recordedAt,
        });
      },
    );
    await upsertRows(tx, schema, customerBalanceMovements, movements);
  },
};
