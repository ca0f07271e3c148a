package com.intellij.openapi.ui;

public class Messages {
    public static String showMultilineInputDialog(
            com.intellij.openapi.project.Project project,
            String message,
            String title,
            String initialValue,
            javax.swing.Icon icon,
            InputValidator validator) {
        throw new UnsupportedOperationException();
    }
}
