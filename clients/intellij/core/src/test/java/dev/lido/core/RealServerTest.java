package dev.lido.core;

import static dev.lido.core.RealServer.get;
import static dev.lido.core.RealServer.take;
import static dev.lido.core.ScriptedModel.answer;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lido.generated.Attachment;
import dev.lido.generated.ChatSend;
import dev.lido.generated.MetricsQuery;
import dev.lido.generated.PlanStart;
import dev.lido.generated.PlanState;
import dev.lido.generated.PlanUpdate;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import org.eclipse.lsp4j.ClientInfo;
import org.eclipse.lsp4j.Diagnostic;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The whole of the core against the real server over stdio. */
@Timeout(value = 120, unit = TimeUnit.SECONDS)
class RealServerTest {
    private static final String BEFORE = "def double(x):\n    return x + 1\n";
    private static final String AFTER = "def double(x):\n    return x * 2\n";
    private static final ScriptedModel.Script STEPS =
            answer("Plan the work", "{\"steps\": [{\"file\": \"a.py\", \"change\": \"multiply\"}]}");
    private static final ScriptedModel.Script EDIT = answer("Now make these changes",
            "a.py\n<<<<<<< SEARCH\n    return x + 1\n=======\n    return x * 2\n>>>>>>> REPLACE\n");

    @TempDir Path folder;

    @Test
    void aSuggestionIsShownAcceptedAndCounted() throws Exception {
        try (RealServer real = new RealServer(folder, Map.of("a.py", BEFORE), answer("", "x * 2"))) {
            String uri = real.open("a.py", "python");
            String before = "\ndef é𝄞(x):\n    return ";
            real.type(uri, BEFORE.length(), before);
            int cursor = BEFORE.length() + before.length();
            var at = new Positions(real.open.get(uri)).at(cursor);
            Suggestion suggestion = get(real.lido.completions().request(uri, at, true, null)).orElseThrow();
            assertEquals(at, suggestion.range().getStart());

            GhostText ghost = GhostText.at(suggestion, real.open.get(uri), cursor);
            assertEquals("x * 2", ghost.text());
            suggestion.shown();
            assertTrue(ghost.changed(cursor, 0, "x"), "typed along");
            real.type(uri, cursor, "x");
            assertFalse(ghost.changed(cursor + 1, 0, " * 2"), "taken");
            real.type(uri, cursor + 1, " * 2");
            suggestion.dismissed("too late: the first outcome counts");
            var row = completions(real);
            assertEquals(List.of(1.0, 1.0, 0.0), List.of(row.get("shown"), row.get("accepted"), row.get("rejected")));
        }
    }

    @Test
    void aSuggestionIsTakenByWordAndByLineThenDismissed() throws Exception {
        try (RealServer real = new RealServer(folder, Map.of("a.py", BEFORE), answer("", "x = alpha + beta\n    return x"))) {
            String uri = real.open("a.py", "python");
            real.type(uri, BEFORE.length(), "\ndef f(alpha, beta):\n    ");
            int cursor = real.open.get(uri).length();
            var at = new Positions(real.open.get(uri)).at(cursor);
            Suggestion suggestion = get(real.lido.completions().request(uri, at, true, null)).orElseThrow();
            suggestion.shown();
            GhostText ghost = GhostText.at(suggestion, real.open.get(uri), cursor);
            int all = ghost.text().length();
            for (boolean word : new boolean[] {true, false}) {
                int end = word ? Suggestion.wordEnd(ghost.text()) : Suggestion.lineEnd(ghost.text());
                String part = ghost.text().substring(0, end);
                int offset = cursor + all - ghost.text().length();
                assertTrue(ghost.changed(offset, 0, part), part);
                real.type(uri, offset, part);
            }
            assertTrue(real.open.get(uri).toString().endsWith("x = alpha + beta"), real.open.get(uri).toString());
            ghost.hidden("escape");
            var row = completions(real);
            assertEquals(1.0, row.get("shown"));
            assertEquals(1.0, row.get("partially_accepted"));
        }
    }

