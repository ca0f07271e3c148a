import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { PlanUpdate } from '../../src/generated/messages';
import * as state from '../../src/plan/state';

const how = { instruction: 'Do it', mode: 'agent' as const, chips: [], testCommand: 'make test' };
const update = (planId: string, over: Partial<PlanUpdate> = {}): PlanUpdate => ({ planId, state: 'planning', steps: [], ...over });

describe('plans', () => {
  it('know how they began, whichever comes first: the update or the id', () => {
    const before = state.begun(state.updated([], update('1', { message: 'Reading' })), '1', how);
    const after = state.updated(state.begun([], '1', how), update('1', { message: 'Reading' }));
    assert.deepEqual(before, after);
    assert.deepEqual([after[0]?.instruction, after[0]?.state, after[0]?.message], ['Do it', 'planning', 'Reading']);
  });

  it('forget a question that is answered', () => {
    const asked = state.updated([], update('1', { state: 'waiting', question: 'Run?', asks: 'consent' }));
    assert.equal(asked[0]?.asks, 'consent');
    const [now] = state.updated(asked, update('1', { state: 'testing' }));
    assert.deepEqual([now?.question, now?.asks], [undefined, undefined]);
  });

  it('show those that a code action began, beside the others', () => {
    const plans = state.updated(state.begun([], '1', how), update('2'));
    assert.deepEqual(plans.map((plan) => [plan.planId, plan.instruction]), [['1', 'Do it'], ['2', '']]);
  });

  it('fail with the server, unless they had ended', () => {
    const plans = state.lost(state.updated(state.updated([], update('1', { state: 'done' })), update('2')), 'gone');
    assert.deepEqual(plans.map((plan) => [plan.state, plan.message]), [['done', undefined], ['failed', 'gone']]);
  });

  it('let steps be moved and files be named freely', () => {
    const steps = ['a', 'b', 'c'].map((title) => ({ title }));
    assert.deepEqual(state.moved(steps, 0, 1).map((step) => step.title), ['b', 'a', 'c']);
    assert.deepEqual(state.moved(steps, 0, -1), steps);
    assert.deepEqual(state.moved(steps, 2, 1), steps);
    assert.deepEqual(state.files(' a.py,b.py  src/c.py,'), ['a.py', 'b.py', 'src/c.py']);
  });
});
