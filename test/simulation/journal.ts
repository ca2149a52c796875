import { fingerprintOf, type CommandResult, type RequestContext } from '@perennial/billing-application';
import { refusalOf } from '../../apps/api/src/http/refusal';
import { problems } from '../../apps/api/src/http/problem';
import type { Chaos } from './chaos';
import { ProcessGone, type SimulatedProcess } from './simulated-process';
import type { Request } from './request';

/** One command as its caller knows it. */
export interface Issued {
  readonly key: string;
  readonly request: Request;
  state: 'unknown' | 'acknowledged' | 'refused';
  code?: string;
  answer?: CommandResult;
}

/** What callers were told of their commands, and everything in it that cannot be. */
export class Journal {
  readonly issued: Issued[] = [];
  attempts = 0;

  constructor(
    private readonly chaos: Chaos,
    private readonly violation: (what: string) => void,
  ) {}

  of(state: Issued['state']): Issued[] {
    return this.issued.filter((each) => each.state === state);
  }

  issue(request: Request): Issued {
    const issued: Issued = { key: request.key ?? `k${this.issued.length + 1}`, request, state: 'unknown' };
    this.issued.push(issued);
    return issued;
  }

  /** Sends it (again) under its key and notes what came of it. */
  async attempt(issued: Issued, to: SimulatedProcess): Promise<void> {
    const { key, request } = issued;
    this.attempts += 1;
    const context: RequestContext = {
      tenant: 'default',
      key,
      fingerprint: fingerprintOf({ what: request.what, ...request.content }),
      principal: 'simulation',
      correlationId: key,
    };
    const name = `${to.name} ${key} ${request.what}`;
    try {
      const answer = await to.execute(request.command(context));
      this.chaos.trace(`${name} acknowledged`);
      this.acknowledged(issued, answer);
    } catch (error) {
      if (error instanceof ProcessGone) {
        this.chaos.trace(`${name} lost`);
        return;
      }
      const { code } = refusalOf(error);
      this.chaos.trace(`${name} ${code}`);
      if (code === 'internal-error') this.violation(`${name}: ${error instanceof Error ? error.stack : String(error)}`);
      else if (problems[code].status < 500) this.refused(issued, code);
    }
  }

  private acknowledged(issued: Issued, answer: CommandResult): void {
    const name = `${issued.key} ${issued.request.what}`;
    if (issued.state === 'refused') this.violation(`${name}: refused as ${issued.code}, then done`);
    // What usage was recorded is told record by record, and may be a repeat's answer for some of them.
    const same = (each: CommandResult) => JSON.stringify([each.aggregateId, each.revision, each.events]);
    if (issued.answer && issued.request.what !== 'usage' && same(issued.answer) !== same(answer))
      this.violation(`${name}: two answers, ${same(issued.answer)} and ${same(answer)}`);
    if (
      issued.request.what === 'usage' &&
      (answer as unknown as UsageAnswer).records.some(({ result }) => result === 'failed')
    )
      return;
    issued.state = 'acknowledged';
    issued.answer = answer;
  }

  private refused(issued: Issued, code: string): void {
    if (issued.state === 'acknowledged')
      this.violation(`${issued.key} ${issued.request.what}: done, then refused as ${code}`);
    issued.state = 'refused';
    issued.code = code;
  }
}

interface UsageAnswer {
  readonly records: readonly { readonly id: string; readonly result: string }[];
}