    @Test
    void whatIsDismissedIsRejected() throws Exception {
        try (RealServer real = new RealServer(folder, Map.of("a.py", BEFORE), answer("", "1"))) {
            String uri = real.open("a.py", "python");
            real.type(uri, BEFORE.length(), "\ny = ");
            var at = new Positions(real.open.get(uri)).at(real.open.get(uri).length());
            Suggestion suggestion = get(real.lido.completions().request(uri, at, true, null)).orElseThrow();
            suggestion.shown();
            suggestion.dismissed("escape");
            assertEquals(1.0, completions(real).get("rejected"));
        }
    }

    @Test
    void actionsAreOfferedAndRunAsAPlan() throws Exception {
        try (RealServer real = new RealServer(folder, Map.of("a.py", BEFORE), EDIT, STEPS)) {
            String uri = real.open("a.py", "python");
            var range = new Positions(BEFORE).range(15, 15);
            var problem = new Diagnostic(range, "adds instead of multiplying");
            var actions = get(real.lido.actions(uri, range, List.of(problem)));
            var fix = actions.stream().filter(action -> action.getTitle().contains("adds instead")).findFirst().orElseThrow();
            get(real.lido.execute(fix.getCommand().getCommand(), fix.getCommand().getArguments()));
            PlanUpdate update;
            do update = take(real.plans); while (!Plans.FINAL.contains(update.state()));
            assertEquals(PlanState.REVIEW, update.state(), update.toString());
        }
    }

    @Test
    void aChatStreamsAndIsCancelledAtTheModel() throws Exception {
        var slow = new ScriptedModel.Script("SLOWLY", List.of("Hang "), "endless", 0.02);
        try (RealServer real = new RealServer(folder, Map.of("a.py", BEFORE), slow,
                answer("", "Use ", "this:\n", "```python\n", "x = 2\n", "```\n"))) {
            List<String> parts = new ArrayList<>();
            var question = new ChatSend("How?").withAttachments(List.of(new Attachment("file").withUri(real.uri("a.py"))));
            var answer = get(real.lido.chat().send(question, delta -> parts.add(delta.delta())));
            assertTrue(parts.size() > 1, parts.toString());
            assertEquals(answer.text(), String.join("", parts));
            assertEquals("x = 2\n", answer.codeBlocks().get(0).text());
            real.lido.chat().rate(answer.messageId(), true);
            var found = get(real.lido.chat().get(answer.conversationId()));
            assertEquals("up", found.messages().get(1).rating());

            CompletableFuture<Void> begun = new CompletableFuture<>();
            var endless = real.lido.chat().send(new ChatSend("SLOWLY"), delta -> begun.complete(null));
            get(begun);
            endless.cancel(true);
            // The server notes what came once the model's stream is closed.
            var list = get(real.lido.chat().list(null));
            assertEquals(2, list.size());
            assertTrue(get(real.lido.chat().export(answer.conversationId())).contains("x = 2"));
            assertEquals(List.of("scripted"), get(real.lido.chat().models()).roles().get("chat"));
            var kept = get(real.lido.chat().get(list.get(0).conversationId()));
            assertFalse(kept.messages().get(1).complete());

            get(real.lido.chat().delete(answer.conversationId()));
            assertEquals(1, get(real.lido.chat().list(null)).size());
            var gone = assertThrows(ExecutionException.class, () -> get(real.lido.chat().get(answer.conversationId())));
            assertTrue(Failures.text(gone).contains("no such conversation"), Failures.text(gone));
        }
    }

    @Test
    void aPlanIsReviewedAppliedAndUndone() throws Exception {
        try (RealServer real = new RealServer(folder, Map.of("a.py", BEFORE), EDIT, STEPS)) {
            String uri = real.open("a.py", "python");
            ReviewModel review = planned(real);
            assertEquals(1, review.pending().size());
            assertEquals(AFTER, ReviewModel.proposed(review.files().get(0), real.open.get(uri).toString()));

            ReviewModel after = get(real.lido.reviews().decide(review, review.pending(), true));
            Edits edits = take(real.edits);
            Edits.Change change = (Edits.Change) edits.steps().get(0);
            assertEquals(1, change.version());
            assertFalse(change.hunks().get(0).label().isEmpty(), "the annotation's label came along");
            assertEquals(AFTER, real.open.get(uri).toString());
            assertTrue(after.decided() && after.undoable());

            var undone = get(real.lido.reviews().undo(review.id()));
            assertEquals(List.of(), undone.failed());
            assertEquals(BEFORE, real.open.get(uri).toString());
        }
    }

