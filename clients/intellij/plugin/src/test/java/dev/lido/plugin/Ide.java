package dev.lido.plugin;

import com.intellij.codeInsight.FileModificationService;
import com.intellij.core.CoreApplicationEnvironment;
import com.intellij.core.CoreProjectEnvironment;
import com.intellij.mock.MockApplication;
import com.intellij.mock.MockProject;
import com.intellij.openapi.Disposable;
import com.intellij.openapi.editor.CaretModel;
import com.intellij.openapi.editor.Document;
import com.intellij.openapi.editor.Editor;
import com.intellij.openapi.fileEditor.FileDocumentManager;
import com.intellij.openapi.util.Disposer;
import com.intellij.openapi.vfs.VirtualFile;
import com.intellij.openapi.vfs.local.CoreLocalFileSystem;
import com.intellij.psi.PsiElement;
import com.intellij.psi.PsiFile;
import java.lang.reflect.Proxy;
import java.nio.file.Path;
import java.util.Collection;
import java.util.Queue;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.Future;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import javax.swing.SwingUtilities;
import org.picocontainer.PicoContainer;

/** The platform of 2018.3 without a window: real documents, commands and virtual files. */
final class Ide implements AutoCloseable {
    static final Queue<Throwable> failures = new ConcurrentLinkedQueue<>();
    final Disposable parent = Disposer.newDisposable();
    final CoreApplicationEnvironment application = new CoreApplicationEnvironment(parent) {
        @Override
        protected CoreLocalFileSystem createLocalFileSystem() {
            return new Disk();
        }

        @Override
        protected MockApplication createApplication(Disposable disposable) {
            return new MockApplication(disposable) {
                @Override
                public void invokeLater(Runnable task) {
                    SwingUtilities.invokeLater(() -> {
                        try {
                            task.run();
                        } catch (UnsupportedOperationException declared) {
                            // A class that is only declared here, such as a tool window.
                        } catch (RuntimeException | Error error) {
                            failures.add(error);
                        }
                    });
                }

                @Override
                public Future<?> executeOnPooledThread(Runnable task) {
                    return CompletableFuture.runAsync(task);
                }
            };
        }
    };
    final CoreProjectEnvironment project;
    boolean writable = true;

    /** @param root the project's folder */
    Ide(Path root) {
        project = new CoreProjectEnvironment(parent, application) {
            @Override
            protected MockProject createProject(PicoContainer container, Disposable disposable) {
                return new MockProject(container, disposable) {
                    @Override
                    public String getBasePath() {
                        return root.toString();
                    }
                };
            }
        };
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

    /** Runs something on the UI thread and waits for it. */
    static <T> T onUi(Callable<T> task) throws Exception {
        FutureTask<T> waiting = new FutureTask<>(task);
        SwingUtilities.invokeLater(waiting);
        return waiting.get(30, TimeUnit.SECONDS);
    }

    /** An editor of which only document, project and caret are asked. */
    Editor editor(Document document) {
        int[] caret = {0};
        CaretModel model = proxy(CaretModel.class, (method, arguments) -> switch (method) {
            case "getOffset" -> caret[0];
            case "moveToOffset" -> {
                caret[0] = (Integer) arguments[0];
                yield null;
            }
            default -> throw new UnsupportedOperationException(method);
        });
        return proxy(Editor.class, (method, arguments) -> switch (method) {
            case "getDocument" -> document;
            case "getProject" -> project.getProject();
            case "getCaretModel" -> model;
            default -> throw new UnsupportedOperationException(method);
        });
    }

    private interface Answer {
        Object to(String method, Object[] arguments);
    }

    private static <T> T proxy(Class<T> type, Answer answer) {
        return type.cast(Proxy.newProxyInstance(type.getClassLoader(), new Class<?>[] {type}, (self, method, arguments) ->
                switch (method.getName()) {
                    case "hashCode" -> System.identityHashCode(self);
                    case "equals" -> self == arguments[0];
                    default -> answer.to(method.getName(), arguments);
                }));
    }

    @Override
    public void close() {
        Disposer.dispose(parent);
        if (!failures.isEmpty()) throw new AssertionError("on the UI thread", failures.remove());
    }
}
