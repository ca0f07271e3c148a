/** Real VS Code (code-server in headless Chromium), the extension as people install it, a scripted model. */

import { type ChildProcess, execFile, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { homedir, tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { type Browser, chromium, type Page } from 'playwright-core';

const client = path.resolve(import.meta.dirname, '../..');
export const root = path.resolve(client, '../..');
export const vsix = path.join(client, 'lido.vsix');
export const output = path.join(client, 'test-output');
const host = process.env.LIDO_VSCODE ?? path.join(root, '.cache', 'vscode-e2e');
const node = path.join(host, 'node_modules', 'node', 'bin', 'node');
const entry = path.join(host, 'node_modules', 'code-server', 'out', 'node', 'entry.js');
const python = path.join(root, '.venv', 'bin', 'python');
const browsers = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];

/** Why the tests cannot run here, undefined when they can. */
export function missing(): string | undefined {
  const wanted: [string, string][] = [
    [entry, 'code-server (scripts/ci.sh installs it)'],
    [vsix, 'lido.vsix (npm run package)'],
    [python, 'the virtual environment (make setup)'],
    [browsers.find(existsSync) ?? browsers[0]!, 'Chromium'],
  ];
  const found = wanted.find(([file]) => !existsSync(file));
  return found && `needs ${found[1]}`;
}

/** Where the embedded models are on this machine. */
export const models = path.join(process.env.LIDO_HOME ?? path.join(homedir(), '.local/share/lido'), 'models');

export interface Script {
  pieces?: string[];
  match?: string;
  delay?: number;
  first?: number;
  status?: number;
  body?: string;
  tool_calls?: { id: string; name: string; arguments: string }[];
  times?: number;
}

export interface Options {
  scripts?: Script[];
  files?: Record<string, string>;
  /** More settings, over those that point the extension at the scripted model. */
  settings?: Record<string, unknown>;
  /** The extension sets up its own server from the wheel that it brings. */
  ownServer?: boolean;
  /** No model is configured: the embedded one. */
  embedded?: boolean;
  /** A folder that is not on the disk, with the extension under test/e2e that knows of it. */
  virtual?: { folder: string; extension: string };
  theme?: 'Default Dark Modern' | 'Default Light Modern' | 'Default High Contrast';
}

export class Editor {
  readonly home: string;
  readonly folder: string;
  page!: Page;
  private browser: Browser | undefined;
  private readonly processes: ChildProcess[] = [];
  private url = '';

  private constructor(private readonly options: Options) {
    this.home = mkdtempSync(path.join(tmpdir(), 'lido-vscode-'));
    this.folder = path.join(this.home, 'shop');
  }

  static async open(options: Options = {}): Promise<Editor> {
    const editor = new Editor(options);
    try {
      await editor.start();
    } catch (error) {
      await editor.close();
      throw error;
    }
    return editor;
  }

  private async start(): Promise<void> {
    mkdirSync(output, { recursive: true });
    mkdirSync(this.folder);
    for (const [name, text] of Object.entries(this.options.files ?? {})) {
      mkdirSync(path.dirname(path.join(this.folder, name)), { recursive: true });
      writeFileSync(path.join(this.folder, name), text);
    }
    if (this.options.embedded) {
      mkdirSync(path.join(this.home, 'lido'));
      symlinkSync(models, path.join(this.home, 'lido', 'models'));
    }
    const settings = {
      'security.workspace.trust.enabled': false,
      'workbench.startupEditor': 'none',
      'workbench.secondarySideBar.defaultVisibility': 'hidden',
      'workbench.colorTheme': this.options.theme ?? 'Default Dark Modern',
      'chat.disableAIFeatures': false,
      'telemetry.telemetryLevel': 'off',
      'git.openRepositoryInParentFolders': 'never',
      'editor.quickSuggestions': { other: 'off', comments: 'off', strings: 'off' },
      ...(this.options.ownServer ? {} : { 'lido.server.command': [python, '-m', 'lido', 'serve'] }),
      ...(this.options.embedded ? {} : await this.scripted()),
      ...this.options.settings,
    };
    for (const name of ['User', 'Machine']) {
      const place = path.join(this.home, 'data', name);
      mkdirSync(place, { recursive: true });
      writeFileSync(path.join(place, 'settings.json'), JSON.stringify(settings));
    }
    const places = ['--user-data-dir', path.join(this.home, 'data'), '--extensions-dir', path.join(this.home, 'extensions')];
    const { virtual } = this.options;
    if (virtual) {
      cpSync(path.join(import.meta.dirname, virtual.extension), path.join(this.home, 'extensions', virtual.extension), { recursive: true });
    }
    await promisify(execFile)(node, [entry, ...places, '--install-extension', vsix], { env: this.env });
    const port = await freePort();
    const server = spawn(
      node,
      [entry, ...places, '--auth', 'none', '--bind-addr', `127.0.0.1:${port}`, '--disable-telemetry', '--disable-update-check'],
      { env: this.env, stdio: ['ignore', 'pipe', 'pipe'], detached: true },
    );
    this.processes.push(server);
    await said(server, 'HTTP server listening');
    this.url = `http://127.0.0.1:${port}/?folder=${encodeURIComponent(virtual?.folder ?? this.folder)}`;
    this.browser = await chromium.launch({
      executablePath: browsers.find(existsSync)!,
      args: [
        '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
        '--disable-component-update', '--disable-sync',
      ],
    });
    this.page = await this.browser.newPage({ viewport: { width: 1280, height: 800 } });
    await this.load();
  }

  get env(): NodeJS.ProcessEnv {
    return {
      ...process.env,
      LIDO_HOME: path.join(this.home, 'lido'),
      LIDO_CONFIG: path.join(this.home, 'none.toml'),
    };
  }

  private async scripted(): Promise<Record<string, unknown>> {
    const model = spawn(python, [path.join(root, 'tests/fakes/model_server.py'), JSON.stringify(this.options.scripts ?? [{}])], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    this.processes.push(model);
    const url = (await said(model, 'http://')).trim();
    return {
      'lido.models': { scripted: { provider: 'openai', base_url: `${url}/v1`, model: 'qwen2.5-coder-7b' } },
      'lido.roles': { completion: 'scripted', chat: 'scripted', plan: 'scripted' },
      'lido.completion.debounce_ms': 0,
    };
  }

  async load(): Promise<void> {
    await this.page.goto(this.url);
    await this.page.waitForSelector('.monaco-workbench', { timeout: 60_000 });
    await this.page.waitForSelector('[id$="lido.status"]', { timeout: 60_000 });
  }

  /** The status bar item's text and tooltip are what a person goes by. */
  async ready(state = /Ready/): Promise<void> {
    await this.page.waitForFunction(
      (source) => new RegExp(source).test(document.querySelector('[id$="lido.status"] a')?.getAttribute('aria-label') ?? ''),
      state.source,
      { timeout: 120_000 },
    );
  }

  async command(title: string): Promise<void> {
    await this.pick('F1', `>${title}`, title);
  }

  /** Opens a list by `key`, and takes what has the focus once that is the wanted row. */
  private async pick(key: string, typed: string, wanted: string): Promise<void> {
    for (let tries = 0; ; tries++) {
      await this.page.keyboard.press(key);
      const timeout = 5000;
      try {
        await this.page.locator('.quick-input-widget input').first().fill(typed, { timeout });
        await this.page.locator('.quick-input-list .monaco-list-row.focused', { hasText: wanted }).first().waitFor({ timeout });
        break;
      } catch (error) {
        // What opens at the same time takes the focus, and the list is closed again.
        if (tries === 3) {
          throw error;
        }
      }
    }
    await this.page.keyboard.press('Enter');
  }

  /** Opens a file with the cursor at `line:column`, both from 1. */
  async openFile(name: string, at = '1:1'): Promise<void> {
    // The list begins with what was open last.
    await this.pick('Control+P', `${name}:${at}`, path.basename(name));
    await this.page.locator(`.tab.active[data-resource-name="${path.basename(name)}"]`).waitFor();
    await this.page.locator('.editor-group-container.active .monaco-editor.focused').first().waitFor();
  }

  /** The open editor's visible text. */
  async text(): Promise<string> {
    const lines = await this.page.locator('.editor-group-container.active .view-lines .view-line').allInnerTexts();
    return lines.join('\n').replace(/\u00a0/g, ' ');
  }

  async ghost(timeout = 20_000): Promise<string> {
    // What the editor's own list says of it is marked as a preview.
    const ghost = this.page.locator('.ghost-text, [class*="ghost-text-decoration"]');
    await ghost.first().waitFor({ timeout });
    return (await ghost.allInnerTexts()).join('').replace(/\u00a0/g, ' ');
  }

  file(name: string): string {
    return readFileSync(path.join(this.folder, name), 'utf8');
  }

  /** Saves the open file, and waits until it says so on disk. */
  async save(name: string, text: RegExp): Promise<void> {
    await this.page.keyboard.press('Control+S');
    for (let tries = 0; !text.test(this.file(name)); tries++) {
      if (tries === 40) {
        throw new Error(`${name} is not saved: ${this.file(name)}`);
      }
      await this.page.waitForTimeout(100);
    }
  }

  /** The log's events, as `lido events` prints them. */
  events(): Record<string, unknown>[] {
    const lines = execFileSync(python, ['-m', 'lido', 'events', '--format', 'jsonl'], { env: this.env, encoding: 'utf8' });
    return lines.split('\n').filter(Boolean).map((line) => JSON.parse(line) as Record<string, unknown>);
  }

  /** Waits until the log has such an event. */
  async event(kind: string, feature = 'completion'): Promise<Record<string, unknown>> {
    for (let tries = 0; tries < 40; tries++) {
      const found = this.events().find((event) => event.kind === kind && event.feature === feature);
      if (found) {
        return found;
      }
      await this.page.waitForTimeout(250);
    }
    throw new Error(`no event ${feature}/${kind} in ${JSON.stringify(this.events().map((event) => event.kind))}`);
  }

  /** What the extension wrote to its output channel. */
  log(): string {
    const logs = path.join(this.home, 'data', 'logs');
    return readdirSync(logs, { recursive: true, encoding: 'utf8' })
      .filter((name) => path.basename(name) === 'Lido.log')
      .map((name) => readFileSync(path.join(logs, name), 'utf8'))
      .join('');
  }

  /** The process id of this editor's server. */
  server(): number {
    const home = `LIDO_HOME=${path.join(this.home, 'lido')}`;
    const mine = readdirSync('/proc').filter((name) => {
      try {
        const words = readFileSync(`/proc/${name}/cmdline`, 'utf8').split('\0');
        return words.includes('lido') && words.includes('serve') && readFileSync(`/proc/${name}/environ`, 'utf8').split('\0').includes(home);
      } catch {
        return false;
      }
    });
    if (mine.length !== 1) {
      throw new Error(`${mine.length} servers`);
    }
    return Number(mine[0]);
  }

  /** Runs a test's body; a picture is kept of where it failed. */
  async doing(name: string, body: () => Promise<void>): Promise<void> {
    try {
      await body();
    } catch (error) {
      await this.screenshot(`failed-${name}`);
      throw error;
    }
  }

  async screenshot(name: string): Promise<void> {
    // What fades in is waited for; what turns for ever is not.
    await this.page.evaluate(async () => {
      const ending = document.getAnimations().filter((each) => each.effect?.getComputedTiming().endTime !== Infinity);
      await Promise.allSettled(ending.map((each) => each.finished));
    });
    await this.page.screenshot({ path: path.join(output, `${name}.png`) });
  }

  async close(): Promise<void> {
    await this.browser?.close();
    for (const child of this.processes) {
      const gone = child.exitCode === null ? once(child, 'exit') : undefined;
      try {
        // code-server's children are in its group.
        process.kill(child.spawnargs.includes(entry) ? -child.pid! : child.pid!, 'SIGTERM');
        await gone;
      } catch {
        // it has gone by itself
      }
    }
    rmSync(this.home, { recursive: true, force: true, maxRetries: 5 });
  }
}

async function freePort(): Promise<number> {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as net.AddressInfo;
  server.close();
  return port;
}

/** Waits for a line with `words` on the process's standard output, and gives it. */
async function said(process: ChildProcess, words: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let seen = '';
    process.stdout?.on('data', (data: Buffer) => {
      seen += data.toString();
      const line = seen.split('\n').find((each) => each.includes(words));
      if (line) {
        resolve(line);
      }
    });
    process.stderr?.on('data', (data: Buffer) => (seen += data.toString()));
    process.on('exit', (code) => reject(new Error(`exit ${code}: ${seen}`)));
  });
}
