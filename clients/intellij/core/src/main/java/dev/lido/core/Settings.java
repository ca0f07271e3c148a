package dev.lido.core;

import com.google.gson.JsonObject;
import java.util.List;

/**
 * What a person sets in the editor; models and all else stand in the server's own configuration file.
 *
 * @param command the server's program and arguments; empty: found, or set up
 * @param completions whether suggestions come while typing
 * @param disabledLanguages LSP language ids without suggestions
 * @param maxLines of one suggestion; null: the server's own
 * @param testCommand offered to plans; empty: none
 */
public record Settings(
        List<String> command,
        boolean completions,
        List<String> disabledLanguages,
        Integer maxLines,
        String testCommand) {
    public static final Settings DEFAULT = new Settings(List.of(), true, List.of(), null, "");

    /** The {@code lido} section. Only what differs from the defaults, so that the configuration file counts. */
    public JsonObject section() {
        JsonObject completion = new JsonObject();
        if (!completions) completion.addProperty("enabled", false);
        if (maxLines != null) completion.addProperty("max_lines", maxLines);
        if (!disabledLanguages.isEmpty()) {
            JsonObject languages = new JsonObject();
            disabledLanguages.forEach(language -> languages.addProperty(language, false));
            completion.add("languages", languages);
        }
        JsonObject section = new JsonObject();
        if (completion.size() > 0) section.add("completion", completion);
        if (!testCommand.isBlank()) {
            JsonObject plan = new JsonObject();
            plan.addProperty("test_command", testCommand);
            section.add("plan", plan);
        }
        return section;
    }

    /** Splits a command line as people type it: spaces part, quotes keep together. */
    public static List<String> split(String line) {
        List<String> words = new java.util.ArrayList<>();
        StringBuilder word = null;
        char quote = 0;
        for (char c : line.toCharArray()) {
            if (quote != 0) {
                if (c == quote) quote = 0;
                else word.append(c);
            } else if (c == '"' || c == '\'') {
                quote = c;
                if (word == null) word = new StringBuilder();
            } else if (Character.isWhitespace(c)) {
                if (word != null) words.add(word.toString());
                word = null;
            } else {
                if (word == null) word = new StringBuilder();
                word.append(c);
            }
        }
        if (word != null) words.add(word.toString());
        return List.copyOf(words);
    }
}
