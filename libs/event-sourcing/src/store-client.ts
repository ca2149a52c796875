import { EventStoreDBClient } from '@eventstore/db-client';
import type { Channel } from '@grpc/grpc-js';
import { BatchAppender } from './batch-append';
import { type OpenCall, StoreConnection } from './store-connection';

export interface Connected {
  readonly client: EventStoreDBClient;
  readonly appender: BatchAppender;
}
export type Connection = StoreConnection<Connected>;
export type Call = OpenCall<Connected>;

/** What the client keeps to itself and this adapter needs; version 6.2.1 is pinned and the specs notice a change. */
interface ClientInternals {
  supports(): Promise<boolean>;
  getChannel(): Promise<Channel>;
}

/** A connection of its own to the store at `url`, made at its first call. */
export function connectTo(url: string): Connection {
  return new StoreConnection(() => connectClient(url), closeClient);
}

/**
 * Without the feature probe the client's own append is always the unary call, whose deadline holds and which shares no
 * table of promises with other clients (5.1 #1-#4, #6-#8). The alternative that the client offers, credentials on every
 * call, would send a made-up name to servers that authenticate by certificate.
 */
function connectClient(url: string): Connected {
  const client = EventStoreDBClient.connectionString(apart(url));
  (client as unknown as ClientInternals).supports = () => Promise.resolve(false);
  return { client, appender: new BatchAppender(client) };
}

let connections = 0;

/**
 * gRPC shares one connection between all channels to the same target with the same settings: a new client would talk
 * through the frozen connection of the one that it replaces, and subscriptions would take the streams of reads. A
 * keepalive interval that differs by a millisecond keeps them apart; the client offers no other setting that does.
 */
function apart(url: string): string {
  const stated = /[?&]keepAliveInterval=(-?\d+)/i.exec(url);
  const interval = Number(stated?.[1] ?? 10_000);
  if (interval < 0) return url;
  const setting = `keepAliveInterval=${interval + (connections++ % 1_000)}`;
  if (stated) return url.replace(/keepAliveInterval=-?\d+/i, setting);
  return url.includes('?') ? `${url}&${setting}` : `${url}?${setting}`;
}

/** `dispose` ends open streams but leaves the channel, and with it a socket that sends keepalives, open. */
function closeClient({ client }: Connected): void {
  const channel = (client as unknown as ClientInternals).getChannel();
  void client
    .dispose()
    .then(() => channel)
    .then((open) => open.close())
    .catch(() => undefined);
}
