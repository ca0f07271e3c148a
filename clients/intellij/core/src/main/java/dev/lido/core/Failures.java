package dev.lido.core;

import java.util.concurrent.CancellationException;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ExecutionException;
import org.eclipse.lsp4j.jsonrpc.ResponseErrorException;
import org.eclipse.lsp4j.jsonrpc.messages.ResponseErrorCode;

/** What went wrong, in a sentence for the person. */
public final class Failures {
    private Failures() {}

    public static Throwable cause(Throwable error) {
        while ((error instanceof CompletionException || error instanceof ExecutionException)
                && error.getCause() != null) {
            error = error.getCause();
        }
        return error;
    }

    public static String text(Throwable error) {
        Throwable cause = cause(error);
        if (cause instanceof ResponseErrorException response) return response.getResponseError().getMessage();
        String message = cause.getMessage();
        return message == null || message.isBlank() ? cause.getClass().getSimpleName() : message;
    }

    /** Whether it only means that nobody waits for the answer any more. */
    public static boolean cancelled(Throwable error) {
        Throwable cause = cause(error);
        return cause instanceof CancellationException
                || cause instanceof ResponseErrorException response
                        && response.getResponseError().getCode() == ResponseErrorCode.RequestCancelled.getValue();
    }
}
