package com.intellij.notification;

public class Notification {
    public Notification addAction(com.intellij.openapi.actionSystem.AnAction action) {
        throw new UnsupportedOperationException();
    }

    public void notify(com.intellij.openapi.project.Project project) {
        throw new UnsupportedOperationException();
    }

    public Notification whenExpired(Runnable whenExpired) {
        throw new UnsupportedOperationException();
    }
}
