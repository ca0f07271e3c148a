// Generated from server/lido/lsp/messages.py by `python -m lido.lsp.schema`; not to be edited.

export type AttachmentKind = 'file' | 'selection' | 'symbol' | 'folder' | 'diagnostics' | 'output' | 'diff' | 'workspace';

export type PlanState = 'exploring' | 'planning' | 'waiting' | 'editing' | 'testing' | 'review' | 'done' | 'gaveUp' | 'cancelled' | 'failed';

export type PlanAsks = 'text' | 'consent' | 'steps';

export type HunkState = 'pending' | 'accepted' | 'rejected' | 'conflict' | 'failed' | 'undone';

export interface Position {
  line: number;
  character: number;
}

export interface Range {
  start: Position;
  end: Position;
}

/** Something the person points at; `text` is what the client already holds. */
export interface Attachment {
  kind: AttachmentKind;
  uri?: string;
  range?: Range;
  text?: string;
  name?: string;
}

export interface CodeBlock {
  language: string;
  text: string;
  uri?: string;
}

export interface TokenUsage {
  promptTokens: number;
  completionTokens: number;
  cachedTokens: number;
}

/** `lido/completion/shown`, `/partiallyAccepted` and `/dismissed`. `acceptedLength` counts code units of the negotiated position encoding, from the suggestion's start. */
export interface CompletionOutcome {
  id: string;
  acceptedLength?: number;
  reason?: string;
}

/** `lido/chat/send`; with `partialResultToken` the answer streams as `{ delta }`. */
export interface ChatSend {
  text: string;
  conversationId?: string;
  attachments?: Attachment[];
  model?: string;
  /** An earlier question's message id: this one takes its place, with all that followed. */
  replaces?: string;
  partialResultToken?: string | number;
  workDoneToken?: string | number;
}

export interface ChatDelta {
  delta: string;
  /** In the first one: a cancelled request has no answer that could tell it. */
  conversationId?: string;
}

export interface ChatAnswer {
  conversationId: string;
  messageId: string;
  text: string;
  codeBlocks: CodeBlock[];
  usage: TokenUsage;
  /** Sentences for the person: what was left out, which citations do not exist. */
  notes: string[];
}

/** `lido/chat/apply`: a code block of an answer, for the file `uri` (the block's own, or the one that the person chose). */
export interface ChatApply {
  text: string;
  uri: string;
  language?: string;
}

export interface ReviewOpened {
  reviewId: string;
}

/** `lido/chat/get`, `/delete`, `/export`. */
export interface ConversationRef {
  conversationId: string;
}

/** `lido/chat/retry`: the last question again, of `model` where one is named. */
export interface ChatRetry {
  conversationId: string;
  model?: string;
  partialResultToken?: string | number;
  workDoneToken?: string | number;
}

export interface ChatRename {
  conversationId: string;
  title: string;
}

export interface ChatExported {
  /** The conversation as Markdown. */
  text: string;
}

/** `lido/chat/list`: newest first; `query` searches titles and messages. */
export interface ChatList {
  query?: string;
  limit?: number;
}

export interface ChatFeedback {
  messageId: string;
  rating: 'up' | 'down';
}

export interface ConversationSummary {
  conversationId: string;
  title: string;
  /** UTC, ISO 8601. */
  updated: string;
  messages: number;
}

export interface ChatMessage {
  messageId: string;
  role: 'user' | 'assistant';
  text: string;
  codeBlocks: CodeBlock[];
  time: string;
  model?: string;
  rating?: 'up' | 'down';
  /** False where the answer was cancelled or broke off; what came is kept. */
  complete: boolean;
  /** What went along with a question, each with its `name`; to be sent again with an edited one. */
  attachments: Attachment[];
}

export interface Conversation {
  conversationId: string;
  title: string;
  messages: ChatMessage[];
}

export interface PlanStart {
  instruction: string;
  attachments?: Attachment[];
  mode?: 'plan' | 'agent';
  testCommand?: string;
  /** In plan mode, wait with the steps until the person has gone over them. */
  confirmSteps?: boolean;
  workDoneToken?: string | number;
}

export interface PlanStarted {
  planId: string;
}

export interface PlanStep {
  title: string;
  detail?: string;
  /** Workspace-relative paths. */
  files?: string[];
  state?: 'pending' | 'running' | 'done' | 'failed' | 'skipped';
}

/** `lido/plan/update`: the whole present state, not a difference. */
export interface PlanUpdate {
  planId: string;
  state: PlanState;
  steps: PlanStep[];
  message?: string;
  question?: string;
  /** What answers `question`: any text, one of yes, always and no, or the steps. */
  asks?: PlanAsks;
  reviewId?: string;
}

export interface PlanAnswer {
  planId: string;
  text: string;
  /** Where the plan asks for its steps: as the person leaves them. */
  steps?: PlanStep[];
}

export interface PlanRef {
  planId: string;
}

export interface ReviewHunk {
  hunkId: string;
  uri: string;
  oldRange: Range;
  newText: string;
  state: HunkState;
  description: string;
  /** Where `state` is conflict: what stands in the document now. */
  conflictText?: string;
}

export interface ReviewFile {
  uri: string;
  kind: 'modify' | 'create' | 'delete' | 'rename';
  newUri?: string;
  hunks: ReviewHunk[];
}

