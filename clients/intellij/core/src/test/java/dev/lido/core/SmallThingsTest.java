package dev.lido.core;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.time.Duration;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class SmallThingsTest {
    @ParameterizedTest
    @CsvSource(quoteCharacter = '"', value = {
        "\"foo.bar()\", \"foo\"", "\"(a, b)\", \"(\"", "\" = x\", \" =\"", "\"\\n    return\", \"\\n    return\"",
        "\"größe2 x\", \"größe2\"", "\"\", \"\"", "\"  \", \"  \"", "\"x\\n\\ny\", \"x\""})
    void aWordIsTakenWithTheBlanksBeforeIt(String text, String word) {
        String plain = text.replace("\\n", "\n");
        assertEquals(word.replace("\\n", "\n"), plain.substring(0, Suggestion.wordEnd(plain)));
    }

    @ParameterizedTest
    @CsvSource({"a b|c, a b", "|c|d, |c", "alone, alone"})
    void aLineIsTakenWithoutItsBreak(String text, String line) {
        String plain = text.replace('|', '\n');
        assertEquals(line.replace('|', '\n'), plain.substring(0, Suggestion.lineEnd(plain)));
    }

    @Test
    void waitsGrowAndEnd() {
        BackOff backOff = new BackOff(Duration.ofSeconds(1), 4, Duration.ofMinutes(3));
        assertEquals(Optional.of(Duration.ofSeconds(1)), backOff.crashed(0));
        assertEquals(Optional.of(Duration.ofSeconds(2)), backOff.crashed(1));
        assertEquals(Optional.of(Duration.ofSeconds(4)), backOff.crashed(2));
        assertEquals(Optional.empty(), backOff.crashed(3));
        assertEquals(Optional.of(Duration.ofSeconds(1)), backOff.crashed(Duration.ofMinutes(4).toNanos()));
    }

    @Test
    void aModelsMarkdownBringsNoHtmlScriptsOrPictures() {
        String html = Markdown.html("# T\n<script>x</script>\n\n<b>x</b> [a](javascript:b) [a](javascript:b) ![p](https://e.com/p.png)\n```python\na<b");
        assertTrue(html.contains("<h1>T</h1>") && html.contains("<code>a&lt;b"), html);
        assertFalse(html.contains("<script") || html.contains("javascript:") || html.contains("<img") || html.contains("<b>"), html);
    }

    @Test
    void onlyWhatDiffersFromTheDefaultsIsSent() {
        assertEquals("{}", Settings.DEFAULT.section().toString());
        Settings some = new Settings(List.of(), false, List.of("markdown"), 4, "make test");
        assertEquals("{\"completion\":{\"enabled\":false,\"max_lines\":4,\"languages\":{\"markdown\":false}},"
                + "\"plan\":{\"test_command\":\"make test\"}}", some.section().toString());
    }

    @Test
    void aCommandLineIsSplitAsPeopleTypeIt() {
        assertEquals(List.of("C:\\Program Files\\lido.exe", "serve", ""),
                Settings.split(" \"C:\\Program Files\\lido.exe\"  serve ''"));
    }
}
