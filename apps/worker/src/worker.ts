import { billingCatalogs } from '@perennial/billing-domain';
import type { CommandBus } from '@nestjs/cqrs';
import { billingPolicies, type CommandResult } from '@perennial/billing-application';
import { PolicyRunner, type ProjectionRunner } from '@perennial/event-sourcing';
import { observeCommand } from '@perennial/platform';
import { outcomeOf } from '../../api/src/http/refusal';
import { type Connections } from '../../process/src/connections';
import type { Visibility } from '../../process/src/visibility';
import { Scheduler } from './scheduler';

/** What happens by itself: projections, policies, and the roll-over of elapsed periods. */
export class Worker {
  private readonly policies: PolicyRunner;
  private readonly scheduler: Scheduler;

  constructor(
    private readonly connections: Connections,
    private readonly projections: ProjectionRunner,
    visibility: Visibility,
    bus: CommandBus,
  ) {
    const { config, logger, store } = connections;
    const dispatch = async (command: object): Promise<CommandResult> => {
      const result = await observeCommand(command, () => bus.execute<object, CommandResult>(command), {
        logger,
        outcomeOf,
      });
      visibility.noteAppended(BigInt(result.position));
      return result;
    };
    const standsBy = () => {
      const health = projections.health();
      return health.status === 'ok' && health.role === 'standby';
    };
    this.policies = new PolicyRunner({
      store,
      streamPrefix: config.streamPrefix,
      policies: billingPolicies,
      catalogs: billingCatalogs,
      dispatch: async (command: object) => void (await dispatch(command)),
      logger,
      standsBy,
    });
    this.scheduler = new Scheduler(connections, visibility, dispatch, standsBy);
  }

  /** Why the policies do not run; undefined when they do, here or in another process. */
  problem(): string | undefined {
    const stopped = this.policies.status().find(({ state }) => state === 'stopped');
    return stopped && `${stopped.policy} stopped: ${stopped.reason ?? 'no reason given'}`;
  }

  start(): void {
    this.projections.start();
    this.policies.start();
    this.scheduler.start();
  }

  /** Finishes what runs and writes where it got to. */
  async stop(): Promise<void> {
    await this.scheduler.stop();
    await this.policies.stop();
    await this.projections.stop();
    this.connections.logger.debug('the worker has stopped');
  }
}
