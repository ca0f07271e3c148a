package dev.lido.plugin;

import com.intellij.openapi.project.DumbAware;
import com.intellij.openapi.project.Project;
import com.intellij.openapi.wm.ToolWindow;
import com.intellij.openapi.wm.ToolWindowFactory;
import com.intellij.openapi.wm.ToolWindowManager;
import com.intellij.ui.content.Content;
import com.intellij.ui.content.ContentFactory;
import dev.lido.generated.Attachment;
import java.util.List;
import javax.swing.JComponent;

/** The tool window: chat, plan, review. */
public final class LidoToolWindow implements ToolWindowFactory, DumbAware {
    static final String ID = "Lido";
    static final String CHAT = "Chat";
    static final String PLAN = "Plan";
    static final String REVIEW = "Review";

    @Override
    public void createToolWindowContent(Project project, ToolWindow toolWindow) {
        add(toolWindow, new ChatPanel(project), CHAT);
        add(toolWindow, new PlanPanel(project), PLAN);
        add(toolWindow, new ReviewPanel(project), REVIEW);
    }

    private static void add(ToolWindow toolWindow, JComponent panel, String name) {
        toolWindow.getContentManager().addContent(ContentFactory.getInstance().createContent(panel, name, false));
    }

    /** Opens the chat and asks there. */
    static void ask(Project project, String text, List<Attachment> about) {
        show(project, CHAT);
        ToolWindow window = ToolWindowManager.getInstance(project).getToolWindow(ID);
        Content content = window == null ? null : window.getContentManager().findContent(CHAT);
        if (content != null && content.getComponent() instanceof ChatPanel chat) chat.ask(text, about);
    }

    static void show(Project project, String tab) {
        ToolWindow window = ToolWindowManager.getInstance(project).getToolWindow(ID);
        if (window == null) return;
        window.activate(() -> {
            Content content = window.getContentManager().findContent(tab);
            if (content != null) window.getContentManager().setSelectedContent(content);
        });
    }
}
