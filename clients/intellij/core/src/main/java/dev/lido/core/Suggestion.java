package dev.lido.core;

import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.eclipse.lsp4j.InlineCompletionItem;
import org.eclipse.lsp4j.Position;
import org.eclipse.lsp4j.Range;

/**
 * One suggestion on its way from shown to its outcome. The first outcome counts; what comes later is ignored.
 * Offsets into its text are UTF-16 code units.
 */
public final class Suggestion {
    private enum State { READY, SHOWN, OVER }

    private final Completions completions;
    private final InlineCompletionItem item;
    private final Position cursor;
    private State state = State.READY;

    Suggestion(Completions completions, InlineCompletionItem item, Position cursor) {
        this.completions = completions;
        this.item = item;
        this.cursor = cursor;
    }

    /** The whole text that stands in place of {@link #range()} once taken. */
    public String text() {
        return item.getInsertText().isLeft()
                ? item.getInsertText().getLeft()
                : item.getInsertText().getRight().getValue();
    }

    public Range range() {
        return item.getRange() == null ? new Range(cursor, cursor) : item.getRange();
    }

    public String id() {
        List<Object> arguments = item.getCommand() == null ? null : item.getCommand().getArguments();
        if (arguments == null || arguments.isEmpty()) return "";
        Object first = arguments.get(0);
        return first instanceof com.google.gson.JsonPrimitive json ? json.getAsString() : String.valueOf(first);
    }

    /** Where the next word of {@code text} ends: leading blanks and one word, or one run of signs. */
    public static int wordEnd(String text) {
        int end = 0;
        while (end < text.length() && Character.isWhitespace(text.charAt(end))) {
            if (text.charAt(end) == '\n' && end > 0 && !text.substring(0, end).isBlank()) return end;
            end++;
        }
        if (end == text.length()) return end;
        boolean word = Character.isJavaIdentifierPart(text.codePointAt(end));
        while (end < text.length()) {
            int c = text.codePointAt(end);
            if (Character.isWhitespace(c) || Character.isJavaIdentifierPart(c) != word) break;
            end += Character.charCount(c);
        }
        return end;
    }

    /** Where the next line of {@code text} ends, its line break left out unless the text begins with it. */
    public static int lineEnd(String text) {
        int end = text.indexOf('\n', text.startsWith("\n") ? 1 : 0);
        return end < 0 ? text.length() : end;
    }

    /** It stands on the screen. */
    public synchronized void shown() {
        if (state != State.READY) return;
        state = State.SHOWN;
        completions.shown(id());
    }

    /** All of it was taken. Completes when the server has noted it. */
    public synchronized CompletableFuture<Object> accepted() {
        if (state == State.OVER) return CompletableFuture.completedFuture(null);
        shown();
        state = State.OVER;
        return item.getCommand() == null
                ? CompletableFuture.completedFuture(null)
                : completions.accepted(item.getCommand().getCommand(), item.getCommand().getArguments());
    }

    /** So many code units from the start were taken; the rest may follow. */
    public synchronized void partiallyAccepted(int length) {
        if (state == State.OVER) return;
        shown();
        completions.partiallyAccepted(id(), length);
    }

    /** The person said no: {@code reason} such as escape. Nothing is said of what was never shown. */
    public synchronized void dismissed(String reason) {
        if (state == State.SHOWN) completions.dismissed(id(), reason);
        state = State.OVER;
    }

    /** It has gone without a word of the person's: typed over, moved away. The server finds that out itself. */
    public synchronized void ignored() {
        state = State.OVER;
    }
}
