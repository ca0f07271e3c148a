#!/usr/bin/env bash
# Builds, checks and tests the extension in real VS Code. What is downloaded stays in ignored folders of the
# checkout. `--build` stops at the package, `--host` after VS Code is there.
set -euo pipefail
cd "$(dirname "$0")/.."
host="${LIDO_VSCODE:-$PWD/../../.cache/vscode-e2e}"

npm ci --no-audit --no-fund --loglevel=error
if [ "${1:-}" = "" ]; then
  npm run --silent typecheck
  npm run --silent lint
  npm run --silent test:unit
fi
npm run --silent package
if [ "${1:-}" = "--build" ]; then exit 0; fi

if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  wanted=(chromium libkrb5-dev libsecret-1-dev libx11-dev libxkbfile-dev pkg-config build-essential)
  if ! dpkg -s "${wanted[@]}" >/dev/null 2>&1; then
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${wanted[@]}" >/dev/null
  fi
fi
if [ ! -f "$host/node_modules/code-server/out/node/entry.js" ]; then
  mkdir -p "$host"
  cp scripts/vscode-package.json "$host/package.json"
  # code-server is built for the Node it runs on.
  (cd "$host" && npm install --no-audit --no-fund --loglevel=error node@24.21.0)
  (cd "$host" && PATH="$host/node_modules/node/bin:$PATH" npm_config_unsafe_perm=true \
    npm install --no-audit --no-fund --loglevel=error code-server@4.139.1)
fi
if [ "${1:-}" = "--host" ]; then exit 0; fi
npm run --silent test:e2e
