/** Markdown of an answer → HTML, in top-level blocks, so that a streaming answer redraws only its last one.
 *
 * A model's text is untrusted: raw HTML is shown as text, images are links, and links leave only by http(s)
 * and mailto. Everything else is a path in the workspace, which the host checks before it opens it.
 */

import hljs from 'highlight.js/lib/core';
import bash from 'highlight.js/lib/languages/bash';
import c from 'highlight.js/lib/languages/c';
import cpp from 'highlight.js/lib/languages/cpp';
import csharp from 'highlight.js/lib/languages/csharp';
import css from 'highlight.js/lib/languages/css';
import diff from 'highlight.js/lib/languages/diff';
import dockerfile from 'highlight.js/lib/languages/dockerfile';
import go from 'highlight.js/lib/languages/go';
import ini from 'highlight.js/lib/languages/ini';
import java from 'highlight.js/lib/languages/java';
import javascript from 'highlight.js/lib/languages/javascript';
import json from 'highlight.js/lib/languages/json';
import kotlin from 'highlight.js/lib/languages/kotlin';
import lua from 'highlight.js/lib/languages/lua';
import markdownLanguage from 'highlight.js/lib/languages/markdown';
import php from 'highlight.js/lib/languages/php';
import python from 'highlight.js/lib/languages/python';
import ruby from 'highlight.js/lib/languages/ruby';
import rust from 'highlight.js/lib/languages/rust';
import sql from 'highlight.js/lib/languages/sql';
import swift from 'highlight.js/lib/languages/swift';
import typescript from 'highlight.js/lib/languages/typescript';
import xml from 'highlight.js/lib/languages/xml';
import yaml from 'highlight.js/lib/languages/yaml';
import MarkdownIt from 'markdown-it';

const languages = {
  bash, c, cpp, csharp, css, diff, dockerfile, go, ini, java, javascript, json, kotlin, lua,
  markdown: markdownLanguage, php, python, ruby, rust, sql, swift, typescript, xml, yaml,
};
for (const [name, language] of Object.entries(languages)) {
  hljs.registerLanguage(name, language);
}

/** What the server says of a fence once the answer is complete. */
export interface Fence {
  language: string;
  text: string;
  uri?: string;
}

/** Words on the buttons, in the person's language. */
export interface Labels {
  apply: string;
  insert: string;
  copy: string;
  terminal: string;
  code: string;
}

export interface Block {
  /** The Markdown it came from: while it is equal, so is `html`. */
  source: string;
  html: string;
}

/** What the renderer's rules are told; markdown-it adds its own members. */
interface Environment extends Record<PropertyKey, unknown> {
  fences: readonly Fence[];
  labels: Labels;
}

const shells = new Set(['bash', 'sh', 'shell', 'zsh', 'console', 'shellsession', 'powershell', 'ps1', 'fish']);
const place = /^(?:[\w.-]+\/)*[\w-]*\.[A-Za-z]\w{0,9}(?::\d{1,7})?$|^(?:[\w.-]+\/)+[\w.-]+:\d{1,7}$/;

const md = new MarkdownIt({ html: false, linkify: true, breaks: false });
const escape = md.utils.escapeHtml;

/** A file that a text names, with a line where it names one. Lines count from 1. */
export function citation(text: string): boolean {
  return place.test(text);
}

export function highlighted(text: string, language: string): string {
  const name = language.toLowerCase();
  if (name && hljs.getLanguage(name)) {
    return hljs.highlight(text, { language: name, ignoreIllegals: true }).value;
  }
  return escape(text);
}

md.renderer.rules['fence'] = (tokens, index, _options, env) => {
  const environment = env as unknown as Environment;
  const token = tokens[index]!;
  const text = token.content;
  const said = token.info.trim().split(/\s+/, 1)[0] ?? '';
  const known = environment.fences.find((fence) => fence.text.trimEnd() === text.trimEnd());
  const language = (known?.language || said.split(':', 1)[0] || '').toLowerCase();
  return code(text, language, known?.uri, environment.labels);
};
md.renderer.rules['code_block'] = (tokens, index, _options, env) =>
  code(tokens[index]!.content, '', undefined, (env as unknown as Environment).labels);

function code(text: string, language: string, uri: string | undefined, labels: Labels): string {
  const button = (action: string, icon: string, label: string, worded: boolean) =>
    `<button type="button" class="tool" data-action="${action}" title="${escape(label)}" aria-label="${escape(label)}">` +
    `<i class="codicon codicon-${icon}" aria-hidden="true"></i>${worded ? `<span>${escape(label)}</span>` : ''}</button>`;
  const shell = shells.has(language);
  const name = uri ? decodeURIComponent(uri.replace(/^.*\//, '')) : language;
  const tools = [
    shell ? button('terminal', 'terminal', labels.terminal, false) : button('apply', 'git-stash-apply', labels.apply, true),
    shell ? '' : button('insert', 'insert', labels.insert, false),
    button('copy', 'copy', labels.copy, false),
  ];
  return (
    `<figure class="code" data-language="${escape(language)}"${uri ? ` data-uri="${escape(uri)}"` : ''}>` +
    `<figcaption><span class="name">${escape(name)}</span>${tools.join('')}</figcaption>` +
    `<pre tabindex="0" role="region" aria-label="${escape(`${labels.code} ${name}`.trim())}"><code>${highlighted(text, language)}</code></pre></figure>\n`
  );
}

md.renderer.rules['code_inline'] = (tokens, index) => {
  const text = tokens[index]!.content;
  const html = `<code>${escape(text)}</code>`;
  return citation(text) ? `<a href="#" data-path="${escape(text)}">${html}</a>` : html;
};
md.renderer.rules['image'] = (tokens, index) => {
  const token = tokens[index]!;
  const source = String(token.attrGet('src') ?? '');
  return `<a ${target(source)}>${escape(token.content || source)}</a>`;
};
md.renderer.rules['link_open'] = (tokens, index) => `<a ${target(String(tokens[index]!.attrGet('href') ?? ''))}>`;
md.renderer.rules['table_open'] = () => '<div class="table" tabindex="0"><table>';
md.renderer.rules['table_close'] = () => '</table></div>';

function target(href: string): string {
  if (/^(?:https?|mailto):/i.test(href)) {
    return `href="${escape(href)}" title="${escape(href)}"`;
  }
  let path = href;
  try {
    path = decodeURIComponent(href);
  } catch {
    // A stray per cent sign: the path is taken as it stands.
  }
  return `href="#" data-path="${escape(path)}"`;
}

/** `text` as blocks; `fences` as the server found them, none while the answer still streams. */
export function blocks(text: string, labels: Labels, fences: readonly Fence[] = []): Block[] {
  const environment: Environment = { fences, labels };
  const lines = text.split('\n');
  const tokens = md.parse(text, environment);
  const found: Block[] = [];
  let first = 0;
  for (let index = 0; index < tokens.length; index++) {
    const token = tokens[index]!;
    if (token.level === 0 && token.nesting <= 0) {
      const group = tokens.slice(first, index + 1);
      const [start, end] = group[0]!.map ?? [0, lines.length];
      const fence = group.length === 1 && fences.length > 0 && token.type === 'fence' ? '\0' : '';
      found.push({
        source: lines.slice(start, end).join('\n') + fence,
        html: md.renderer.render(group, md.options, environment),
      });
      first = index + 1;
    }
  }
  return found;
}
