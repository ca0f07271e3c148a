// Bundles the extension and its web views. `--production` leaves out source maps, `--watch` builds on.
import { cp, mkdir, rm } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import esbuild from 'esbuild';

const production = process.argv.includes('--production');
const common = { bundle: true, minify: production, sourcemap: production ? false : 'linked', logLevel: 'warning' };

await rm('dist', { recursive: true, force: true });
await mkdir('dist', { recursive: true });
for (const file of ['codicon.css', 'codicon.ttf']) {
  await cp(`node_modules/@vscode/codicons/dist/${file}`, `dist/${file}`);
}
const builds = [
  {
    ...common,
    entryPoints: { extension: 'src/extension.ts' },
    outdir: 'dist',
    platform: 'node',
    format: 'cjs',
    target: 'node20',
    external: ['vscode'],
    banner: { js: 'var lidoLoading = performance.now();' }, // for the time that activation takes
  },
  {
    ...common,
    entryPoints: Object.fromEntries(
      ['chat', 'plan'].map((name) => [name, `src/${name}/webview/main.ts`]).filter(([, path]) => existsSync(path)),
    ),
    outdir: 'dist',
    platform: 'browser',
    format: 'iife',
    target: 'es2022',
  },
];
if (process.argv.includes('--watch')) {
  await Promise.all(builds.map(async (options) => (await esbuild.context(options)).watch()));
} else {
  await Promise.all(builds.map((options) => esbuild.build(options)));
}
