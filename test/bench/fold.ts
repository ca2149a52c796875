import { subscriptionType, type SubscriptionEvent } from '@perennial/billing-domain';
import { decode, type RecordedEvent, type StoredEvent } from '@perennial/event-sourcing';
import { randomUUID } from 'node:crypto';
import { Random } from '../support/random';
import { interleaved, median, type Bench } from './figure';
import { firstEvents, subscriptionLife } from './histories';

const EVENTS = 20_000;
const rounds = { small: 5, full: 15 };

/** How fast events become state, in this process alone. */
export const fold: Bench = {
  name: 'fold',
  about: 'events per second through the evolve of a subscription, beside JSON.parse of the same bytes',
  async run({ scale, seed, say }) {
    say(`a subscription of ${EVENTS} events`);
    const id = randomUUID();
    const stream = `bench.subscription-${id}`;
    const texts = [...firstEvents(subscriptionLife(id, new Random(seed)), EVENTS)].map((event) => ({
      ...event,
      data: JSON.stringify(event.data),
      metadata: JSON.stringify(event.metadata),
    }));
    const bytes = texts.reduce((sum, { data, metadata }) => sum + data.length + metadata.length, 0);
    let parsed: RecordedEvent[] = [];
    let decoded: StoredEvent<SubscriptionEvent>[] = [];
    const parse = () => {
      parsed = texts.map(({ id, type, data, metadata }, n) => ({
        stream,
        revision: BigInt(n),
        position: BigInt(n),
        id,
        type,
        isJson: true,
        data: JSON.parse(data) as unknown,
        metadata: JSON.parse(metadata) as unknown,
      }));
    };
    const lift = () => (decoded = parsed.map((each) => decode<SubscriptionEvent>(each, subscriptionType.catalog)));
    const evolve = () => {
      let state = subscriptionType.initial;
      for (const { event } of decoded) state = subscriptionType.evolve(state, event);
      if (state.status !== 'active') throw new Error(`the fold came to ${state.status}`);
    };
    const rate = (work: () => void) => async () => {
      const started = performance.now();
      work();
      return (EVENTS * 1_000) / (performance.now() - started);
    };
    for (const work of [parse, lift, evolve, parse, lift, evolve]) work();
    const evolving = await interleaved(rate(evolve), rate(parse), rounds[scale]);
    const decodes: number[] = [];
    for (let n = 0; n < rounds[scale]; n += 1) decodes.push(await rate(lift)());
    return [
      {
        name: 'fold',
        ...evolving,
        unit: 'events/s',
        limitName: 'JSON.parse of the same bytes',
        more: { decodePerSecond: median(decodes), bytesPerEvent: Math.round(bytes / EVENTS) },
      },
    ];
  },
};
