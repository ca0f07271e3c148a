/** A file system in memory, for the test of virtual workspaces: one folder with one file. */

const vscode = require('vscode');

const text = 'def total(prices):\n    subtotal = sum(prices)\n    return \n';
const files = new Map([['/shop/basket.py', Buffer.from(text)]]);

exports.activate = (context) => {
  const changed = new vscode.EventEmitter();
  const missing = (uri) => vscode.FileSystemError.FileNotFound(uri);
  context.subscriptions.push(
    vscode.workspace.registerFileSystemProvider(
      'memory',
      {
        onDidChangeFile: changed.event,
        watch: () => new vscode.Disposable(() => undefined),
        stat: (uri) => {
          const file = files.get(uri.path);
          if (!file && uri.path !== '/shop') {
            throw missing(uri);
          }
          return { type: file ? vscode.FileType.File : vscode.FileType.Directory, ctime: 0, mtime: 0, size: file?.length ?? 0 };
        },
        readDirectory: (uri) => (uri.path === '/shop' ? [['basket.py', vscode.FileType.File]] : []),
        readFile: (uri) => {
          const file = files.get(uri.path);
          if (!file) {
            throw missing(uri);
          }
          return file;
        },
        writeFile: (uri, content) => void files.set(uri.path, Buffer.from(content)),
        createDirectory: () => undefined,
        delete: (uri) => void files.delete(uri.path),
        rename: (from) => {
          throw vscode.FileSystemError.NoPermissions(from);
        },
      },
      { isCaseSensitive: true },
    ),
  );
};
