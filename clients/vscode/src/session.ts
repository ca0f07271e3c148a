/** One connection to the server: started, watched, started again, stopped. */

import * as net from 'node:net';
import * as vscode from 'vscode';
import {
  type ClientCapabilities,
  CloseAction,
  type CloseHandlerResult,
  ErrorAction,
  LanguageClient,
  type LanguageClientOptions,
  MessageType,
  type Middleware,
  ResponseError,
  RevealOutputChannelOn,
  type ServerOptions,
  ShowMessageNotification,
  State as ClientState,
  type StaticFeature,
  Trace,
} from 'vscode-languageclient/node';
import type { NotificationsToClient, Requests } from './generated/messages';
import { Backoff } from './backoff';
import { openSettings, section } from './configuration';
import { masked } from './mask';
import { compatible } from './python';
import { diagnostics } from './diagnostics';
import { launch, NoPythonError, NoServerError } from './server';
import { keepToken, tokenFor } from './token';

export type State = 'stopped' | 'starting' | 'running' | 'failed';

export class Session implements vscode.Disposable {
  client: LanguageClient | undefined;
  state: State = 'stopped';
  /** Why there is no server, for people. */
  problem = '';
  readonly log: vscode.LogOutputChannel;
  private readonly stateChanged = new vscode.EventEmitter<State>();
  readonly onState = this.stateChanged.event;
  private readonly handlers = new Map<string, Set<(params: unknown) => void>>();
  private readonly backoff = new Backoff();
  private readonly middlewares: Middleware[] = [];
  private before: Promise<void> = Promise.resolve();
  /** The present client has run: what ends then is started again; what ends before is wrong from the start. */
  private begun = false;
  private token: string | undefined;

  constructor(private readonly context: vscode.ExtensionContext) {
    this.log = maskedChannel(vscode.window.createOutputChannel('Lido', { log: true }));
  }

  dispose(): void {
    void this.stop();
    this.stateChanged.dispose();
    this.log.dispose();
  }

  /** Must be called before the first start. */
  use(middleware: Middleware): void {
    this.middlewares.push(middleware);
  }

  /** One of Lido's own requests. Raises an error whose message is for people. */
  async request<M extends keyof Requests>(
    method: M,
    params: Requests[M]['params'] & { partialResultToken?: string },
    token?: vscode.CancellationToken,
  ): Promise<Requests[M]['result']> {
    return this.ask<Requests[M]['result']>(method, params, token);
  }

  /** Any other request. */
  async ask<R>(method: string, params: unknown, token?: vscode.CancellationToken): Promise<R> {
    if (!this.client || this.state !== 'running') {
      throw new Error(this.problem || vscode.l10n.t('The server is not running yet.'));
    }
    // An absent token would be taken for a second parameter.
    return token ? this.client.sendRequest<R>(method, params, token) : this.client.sendRequest<R>(method, params);
  }

  notify(method: string, params: unknown): void {
    if (this.client && this.state === 'running') {
      void this.client.sendNotification(method, params);
    }
  }

  /** Survives the server's restarts. */
  onNotification<M extends keyof NotificationsToClient>(
    method: M,
    handler: (params: NotificationsToClient[M]) => void,
  ): vscode.Disposable {
    let known = this.handlers.get(method);
    if (!known) {
      this.handlers.set(method, (known = new Set()));
      this.client?.onNotification(method, (params: unknown) => this.told(method, params));
    }
    known.add(handler as (params: unknown) => void);
    return new vscode.Disposable(() => known.delete(handler as (params: unknown) => void));
  }

  private told(method: string, params: unknown): void {
    for (const handler of this.handlers.get(method) ?? []) {
      handler(params);
    }
  }

  private become(state: State, problem = ''): void {
    this.problem = problem;
    if (state !== this.state) {
      this.state = state;
      void vscode.commands.executeCommand('setContext', 'lido.running', state === 'running');
      this.stateChanged.fire(state);
    }
  }

  start(): Promise<void> {
    return this.next(() => this.begin());
  }

  stop(): Promise<void> {
    return this.next(() => this.end());
  }

  restart(): Promise<void> {
    this.backoff.reset();
    return this.next(async () => {
      await this.end();
      await this.begin();
    });
  }

  /** One at a time: trust may be granted, or a setting changed, while a server is being set up. */
  private next(work: () => Promise<void>): Promise<void> {
    return (this.before = this.before.then(work));
  }

