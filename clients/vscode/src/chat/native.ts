/** VS Code's own chat, where the host has it: the participant `@lido`, and Lido's models for whoever asks. */

import * as vscode from 'vscode';
import { ProgressType } from 'vscode-languageclient';
import type { Attachment, ChatDelta, ModelTurn } from '../generated/messages';
import type { Session } from '../session';

const delta = new ProgressType<ChatDelta>();

interface Kept {
  conversationId?: string;
  messageId?: string;
}

/** Answers `@lido`. A conversation there is one of Lido's own: it is in the history of both. */
export function registerParticipant(context: vscode.ExtensionContext, session: Session): void {
  // Hosts without a chat (other builds of VS Code) have no such function, whatever the types say.
  const chat = vscode.chat as typeof vscode.chat | undefined;
  if (!chat?.createChatParticipant) {
    return;
  }
  const participant = chat.createChatParticipant('lido.chat', async (request, history, stream, token) => {
    const before = history.history.findLast((turn) => turn instanceof vscode.ChatResponseTurn);
    const text = request.command ? `/${request.command} ${request.prompt}`.trim() : request.prompt;
    const partialResultToken = `participant-${crypto.randomUUID()}`;
    const listening = session.client?.onProgress(delta, partialResultToken, (piece) => stream.markdown(piece.delta));
    stream.progress(vscode.l10n.t('Reading…'));
    try {
      const answer = await session.request(
        'lido/chat/send',
        {
          text,
          conversationId: (before?.result.metadata as Kept | undefined)?.conversationId,
          attachments: request.references.flatMap(({ value }) => attached(value)),
          partialResultToken,
        },
        token,
      );
      for (const block of answer.codeBlocks.filter((each) => each.uri)) {
        const name = vscode.workspace.asRelativePath(vscode.Uri.parse(block.uri!));
        stream.button({ command: 'lido.chat.apply', title: vscode.l10n.t('Review the change to {0}', name), arguments: [block] });
      }
      if (answer.notes.length) {
        stream.markdown(`\n\n${answer.notes.map((note) => `*${note}*`).join('\n\n')}`);
      }
      return { metadata: { conversationId: answer.conversationId, messageId: answer.messageId } satisfies Kept };
    } catch (error) {
      if (token.isCancellationRequested) {
        return {};
      }
      return { errorDetails: { message: error instanceof Error ? error.message : String(error) } };
    } finally {
      listening?.dispose();
    }
  });
  participant.iconPath = new vscode.ThemeIcon('sparkle');
  context.subscriptions.push(
    participant,
    participant.onDidReceiveFeedback(({ result, kind }) => {
      const { messageId } = (result.metadata ?? {}) as Kept;
      if (messageId) {
        const rating = kind === vscode.ChatResultFeedbackKind.Helpful ? 'up' : 'down';
        session.notify('lido/chat/feedback', { messageId, rating });
      }
    }),
  );
  registerModels(context, session);
}

function attached(value: unknown): Attachment[] {
  if (value instanceof vscode.Uri) {
    return [{ kind: 'file', uri: value.toString() }];
  }
  if (value instanceof vscode.Location) {
    const { start, end } = value.range;
    const range = { start: { line: start.line, character: start.character }, end: { line: end.line, character: end.character } };
    return [{ kind: 'selection', uri: value.uri.toString(), range }];
  }
  return typeof value === 'string' ? [{ kind: 'output', text: value }] : [];
}

/** Offers the configured models to VS Code's model picker and to other extensions. The picker of its chat lists
 * those alone that can call tools, and without one that it lists no participant is asked anything. */
function registerModels(context: vscode.ExtensionContext, session: Session): void {
  const lm = vscode.lm as typeof vscode.lm | undefined;
  if (!lm?.registerLanguageModelChatProvider) {
    return;
  }
  const changed = new vscode.EventEmitter<void>();
  const provider: vscode.LanguageModelChatProvider = {
    onDidChangeLanguageModelChatInformation: changed.event,
    async provideLanguageModelChatInformation() {
      if (session.state !== 'running') {
        return [];
      }
      const { models } = await session.request('lido/models', {});
      return models.map((model) => ({
        id: model.name,
        name: `Lido: ${model.name}`,
        family: model.model,
        version: '1',
        detail: model.model,
        maxInputTokens: Math.ceil(model.contextWindow * 0.75),
        maxOutputTokens: Math.min(4096, Math.floor(model.contextWindow / 4)),
        capabilities: { toolCalling: model.tools },
      }));
    },
    async provideLanguageModelChatResponse(model, messages, { tools = [] }, progress, token) {
      const partialResultToken = `model-${crypto.randomUUID()}`;
      const listening = session.client?.onProgress(delta, partialResultToken, (piece) =>
        progress.report(new vscode.LanguageModelTextPart(piece.delta)),
      );
      try {
        const answer = await session.request(
          'lido/models/ask',
          {
            turns: messages.flatMap(turns),
            tools: tools.map(({ name, description, inputSchema }) => ({ name, description, parameters: inputSchema as Record<string, unknown> | undefined })),
            model: model.id,
            partialResultToken,
          },
          token,
        );
        for (const call of answer.toolCalls) {
          progress.report(new vscode.LanguageModelToolCallPart(call.id, call.name, parsed(call.arguments)));
        }
      } finally {
        listening?.dispose();
      }
    },
    provideTokenCount: (_model, text) =>
      Promise.resolve(Math.ceil((typeof text === 'string' ? text : words(text.content)).length / 3)),
  };
  context.subscriptions.push(
    changed,
    lm.registerLanguageModelChatProvider('lido', provider),
    session.onState(() => changed.fire()),
  );
}

/** A message's text and calls are one turn; each result in it is a turn of its own, before them. */
export function turns({ role, content }: vscode.LanguageModelChatRequestMessage): ModelTurn[] {
  const results = content
    .filter((part) => part instanceof vscode.LanguageModelToolResultPart)
    .map((part): ModelTurn => ({ role: 'tool', text: words(part.content), toolCallId: part.callId }));
  const toolCalls = content
    .filter((part) => part instanceof vscode.LanguageModelToolCallPart)
    .map(({ callId, name, input }) => ({ id: callId, name, arguments: JSON.stringify(input) }));
  const text = words(content);
  // 3 is the system's role, which the stable types do not name yet.
  const who = role === vscode.LanguageModelChatMessageRole.Assistant ? 'assistant' : Number(role) === 3 ? 'system' : 'user';
  return text || toolCalls.length ? [...results, { role: who, text, toolCalls }] : results;
}

function words(content: readonly unknown[]): string {
  return content.map((part) => (part instanceof vscode.LanguageModelTextPart ? part.value : '')).join('');
}

function parsed(json: string): object {
  try {
    const found: unknown = JSON.parse(json || '{}');
    return typeof found === 'object' && found ? found : {};
  } catch {
    return {}; // malformed: the tool says what it misses, and the model tries again
  }
}
