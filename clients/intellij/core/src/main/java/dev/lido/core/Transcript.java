package dev.lido.core;

import dev.lido.generated.Attachment;
import dev.lido.generated.ChatAnswer;
import dev.lido.generated.ChatDelta;
import dev.lido.generated.ChatMessage;
import dev.lido.generated.ChatSend;
import dev.lido.generated.CodeBlock;
import dev.lido.generated.Conversation;
import java.util.ArrayList;
import java.util.List;

/** One conversation as it is drawn: what was said, and what is being said. Not thread-safe. */
public final class Transcript {
    /** A question or an answer. */
    public static final class Entry {
        private final boolean question;
        private String id;
        private String text;
        private List<CodeBlock> blocks = List.of();
        private List<String> notes = List.of();
        private List<Attachment> attachments = List.of();
        private String rating;
        private boolean complete;

        private Entry(boolean question, String text) {
            this.question = question;
            this.text = text;
            this.complete = question;
        }

        public boolean question() {
            return question;
        }

        /** Null until the answer has come. */
        public String id() {
            return id;
        }

        public String text() {
            return text;
        }

        public List<CodeBlock> blocks() {
            return blocks;
        }

        public List<Attachment> attachments() {
            return attachments;
        }

        public String rating() {
            return rating;
        }

        /** False while it streams, and of an answer that broke off. */
        public boolean complete() {
            return complete;
        }

        /** What is drawn: Markdown, with {@code lido:…/N} links below each code block of an answer. */
        public String html() {
            StringBuilder html = new StringBuilder(question ? Markdown.plain(text) : Markdown.html(text, blocks));
            if (!notes.isEmpty()) html.append(Markdown.notes(notes));
            return html.toString();
        }
    }

    private final List<Entry> entries = new ArrayList<>();
    private String conversationId;

    public List<Entry> entries() {
        return List.copyOf(entries);
    }

    /** Null before the first answer has begun. */
    public String conversationId() {
        return conversationId;
    }

    /**
     * Adds a question and the answer that is to come.
     *
     * @param replaces an earlier question's entry, which goes with all that followed; null: none
     * @return what is to be sent
     */
    public ChatSend ask(String text, List<Attachment> attachments, String model, Entry replaces) {
        if (replaces != null) {
            int at = entries.indexOf(replaces);
            entries.subList(at, entries.size()).clear();
        }
        Entry question = new Entry(true, text);
        question.attachments = List.copyOf(attachments);
        entries.add(question);
        entries.add(new Entry(false, ""));
        return new ChatSend(text)
                .withConversationId(conversationId)
                .withAttachments(attachments)
                .withModel(model)
                .withReplaces(replaces == null ? null : replaces.id());
    }

    /** The last answer is asked for again. */
    public void again() {
        if (!entries.isEmpty() && !last().question()) entries.remove(entries.size() - 1);
        entries.add(new Entry(false, ""));
    }

    public void delta(ChatDelta delta) {
        if (delta.conversationId() != null) conversationId = delta.conversationId();
        last().text += delta.delta();
    }

    public void answered(ChatAnswer answer) {
        conversationId = answer.conversationId();
        Entry entry = last();
        entry.id = answer.messageId();
        entry.text = answer.text();
        entry.blocks = answer.codeBlocks();
        entry.notes = answer.notes();
        entry.complete = true;
    }

    /** The answer broke off; what came stays. */
    public void failed(Throwable error) {
        last().notes = List.of(Failures.cancelled(error) ? "Stopped." : Failures.text(error));
    }

    public void load(Conversation conversation) {
        entries.clear();
        conversationId = conversation.conversationId();
        for (ChatMessage message : conversation.messages()) {
            Entry entry = new Entry("user".equals(message.role()), message.text());
            entry.id = message.messageId();
            entry.blocks = message.codeBlocks();
            entry.attachments = message.attachments();
            entry.rating = message.rating();
            entry.complete = message.complete();
            if (!message.complete()) entry.notes = List.of("This answer broke off.");
            entries.add(entry);
        }
    }

    public void rated(Entry entry, boolean up) {
        entry.rating = up ? "up" : "down";
    }

    public void clear() {
        entries.clear();
        conversationId = null;
    }

    private Entry last() {
        return entries.get(entries.size() - 1);
    }
}
