import type { CouponEvent, CouponOffer, Reservation } from '@perennial/billing-domain';
import type { Projection, StoredEvent } from '@perennial/event-sourcing';
import { couponEventTypes } from '../event-types';
import { foldRows } from '../fold-rows';
import { createTable, type Table } from '../table';

/** A coupon and how often it was redeemed; one row for its life. */
export interface CouponRow {
  tenant: string;
  coupon_id: string;
  code: string;
  external_id: string | null;
  description: string;
  status: 'active' | 'archived';
  discount: CouponOffer['discount'];
  /** Bills that it lasts for; null: for ever. */
  periods: number | null;
  component_keys: readonly string[] | null;
  max_redemptions: number | null;
  expires_at: string | null;
  redeemed: number;
  /** Reserved and not yet applied, in the order in which their time ends. */
  reservations: readonly Reservation[];
  /** When the time of the first of them ends; null: there is none. */
  next_release_at: string | null;
  metadata: Readonly<Record<string, string>>;
  created_at: string;
  /** Log position of its first event: the order of the list. */
  created_position: bigint;
  revision: bigint;
  position: bigint;
  recorded_at: string;
}

export const couponRows: Table<CouponRow> = {
  name: 'coupon',
  columns: {
    tenant: 'text',
    coupon_id: 'uuid',
    code: 'text',
    external_id: 'text?',
    description: 'text',
    status: 'text',
    discount: 'jsonb',
    periods: 'int4?',
    component_keys: 'jsonb?',
    max_redemptions: 'int4?',
    expires_at: 'timestamptz?',
    redeemed: 'int4',
    reservations: 'jsonb',
    next_release_at: 'timestamptz?',
    metadata: 'jsonb',
    created_at: 'timestamptz',
    created_position: 'int8',
    revision: 'int8',
    position: 'int8',
    recorded_at: 'timestamptz',
  },
  key: ['coupon_id'],
  indexes: [
    { on: ['tenant', 'created_position'] },
    { on: ['tenant', 'code'] },
    { on: ['tenant', 'external_id'], notNull: 'external_id' },
    { on: ['next_release_at'], notNull: 'next_release_at' },
  ],
};

function evolve(row: CouponRow | undefined, stored: StoredEvent): CouponRow {
  const seen = { revision: stored.revision, position: stored.position, recorded_at: stored.metadata.recordedAt };
  const event = stored.event as CouponEvent;
  if (event.type === 'CouponCreated') {
    const { data } = event;
    return {
      tenant: stored.metadata.tenant,
      coupon_id: stored.aggregateId,
      code: data.code,
      external_id: data.externalId ?? null,
      description: data.description,
      status: 'active',
      discount: data.discount,
      periods: data.periods ?? null,
      component_keys: data.componentKeys ?? null,
      max_redemptions: data.maxRedemptions ?? null,
      expires_at: data.expiresAt ?? null,
      redeemed: 0,
      reservations: [],
      next_release_at: null,
      metadata: data.metadata,
      created_at: data.effectiveAt,
      created_position: stored.position,
      ...seen,
    };
  }
  if (row === undefined) throw new Error(`${stored.stream}: ${event.type} before CouponCreated`);
  const next = { ...row, ...seen };
  switch (event.type) {
    case 'RedemptionReserved': {
      const { reservationId, subscriptionId, reservedUntil } = event.data;
      const reservations = [...row.reservations, { reservationId, subscriptionId, reservedUntil }];
      return kept(next, reservations);
    }
    case 'CouponRedeemed':
    case 'RedemptionReleased': {
      const { reservationId } = event.data;
      const left = row.reservations.filter((each) => each.reservationId !== reservationId);
      return kept({ ...next, redeemed: row.redeemed + (event.type === 'CouponRedeemed' ? 1 : 0) }, left);
    }
    case 'CouponArchived':
      return { ...next, status: 'archived' };
  }
  return next;
}

function kept(row: CouponRow, reservations: readonly Reservation[]): CouponRow {
  const inOrder = [...reservations].sort((a, b) => (a.reservedUntil < b.reservedUntil ? -1 : 1));
  return { ...row, reservations: inOrder, next_release_at: inOrder[0]?.reservedUntil ?? null };
}

export const coupons: Projection = {
  name: 'coupons',
  version: 1,
  handles: couponEventTypes,
  tables: [couponRows.name],
  create: (db, schema) => createTable(db, schema, couponRows),
  apply: (events, tx, schema) =>
    foldRows(
      events.filter((event) => event.aggregate === 'coupon'),
      tx,
      schema,
      { table: couponRows, column: 'coupon_id', keyOf: (stored) => stored.aggregateId, evolve },
    ),
};
