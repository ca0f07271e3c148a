package dev.lido.core;

import com.google.gson.Gson;
import dev.lido.generated.ChatAnswer;
import dev.lido.generated.ChatApply;
import dev.lido.generated.ChatDelta;
import dev.lido.generated.ChatExported;
import dev.lido.generated.ChatFeedback;
import dev.lido.generated.ChatList;
import dev.lido.generated.ChatRename;
import dev.lido.generated.ChatRetry;
import dev.lido.generated.ChatSend;
import dev.lido.generated.Conversation;
import dev.lido.generated.ConversationRef;
import dev.lido.generated.ConversationSummary;
import dev.lido.generated.Models;
import dev.lido.generated.ModelsQuery;
import dev.lido.generated.ReviewOpened;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.function.BiFunction;
import java.util.function.Consumer;

/** Conversations. */
public final class Chat {
    private static final Gson GSON = new Gson();

    private final Lido lido;

    Chat(Lido lido) {
        this.lido = lido;
    }

    /**
     * Sends a question; pieces of the answer go to {@code onDelta} as they come, in order and before the answer
     * completes, on the connection's thread. Cancelling the answer stops the model; what came is kept.
     */
    public CompletableFuture<ChatAnswer> send(ChatSend question, Consumer<ChatDelta> onDelta) {
        return streamed((server, token) -> server.chatSend(question.withPartialResultToken(Session.token(token))), onDelta);
    }

    /** Asks the last question of a conversation again, of {@code model} unless that is null. */
    public CompletableFuture<ChatAnswer> retry(String conversationId, String model, Consumer<ChatDelta> onDelta) {
        ChatRetry again = new ChatRetry(conversationId).withModel(model);
        return streamed((server, token) -> server.chatRetry(again.withPartialResultToken(Session.token(token))), onDelta);
    }

    private CompletableFuture<ChatAnswer> streamed(
            BiFunction<LidoServer, String, CompletableFuture<ChatAnswer>> request, Consumer<ChatDelta> onDelta) {
        String token = UUID.randomUUID().toString();
        CompletableFuture<Session> session = lido.session();
        session.thenAccept(found -> found.partial(token, value -> {
            ChatDelta delta = GSON.fromJson(value, ChatDelta.class);
            if (delta != null && delta.delta() != null) onDelta.accept(delta);
        }));
        CompletableFuture<ChatAnswer> answer = lido.ask(server -> request.apply(server, token));
        answer.whenComplete((value, error) -> session.thenAccept(found -> found.noPartial(token)));
        return answer;
    }

    /** Newest first; {@code query} may be null. */
    public CompletableFuture<List<ConversationSummary>> list(String query) {
        ChatList params = new ChatList(query, null);
        return lido.ask(server -> server.chatList(params));
    }

    public CompletableFuture<Conversation> get(String conversationId) {
        return lido.ask(server -> server.chatGet(new ConversationRef(conversationId)));
    }

    public CompletableFuture<Void> delete(String conversationId) {
        return lido.ask(server -> server.chatDelete(new ConversationRef(conversationId)));
    }

    public CompletableFuture<Void> rename(String conversationId, String title) {
        return lido.ask(server -> server.chatRename(new ChatRename(conversationId, title)));
    }

    /** The conversation as Markdown. */
    public CompletableFuture<String> export(String conversationId) {
        return lido.ask(server -> server.chatExport(new ConversationRef(conversationId))).thenApply(ChatExported::text);
    }

    /** Which models there are, and who serves what. */
    public CompletableFuture<Models> models() {
        return lido.ask(server -> server.models(new ModelsQuery()));
    }

    /** Puts a code block into a file, by a review. */
    public CompletableFuture<ReviewOpened> apply(String text, String uri, String language) {
        return lido.ask(server -> server.chatApply(new ChatApply(text, uri).withLanguage(language)));
    }

    public void rate(String messageId, boolean up) {
        lido.tell(server -> server.chatFeedback(new ChatFeedback(messageId, up ? "up" : "down")));
    }
}
