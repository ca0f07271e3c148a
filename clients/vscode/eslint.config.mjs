import tseslint from 'typescript-eslint';

export default tseslint.config(
  { ignores: ['dist', 'node_modules', 'server', 'test-output', '*.mjs', 'scripts', 'src/generated', 'test/e2e/memory-files'] },
  ...tseslint.configs.recommendedTypeChecked,
  {
    languageOptions: { parserOptions: { project: ['./tsconfig.json', './test/tsconfig.json'] } },
    rules: {
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/restrict-template-expressions': 'off',
      eqeqeq: 'error',
    },
  },
  // node:test's `test` returns a promise that nobody has to await.
  { files: ['test/**'], rules: { '@typescript-eslint/no-floating-promises': 'off' } },
);
