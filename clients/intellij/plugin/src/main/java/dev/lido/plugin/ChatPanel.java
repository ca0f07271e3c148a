package dev.lido.plugin;

import com.intellij.ide.BrowserUtil;
import com.intellij.openapi.command.WriteCommandAction;
import com.intellij.openapi.editor.Editor;
import com.intellij.openapi.fileEditor.FileEditorManager;
import com.intellij.openapi.ide.CopyPasteManager;
import com.intellij.openapi.project.Project;
import com.intellij.openapi.ui.popup.JBPopupFactory;
import com.intellij.ui.components.JBScrollPane;
import dev.lido.core.Transcript;
import dev.lido.generated.Attachment;
import dev.lido.generated.AttachmentKind;
import dev.lido.generated.ChatAnswer;
import dev.lido.generated.ChatDelta;
import dev.lido.generated.ChatSend;
import dev.lido.generated.CodeBlock;
import dev.lido.generated.ConversationSummary;
import java.awt.BorderLayout;
import java.awt.Dimension;
import java.awt.FlowLayout;
import java.awt.Rectangle;
import java.awt.datatransfer.StringSelection;
import java.awt.event.ActionEvent;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.function.Consumer;
import javax.swing.AbstractAction;
import javax.swing.BorderFactory;
import javax.swing.Box;
import javax.swing.BoxLayout;
import javax.swing.JButton;
import javax.swing.JEditorPane;
import javax.swing.JLabel;
import javax.swing.JPanel;
import javax.swing.JTextArea;
import javax.swing.KeyStroke;
import javax.swing.Scrollable;
import javax.swing.SwingConstants;
import javax.swing.Timer;
import javax.swing.event.HyperlinkEvent;
import javax.swing.text.DefaultCaret;

/** The chat: what was said above, the question below. */
final class ChatPanel extends JPanel {
    private static final long serialVersionUID = 1;
    private static final int REDRAW_MS = 50;

    private final transient Project project;
    private final transient Transcript transcript = new Transcript();
    private final JPanel messages = new JPanel();
    private final JPanel attached = new JPanel(new FlowLayout(FlowLayout.LEADING));
    private final JTextArea question = new JTextArea(3, 20);
    private final JButton send = new JButton("Send");
    private final Timer redraw = new Timer(REDRAW_MS, event -> drawLast());
    private final transient List<Attachment> attachments = new ArrayList<>();
    private transient Transcript.Entry replaces;
    private transient CompletableFuture<ChatAnswer> answering;
    private transient CompletableFuture<Void> drawn = CompletableFuture.completedFuture(null);

    ChatPanel(Project project) {
        super(new BorderLayout());
        this.project = project;
        redraw.setRepeats(false);
        messages.setLayout(new BoxLayout(messages, BoxLayout.Y_AXIS));
        JPanel top = new AsWideAsItsView();
        top.add(messages, BorderLayout.NORTH);

        JPanel bar = new JPanel(new FlowLayout(FlowLayout.LEADING));
        button(bar, "New", this::begin);
        button(bar, "History", this::history);
        button(bar, "Again", this::again);

        question.setLineWrap(true);
        question.setWrapStyleWord(true);
        question.getAccessibleContext().setAccessibleName("Question to Lido");
        question.getInputMap().put(KeyStroke.getKeyStroke("ENTER"), "send");
        question.getInputMap().put(KeyStroke.getKeyStroke("shift ENTER"), "insert-break");
        question.getActionMap().put("send", new AbstractAction() {
            private static final long serialVersionUID = 1;

            @Override
            public void actionPerformed(ActionEvent event) {
                sendOrStop(false);
            }
        });
        send.addActionListener(event -> sendOrStop(true));

        JPanel below = new JPanel(new FlowLayout(FlowLayout.LEADING));
        below.add(send);
        button(below, "Attach file", () -> attach(false));
        button(below, "Attach selection", () -> attach(true));
        JPanel input = new JPanel(new BorderLayout());
        input.add(attached, BorderLayout.NORTH);
        input.add(new JBScrollPane(question), BorderLayout.CENTER);
        input.add(below, BorderLayout.SOUTH);

        add(bar, BorderLayout.NORTH);
        add(new JBScrollPane(top), BorderLayout.CENTER);
        add(input, BorderLayout.SOUTH);
    }

    /** Long lines are wrapped, not scrolled to. */
    private static final class AsWideAsItsView extends JPanel implements Scrollable {
        private static final long serialVersionUID = 1;

        AsWideAsItsView() {
            super(new BorderLayout());
        }

        @Override
        public Dimension getPreferredScrollableViewportSize() {
            return getPreferredSize();
        }

        @Override
        public int getScrollableUnitIncrement(Rectangle visible, int orientation, int direction) {
            return 16;
        }

        @Override
        public int getScrollableBlockIncrement(Rectangle visible, int orientation, int direction) {
            return visible.height;
        }

        @Override
        public boolean getScrollableTracksViewportWidth() {
            return true;
        }

