package com.intellij.openapi.ui.popup;

public interface JBPopup extends com.intellij.openapi.Disposable {
    void showInBestPositionFor(com.intellij.openapi.editor.Editor editor);

    void showUnderneathOf(java.awt.Component component);
}
