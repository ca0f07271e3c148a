package dev.lido.plugin;

import com.intellij.notification.Notification;
import com.intellij.notification.NotificationAction;
import com.intellij.notification.NotificationGroupManager;
import com.intellij.notification.NotificationType;
import com.intellij.openapi.options.ShowSettingsUtil;
import com.intellij.openapi.progress.ProgressIndicator;
import com.intellij.openapi.progress.Task;
import com.intellij.openapi.project.Project;
import dev.lido.core.Failures;
import dev.lido.core.Host;
import dev.lido.core.Markdown;
import dev.lido.core.ServerCommand;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.CompletableFuture;

/** Sentences for the person, each with what can be done about it. */
final class Notifications {
    private Notifications() {}

    /** Completes with the button that was chosen, null where it was closed without. */
    static CompletableFuture<String> show(Project project, Host.Severity severity, String text, List<String> choices) {
        CompletableFuture<String> chosen = new CompletableFuture<>();
        LidoService.onUi(() -> {
            if (project.isDisposed()) {
                chosen.complete(null);
                return;
            }
            Notification notification = make(severity, text);
            for (String choice : choices) {
                notification.addAction(NotificationAction.createSimpleExpiring(choice, () -> chosen.complete(choice)));
            }
            notification.whenExpired(() -> chosen.complete(null));
            notification.notify(project);
            if (choices.isEmpty()) chosen.complete(null);
        });
        return chosen;
    }

    /** The server can't be started, or was given up. */
    static void serverMissing(Project project, String reason) {
        Path wheel = null;
        String text = reason;
        try {
            wheel = Platform.wheel();
        } catch (IOException unreadable) {
            text = reason + " " + unreadable.getMessage();
        }
        Notification notification = make(Host.Severity.ERROR, text);
        if (wheel != null) {
            Path found = wheel;
            notification.addAction(NotificationAction.createSimpleExpiring("Set up", () -> setUp(project, found)));
        }
        notification.addAction(NotificationAction.createSimpleExpiring("Try again", LidoService.of(project)::restart));
        notification.addAction(NotificationAction.createSimpleExpiring("Settings…", () -> settings(project)));
        notification.notify(project);
    }

    static void settings(Project project) {
        ShowSettingsUtil.getInstance().showSettingsDialog(project, LidoConfigurable.class);
    }

    private static void setUp(Project project, Path wheel) {
        new Task.Backgroundable(project, "Setting up Lido", true) {
            @Override
            public void run(ProgressIndicator indicator) {
                try {
                    new ServerCommand(Platform.data()).install(wheel, Platform.serverVersion(), line -> {
                        indicator.setText2(line);
                        indicator.checkCanceled();
                    });
                    LidoService.of(project).restart();
                } catch (IOException failure) {
                    LidoService.onUi(() -> serverMissing(project, Failures.text(failure)));
                } catch (InterruptedException interrupted) {
                    Thread.currentThread().interrupt();
                }
            }
        }.queue();
    }

    private static Notification make(Host.Severity severity, String text) {
        NotificationType type = switch (severity) {
            case ERROR -> NotificationType.ERROR;
            case WARNING -> NotificationType.WARNING;
            case INFO -> NotificationType.INFORMATION;
        };
        // Notifications show HTML; what a server or a model says is text.
        String escaped = Markdown.escape(text);
        return NotificationGroupManager.getInstance().getNotificationGroup("Lido").createNotification("Lido", escaped, type);
    }
}
