/** Secrets that must not reach the log, by their usual looks. */
const SECRETS = [
  /\b(Bearer|Basic)\s+[A-Za-z0-9._~+/=-]{8,}/g,
  /\b(?:sk|pk|ghp|gho|ghs|glpat|xox[abprs])[-_][A-Za-z0-9_-]{8,}/g,
  /\bAKIA[0-9A-Z]{16}\b/g,
  /\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*/g,
  /((?:api[_-]?key|token|password|passwd|secret|authorization)["']?\s*[:=]\s*["']?)[^\s"',;}]{4,}/gi,
  /(:\/\/[^\s:/@]+:)[^\s@/]+(?=@)/g,
];

export function masked(text: string): string {
  return SECRETS.reduce(
    (found, secret) => found.replace(secret, (_all, kept: unknown) => `${typeof kept === 'string' ? kept : ''}***`),
    text,
  );
}