export interface ReviewRef {
  reviewId: string;
}

export interface Review {
  reviewId: string;
  title: string;
  files: ReviewFile[];
}

/** `lido/review/list`: what is undecided, also from before the server was started. */
export interface ReviewList {
}

export interface ReviewDecide {
  reviewId: string;
  hunkIds: string[];
  decision: 'accept' | 'reject';
  /** The editor asks about each accepted hunk first (annotations with `needsConfirmation`). */
  preview?: boolean;
}

export interface HunkOutcome {
  hunkId: string;
  state: HunkState;
  message?: string;
}

export interface ReviewDecided {
  hunks: HunkOutcome[];
}

export interface ReviewUndone {
  /** URIs that stand again as they were before the review. */
  restored: string[];
  /** What could not be restored, and why, in sentences. */
  failed: string[];
}

/** `lido/diagnostics`: request to a client that says `experimental.lido.diagnostics`, for an agent. */
export interface DiagnosticsQuery {
  /** Only of this file; null for all. */
  uri?: string;
}

/** What the editor reports of a file, whatever found it. */
export interface FileDiagnostic {
  uri: string;
  /** From 0. */
  line: number;
  severity: 'error' | 'warning' | 'information' | 'hint';
  message: string;
}

export interface ModelStatus {
  name: string;
  provider: string;
  model: string;
  state: 'cold' | 'warming' | 'ready' | 'error';
  message: string;
  /** Of its latest answers, to two digits; null before the first of some length. */
  tokensPerSecond?: number;
}

/** `lido/status`: notification to the client whenever it changes. */
export interface Status {
  state: 'ready' | 'busy' | 'warming' | 'error' | 'off';
  message: string;
  models: ModelStatus[];
}

export interface ModelInfo {
  name: string;
  provider: string;
  model: string;
  state: 'cold' | 'warming' | 'ready' | 'error';
  message: string;
  tokensPerSecond?: number;
  /** Whether it can call tools. */
  tools: boolean;
  /** Tokens. */
  contextWindow: number;
}

/** `lido/models`. */
export interface ModelsQuery {
}

export interface Models {
  models: ModelInfo[];
  /** Role (chat, completion, plan) → names of the models that serve it, in fail-over order. */
  roles: Record<string, string[]>;
}

export interface ModelTool {
  name: string;
  description?: string;
  /** A JSON Schema object. */
  parameters?: Record<string, unknown>;
}

export interface ModelToolCall {
  id: string;
  name: string;
  /** JSON as the model wrote it; it may be malformed. */
  arguments: string;
}

export interface ModelTurn {
  role: 'system' | 'user' | 'assistant' | 'tool';
  text?: string;
  toolCalls?: ModelToolCall[];
  /** Of a tool's turn: the call that `text` is the result of. */
  toolCallId?: string;
}

/** `lido/models/ask`: one answer of a model for a conversation that the client keeps, as it is: without a prompt of Lido's, and nothing is stored. Streams `ChatDelta`. */
export interface ModelAsk {
  turns: ModelTurn[];
  tools?: ModelTool[];
  model?: string;
  partialResultToken?: string | number;
  workDoneToken?: string | number;
}

export interface ModelAnswer {
  text: string;
  toolCalls: ModelToolCall[];
  usage: TokenUsage;
}

/** `lido/metrics`: `by` names dimensions, `since` is a span such as `28d` or an ISO 8601 time. */
export interface MetricsQuery {
  by?: string[];
  since?: string;
}

export interface MetricsRows {
  rows: Record<string, unknown>[];
}

/** Requests to the server, by method. */
export interface Requests {
  'lido/chat/send': { params: ChatSend; result: ChatAnswer };
  'lido/chat/retry': { params: ChatRetry; result: ChatAnswer };
  'lido/chat/list': { params: ChatList; result: ConversationSummary[] };
  'lido/chat/get': { params: ConversationRef; result: Conversation };
  'lido/chat/rename': { params: ChatRename; result: null };
  'lido/chat/delete': { params: ConversationRef; result: null };
  'lido/chat/export': { params: ConversationRef; result: ChatExported };
  'lido/chat/apply': { params: ChatApply; result: ReviewOpened };
  'lido/plan/start': { params: PlanStart; result: PlanStarted };
  'lido/plan/answer': { params: PlanAnswer; result: null };
  'lido/plan/cancel': { params: PlanRef; result: null };
  'lido/review/list': { params: ReviewList; result: Review[] };
  'lido/review/get': { params: ReviewRef; result: Review };
  'lido/review/decide': { params: ReviewDecide; result: ReviewDecided };
  'lido/review/undo': { params: ReviewRef; result: ReviewUndone };
  'lido/models': { params: ModelsQuery; result: Models };
  'lido/models/ask': { params: ModelAsk; result: ModelAnswer };
  'lido/metrics': { params: MetricsQuery; result: MetricsRows };
}

export interface NotificationsToServer {
  'lido/completion/shown': CompletionOutcome;
  'lido/completion/partiallyAccepted': CompletionOutcome;
  'lido/completion/dismissed': CompletionOutcome;
  'lido/chat/feedback': ChatFeedback;
}

export interface NotificationsToClient {
  'lido/plan/update': PlanUpdate;
  'lido/status': Status;
}
