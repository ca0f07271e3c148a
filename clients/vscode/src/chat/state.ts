/** The conversation as it is shown. Pure: every step returns a new state. */

import type { Attachment, ChatAnswer, ChatMessage, Conversation } from '../generated/messages';
import type { ChatState, Chip, ShownMessage } from './protocol';

export const empty: ChatState = { title: '', messages: [], busy: false };

/** The person asked: the question and an empty answer stand at the end. `replaces` is the id of the question
 * whose place it takes, with all that followed. */
export function asked(state: ChatState, text: string, chips: Chip[], now: string, replaces?: string): ChatState {
  const at = replaces ? state.messages.findIndex((message) => message.messageId === replaces) : -1;
  const kept = at < 0 ? state.messages : state.messages.slice(0, at);
  return {
    ...state,
    title: state.title || (text.split('\n')[0] ?? ''),
    messages: [...kept, { ...message('user', text, now), chips }, message('assistant', '', now)],
    busy: true,
    error: undefined,
  };
}

/** The last question is asked again. */
export function retried(state: ChatState, now: string): ChatState {
  const last = state.messages.map((each) => each.role).lastIndexOf('user');
  if (last < 0) {
    return state;
  }
  const messages = [...state.messages.slice(0, last + 1), message('assistant', '', now)];
  return { ...state, messages, busy: true, error: undefined };
}

/** A piece of the answer came. */
export function grown(state: ChatState, delta: string, conversationId?: string): ChatState {
  const messages = state.messages.slice();
  const last = messages.at(-1);
  if (last?.role === 'assistant') {
    messages[messages.length - 1] = { ...last, text: last.text + delta };
  }
  return { ...state, messages, conversationId: conversationId ?? state.conversationId };
}

/** The request ended, without a whole answer where `error` says why ("" where the person stopped it). An
 * answer of which nothing came is not shown. */
export function broken(state: ChatState, error: string): ChatState {
  const last = state.messages.at(-1);
  const messages =
    last?.role !== 'assistant'
      ? state.messages
      : last.text
        ? [...state.messages.slice(0, -1), { ...last, complete: false }]
        : state.messages.slice(0, -1);
  return { ...state, messages, busy: false, error: error || undefined };
}

/** The conversation as it is kept, with what only the answer itself said. */
export function loaded(kept: Conversation, name: (attachment: Attachment) => Chip, before?: ChatState, answer?: ChatAnswer): ChatState {
  const notes = new Map(before?.messages.map((each) => [each.messageId, each.notes]));
  if (answer) {
    notes.set(answer.messageId, answer.notes);
  }
  return {
    conversationId: kept.conversationId,
    title: kept.title,
    busy: false,
    messages: kept.messages.map((each) => ({
      ...each,
      chips: each.attachments.map(name),
      notes: notes.get(each.messageId) ?? [],
    })),
  };
}

/** The person's word on an answer. */
export function rated(state: ChatState, messageId: string, rating: 'up' | 'down'): ChatState {
  const messages = state.messages.map((each) => (each.messageId === messageId ? { ...each, rating } : each));
  return { ...state, messages };
}

function message(role: ChatMessage['role'], text: string, time: string): ShownMessage {
  return { messageId: '', role, text, time, codeBlocks: [], complete: true, attachments: [], chips: [], notes: [] };
}
