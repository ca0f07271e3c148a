package com.intellij.diff.requests;

public abstract class DiffRequest implements com.intellij.openapi.util.UserDataHolder {
    public abstract String getTitle();
}
