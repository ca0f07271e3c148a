/** The session's plans, as they are shown. Pure. */

import type { PlanState, PlanStep, PlanUpdate } from '../generated/messages';
import type { ShownPlan } from './protocol';

const ended = new Set<PlanState>(['review', 'done', 'gaveUp', 'cancelled', 'failed']);

export function final(state: PlanState): boolean {
  return ended.has(state);
}

type Begun = Pick<ShownPlan, 'instruction' | 'mode' | 'chips' | 'testCommand'>;

const unknown: Begun = { instruction: '', mode: 'plan', chips: [], testCommand: '' };

/** A plan that the view began. Its first updates may have come before its id did. */
export function begun(plans: readonly ShownPlan[], planId: string, how: Begun): ShownPlan[] {
  const known = plans.find((plan) => plan.planId === planId);
  const plan: ShownPlan = { planId, state: 'exploring', steps: [], ...known, ...how };
  return known ? plans.map((each) => (each === known ? plan : each)) : [...plans, plan];
}

/** The server told of a plan: its whole present state. */
export function updated(plans: readonly ShownPlan[], update: PlanUpdate): ShownPlan[] {
  const known = plans.find((plan) => plan.planId === update.planId);
  const { instruction, mode, chips, testCommand } = known ?? unknown;
  const plan: ShownPlan = { ...update, instruction, mode, chips, testCommand };
  return known ? plans.map((each) => (each === known ? plan : each)) : [...plans, plan];
}

/** The server is gone, and with it what had not ended. */
export function lost(plans: readonly ShownPlan[], message: string): ShownPlan[] {
  return plans.map((plan) => (final(plan.state) ? plan : { ...plan, state: 'failed', message, question: undefined, asks: undefined }));
}

/** `steps` with one moved by `by` places; unchanged at either end. */
export function moved(steps: readonly PlanStep[], index: number, by: 1 | -1): PlanStep[] {
  const to = index + by;
  const next = steps.slice();
  if (to >= 0 && to < next.length) {
    [next[index], next[to]] = [next[to]!, next[index]!];
  }
  return next;
}

/** Names as people write them, with commas or spaces between. */
export function files(text: string): string[] {
  return text.split(/[,\s]+/).filter(Boolean);
}
