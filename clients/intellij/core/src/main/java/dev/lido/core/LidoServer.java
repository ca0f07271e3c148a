package dev.lido.core;

import dev.lido.generated.ChatAnswer;
import dev.lido.generated.ChatApply;
import dev.lido.generated.ChatExported;
import dev.lido.generated.ChatFeedback;
import dev.lido.generated.ChatList;
import dev.lido.generated.ChatRename;
import dev.lido.generated.ChatRetry;
import dev.lido.generated.ChatSend;
import dev.lido.generated.CompletionOutcome;
import dev.lido.generated.Conversation;
import dev.lido.generated.ConversationRef;
import dev.lido.generated.ConversationSummary;
import dev.lido.generated.MetricsQuery;
import dev.lido.generated.MetricsRows;
import dev.lido.generated.Models;
import dev.lido.generated.ModelsQuery;
import dev.lido.generated.PlanAnswer;
import dev.lido.generated.PlanRef;
import dev.lido.generated.PlanStart;
import dev.lido.generated.PlanStarted;
import dev.lido.generated.Review;
import dev.lido.generated.ReviewDecide;
import dev.lido.generated.ReviewDecided;
import dev.lido.generated.ReviewOpened;
import dev.lido.generated.ReviewList;
import dev.lido.generated.ReviewRef;
import dev.lido.generated.ReviewUndone;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.eclipse.lsp4j.jsonrpc.services.JsonNotification;
import org.eclipse.lsp4j.jsonrpc.services.JsonRequest;
import org.eclipse.lsp4j.services.LanguageServer;

/**
 * The server as LSP4J calls it: the Language Server Protocol and Lido's own methods (docs/protocol.md).
 *
 * <p>Cancelling a returned future cancels the request at the server. What fails for a reason that a person
 * should read completes with a ResponseErrorException of code -32803.
 */
public interface LidoServer extends LanguageServer {
    @JsonNotification("lido/completion/shown")
    void completionShown(CompletionOutcome outcome);

    @JsonNotification("lido/completion/partiallyAccepted")
    void completionPartiallyAccepted(CompletionOutcome outcome);

    @JsonNotification("lido/completion/dismissed")
    void completionDismissed(CompletionOutcome outcome);

    @JsonRequest("lido/chat/send")
    CompletableFuture<ChatAnswer> chatSend(ChatSend params);

    @JsonRequest("lido/chat/retry")
    CompletableFuture<ChatAnswer> chatRetry(ChatRetry params);

    @JsonRequest("lido/chat/list")
    CompletableFuture<List<ConversationSummary>> chatList(ChatList params);

    @JsonRequest("lido/chat/get")
    CompletableFuture<Conversation> chatGet(ConversationRef params);

    @JsonRequest("lido/chat/rename")
    CompletableFuture<Void> chatRename(ChatRename params);

    @JsonRequest("lido/chat/export")
    CompletableFuture<ChatExported> chatExport(ConversationRef params);

    @JsonRequest("lido/chat/delete")
    CompletableFuture<Void> chatDelete(ConversationRef params);

    @JsonRequest("lido/chat/apply")
    CompletableFuture<ReviewOpened> chatApply(ChatApply params);

    @JsonNotification("lido/chat/feedback")
    void chatFeedback(ChatFeedback params);

    @JsonRequest("lido/plan/start")
    CompletableFuture<PlanStarted> planStart(PlanStart params);

    @JsonRequest("lido/plan/answer")
    CompletableFuture<Void> planAnswer(PlanAnswer params);

    @JsonRequest("lido/plan/cancel")
    CompletableFuture<Void> planCancel(PlanRef params);

    @JsonRequest("lido/review/list")
    CompletableFuture<List<Review>> reviewList(ReviewList params);

    @JsonRequest("lido/review/get")
    CompletableFuture<Review> reviewGet(ReviewRef params);

    @JsonRequest("lido/review/decide")
    CompletableFuture<ReviewDecided> reviewDecide(ReviewDecide params);

    @JsonRequest("lido/review/undo")
    CompletableFuture<ReviewUndone> reviewUndo(ReviewRef params);

    @JsonRequest("lido/models")
    CompletableFuture<Models> models(ModelsQuery params);

    @JsonRequest("lido/metrics")
    CompletableFuture<MetricsRows> metrics(MetricsQuery params);
}
