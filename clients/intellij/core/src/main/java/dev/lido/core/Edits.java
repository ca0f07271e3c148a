package dev.lido.core;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import org.eclipse.lsp4j.AnnotatedTextEdit;
import org.eclipse.lsp4j.ChangeAnnotation;
import org.eclipse.lsp4j.CreateFile;
import org.eclipse.lsp4j.DeleteFile;
import org.eclipse.lsp4j.Range;
import org.eclipse.lsp4j.RenameFile;
import org.eclipse.lsp4j.TextDocumentEdit;
import org.eclipse.lsp4j.TextEdit;
import org.eclipse.lsp4j.WorkspaceEdit;

/**
 * A workspace edit as a list of steps in its own order, checked for what no editor may apply.
 *
 * @param label what the editor's undo names it
 */
public record Edits(String label, List<Step> steps) {
    public sealed interface Step permits Change, Create, Rename, Delete {
        String uri();
    }

    /**
     * @param version of the document that the ranges are for; null where it is not open
     */
    public record Change(String uri, Integer version, List<Hunk> hunks) implements Step {}

    public record Create(String uri, boolean overwrite, boolean ignoreIfExists) implements Step {}

    public record Rename(String uri, String newUri, boolean overwrite) implements Step {}

    public record Delete(String uri, boolean ignoreIfNotExists) implements Step {}

    /**
     * @param label of its change annotation; empty without one
     */
    public record Hunk(Range range, String newText, String label, boolean needsConfirmation) {}

    /** A replacement of {@code [start, end)}, in UTF-16 code units of the text before any of them. */
    public record Replacement(int start, int end, String text) {}

    /** The edit does not fit; nothing of it was applied. The message is {@code failureReason}. */
    public static final class Refused extends Exception {
        public Refused(String reason) {
            super(reason);
        }
    }

    public static Edits of(WorkspaceEdit edit, String label) throws Refused {
        Map<String, ChangeAnnotation> annotations =
                edit.getChangeAnnotations() == null ? Map.of() : edit.getChangeAnnotations();
        List<Step> steps = new ArrayList<>();
        if (edit.getDocumentChanges() != null) {
            for (var change : edit.getDocumentChanges()) {
                steps.add(change.isLeft() ? change(change.getLeft(), annotations) : operation(change.getRight()));
            }
        } else if (edit.getChanges() != null) {
            for (var file : edit.getChanges().entrySet()) {
                List<Hunk> hunks = new ArrayList<>();
                for (TextEdit one : file.getValue()) hunks.add(hunk(one, annotations));
                steps.add(new Change(file.getKey(), null, hunks));
            }
        }
        for (Step step : steps) {
            if (!step.uri().startsWith("file:")) throw new Refused("Only files can be edited, not " + step.uri());
            if (step instanceof Rename rename && !rename.newUri().startsWith("file:")) {
                throw new Refused("Only files can be edited, not " + rename.newUri());
            }
        }
        return new Edits(label == null || label.isBlank() ? "Lido" : label, List.copyOf(steps));
    }

    /** Refuses what lies outside of the folders, also by way of links. */
    public void inside(List<Path> folders) throws Refused {
        List<Path> roots = new ArrayList<>();
        for (Path folder : folders) roots.add(real(folder));
        for (Step step : steps) {
            check(step.uri(), roots);
            if (step instanceof Rename rename) check(rename.newUri(), roots);
        }
    }

    private static void check(String uri, List<Path> roots) throws Refused {
        Path path = real(Uris.path(uri));
        if (roots.stream().noneMatch(path::startsWith)) throw new Refused(path + " is outside of the project");
    }

    /** Without links, as far as it exists. */
    private static Path real(Path path) throws Refused {
        Path there = path.toAbsolutePath().normalize();
        Path rest = there.relativize(there);
        while (!Files.exists(there, LinkOption.NOFOLLOW_LINKS) && there.getParent() != null) {
            rest = there.getFileName().resolve(rest);
            there = there.getParent();
        }
        try {
            return there.toRealPath().resolve(rest).normalize();
        } catch (IOException error) {
            throw new Refused(path + " can't be reached");
        }
    }

    private static Change change(TextDocumentEdit edit, Map<String, ChangeAnnotation> annotations) throws Refused {
        List<Hunk> hunks = new ArrayList<>();
        for (var one : edit.getEdits()) {
            if (one.isRight()) throw new Refused("Snippets are not supported");
            hunks.add(hunk(one.getLeft(), annotations));
        }
        return new Change(edit.getTextDocument().getUri(), edit.getTextDocument().getVersion(), hunks);
    }

    private static Hunk hunk(TextEdit edit, Map<String, ChangeAnnotation> annotations) {
        ChangeAnnotation annotation =
                edit instanceof AnnotatedTextEdit annotated ? annotations.get(annotated.getAnnotationId()) : null;
        return new Hunk(
                edit.getRange(),
                edit.getNewText(),
                annotation == null ? "" : annotation.getLabel(),
                annotation != null && Boolean.TRUE.equals(annotation.getNeedsConfirmation()));
    }

    private static Step operation(Object operation) throws Refused {
        if (operation instanceof CreateFile create) {
            var options = create.getOptions();
            return new Create(
                    create.getUri(),
                    options != null && Boolean.TRUE.equals(options.getOverwrite()),
                    options != null && Boolean.TRUE.equals(options.getIgnoreIfExists()));
        }
        if (operation instanceof RenameFile rename) {
            var options = rename.getOptions();
            return new Rename(
                    rename.getOldUri(),
                    rename.getNewUri(),
                    options != null && Boolean.TRUE.equals(options.getOverwrite()));
        }
        if (operation instanceof DeleteFile delete) {
            var options = delete.getOptions();
            if (options != null && Boolean.TRUE.equals(options.getRecursive())) {
                throw new Refused("Folders are not deleted");
            }
            return new Delete(
                    delete.getUri(), options != null && Boolean.TRUE.equals(options.getIgnoreIfNotExists()));
        }
        throw new Refused("An unknown kind of change");
    }

    /**
     * The hunks of one change as replacements, the last first: applied in this order, each keeps its offsets.
     *
     * @throws Refused where two overlap
     */
    public static List<Replacement> replacements(Change change, CharSequence text) throws Refused {
        Positions positions = new Positions(text);
        List<Replacement> found = new ArrayList<>();
        for (Hunk hunk : change.hunks()) {
            int start = positions.offset(hunk.range().getStart());
            int end = positions.offset(hunk.range().getEnd());
            if (end < start) throw new Refused("A range ends before it starts");
            found.add(new Replacement(start, end, hunk.newText()));
        }
        // Stable: insertions at one place keep their order in the edit, so the later is applied first.
        List<Replacement> reversed = new ArrayList<>();
        found.sort(Comparator.comparingInt(Replacement::start).thenComparingInt(Replacement::end));
        for (int i = found.size() - 1; i >= 0; i--) {
            if (i > 0 && found.get(i - 1).end() > found.get(i).start()) {
                throw new Refused("The changes overlap");
            }
            reversed.add(found.get(i));
        }
        return reversed;
    }

    /** The text after a change. */
    public static String applied(Change change, String text) throws Refused {
        StringBuilder after = new StringBuilder(text);
        for (Replacement one : replacements(change, text)) after.replace(one.start(), one.end(), one.text());
        return after.toString();
    }
}