    @Test
    void whatIsUndecidedIsThereAgainAfterACrash() throws Exception {
        try (RealServer real = new RealServer(folder, Map.of("a.py", BEFORE), EDIT, STEPS)) {
            String uri = real.open("a.py", "python");
            ReviewModel review = planned(real);
            assertEquals(List.of(review.id()), get(real.lido.reviews().undecided()).stream().map(ReviewModel::id).toList());
            real.server().destroyForcibly();
            take(real.crashes);
            ReviewModel again = get(real.lido.reviews().undecided()).get(0);
            get(real.lido.reviews().decide(again, again.pending(), true));
            assertEquals(AFTER, real.open.get(uri).toString());
            assertEquals(List.of(), get(real.lido.reviews().undecided()));
        }
    }

    @Test
    void whatTheEditorRefusesIsSaidAndNothingIsApplied() throws Exception {
        try (RealServer real = new RealServer(folder, Map.of("a.py", BEFORE), EDIT, STEPS)) {
            String uri = real.open("a.py", "python");
            ReviewModel review = planned(real);
            real.refuse = "the file is read-only";
            ReviewModel after = get(real.lido.reviews().decide(review, review.pending(), true));
            assertFalse(after.undoable());
            assertTrue(after.messages().values().toString().contains("read-only"), after.messages().toString());
            assertEquals(BEFORE, real.open.get(uri).toString());
        }
    }

    @Test
    void aCodeBlockIsAppliedByAReview() throws Exception {
        try (RealServer real = new RealServer(folder, Map.of("a.py", BEFORE))) {
            real.open("a.py", "python");
            var opened = get(real.lido.chat().apply(AFTER, real.uri("a.py"), "python"));
            var review = get(real.lido.reviews().get(opened.reviewId()));
            get(real.lido.reviews().decide(review, review.pending(), true));
            assertEquals(AFTER, real.read("a.py"));
        }
    }

    @Test
    void aCrashedServerComesBackAndKnowsWhatIsOpen() throws Exception {
        try (RealServer real = new RealServer(folder, Map.of("a.py", BEFORE), answer("", "1 + 1"))) {
            String uri = real.open("a.py", "python");
            Process first = real.server();
            real.type(uri, BEFORE.length(), "\ny = ");
            var waiting = real.lido.completions();
            first.destroyForcibly();
            assertTrue(take(real.crashes).startsWith("true The server ended with code 137"));
            Process second = real.server();
            assertNotEquals(first.pid(), second.pid());
            int end = real.open.get(uri).length();
            var at = new Positions(real.open.get(uri)).at(end);
            assertEquals("1 + 1", get(waiting.request(uri, at, true, null)).orElseThrow().text());
        }
    }

    @Test
    void aRequestUnderWayFailsWhenTheServerDies() throws Exception {
        var never = new ScriptedModel.Script("", List.of(), "hang", 0);
        try (RealServer real = new RealServer(folder, Map.of("a.py", BEFORE), never)) {
            Process server = real.server();
            var answer = real.lido.chat().send(new ChatSend("Anyone?"), delta -> {});
            server.destroyForcibly();
            var failure = assertThrows(ExecutionException.class, () -> get(answer));
            assertTrue(Failures.text(failure).contains("The server ended"), Failures.text(failure));
        }
    }

    @Test
    void afterTooManyCrashesItIsGivenUpUntilRestarted() throws Exception {
        try (RealServer real = new RealServer(folder, Map.of("a.py", BEFORE), answer("", "hello"))) {
            for (boolean again : new boolean[] {true, true, false}) {
                real.server().destroyForcibly();
                assertTrue(take(real.crashes).startsWith(again + " "));
            }
            var failure = assertThrows(ExecutionException.class, real::server);
            assertTrue(Failures.text(failure).contains("The server ended"), Failures.text(failure));
            real.lido.restart();
            assertEquals("hello", get(real.lido.chat().send(new ChatSend("Hi"), delta -> {})).text());
        }
    }

