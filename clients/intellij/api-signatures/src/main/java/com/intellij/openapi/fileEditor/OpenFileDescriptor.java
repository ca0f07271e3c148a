package com.intellij.openapi.fileEditor;

public class OpenFileDescriptor {
    public OpenFileDescriptor(
            com.intellij.openapi.project.Project project, com.intellij.openapi.vfs.VirtualFile file, int offset) {}

    public void navigate(boolean requestFocus) {
        throw new UnsupportedOperationException();
    }
}
