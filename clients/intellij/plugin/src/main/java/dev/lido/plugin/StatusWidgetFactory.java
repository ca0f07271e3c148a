package dev.lido.plugin;

import com.intellij.openapi.project.Project;
import com.intellij.openapi.wm.StatusBar;
import com.intellij.openapi.wm.StatusBarWidget;
import com.intellij.openapi.wm.StatusBarWidgetFactory;
import com.intellij.openapi.wm.WindowManager;
import com.intellij.util.Consumer;
import dev.lido.generated.ModelStatus;
import dev.lido.generated.Status;
import java.awt.Component;
import java.awt.event.MouseEvent;
import javax.swing.JMenuItem;
import javax.swing.JPopupMenu;

/** What Lido does now, in the status bar. */
public final class StatusWidgetFactory implements StatusBarWidgetFactory {
    static final String ID = "dev.lido.status";

    @Override
    public String getId() {
        return ID;
    }

    @Override
    public String getDisplayName() {
        return "Lido";
    }

    @Override
    public boolean isAvailable(Project project) {
        return true;
    }

    @Override
    public StatusBarWidget createWidget(Project project) {
        return new Widget(project);
    }

    @Override
    public void disposeWidget(StatusBarWidget widget) {
        com.intellij.openapi.util.Disposer.dispose(widget);
    }

    @Override
    public boolean canBeEnabledOn(StatusBar statusBar) {
        return true;
    }

    static String text(Status status) {
        return switch (status.state()) {
            case "ready" -> "Lido";
            case "busy" -> "Lido …";
            case "warming" -> "Lido: warming up";
            case "error" -> "Lido: problem";
            default -> "Lido: off";
        };
    }

    static String tooltip(Status status) {
        StringBuilder text = new StringBuilder(status.message().isEmpty() ? "Lido" : status.message());
        for (ModelStatus model : status.models()) {
            text.append('\n').append(model.name()).append(" (").append(model.model()).append("): ").append(model.state());
            if (!model.message().isEmpty()) text.append(", ").append(model.message());
        }
        return text.toString();
    }

    private static final class Widget implements StatusBarWidget, StatusBarWidget.TextPresentation, Listener {
        private final Project project;

        Widget(Project project) {
            this.project = project;
        }

        @Override
        public String ID() {
            return ID;
        }

        @Override
        public WidgetPresentation getPresentation() {
            return this;
        }

        @Override
        public void install(StatusBar statusBar) {
            LidoService.of(project).listen(this, this);
        }

        @Override
        public void status(Status status) {
            StatusBar bar = project.isDisposed() ? null : WindowManager.getInstance().getStatusBar(project);
            if (bar != null) bar.updateWidget(ID);
        }

        @Override
        public String getText() {
            return text(LidoService.of(project).status());
        }

        @Override
        public String getTooltipText() {
            return tooltip(LidoService.of(project).status());
        }

        @Override
        public float getAlignment() {
            return Component.CENTER_ALIGNMENT;
        }

        @Override
        public Consumer<MouseEvent> getClickConsumer() {
            return event -> {
                JPopupMenu menu = new JPopupMenu();
                item(menu, "Chat", () -> LidoToolWindow.show(project, LidoToolWindow.CHAT));
                LidoSettings.Stored stored = LidoSettings.get().getState();
                item(menu, stored.completions ? "Suggest no more" : "Suggest while typing", () -> {
                    stored.completions = !stored.completions;
                    LidoService.of(project).settingsChanged();
                });
                item(menu, "Restart", LidoService.of(project)::restart);
                item(menu, "Settings…", () -> Notifications.settings(project));
                menu.show(event.getComponent(), event.getX(), event.getY());
            };
        }

        private static void item(JPopupMenu menu, String text, Runnable action) {
            JMenuItem item = new JMenuItem(text);
            item.addActionListener(event -> action.run());
            menu.add(item);
        }

        @Override
        public void dispose() {}
    }
}