    @Test
    void aServerThatCannotBeStartedIsNotTriedAgain() throws Exception {
        try (RealServer host = new RealServer(folder, Map.of())) {
            try (Lido lido = new Lido(() -> List.of("/no/such/lido"), List.of(), new ClientInfo("t"), host, Runnable::run,
                    new BackOff(Duration.ofMillis(1), 9, Duration.ofMinutes(1)))) {
                var failure = assertThrows(ExecutionException.class, () -> get(lido.chat().list(null)));
                assertTrue(Failures.text(failure).contains("could not be started"), Failures.text(failure));
                assertTrue(take(host.crashes).startsWith("false "));
            }
        }
    }

    @Test
    void theJudgeOfClientsFindsNothingWrong() throws Exception {
        Path report = folder.resolve("report.txt");
        List<String> command = List.of(ScriptedModel.PYTHON.toString(),
                ScriptedModel.CHECKOUT.resolve("tests/conformance/client_check.py").toString(), "--report", report.toString());
        try (RealServer host = new RealServer(folder, Map.of("a.py", "x = 𝄞é\r\n"))) {
            try (Lido lido = new Lido(() -> command, List.of(host.root), new ClientInfo("judged", "1"), host, Runnable::run)) {
                String uri = host.uri("a.py");
                StringBuilder text = new StringBuilder(host.read("a.py"));
                host.open.put(uri, text);
                host.judged = lido.documents();
                lido.documents().open(uri, "python", text::toString);
                var at = new Positions(text).range(7, 7);
                text.insert(7, "y");
                lido.documents().changed(uri, at, "y");
                Suggestion suggestion = get(lido.completions().request(uri, new Positions(text).at(8), true, null)).orElseThrow();
                suggestion.shown();
                get(suggestion.accepted());
                var action = get(lido.actions(uri, at, List.of())).get(0).getCommand();
                get(lido.execute(action.getCommand(), action.getArguments()));
                assertEquals("Check", ((Edits.Change) take(host.edits).steps().get(0)).hunks().get(0).label());
                get(lido.chat().list(null));
                lido.documents().close(uri);
            }
            List<String> lines = java.nio.file.Files.readAllLines(report);
            assertEquals("nothing wrong was seen", lines.get(0), lines.toString());
            assertEquals(List.of(), lines.stream().filter(line -> line.startsWith("never")).toList());
        }
    }

    @Test
    void aServerThatEndsAtOnceSaysWhyAndIsGivenUp() throws Exception {
        try (RealServer host = new RealServer(folder, Map.of())) {
            try (Lido lido = new Lido(() -> List.of("sh", "-c", "echo no such model >&2; exit 3"), List.of(),
                    new ClientInfo("t"), host, Runnable::run,
                    new BackOff(Duration.ofMillis(1), 2, Duration.ofMinutes(1)))) {
                var failure = assertThrows(ExecutionException.class, () -> get(lido.chat().list(null)));
                assertEquals("The server ended with code 3: no such model", Failures.text(failure));
                assertTrue(take(host.crashes).startsWith("true "));
                assertTrue(take(host.crashes).startsWith("false "));
            }
        }
    }

    private static Map<String, Object> completions(RealServer real) throws Exception {
        var rows = get(real.lido.metrics(new MetricsQuery().withBy(List.of("feature"))));
        return rows.rows().stream().filter(row -> "completion".equals(row.get("feature"))).findFirst().orElseThrow();
    }

    private static ReviewModel planned(RealServer real) throws Exception {
        var file = new Attachment("file").withUri(real.uri("a.py"));
        var started = get(real.lido.plans().start(new PlanStart("Fix double()").withAttachments(List.of(file))));
        List<PlanUpdate> seen = new ArrayList<>();
        PlanUpdate update;
        do {
            update = take(real.plans);
            seen.add(update);
            assertEquals(started.planId(), update.planId());
        } while (!Plans.FINAL.contains(update.state()));
        assertEquals(PlanState.REVIEW, update.state(), seen.toString());
        return get(real.lido.reviews().get(update.reviewId()));
    }
}
