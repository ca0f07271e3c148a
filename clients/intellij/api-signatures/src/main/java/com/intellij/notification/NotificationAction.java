package com.intellij.notification;

public abstract class NotificationAction extends com.intellij.openapi.actionSystem.AnAction {
    public static NotificationAction createSimpleExpiring(String text, Runnable performAction) {
        throw new UnsupportedOperationException();
    }
}
