package dev.lido.plugin;

import com.intellij.openapi.editor.Editor;
import com.intellij.openapi.fileEditor.FileEditorManager;
import com.intellij.openapi.project.Project;
import com.intellij.ui.components.JBScrollPane;
import dev.lido.core.Plans;
import dev.lido.generated.Attachment;
import dev.lido.generated.PlanStart;
import dev.lido.generated.PlanStep;
import dev.lido.generated.PlanUpdate;
import java.awt.BorderLayout;
import java.awt.FlowLayout;
import java.awt.GridLayout;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import javax.swing.BoxLayout;
import javax.swing.DefaultListModel;
import javax.swing.JButton;
import javax.swing.JCheckBox;
import javax.swing.JLabel;
import javax.swing.JList;
import javax.swing.JPanel;
import javax.swing.JTextArea;
import javax.swing.JTextField;

/** A plan: what is to be done, how far it is, and what it asks. */
final class PlanPanel extends JPanel implements Listener {
    private static final long serialVersionUID = 1;

    private final transient Project project;
    private final JTextArea instruction = new JTextArea(3, 20);
    private final JCheckBox agent = new JCheckBox("Run the tests until they pass");
    private final JCheckBox confirm = new JCheckBox("Ask before editing");
    private final JButton start = new JButton("Start");
    private final JLabel state = new JLabel(" ");
    private final DefaultListModel<String> steps = new DefaultListModel<>();
    private final JTextArea question = new JTextArea();
    private final JPanel answers = new JPanel(new FlowLayout(FlowLayout.LEADING));
    private transient PlanUpdate update;

    PlanPanel(Project project) {
        super(new BorderLayout());
        this.project = project;
        instruction.setLineWrap(true);
        instruction.setWrapStyleWord(true);
        instruction.getAccessibleContext().setAccessibleName("What Lido shall do");
        question.setEditable(false);
        question.setLineWrap(true);
        question.setWrapStyleWord(true);
        question.setOpaque(false);
        start.addActionListener(event -> startOrCancel());

        JPanel choices = new JPanel(new GridLayout(0, 1));
        choices.add(agent);
        choices.add(confirm);
        JPanel buttons = new JPanel(new FlowLayout(FlowLayout.LEADING));
        buttons.add(start);
        buttons.add(choices);
        JPanel top = new JPanel(new BorderLayout());
        top.add(new JBScrollPane(instruction), BorderLayout.CENTER);
        top.add(buttons, BorderLayout.SOUTH);
        JPanel below = new JPanel();
        below.setLayout(new BoxLayout(below, BoxLayout.Y_AXIS));
        below.add(question);
        below.add(answers);
        below.add(state);
        add(top, BorderLayout.NORTH);
        add(new JBScrollPane(new JList<>(steps)), BorderLayout.CENTER);
        add(below, BorderLayout.SOUTH);

        LidoService service = LidoService.of(project);
        service.listen(this, service);
        if (service.plan() != null) plan(service.plan());
    }

    private boolean running() {
        return update != null && !Plans.FINAL.contains(update.state());
    }

    private void startOrCancel() {
        LidoService service = LidoService.of(project);
        if (running()) {
            told(service.lido().plans().cancel(update.planId()));
            return;
        }
        if (instruction.getText().isBlank()) return;
        Editor editor = FileEditorManager.getInstance(project).getSelectedTextEditor();
        Attachment file = editor == null ? null : ChatPanel.attachment(editor, false);
        String test = LidoSettings.get().settings().testCommand();
        told(service.lido().plans().start(new PlanStart(instruction.getText().strip())
                .withAttachments(file == null ? List.of() : List.of(file))
                .withMode(agent.isSelected() ? "agent" : "plan")
                .withConfirmSteps(confirm.isSelected())
                .withTestCommand(test.isBlank() ? null : test)));
    }

    private void told(CompletableFuture<?> request) {
        request.whenComplete((done, error) -> LidoService.onUi(() -> {
            if (error != null) LidoService.of(project).failed(error);
        }));
    }

    @Override
    public void plan(PlanUpdate now) {
        update = now;
        start.setText(running() ? "Cancel" : "Start");
        state.setText(line(now));
        steps.clear();
        for (PlanStep step : now.steps()) steps.addElement(line(step));
        question.setText(now.question() == null ? "" : now.question());
        answers.removeAll();
        if (now.question() != null) ask(now);
        revalidate();
        repaint();
    }

    private void ask(PlanUpdate now) {
        Plans plans = LidoService.of(project).lido().plans();
        if ("consent".equals(now.asks())) {
            for (String choice : List.of("yes", "always", "no")) {
                answer(capitalised(choice), () -> told(plans.answer(now.planId(), choice)));
            }
        } else if ("steps".equals(now.asks())) {
            answer("Go on", () -> told(plans.answer(now.planId(), now.steps())));
            answer("Cancel", () -> told(plans.cancel(now.planId())));
        } else {
            JTextField text = new JTextField(24);
            text.getAccessibleContext().setAccessibleName("Answer");
            answers.add(text);
            answer("Answer", () -> told(plans.answer(now.planId(), text.getText())));
        }
    }

    private void answer(String text, Runnable action) {
        JButton button = new JButton(text);
        button.addActionListener(event -> action.run());
        answers.add(button);
    }

    private static String capitalised(String text) {
        return Character.toUpperCase(text.charAt(0)) + text.substring(1);
    }

    static String line(PlanStep step) {
        String mark = switch (step.state() == null ? "" : step.state()) {
            case "running" -> "▶ ";
            case "done" -> "✓ ";
            case "failed" -> "✗ ";
            case "skipped" -> "– ";
            default -> "· ";
        };
        return mark + step.title();
    }

    static String line(PlanUpdate update) {
        String state = "gaveUp".equals(update.state()) ? "given up" : update.state();
        return update.message() == null ? state : state + ": " + update.message();
    }
}
