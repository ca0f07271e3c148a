/** The page's end of the line to the extension. */

import type { Strings } from '../strings';

interface Host<Out, Kept> {
  postMessage(message: Out): void;
  getState(): Kept | undefined;
  setState(state: Kept): void;
}

declare function acquireVsCodeApi(): Host<unknown, unknown>;

/** To be called once: VS Code hands its end out a single time. */
export function host<Out, Kept>(): Host<Out, Kept> {
  return acquireVsCodeApi() as Host<Out, Kept>;
}

/** What the page says, in the person's language. */
export function strings<T = Strings>(): T {
  return JSON.parse(document.body.dataset['strings'] ?? '{}') as T;
}

export function filled(text: string, ...values: (string | number)[]): string {
  return text.replace(/\{(\d)\}/g, (_, index: string) => String(values[Number(index)] ?? ''));
}
