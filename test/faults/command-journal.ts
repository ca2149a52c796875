import type { Answer, HttpClient } from '../support/http-client';
import { ownTime } from './own-time';

/** One command as its caller knows it. */
export interface Journaled {
  readonly key: string;
  readonly path: string;
  readonly body: unknown;
  state: 'in flight' | 'acknowledged' | 'unknown' | 'refused';
  /** The first acknowledgement. */
  answer?: { readonly id: string; readonly revision: string; readonly position: string; readonly events: number };
  status?: number;
  /** Of the refusal. */
  code?: string;
}

/** What a caller writes down of its commands: what it has been told, and what it does not know. */
export class CommandJournal {
  readonly commands: Journaled[] = [];
  inFlight = 0;
  /** Answers that no command may get, whatever happens. */
  readonly violations: string[] = [];
  /** The longest that a caller waited for an answer, in ms. */
  slowestMs = 0;

  /** Every command has to be answered within `withinMs()`: what is late is a violation. */
  constructor(private readonly withinMs: () => number = () => Infinity) {}

  get(state: Journaled['state']): Journaled[] {
    return this.commands.filter((each) => each.state === state);
  }

  /** Sends a command under a new key. */
  async send(client: HttpClient, key: string, path: string, body: unknown): Promise<Journaled> {
    const command: Journaled = { key, path, body, state: 'in flight' };
    this.commands.push(command);
    await this.attempt(client, command);
    return command;
  }

  /** Sends it (again) with its key and notes what came of it. */
  async attempt(client: HttpClient, command: Journaled): Promise<void> {
    this.inFlight += 1;
    const asked = ownTime();
    try {
      const answer = await client.post(command.path, command.body, command.key);
      this.timed(command, ownTime() - asked);
      this.note(command, answer);
    } catch {
      if (command.state === 'in flight') command.state = 'unknown';
    } finally {
      this.inFlight -= 1;
    }
  }

  private timed({ path, key }: Journaled, tookMs: number): void {
    this.slowestMs = Math.max(this.slowestMs, tookMs);
    const withinMs = this.withinMs();
    if (tookMs > withinMs)
      this.violations.push(`${path} ${key}: answered after ${Math.round(tookMs)} ms, due within ${withinMs}`);
  }

  private note(command: Journaled, { status, body, headers }: Answer): void {
    const known = command.answer;
    if (status === 200 || status === 201) {
      const answer = {
        id: String(body.id),
        revision: String(body.revision),
        position: String(body.position),
        events: Number(body.events?.length),
      };
      if (known && JSON.stringify(known) !== JSON.stringify(answer))
        this.violations.push(`${command.path} ${command.key}: two answers, ${JSON.stringify([known, answer])}`);
      if (command.state === 'refused') this.violations.push(`${command.path} ${command.key}: refused, then done`);
      command.state = 'acknowledged';
      command.answer ??= answer;
    } else if (status >= 500) {
      if (status !== 503) this.violations.push(`${command.path} ${command.key}: ${status} ${JSON.stringify(body)}`);
      else if (headers['retry-after'] === undefined)
        this.violations.push(`${command.path} ${command.key}: 503 without Retry-After ${JSON.stringify(body)}`);
      if (command.state === 'in flight') command.state = 'unknown';
    } else {
      if (![404, 409, 412, 422].includes(status))
        this.violations.push(`${command.path} ${command.key}: ${status} ${JSON.stringify(body)}`);
      if (known) this.violations.push(`${command.path} ${command.key}: done, then ${status} ${JSON.stringify(body)}`);
      command.state = 'refused';
    }
    command.status = status;
    if (status >= 400) command.code = String(body?.code);
  }
}
