package dev.lido.plugin;

import static dev.lido.core.ScriptedModel.answer;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.intellij.openapi.actionSystem.AnActionEvent;
import com.intellij.openapi.actionSystem.CommonDataKeys;
import com.intellij.openapi.actionSystem.Presentation;
import com.intellij.openapi.command.WriteCommandAction;
import com.intellij.openapi.editor.Document;
import com.intellij.openapi.editor.Editor;
import dev.lido.core.GhostText;
import dev.lido.core.ReviewModel;
import dev.lido.core.ScriptedModel;
import dev.lido.core.Suggestion;
import dev.lido.generated.Attachment;
import dev.lido.generated.MetricsQuery;
import dev.lido.generated.PlanStart;
import java.awt.Component;
import java.awt.Container;
import java.awt.image.BufferedImage;
import java.io.File;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import javax.imageio.ImageIO;
import javax.swing.JEditorPane;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The plugin's service, actions and panels on real documents, with the real server behind them. */
@Timeout(value = 120, unit = TimeUnit.SECONDS)
class PluginTest {
    private static final String BEFORE = "def double(x):\n    return x + 1\n";
    private static final String AFTER = "def double(x):\n    return x * 2\n";

    @TempDir Path folder;
    Ide ide;
    ScriptedModel model;
    Document document;
    Editor editor;
    LidoService service;
    final BlockingQueue<ReviewModel> reviews = new LinkedBlockingQueue<>();

    @BeforeEach
    void start() throws Exception {
        model = new ScriptedModel(
                answer("Now make these changes", "a.txt\n<<<<<<< SEARCH\n    return x + 1\n=======\n    return x * 2\n>>>>>>> REPLACE\n"),
                answer("Plan the work", "{\"steps\": [{\"file\": \"a.txt\", \"change\": \"multiply\"}]}"),
                answer("total = 1\nc = 3", "as it stands"),
                answer("How", "Use **this**:\n\n", "```python\n", "def double(x):\n    return x * 2\n", "```\n"),
                answer("", "alpha + beta"));
        Path root = Files.createDirectory(folder.resolve("project"));
        Path home = Files.createDirectory(folder.resolve("home"));
        Files.writeString(home.resolve("config.toml"), model.toml());
        ide = new Ide(root);
        document = ide.document(Files.writeString(root.resolve("a.txt"), BEFORE));
        LidoSettings settings = new LidoSettings();
        LidoSettings.Stored stored = new LidoSettings.Stored();
        StringBuilder command = new StringBuilder("env");
        ScriptedModel.environment(home).forEach((name, value) -> command.append(" '" + name + "=" + value + "'"));
        stored.command = command + " " + String.join(" ", ScriptedModel.SERVE);
        settings.loadState(stored);
        ide.application.registerApplicationService(LidoSettings.class, settings);
        service = new LidoService(ide.project.getProject());
        ide.project.getProject().registerService(LidoService.class, service);
        editor = ide.editor(document);
        document.addDocumentListener(service.sync());
        Ide.onUi(() -> {
            service.sync().opened(editor);
            return null;
        });
        service.listen(new Listener() {
            @Override
            public void review(ReviewModel review) {
                reviews.add(review);
            }
        }, ide.parent);
    }

    @AfterEach
    void stop() {
        service.lido().close();
        model.close();
        ide.close();
    }

    private ReviewModel review() throws InterruptedException {
        ReviewModel found = reviews.poll(30, TimeUnit.SECONDS);
        if (found == null) throw new AssertionError("no review came: " + service.plan());
        return found;
    }

    private void type(String text) throws Exception {
        Ide.onUi(() -> {
            int end = document.getTextLength();
            WriteCommandAction.runWriteCommandAction(ide.project.getProject(), "Typing", "", () -> {
                document.insertString(end, text);
                editor.getCaretModel().moveToOffset(end + text.length());
            });
            return null;
        });
    }

    private AnActionEvent event() {
        return AnActionEvent.createFromDataContext("test", new Presentation(), key ->
                CommonDataKeys.PROJECT.is(key) ? ide.project.getProject() : CommonDataKeys.EDITOR.is(key) ? editor : null);
    }

    private ReviewModel planned() throws Exception {
        Attachment file = new Attachment("file").withUri(DocumentSync.uri(document));
        service.lido().plans().start(new PlanStart("Fix double()").withAttachments(List.of(file))).get(30, TimeUnit.SECONDS);
        return review();
    }

    @Test
    void aPlansHunkIsAcceptedFromTheDiffAndUndone() throws Exception {
        ReviewModel review = planned();
        var hunk = review.hunks().get(0);
        assertEquals(AFTER, ReviewDiff.after(review.files().get(0), hunk, document.getText()));
        ReviewDiff.Decide accept = new ReviewDiff.Decide(review, hunk, true);
        AnActionEvent event = event();
        Ide.onUi(() -> {
            accept.update(event);
            assertTrue(event.getPresentation().isEnabled());
            accept.actionPerformed(event);
            return null;
        });
        ReviewModel after = review();
        assertEquals(AFTER, document.getText());
        Ide.onUi(() -> {
            accept.update(event);
            return null;
        });
        assertFalse(event.getPresentation().isEnabled(), "decided already");
        assertTrue(after.undoable());
        Ide.onUi(() -> {
            new LidoAction.UndoReview().actionPerformed(event());
            return null;
        });
        review();
        assertEquals(BEFORE, document.getText());
    }

