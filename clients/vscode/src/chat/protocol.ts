/** What the chat's web view and the extension say to each other. The extension holds the conversation; the
 * view draws it and can be thrown away and made again at any time. */

import type { Attachment, ChatMessage, ConversationSummary, ModelStatus } from '../generated/messages';

/** An attachment as people see it. */
export interface Chip {
  attachment: Attachment;
  label: string;
  /** A codicon's name. */
  icon: string;
  title: string;
}

/** What `@` offers: an attachment at once, or a kind whose particulars are asked for when it is taken. */
export interface Suggestion {
  label: string;
  detail: string;
  icon: string;
  chip?: Chip;
  kind?: 'file' | 'selection' | 'symbol' | 'folder' | 'diagnostics' | 'diff' | 'workspace';
}

export interface ShownMessage extends ChatMessage {
  chips: Chip[];
  notes: string[];
}

export interface ChatState {
  conversationId?: string;
  title: string;
  messages: ShownMessage[];
  /** A question is being answered; its text so far is the last message. */
  busy: boolean;
  error?: string;
}

export interface ModelChoice {
  models: ModelStatus[];
  /** Who answers when nobody is picked. */
  standard: string;
  picked: string;
}

export type ToView =
  | { type: 'state'; state: ChatState }
  | { type: 'delta'; text: string }
  | { type: 'suggestions'; request: number; items: Suggestion[] }
  | { type: 'attach'; chips: Chip[] }
  | { type: 'context'; chip?: Chip }
  | { type: 'compose'; text: string; chips: Chip[] }
  | { type: 'history'; items: ConversationSummary[]; query: string; show: boolean }
  | { type: 'models'; choice: ModelChoice }
  | { type: 'focus' };

export type FromView =
  | { type: 'ready' }
  | { type: 'send'; text: string; chips: Chip[]; replaces?: string }
  | { type: 'stop' }
  | { type: 'retry' }
  | { type: 'new' }
  | { type: 'suggest'; request: number; query: string }
  | { type: 'pick'; kind: NonNullable<Suggestion['kind']> }
  | { type: 'drop'; uris: string[] }
  | { type: 'apply'; text: string; language: string; uri?: string }
  | { type: 'insert'; text: string }
  | { type: 'terminal'; text: string }
  | { type: 'copy'; text: string }
  | { type: 'feedback'; messageId: string; rating: 'up' | 'down' }
  | { type: 'model'; name: string }
  | { type: 'history'; query: string }
  | { type: 'open'; conversationId: string }
  | { type: 'rename'; conversationId: string; title: string }
  | { type: 'delete'; conversationId: string; title: string }
  | { type: 'export'; conversationId: string }
  | { type: 'path'; path: string };