  private async begin(): Promise<void> {
    if (this.state === 'starting' || this.state === 'running') {
      return;
    }
    this.become('starting');
    try {
      const client = new Client('lido', 'Lido', await this.options(), this.clientOptions());
      this.client = client;
      this.begun = false;
      client.registerFeature(new Own());
      client.onNotification(ShowMessageNotification.type, ({ type, message }) => void this.show(type, message));
      client.onRequest('lido/diagnostics', diagnostics);
      for (const method of this.handlers.keys()) {
        client.onNotification(method, (params: unknown) => this.told(method, params));
      }
      client.onDidChangeState(({ newState }) => {
        if (this.client !== client) {
          return;
        }
        const now = { [ClientState.Running]: 'running', [ClientState.Starting]: 'starting' } as Partial<Record<ClientState, State>>;
        this.become(now[newState] ?? 'stopped', this.problem);
      });
      await client.start();
      this.begun = true;
      await client.setTrace(Trace.fromString(vscode.workspace.getConfiguration('lido.trace').get('server', 'off')));
      this.checkVersion(client.initializeResult?.serverInfo?.version ?? '');
    } catch (error) {
      this.client = undefined;
      const said = error instanceof Error ? error.message : String(error);
      if (error instanceof ResponseError && (error.data as { token?: string } | undefined)?.token) {
        this.become('failed', vscode.l10n.t('The server wants its token.'));
        this.log.error(this.problem);
        void this.askToken();
        return;
      }
      this.become('failed', error instanceof NoServerError ? said : vscode.l10n.t('The server could not be started ({0}). The log says why.', said));
      this.log.error(this.problem);
      void this.explain(error);
    }
  }

  private async end(): Promise<void> {
    const client = this.client;
    this.client = undefined;
    try {
      await client?.dispose(5000);
    } catch (error) {
      this.log.warn(String(error));
    }
    this.become('stopped');
  }

  private async options(): Promise<ServerOptions> {
    const address = vscode.workspace.getConfiguration('lido.server').get<string>('tcp', '');
    if (address) {
      const [host = '', port = ''] = address.split(':');
      return async () => {
        this.token = await tokenFor(address, this.context.secrets);
        return new Promise((resolve, reject) => {
          const socket = net.connect(Number(port), host, () => resolve({ reader: socket, writer: socket }));
          socket.on('error', (error) => reject(new NoServerError(vscode.l10n.t('No server at {0}: {1}', address, error.message))));
        });
      };
    }
    const found = await launch(this.context, this.log);
    return { command: found.command, args: found.args, options: { env: { ...process.env, PYTHONUTF8: '1' } } };
  }

  private clientOptions(): LanguageClientOptions {
    return {
      documentSelector: [...schemes()].map((scheme) => ({ scheme })),
      outputChannel: this.log,
      // What fails is in the log, and in the status bar where it lasts: no pop-up for each request.
      revealOutputChannelOn: RevealOutputChannelOn.Never,
      traceOutputChannel: this.log,
      // A server that was started again has another token.
      initializationOptions: () => ({ lido: section(), ...(this.token ? { token: this.token } : {}) }),
      initializationFailedHandler: () => false,
      errorHandler: { error: () => ({ action: ErrorAction.Continue, handled: true }), closed: () => this.closed() },
      middleware: Object.assign(
        {
          workspace: {
            configuration: (params) => params.items.map((item) => (item.section === 'lido' ? section() : null)),
          },
        } satisfies Middleware,
        ...this.middlewares,
      ) as Middleware,
    };
  }

  private async closed(): Promise<CloseHandlerResult> {
    if (!this.begun) {
      return { action: CloseAction.DoNotRestart, handled: true };
    }
    const wait = this.backoff.next();
    if (wait === undefined) {
      this.problem = vscode.l10n.t('The server stopped several times in a row.');
      void this.explain(new Error(this.problem));
      return { action: CloseAction.DoNotRestart, handled: true };
    }
    this.log.warn(`the server stopped; starting again in ${wait / 1000} s`);
    await new Promise((resolve) => setTimeout(resolve, wait));
    return { action: CloseAction.Restart, handled: true };
  }

