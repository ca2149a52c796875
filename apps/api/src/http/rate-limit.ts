import { LRUCache } from 'lru-cache';

interface Bucket {
  tokens: number;
  filledAt: number;
}

/**
 * Token buckets in memory, one for each name: `burst` tokens at first, `perSecond` new ones a second. Each process counts
 * for itself, so n API processes together allow n times as much. Names not seen for long are forgotten (they are full).
 */
export class RateLimit {
  private readonly buckets: LRUCache<string, Bucket>;

  constructor(
    private readonly perSecond: number,
    private readonly burst: number,
    private readonly milliseconds: () => number = () => performance.now(),
  ) {
    this.buckets = new LRUCache({ max: 10_000 });
  }

  /** Takes one token; 0 when there was one, else the whole seconds to wait until there will be. */
  take(name: string): number {
    const now = this.milliseconds();
    const bucket = this.buckets.get(name) ?? { tokens: this.burst, filledAt: now };
    bucket.tokens = Math.min(this.burst, bucket.tokens + ((now - bucket.filledAt) / 1_000) * this.perSecond);
    bucket.filledAt = now;
    this.buckets.set(name, bucket);
    if (bucket.tokens >= 1) {
      bucket.tokens -= 1;
      return 0;
    }
    return Math.max(1, Math.ceil((1 - bucket.tokens) / this.perSecond));
  }
}
