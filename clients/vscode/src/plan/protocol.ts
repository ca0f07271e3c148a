/** What the plans' web view and the extension say to each other. */

import type { PlanStep, PlanUpdate } from '../generated/messages';
import type { Chip, Suggestion } from '../chat/protocol';

export interface ShownPlan extends PlanUpdate {
  /** "" where a code action, not this view, began the plan. */
  instruction: string;
  mode: 'plan' | 'agent';
  chips: Chip[];
  testCommand: string;
}

export type ToView =
  | { type: 'plans'; plans: ShownPlan[]; error?: string }
  | { type: 'suggestions'; request: number; items: Suggestion[] }
  | { type: 'attach'; chips: Chip[] }
  | { type: 'context'; chip?: Chip }
  | { type: 'compose'; text: string; chips: Chip[] };

export type FromView =
  | { type: 'ready' }
  | { type: 'start'; text: string; chips: Chip[]; mode: 'plan' | 'agent'; testCommand: string }
  | { type: 'answer'; planId: string; text: string; steps?: PlanStep[] }
  | { type: 'cancel'; planId: string }
  | { type: 'review'; reviewId: string }
  | { type: 'suggest'; request: number; query: string }
  | { type: 'pick'; kind: NonNullable<Suggestion['kind']> }
  | { type: 'drop'; uris: string[] }
  | { type: 'path'; path: string };
