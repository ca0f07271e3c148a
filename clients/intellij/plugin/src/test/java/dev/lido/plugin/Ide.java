package dev.lido.plugin;

import com.intellij.codeInsight.FileModificationService;
import com.intellij.core.CoreApplicationEnvironment;
import com.intellij.core.CoreProjectEnvironment;
import com.intellij.openapi.Disposable;
import com.intellij.openapi.editor.Document;
import com.intellij.openapi.fileEditor.FileDocumentManager;
import com.intellij.openapi.util.Disposer;
import com.intellij.openapi.vfs.VirtualFile;
import com.intellij.openapi.vfs.local.CoreLocalFileSystem;
import com.intellij.psi.PsiElement;
import com.intellij.psi.PsiFile;
import java.nio.file.Path;
import java.util.Collection;

/** The platform of 2018.3 without a window: real documents, commands and virtual files. */
final class Ide implements AutoCloseable {
    final Disposable parent = Disposer.newDisposable();
    final CoreApplicationEnvironment application = new CoreApplicationEnvironment(parent) {
        @Override
        protected CoreLocalFileSystem createLocalFileSystem() {
            return new Disk();
        }
    };
    final CoreProjectEnvironment project = new CoreProjectEnvironment(parent, application);
    boolean writable = true;

    Ide() {
        application.registerFileType(com.intellij.openapi.fileTypes.PlainTextFileType.INSTANCE, "txt");
        application.registerApplicationService(FileModificationService.class, new FileModificationService() {
            @Override
            public boolean preparePsiElementsForWrite(Collection<? extends PsiElement> elements) {
                return writable;
            }

            @Override
            public boolean prepareFileForWrite(PsiFile file) {
                return writable;
            }

            @Override
            public boolean prepareVirtualFilesForWrite(
                    com.intellij.openapi.project.Project project, Collection<VirtualFile> files) {
                return writable;
            }
        });
    }

    Document document(Path file) {
        VirtualFile found = application.getLocalFileSystem().findFileByIoFile(file.toFile());
        return FileDocumentManager.getInstance().getDocument(found);
    }

    @Override
    public void close() {
        Disposer.dispose(parent);
    }
}
