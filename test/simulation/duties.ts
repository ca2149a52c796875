import {
  billingPolicies,
  DestroyCustomerKey,
  GrantCredit,
  GrantInvoiceNumber,
  RedeemCoupon,
  ReturnCredit,
} from '@perennial/billing-application';
import { billingCatalogs } from '@perennial/billing-domain';
import { decode, type Policy, type RecordedEvent } from '@perennial/event-sourcing';
import { grantCreditKey, grantNumberKey, reservationKey, returnCreditKey } from '../../libs/billing-domain/src/ids';

const all: readonly Policy[] = billingPolicies;

/** What a policy owes for one event: a command, which shows in the log by its key. */
interface Duty {
  readonly policy: string;
  readonly position: bigint;
  readonly what: string;
}

/** What policies owe for the events in the log. A position that one of them stores says that it owes nothing up to there. */
export class Duties {
  private readonly done = new Set<string>();
  private readonly open = new Map<string, Duty>();

  constructor(private readonly violation: (what: string) => void) {}

  /** Takes in an event of an aggregate: a duty is done by the command with its key, and the event may be the ground of others. */
  note(recorded: RecordedEvent, aggregate: string): void {
    const { key } = recorded.metadata as { key: string };
    this.done.add(key);
    this.open.delete(key);
    const policies = all.filter(({ handles }) => handles.includes(recorded.type));
    if (policies.length === 0) return;
    const stored = decode(recorded, billingCatalogs[aggregate]!);
    for (const policy of policies) {
      for (const command of policy.react(stored)) {
        const owed = keyOf(command);
        if (owed === undefined || this.done.has(owed)) continue;
        const what = `${command.constructor.name} for ${recorded.stream}@${recorded.revision}`;
        this.open.set(owed, { policy: policy.name, position: recorded.position, what });
      }
    }
  }

  /** A policy has stored that everything up to a position is done. */
  reached(policy: string, position: bigint): void {
    for (const duty of this.open.values())
      if (duty.policy === policy && duty.position <= position)
        this.violation(`${policy} stored position ${position}, and had not carried out ${duty.what}`);
  }

  /** What nobody has done yet. */
  owed(): string[] {
    return [...this.open.values()].map(({ policy, what }) => `${policy} has not carried out ${what}`);
  }
}

/** The key under which a policy's command is recorded; undefined for one that records nothing of its own. */
function keyOf(command: object): string | undefined {
  if (command instanceof DestroyCustomerKey) return undefined;
  if (command instanceof GrantInvoiceNumber) return grantNumberKey(command.invoiceId);
  if (command instanceof GrantCredit) return grantCreditKey(command.credit.creditNoteId);
  if (command instanceof ReturnCredit) return returnCreditKey(command.credit.invoiceId);
  if (command instanceof RedeemCoupon) return reservationKey(command.redemption.reservationId, 'redeem');
  return (command as { readonly context: { readonly key: string } }).context.key;
}
