package dev.lido.plugin;

import com.intellij.openapi.options.Configurable;
import com.intellij.openapi.project.Project;
import com.intellij.openapi.project.ProjectManager;
import java.awt.BorderLayout;
import java.awt.GridBagConstraints;
import java.awt.GridBagLayout;
import java.awt.Insets;
import javax.swing.JCheckBox;
import javax.swing.JComponent;
import javax.swing.JLabel;
import javax.swing.JPanel;
import javax.swing.JSpinner;
import javax.swing.JTextField;
import javax.swing.SpinnerNumberModel;

/** Settings → Tools → Lido. */
public final class LidoConfigurable implements Configurable {
    private final JTextField command = new JTextField();
    private final JCheckBox completions = new JCheckBox("Suggest while typing");
    private final JTextField disabledLanguages = new JTextField();
    private final JSpinner maxLines = new JSpinner(new SpinnerNumberModel(0, 0, 500, 1));
    private final JTextField testCommand = new JTextField();

    @Override
    public String getDisplayName() {
        return "Lido";
    }

    @Override
    public JComponent createComponent() {
        JPanel form = new JPanel(new GridBagLayout());
        int row = 0;
        row = line(form, row, "Server command", command, "Empty: lido on the PATH, else the one that was set up.");
        row = line(form, row, "", completions, "");
        row = line(form, row, "No suggestions in", disabledLanguages, "Language ids, such as: markdown, plaintext");
        row = line(form, row, "Lines of a suggestion, at most", maxLines, "0: as the server is configured.");
        line(form, row, "Test command for plans", testCommand, "Offered, and run only with your consent.");
        JPanel page = new JPanel(new BorderLayout());
        page.add(form, BorderLayout.NORTH);
        reset();
        return page;
    }

    private static int line(JPanel form, int row, String label, JComponent field, String help) {
        GridBagConstraints at = new GridBagConstraints();
        at.insets = new Insets(4, 4, 0, 4);
        at.anchor = GridBagConstraints.LINE_START;
        at.gridy = row;
        JLabel name = new JLabel(label);
        name.setLabelFor(field);
        form.add(name, at);
        at.gridx = 1;
        at.weightx = 1;
        at.fill = GridBagConstraints.HORIZONTAL;
        form.add(field, at);
        if (!help.isEmpty()) {
            at.gridy = row + 1;
            at.insets = new Insets(0, 4, 4, 4);
            JLabel text = new JLabel(help);
            text.setEnabled(false);
            form.add(text, at);
        }
        return row + 2;
    }

    private LidoSettings.Stored shown() {
        LidoSettings.Stored shown = new LidoSettings.Stored();
        shown.command = command.getText().strip();
        shown.completions = completions.isSelected();
        shown.disabledLanguages = disabledLanguages.getText().strip();
        shown.maxLines = (Integer) maxLines.getValue();
        shown.testCommand = testCommand.getText().strip();
        return shown;
    }

    @Override
    public boolean isModified() {
        LidoSettings.Stored shown = shown();
        LidoSettings.Stored kept = LidoSettings.get().getState();
        return !shown.command.equals(kept.command)
                || shown.completions != kept.completions
                || !shown.disabledLanguages.equals(kept.disabledLanguages)
                || shown.maxLines != kept.maxLines
                || !shown.testCommand.equals(kept.testCommand);
    }

    @Override
    public void apply() {
        boolean restart = !shown().command.equals(LidoSettings.get().getState().command);
        LidoSettings.get().loadState(shown());
        for (Project project : ProjectManager.getInstance().getOpenProjects()) {
            LidoService service = LidoService.of(project);
            if (restart) service.restart();
            else service.settingsChanged();
        }
    }

    @Override
    public void reset() {
        LidoSettings.Stored kept = LidoSettings.get().getState();
        command.setText(kept.command);
        completions.setSelected(kept.completions);
        disabledLanguages.setText(kept.disabledLanguages);
        maxLines.setValue(kept.maxLines);
        testCommand.setText(kept.testCommand);
    }
}
