package dev.lido.core;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lido.generated.ChatAnswer;
import dev.lido.generated.ChatDelta;
import dev.lido.generated.CodeBlock;
import dev.lido.generated.TokenUsage;
import java.util.List;
import java.util.concurrent.CancellationException;
import org.junit.jupiter.api.Test;

class TranscriptTest {
    private static final TokenUsage NONE = new TokenUsage(0, 0, 0);

    @Test
    void anAnswerGrowsAndThenHasItsBlocks() {
        Transcript chat = new Transcript();
        assertNull(chat.ask("How <b>?</b>\nSo?", List.of(), null, null).conversationId());
        chat.delta(new ChatDelta("```python\nx = ").withConversationId("c"));
        Transcript.Entry answer = chat.entries().get(1);
        assertTrue(answer.html().contains("<pre><code>x ="), answer.html());
        assertFalse(answer.html().contains("lido:"), "nothing to apply while it grows");
        String text = "```python\nx = 1\n```\nand\n```\nother\n```\n";
        chat.answered(new ChatAnswer("c", "m", text, List.of(new CodeBlock("", "other\n")), NONE, List.of("a <note>")));
        assertEquals(1, answer.html().split("lido:apply/0", -1).length - 1, answer.html());
        assertTrue(answer.html().indexOf("lido:apply/0") > answer.html().indexOf("other"), answer.html());
        assertTrue(answer.html().contains("a &lt;note&gt;"));
        assertEquals("<p>How &lt;b&gt;?&lt;/b&gt;<br>So?</p>", chat.entries().get(0).html());
        assertEquals("c", chat.ask("More", List.of(), null, null).conversationId());
    }

    @Test
    void anEditedQuestionReplacesWhatFollowed() {
        Transcript chat = new Transcript();
        chat.ask("One", List.of(), null, null);
        chat.answered(new ChatAnswer("c", "a1", "1", List.of(), NONE, List.of()));
        chat.ask("Two", List.of(), null, null);
        chat.answered(new ChatAnswer("c", "a2", "2", List.of(), NONE, List.of()));
        chat.ask("Two again", List.of(), null, chat.entries().get(2));
        assertEquals(List.of("One", "1", "Two again", ""), chat.entries().stream().map(Transcript.Entry::text).toList());
    }

    @Test
    void whatCameOfABrokenAnswerStays() {
        Transcript chat = new Transcript();
        chat.ask("One", List.of(), null, null);
        chat.delta(new ChatDelta("Half"));
        chat.failed(new CancellationException());
        Transcript.Entry answer = chat.entries().get(1);
        assertFalse(answer.complete());
        assertTrue(answer.html().contains("Half") && answer.html().contains("Stopped."), answer.html());
    }
}
