// Generated from server/lido/lsp/messages.py by `python -m lido.lsp.schema`; not to be edited.
package dev.lido.generated;

import java.util.List;

/**
 * @param files Workspace-relative paths.
 * @param state One of: pending, running, done, failed, skipped.
 */
public record PlanStep(String title, String detail, List<String> files, String state) {
    public PlanStep(String title) {
        this(title, null, null, null);
    }

    public PlanStep withDetail(String detail) {
        return new PlanStep(title, detail, files, state);
    }

    public PlanStep withFiles(List<String> files) {
        return new PlanStep(title, detail, files, state);
    }

    public PlanStep withState(String state) {
        return new PlanStep(title, detail, files, state);
    }
}
