package dev.lido.plugin;

import com.intellij.openapi.vfs.VirtualFile;
import com.intellij.openapi.vfs.VirtualFileSystem;
import com.intellij.openapi.vfs.local.CoreLocalFileSystem;
import java.io.ByteArrayOutputStream;
import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;

/** Real files with one virtual file each, as in an IDE; the core's own file system only reads. */
final class Disk extends CoreLocalFileSystem {
    private final Map<Path, Entry> entries = new HashMap<>();
    private long clock;

    private Entry entry(Path path) {
        return Files.exists(path) ? entries.computeIfAbsent(path, Entry::new) : null;
    }

    @Override
    public VirtualFile findFileByPath(String path) {
        return entry(Path.of(path));
    }

    @Override
    public VirtualFile findFileByIoFile(File file) {
        return entry(file.toPath());
    }

    @Override
    public VirtualFile refreshAndFindFileByPath(String path) {
        return entry(Path.of(path));
    }

    @Override
    public VirtualFile createChildFile(Object requestor, VirtualFile parent, String name) throws IOException {
        return entry(Files.createFile(((Entry) parent).path.resolve(name)));
    }

    @Override
    public VirtualFile createChildDirectory(Object requestor, VirtualFile parent, String name) throws IOException {
        return entry(Files.createDirectory(((Entry) parent).path.resolve(name)));
    }

    @Override
    protected void deleteFile(Object requestor, VirtualFile file) throws IOException {
        Files.delete(((Entry) file).path);
        entries.remove(((Entry) file).path);
    }

    @Override
    protected void renameFile(Object requestor, VirtualFile file, String name) throws IOException {
        to((Entry) file, ((Entry) file).path.resolveSibling(name));
    }

    @Override
    protected void moveFile(Object requestor, VirtualFile file, VirtualFile parent) throws IOException {
        to((Entry) file, ((Entry) parent).path.resolve(file.getName()));
    }

    private void to(Entry entry, Path path) throws IOException {
        Files.move(entry.path, path);
        entries.remove(entry.path);
        entry.path = path;
        entries.put(path, entry);
    }

    private final class Entry extends VirtualFile {
        private Path path;
        private long stamp = ++clock;

        Entry(Path path) {
            this.path = path;
        }

        @Override
        public String getName() {
            return path.getFileName().toString();
        }

        @Override
        public VirtualFileSystem getFileSystem() {
            return Disk.this;
        }

        @Override
        public String getPath() {
            return path.toString();
        }

        @Override
        public boolean isWritable() {
            return true;
        }

        @Override
        public boolean isDirectory() {
            return Files.isDirectory(path);
        }

        @Override
        public boolean isValid() {
            return Files.exists(path);
        }

        @Override
        public VirtualFile getParent() {
            return entry(path.getParent());
        }

        @Override
        public VirtualFile[] getChildren() {
            String[] names = path.toFile().list();
            VirtualFile[] children = new VirtualFile[names == null ? 0 : names.length];
            for (int i = 0; i < children.length; i++) children[i] = entry(path.resolve(names[i]));
            return children;
        }

        @Override
        public OutputStream getOutputStream(Object requestor, long modificationStamp, long timeStamp) {
            return new ByteArrayOutputStream() {
                @Override
                public void close() throws IOException {
                    Files.write(path, toByteArray());
                    stamp = ++clock;
                }
            };
        }

        @Override
        public byte[] contentsToByteArray() throws IOException {
            return Files.readAllBytes(path);
        }

        @Override
        public long getTimeStamp() {
            return stamp;
        }

        @Override
        public long getModificationStamp() {
            return stamp;
        }

        @Override
        public long getLength() {
            return path.toFile().length();
        }

        @Override
        public void refresh(boolean asynchronous, boolean recursive, Runnable postRunnable) {}

        @Override
        public InputStream getInputStream() throws IOException {
            return Files.newInputStream(path);
        }
    }
}