        @Override
        public boolean getScrollableTracksViewportHeight() {
            return false;
        }
    }

    private static void button(JPanel panel, String text, Runnable action) {
        JButton button = new JButton(text);
        button.addActionListener(event -> action.run());
        panel.add(button);
    }

    /** Puts a question in, with what it is about, and sends it. Completes when the answer is drawn. */
    CompletableFuture<Void> ask(String text, List<Attachment> about) {
        about.forEach(this::attach);
        question.setText(text);
        sendOrStop(false);
        return drawn;
    }

    private void sendOrStop(boolean stop) {
        if (answering != null) {
            if (stop) answering.cancel(true);
            return;
        }
        String text = question.getText().strip();
        if (text.isEmpty()) return;
        ChatSend params = transcript.ask(text, attachments, null, replaces);
        question.setText("");
        attachments.clear();
        replaces = null;
        drawAttachments();
        stream(onDelta -> LidoService.of(project).lido().chat().send(params, onDelta));
    }

    private void again() {
        if (answering != null || transcript.conversationId() == null) return;
        transcript.again();
        stream(onDelta -> LidoService.of(project).lido().chat().retry(transcript.conversationId(), null, onDelta));
    }

    private interface Streaming {
        CompletableFuture<ChatAnswer> start(Consumer<ChatDelta> onDelta);
    }

    private void stream(Streaming streaming) {
        drawAll();
        send.setText("Stop");
        drawn = new CompletableFuture<>();
        answering = streaming.start(delta -> LidoService.onUi(() -> {
            if (answering == null) return;
            transcript.delta(delta);
            if (!redraw.isRunning()) redraw.start();
        }));
        answering.whenComplete((answer, error) -> LidoService.onUi(() -> {
            answering = null;
            send.setText("Send");
            if (error != null) transcript.failed(error);
            else transcript.answered(answer);
            drawLast();
            drawn.complete(null);
        }));
    }

    // ---------------------------------------------------------------- what is attached

    private void attach(boolean selection) {
        Editor editor = FileEditorManager.getInstance(project).getSelectedTextEditor();
        Attachment found = editor == null ? null : attachment(editor, selection);
        if (found != null) attach(found);
    }

    /** The editor's file, or what is selected in it; null where there is none. */
    static Attachment attachment(Editor editor, boolean selection) {
        String uri = DocumentSync.uri(editor.getDocument());
        if (uri == null) return null;
        if (!selection) return new Attachment(AttachmentKind.FILE).withUri(uri);
        int start = editor.getSelectionModel().getSelectionStart();
        int end = editor.getSelectionModel().getSelectionEnd();
        if (start == end) return null;
        return new Attachment(AttachmentKind.SELECTION)
                .withUri(uri)
                .withRange(DocumentSync.range(editor.getDocument(), start, end))
                .withText(editor.getDocument().getCharsSequence().subSequence(start, end).toString());
    }

    private void attach(Attachment one) {
        if (!attachments.contains(one)) attachments.add(one);
        drawAttachments();
    }

    private void drawAttachments() {
        attached.removeAll();
        for (Attachment one : attachments) {
            JButton chip = new JButton(label(one) + " ✕");
            chip.setToolTipText("Leave out");
            chip.addActionListener(event -> {
                attachments.remove(one);
                drawAttachments();
            });
            attached.add(chip);
        }
        attached.revalidate();
        attached.repaint();
    }

    private static String label(Attachment one) {
        String name = one.uri() == null
                ? one.kind()
                : String.valueOf(dev.lido.core.Uris.path(one.uri()).getFileName());
        return one.range() == null ? name : name + ":" + (one.range().getStart().getLine() + 1);
    }

    // ---------------------------------------------------------------- drawing

    private void drawAll() {
        messages.removeAll();
        for (Transcript.Entry entry : transcript.entries()) messages.add(message(entry));
        messages.revalidate();
        messages.repaint();
        toEnd();
    }

    private void drawLast() {
        if (transcript.entries().isEmpty()) return;
        Transcript.Entry last = transcript.entries().get(transcript.entries().size() - 1);
        if (messages.getComponentCount() > 0) messages.remove(messages.getComponentCount() - 1);
        messages.add(message(last));
        messages.revalidate();
        messages.repaint();
        toEnd();
    }

    private void toEnd() {
        LidoService.onUi(() -> messages.scrollRectToVisible(new Rectangle(0, messages.getHeight() - 1, 1, 1)));
    }

