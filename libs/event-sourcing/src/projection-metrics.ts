import { Counter, Gauge, Histogram } from 'prom-client';

export const batchSeconds = new Histogram({
  name: 'projection_batch_seconds',
  help: 'Time of one transaction of the projections',
  buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1],
});
export const appliedEvents = new Counter({
  name: 'projection_events_total',
  help: 'Events that the projections have passed',
});
export const feedLag = new Gauge({
  name: 'projection_lag_seconds',
  help: 'Time since the projections last held everything that was stored',
});
export const waitingEvents = new Gauge({
  name: 'projection_waiting_events',
  help: 'Events received and not yet applied',
});
export const parkedStreams = new Gauge({
  name: 'projection_parked_streams',
  help: 'Streams that wait in a model because it failed on one of their events (alert above 0)',
  labelNames: ['projection'],
});
export const subscriptionDrops = new Counter({
  name: 'subscription_drops_total',
  help: 'Subscriptions that ended and were resumed; with progress it is normal running',
  labelNames: ['progress'],
});
export const subscriptionRestarts = new Counter({
  name: 'subscription_restarts_total',
  help: 'Subscriptions that had gone silent and were restarted by the watchdog',
});
export const heartbeatSeconds = new Histogram({
  name: 'heartbeat_round_trip_seconds',
  help: 'Time from writing a heartbeat until the projections have passed it',
  buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5],
});
export const projectionFailures = new Counter({
  name: 'projection_failures_total',
  help: 'Interruptions of the projections by kind',
  labelNames: ['kind'],
});
