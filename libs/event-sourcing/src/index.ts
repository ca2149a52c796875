export * from './event';
export * from './streams';
export * from './errors';
export * from './hash-chain';
export * from './event-codec';
export * from './event-store';
export * from './projection';
export * from './policy';
