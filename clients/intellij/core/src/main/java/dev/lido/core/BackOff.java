package dev.lido.core;

import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.Optional;

/** How long to wait before the next start: longer after each crash, and no more after too many in a while. */
public final class BackOff {
    private final Duration first;
    private final int limit;
    private final Duration within;
    private final Deque<Long> crashes = new ArrayDeque<>();

    /** Gives up at the {@code limit}-th crash {@code within} that time. */
    public BackOff(Duration first, int limit, Duration within) {
        this.first = first;
        this.limit = limit;
        this.within = within;
    }

    /** @param now nanoseconds, as System.nanoTime() counts */
    public synchronized Optional<Duration> crashed(long now) {
        crashes.add(now);
        while (now - crashes.peek() > within.toNanos()) crashes.remove();
        if (crashes.size() >= limit) return Optional.empty();
        return Optional.of(first.multipliedBy(1L << (crashes.size() - 1)));
    }

    public synchronized void reset() {
        crashes.clear();
    }
}