    private JPanel message(Transcript.Entry entry) {
        JEditorPane pane = new JEditorPane();
        pane.setEditable(false);
        pane.setOpaque(false);
        pane.putClientProperty(JEditorPane.HONOR_DISPLAY_PROPERTIES, true);
        pane.setContentType("text/html");
        ((DefaultCaret) pane.getCaret()).setUpdatePolicy(DefaultCaret.NEVER_UPDATE);
        pane.setText("<html><body>" + entry.html() + "</body></html>");
        pane.getAccessibleContext().setAccessibleName(entry.question() ? "You" : "Lido");
        pane.addHyperlinkListener(event -> {
            if (event.getEventType() == HyperlinkEvent.EventType.ACTIVATED) follow(entry, event.getDescription());
        });

        JPanel head = new JPanel(new FlowLayout(FlowLayout.LEADING, 4, 0));
        JLabel who = new JLabel(entry.question() ? "You" : "Lido", SwingConstants.LEADING);
        who.setFont(who.getFont().deriveFont(java.awt.Font.BOLD));
        head.add(who);
        if (entry.id() != null) {
            head.add(Box.createRigidArea(new Dimension(8, 0)));
            if (entry.question()) {
                small(head, "Edit", () -> edit(entry));
            } else {
                small(head, "up".equals(entry.rating()) ? "Good ✓" : "Good", () -> rate(entry, true));
                small(head, "down".equals(entry.rating()) ? "Bad ✓" : "Bad", () -> rate(entry, false));
            }
        }
        JPanel panel = new JPanel(new BorderLayout());
        panel.setBorder(BorderFactory.createEmptyBorder(6, 6, 6, 6));
        panel.add(head, BorderLayout.NORTH);
        panel.add(pane, BorderLayout.CENTER);
        return panel;
    }

    private static void small(JPanel panel, String text, Runnable action) {
        JButton button = new JButton(text);
        button.putClientProperty("ActionToolbar.smallVariant", true);
        button.addActionListener(event -> action.run());
        panel.add(button);
    }

    private void edit(Transcript.Entry entry) {
        replaces = entry;
        question.setText(entry.text());
        attachments.clear();
        entry.attachments().forEach(this::attach);
        question.requestFocusInWindow();
    }

    private void rate(Transcript.Entry entry, boolean up) {
        LidoService.of(project).lido().chat().rate(entry.id(), up);
        transcript.rated(entry, up);
        drawAll();
    }

    // ---------------------------------------------------------------- links

    private void follow(Transcript.Entry entry, String link) {
        if (link.startsWith("http://") || link.startsWith("https://")) {
            BrowserUtil.browse(link);
            return;
        }
        String[] parts = link.split("[:/]");
        if (parts.length != 3 || !parts[0].equals("lido")) return;
        CodeBlock block = entry.blocks().get(Integer.parseInt(parts[2]));
        switch (parts[1]) {
            case "copy" -> CopyPasteManager.getInstance().setContents(new StringSelection(block.text()));
            case "insert" -> insert(block);
            case "apply" -> apply(block);
            default -> { }
        }
    }

    private void insert(CodeBlock block) {
        Editor editor = FileEditorManager.getInstance(project).getSelectedTextEditor();
        if (editor == null) return;
        int start = editor.getSelectionModel().getSelectionStart();
        int end = editor.getSelectionModel().getSelectionEnd();
        WriteCommandAction.runWriteCommandAction(project, "Insert from Lido", "Lido",
                () -> editor.getDocument().replaceString(start, end, block.text()));
    }

    private void apply(CodeBlock block) {
        String uri = block.uri();
        if (uri == null) {
            Editor editor = FileEditorManager.getInstance(project).getSelectedTextEditor();
            uri = editor == null ? null : DocumentSync.uri(editor.getDocument());
        }
        if (uri == null) return;
        LidoService service = LidoService.of(project);
        service.lido().chat().apply(block.text(), uri, block.language()).whenComplete((opened, error) -> {
            if (error != null) LidoService.onUi(() -> service.failed(error));
            else service.open(opened.reviewId());
        });
    }

    // ---------------------------------------------------------------- conversations

    private void begin() {
        if (answering != null) answering.cancel(true);
        transcript.clear();
        replaces = null;
        drawAll();
        question.requestFocusInWindow();
    }

    private void history() {
        LidoService service = LidoService.of(project);
        service.lido().chat().list(null).whenComplete((found, error) -> LidoService.onUi(() -> {
            if (error != null) {
                service.failed(error);
                return;
            }
            JBPopupFactory.getInstance()
                    .createPopupChooserBuilder(found)
                    .setTitle("Conversations")
                    .setRenderer((list, value, index, selected, focused) -> {
                        JLabel label = new JLabel(value.title());
                        label.setOpaque(true);
                        label.setBackground(selected ? list.getSelectionBackground() : list.getBackground());
                        label.setForeground(selected ? list.getSelectionForeground() : list.getForeground());
                        return label;
                    })
                    .setItemChosenCallback(this::load)
                    .createPopup()
                    .showUnderneathOf(this);
        }));
    }

    private void load(ConversationSummary summary) {
        LidoService service = LidoService.of(project);
        service.lido().chat().get(summary.conversationId()).whenComplete((found, error) -> LidoService.onUi(() -> {
            if (error != null) {
                service.failed(error);
                return;
            }
            if (answering != null) answering.cancel(true);
            transcript.load(found);
            drawAll();
        }));
    }
}
