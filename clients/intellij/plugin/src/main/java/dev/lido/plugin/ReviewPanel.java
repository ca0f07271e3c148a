package dev.lido.plugin;

import com.intellij.openapi.project.Project;
import com.intellij.ui.components.JBScrollPane;
import dev.lido.core.ReviewModel;
import dev.lido.core.Uris;
import dev.lido.generated.HunkState;
import dev.lido.generated.ReviewHunk;
import java.awt.BorderLayout;
import java.awt.GridLayout;
import java.awt.event.MouseAdapter;
import java.awt.event.MouseEvent;
import java.util.List;
import javax.swing.DefaultListModel;
import javax.swing.JButton;
import javax.swing.JLabel;
import javax.swing.JList;
import javax.swing.JPanel;

/** A review's hunks, decided here or in the diff viewer. */
final class ReviewPanel extends JPanel implements Listener {
    private static final long serialVersionUID = 1;

    private final transient Project project;
    private final JLabel title = new JLabel(" ");
    private final DefaultListModel<ReviewHunk> hunks = new DefaultListModel<>();
    private final JList<ReviewHunk> list = new JList<>(hunks);
    private final JButton undo;
    private transient ReviewModel review;

    ReviewPanel(Project project) {
        super(new BorderLayout());
        this.project = project;
        list.setCellRenderer((of, hunk, index, selected, focused) -> {
            JLabel label = new JLabel(line(hunk));
            label.setOpaque(true);
            label.setBackground(selected ? of.getSelectionBackground() : of.getBackground());
            label.setForeground(selected ? of.getSelectionForeground() : of.getForeground());
            label.setToolTipText(review == null ? null : review.messages().get(hunk.hunkId()));
            return label;
        });
        list.addMouseListener(new MouseAdapter() {
            @Override
            public void mouseClicked(MouseEvent event) {
                if (event.getClickCount() == 2) show(list.getSelectedValue());
            }
        });
        JPanel buttons = new JPanel(new GridLayout(0, 3));
        button(buttons, "Show diff", () -> show(list.getSelectedValue()));
        button(buttons, "Accept", () -> decide(chosen(), true));
        button(buttons, "Reject", () -> decide(chosen(), false));
        button(buttons, "Accept all", () -> decide(review == null ? List.of() : review.pending(), true));
        button(buttons, "Reject all", () -> decide(review == null ? List.of() : review.pending(), false));
        undo = button(buttons, "Undo", () -> LidoService.of(project).undo(review));
        undo.setEnabled(false);
        add(title, BorderLayout.NORTH);
        add(new JBScrollPane(list), BorderLayout.CENTER);
        add(buttons, BorderLayout.SOUTH);

        LidoService service = LidoService.of(project);
        service.listen(this, service);
        if (service.review() != null) review(service.review());
    }

    private static JButton button(JPanel panel, String text, Runnable action) {
        JButton button = new JButton(text);
        button.addActionListener(event -> action.run());
        panel.add(button);
        return button;
    }

    static String line(ReviewHunk hunk) {
        String mark = switch (hunk.state()) {
            case HunkState.ACCEPTED -> "✓ ";
            case HunkState.REJECTED -> "✗ ";
            case HunkState.CONFLICT, HunkState.FAILED -> "! ";
            case HunkState.UNDONE -> "↶ ";
            default -> "· ";
        };
        String place = Uris.path(hunk.uri()).getFileName() + ":" + (hunk.oldRange().getStart().getLine() + 1);
        return hunk.description().isBlank() ? mark + place : mark + place + "  " + hunk.description();
    }

    private List<String> chosen() {
        return list.getSelectedValuesList().stream()
                .filter(hunk -> HunkState.PENDING.equals(hunk.state()))
                .map(ReviewHunk::hunkId)
                .toList();
    }

    private void decide(List<String> hunkIds, boolean accept) {
        if (!hunkIds.isEmpty()) LidoService.of(project).decide(review, hunkIds, accept);
    }

    private void show(ReviewHunk from) {
        if (review != null) ReviewDiff.show(project, review, from == null ? "" : from.hunkId());
    }

    @Override
    public void review(ReviewModel now) {
        review = now;
        title.setText(now.title().isBlank() ? "Changes" : now.title());
        int selected = list.getSelectedIndex();
        hunks.clear();
        now.hunks().forEach(hunks::addElement);
        list.setSelectedIndex(Math.min(selected < 0 ? 0 : selected, hunks.size() - 1));
        undo.setEnabled(now.undoable());
    }
}
