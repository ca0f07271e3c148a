/** When a server that died is started again: at once, then after 1, 2, 4, 8 seconds, then not any more until a
 * person asks. Deaths further apart than three minutes are each the first. */
export class Backoff {
  private deaths: number[] = [];

  constructor(private readonly now: () => number = Date.now) {}

  /** Milliseconds to wait before the next start, undefined when it is time to give up. */
  next(): number | undefined {
    const now = this.now();
    this.deaths = [...this.deaths.filter((death) => now - death < 180_000), now];
    const count = this.deaths.length;
    return count > 5 ? undefined : count === 1 ? 0 : 1000 * 2 ** (count - 2);
  }

  reset(): void {
    this.deaths = [];
  }
}
