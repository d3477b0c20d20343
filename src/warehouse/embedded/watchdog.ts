import type { Clock } from '../../work/clock.ts';

export interface WatchdogPorts {
  readonly clock: Clock;
  /** Resolves with any sign of life, rejects or waits without. A question may come before the last one was answered. */
  readonly ask: () => Promise<void>;
  /** Told once. Nothing is asked any more. */
  readonly onHung: () => void;
  /** Milliseconds without a sign of life. */
  readonly hungAfterMs: number;
}

/**
 * So many questions in a row must go without an answer: while the machine sleeps no time passes for it, and one late
 * timer is no proof.
 */
const QUESTIONS = 10;

/** Asks again and again whether somebody lives, until the signal aborts. */
export async function watchOver(ports: WatchdogPorts, until: AbortSignal): Promise<void> {
  const { clock, ask, onHung, hungAfterMs } = ports;
  const patienceMs = hungAfterMs / QUESTIONS;
  for (let missed = 0; missed < QUESTIONS; ) {
    const pause = clock.sleep(patienceMs, until).then(
      () => false,
      () => false,
    );
    const answer = ask().then(
      () => true,
      () => pause,
    );
    const answered = await Promise.race([answer, pause]);
    await pause;
    if (until.aborted) return;
    missed = answered ? 0 : missed + 1;
  }
  onHung();
}
