package com.intellij.ui.components;

public class JBScrollPane extends javax.swing.JScrollPane {
    private static final long serialVersionUID = 1;

    public JBScrollPane(java.awt.Component view) {
        super(view);
    }
}
