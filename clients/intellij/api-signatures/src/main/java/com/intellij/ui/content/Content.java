package com.intellij.ui.content;

public interface Content {
    javax.swing.JComponent getComponent();
}