    @Test
    void aRejectedHunkLeavesTheDocument() throws Exception {
        ReviewModel review = planned();
        ReviewPanel panel = Ide.onUi(() -> new ReviewPanel(ide.project.getProject()));
        Ide.onUi(() -> {
            new ReviewDiff.Decide(review, review.hunks().get(0), false).actionPerformed(event());
            return null;
        });
        assertTrue(review().decided());
        assertEquals(BEFORE, document.getText());
        draw(panel, "review");
    }

    @Test
    void aWordIsTakenByItsActionAndCounted() throws Exception {
        type("\ny = ");
        int caret = document.getTextLength();
        Suggestion suggestion = service.lido().completions()
                .request(DocumentSync.uri(document), DocumentSync.position(document, caret), true, null)
                .get(30, TimeUnit.SECONDS).orElseThrow();
        suggestion.shown();
        Ide.onUi(() -> {
            service.sync().draws(document, GhostText.at(suggestion, document.getText(), caret));
            String text = service.sync().drawn(document).text();
            Take.insert(ide.project.getProject(), editor, text.substring(0, new LidoAction.TakeWord().length(text)));
            assertEquals(" + beta", service.sync().drawn(document).text());
            assertEquals(document.getTextLength(), editor.getCaretModel().getOffset());
            String rest = service.sync().drawn(document).text();
            Take.insert(ide.project.getProject(), editor, rest);
            assertEquals(null, service.sync().drawn(document));
            return null;
        });
        assertTrue(document.getText().endsWith("y = alpha + beta"), document.getText());
        var rows = metrics();
        assertEquals(1.0, rows.get("accepted"), rows.toString());
    }

    private java.util.Map<String, Object> metrics() throws Exception {
        // Asked by the same connection, so after what was told before.
        CompletableFuture<java.util.Map<String, Object>> row = service.lido()
                .metrics(new MetricsQuery().withBy(List.of("feature")))
                .thenApply(found -> found.rows().get(0));
        return row.get(30, TimeUnit.SECONDS);
    }

    @Test
    void whatStandsInADocumentIsWhatTheServerKnows() throws Exception {
        // The model is shown the attached file as the server has it, and answers so to this text alone.
        Ide.onUi(() -> {
            WriteCommandAction.runWriteCommandAction(ide.project.getProject(), "Typing", "", () -> {
                document.setText("");
                document.insertString(0, "é𝄞 = 1\nb = 2\n");
                document.replaceString(0, 3, "total");
                document.deleteString(document.getTextLength() - 6, document.getTextLength());
                document.insertString(document.getTextLength(), "c = 3");
            });
            return null;
        });
        assertEquals("total = 1\nc = 3", document.getText());
        Attachment file = new Attachment("file").withUri(DocumentSync.uri(document));
        var question = new dev.lido.generated.ChatSend("What is this?").withAttachments(List.of(file));
        var answer = service.lido().chat().send(question, delta -> { }).get(30, TimeUnit.SECONDS);
        assertEquals("as it stands", answer.text());
    }

    @Test
    void theChatPanelShowsTheAnswerWithItsBlocks() throws Exception {
        ChatPanel panel = Ide.onUi(() -> new ChatPanel(ide.project.getProject()));
        Attachment file = new Attachment("file").withUri(DocumentSync.uri(document));
        CompletableFuture<Void> answered = Ide.onUi(() -> panel.ask("How do I double?", List.of(file)));
        answered.get(30, TimeUnit.SECONDS);
        JEditorPane last = Ide.onUi(() -> lastPane(panel));
        assertTrue(last.getText().contains("lido:apply/0"), last.getText());
        assertTrue(last.getText().contains("<b>this</b>") || last.getText().contains("<strong>this"), last.getText());
        draw(panel, "chat");
    }

    @Test
    void thePlanPanelShowsStepsAndState() throws Exception {
        PlanPanel panel = Ide.onUi(() -> new PlanPanel(ide.project.getProject()));
        planned();
        draw(panel, "plan");
        assertEquals("review", Ide.onUi(() -> service.plan().state()));
    }

    private static JEditorPane lastPane(Container in) {
        JEditorPane found = null;
        for (Component one : in.getComponents()) {
            if (one instanceof JEditorPane pane) found = pane;
            else if (one instanceof Container container) {
                JEditorPane inside = lastPane(container);
                if (inside != null) found = inside;
            }
        }
        return found;
    }

    /** Draws a panel to a picture where LIDO_TEST_SCREENS names a folder. */
    private static void draw(Component panel, String name) throws Exception {
        String screens = System.getenv("LIDO_TEST_SCREENS");
        BufferedImage image = Ide.onUi(() -> {
            for (int i = 0; i < 4; i++) {
                panel.setSize(420, 520);
                layout(panel);
            }
            BufferedImage drawn = new BufferedImage(420, 520, BufferedImage.TYPE_INT_RGB);
            panel.paint(drawn.getGraphics());
            return drawn;
        });
        if (screens != null) ImageIO.write(image, "png", new File(screens, "jetbrains-" + name + ".png"));
    }

    private static void layout(Component component) {
        component.doLayout();
        if (component instanceof Container container) {
            for (Component child : container.getComponents()) layout(child);
        }
    }
}
