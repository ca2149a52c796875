import type { Personal } from '../personal';
import type { PersonalData } from './personal-data';

export interface CustomerCreated {
  readonly type: 'CustomerCreated';
  readonly data: {
    readonly effectiveAt: string;
    readonly customerId: string;
    readonly externalId?: string;
    readonly currency: string;
    readonly timeZone: string;
    readonly paymentTermsDays: number;
    readonly metadata: Readonly<Record<string, string>>;
    readonly personal?: Personal<PersonalData>;
  };
}

/** Only what changed; `metadata` and `personal` are whole. */
export interface CustomerChanged {
  readonly type: 'CustomerChanged';
  readonly data: {
    readonly effectiveAt: string;
    readonly currency?: string;
    readonly timeZone?: string;
    readonly paymentTermsDays?: number;
    readonly metadata?: Readonly<Record<string, string>>;
    readonly personal?: Personal<PersonalData>;
  };
}

/** The customer's data key is to be destroyed, and with it all personal data that stands sealed anywhere. */
export interface CustomerErased {
  readonly type: 'CustomerErased';
  readonly data: {
    readonly effectiveAt: string;
    readonly customerId: string;
    readonly externalId?: string;
  };
}

export type CustomerEvent = CustomerCreated | CustomerChanged | CustomerErased;
