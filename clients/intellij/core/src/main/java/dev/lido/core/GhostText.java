package dev.lido.core;

/**
 * A suggestion while it is drawn at the caret, followed by the changes of its document: typing along keeps it,
 * a word or a line taken at once is a partial acceptance, all of it an acceptance, anything else its end.
 *
 * <p>Going by the document needs no word from the editor about which of its keys was pressed. Not thread-safe:
 * for the thread of the document's changes.
 */
public final class GhostText {
    private final Suggestion suggestion;
    private final int replacesAfter;
    private int offset;
    private String remaining;

    private GhostText(Suggestion suggestion, int offset, String remaining, int replacesAfter) {
        this.suggestion = suggestion;
        this.offset = offset;
        this.remaining = remaining;
        this.replacesAfter = replacesAfter;
    }

    /**
     * Null where the suggestion can't be drawn at the caret, or would add nothing.
     *
     * @param text of the document, as it was when the suggestion was asked for
     * @param caret an offset into it
     */
    public static GhostText at(Suggestion suggestion, CharSequence text, int caret) {
        Positions positions = new Positions(text);
        int start = positions.offset(suggestion.range().getStart());
        int end = positions.offset(suggestion.range().getEnd());
        if (start > caret || end < caret) return null;
        String typed = text.subSequence(start, caret).toString();
        String after = text.subSequence(caret, end).toString();
        if (!suggestion.text().startsWith(typed)) return null;
        String ghost = suggestion.text().substring(typed.length());
        // What stands there already, such as a bracket that the editor has closed, is not drawn again.
        boolean kept = ghost.endsWith(after);
        if (kept) ghost = ghost.substring(0, ghost.length() - after.length());
        return ghost.isEmpty() ? null : new GhostText(suggestion, caret, ghost, kept ? 0 : after.length());
    }

    public Suggestion suggestion() {
        return suggestion;
    }

    /** What is to be drawn now. */
    public String text() {
        return remaining;
    }

    /** How many characters after the text go once all of it is taken. */
    public int replacesAfter() {
        return replacesAfter;
    }

    /** Tells of a change of the document; false once it is over. */
    public boolean changed(int at, int removed, String inserted) {
        if (remaining.isEmpty()) return false;
        boolean follows = at == offset && removed == 0 && remaining.startsWith(inserted);
        if (!follows) {
            suggestion.ignored();
            remaining = "";
            return false;
        }
        offset += inserted.length();
        remaining = remaining.substring(inserted.length());
        if (remaining.isEmpty()) suggestion.accepted();
        else if (inserted.length() > 1) suggestion.partiallyAccepted(suggestion.text().length() - remaining.length());
        return !remaining.isEmpty();
    }

    /** It has been taken off the screen; {@code reason} where the person said no, else null. */
    public void hidden(String reason) {
        if (remaining.isEmpty()) return;
        remaining = "";
        if (reason != null) suggestion.dismissed(reason);
        else suggestion.ignored();
    }
}
