package com.intellij.codeInsight.lookup;

public abstract class LookupElement {
    public abstract String getLookupString();
}