  private async askToken(): Promise<void> {
    const address = vscode.workspace.getConfiguration('lido.server').get<string>('tcp', '');
    const enter = vscode.l10n.t('Enter Token');
    const text = vscode.l10n.t('The server at {0} wants its token: what LIDO_SERVE_TOKEN was when it started, or what is in the file that it named.', address);
    if ((await vscode.window.showErrorMessage(`Lido: ${text}`, enter)) !== enter) {
      return;
    }
    const entered = await vscode.window.showInputBox({ password: true, ignoreFocusOut: true, title: vscode.l10n.t('Token of the server at {0}', address) });
    if (entered !== undefined) {
      await keepToken(address, entered.trim(), this.context.secrets);
      await this.restart();
    }
  }

  private async explain(error: unknown): Promise<void> {
    const retry = vscode.l10n.t('Try Again');
    const python = vscode.l10n.t('Get Python');
    const settings = vscode.l10n.t('Settings');
    const log = vscode.l10n.t('Show Log');
    const buttons = [retry, ...(error instanceof NoPythonError ? [python] : [log]), settings];
    const chosen = await vscode.window.showErrorMessage(this.problem.startsWith('Lido') ? this.problem : `Lido: ${this.problem}`, ...buttons);
    if (chosen === retry) {
      await this.restart();
    } else if (chosen === log) {
      this.log.show();
    } else if (chosen === python) {
      await vscode.env.openExternal(vscode.Uri.parse('https://www.python.org/downloads/'));
    } else if (chosen) {
      await openSettings('lido.server');
    }
  }

  /** What the server tells the person; a problem with what to do about it, so that its words are not cut short. */
  private async show(type: MessageType, message: string): Promise<void> {
    if (type !== MessageType.Error && type !== MessageType.Warning) {
      void vscode.window.showInformationMessage(message);
      return;
    }
    const doctor = vscode.l10n.t('Run Doctor');
    const settings = vscode.l10n.t('Settings');
    const show = type === MessageType.Error ? vscode.window.showErrorMessage : vscode.window.showWarningMessage;
    const chosen = await show(message, doctor, settings);
    if (chosen === doctor) {
      await vscode.commands.executeCommand('lido.doctor');
    } else if (chosen === settings) {
      await openSettings('@ext:lido.lido');
    }
  }

  private checkVersion(version: string): void {
    const mine = (this.context.extension.packageJSON as { version: string }).version;
    if (version && !compatible(version, mine)) {
      const text = vscode.l10n.t('The server is version {0}, the extension {1}: some things may not work.', version, mine);
      void vscode.window.showWarningMessage(`Lido: ${text}`);
    }
  }
}

/** Its own pop-ups speak of connections and codes; ours say what to do. All of it is in the log. */
class Client extends LanguageClient {
  override error(message: string, data?: unknown): void {
    super.error(message, data, false);
  }
}

/** Tells the server that this client shows reviews itself and knows diagnostics, and whether the person trusts the workspace. */
class Own implements StaticFeature {
  fillClientCapabilities(capabilities: ClientCapabilities): void {
    const lido = { review: true, diagnostics: true, trusted: vscode.workspace.isTrusted };
    capabilities.experimental = { ...(capabilities.experimental as object | undefined), lido };
  }
  initialize(): void {}
  getState(): { kind: 'static' } {
    return { kind: 'static' };
  }
  clear(): void {}
}

/** Of files and notebooks, and of the folders that are open where they lie elsewhere (virtual workspaces). */
function schemes(): Set<string> {
  const folders = vscode.workspace.workspaceFolders ?? [];
  return new Set(['file', 'untitled', 'vscode-notebook-cell', ...folders.map(({ uri }) => uri.scheme)]);
}

/** The channel, with secrets masked in everything that is written to it. */
function maskedChannel(channel: vscode.LogOutputChannel): vscode.LogOutputChannel {
  const writers = new Set<string | symbol>(['trace', 'debug', 'info', 'warn', 'error', 'append', 'appendLine', 'replace']);
  return new Proxy(channel, {
    get(target, name) {
      const found: unknown = Reflect.get(target, name);
      if (typeof found !== 'function') {
        return found;
      }
      const call = found as (...given: unknown[]) => unknown;
      return writers.has(name)
        ? (...given: unknown[]) => call.apply(target, given.map((each) => (typeof each === 'string' ? masked(each) : each)))
        : call.bind(target);
    },
  });
}
