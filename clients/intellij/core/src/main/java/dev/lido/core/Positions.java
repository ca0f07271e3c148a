package dev.lido.core;

import java.util.Arrays;
import org.eclipse.lsp4j.Position;
import org.eclipse.lsp4j.Range;

/**
 * Between offsets and LSP positions of one text. Both count UTF-16 code units, as Java does; a line ends with
 * {@code \n}, {@code \r\n} or {@code \r} (LSP 3.18, TextDocuments).
 */
public final class Positions {
    private final CharSequence text;
    private final int[] starts;

    public Positions(CharSequence text) {
        this.text = text;
        int[] found = new int[16];
        int lines = 1;
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            if (c == '\n' || c == '\r' && (i + 1 == text.length() || text.charAt(i + 1) != '\n')) {
                if (lines == found.length) found = Arrays.copyOf(found, lines * 2);
                found[lines++] = i + 1;
            }
        }
        starts = Arrays.copyOf(found, lines);
    }

    public Position at(int offset) {
        int line = Arrays.binarySearch(starts, offset);
        if (line < 0) line = -line - 2;
        return new Position(line, offset - starts[line]);
    }

    public Range range(int start, int end) {
        return new Range(at(start), at(end));
    }

    /** A character beyond its line counts as the line's end, a line beyond the text as the text's. */
    public int offset(Position position) {
        if (position.getLine() >= starts.length) return text.length();
        int start = starts[position.getLine()];
        int end = position.getLine() + 1 < starts.length ? starts[position.getLine() + 1] : text.length();
        while (end > start && (text.charAt(end - 1) == '\n' || text.charAt(end - 1) == '\r')) end--;
        return Math.min(start + position.getCharacter(), end);
    }
}
