// Generated from server/lido/lsp/messages.py by `python -m lido.lsp.schema`; not to be edited.
package dev.lido.generated;

import java.util.List;
import org.eclipse.lsp4j.jsonrpc.messages.Either;

/**
 * @param mode One of: plan, agent.
 * @param confirmSteps In plan mode, wait with the steps until the person has gone over them.
 */
public record PlanStart(String instruction, List<Attachment> attachments, String mode, String testCommand, Boolean confirmSteps, Either<String, Integer> workDoneToken) {
    public PlanStart(String instruction) {
        this(instruction, null, null, null, null, null);
    }

    public PlanStart withAttachments(List<Attachment> attachments) {
        return new PlanStart(instruction, attachments, mode, testCommand, confirmSteps, workDoneToken);
    }

    public PlanStart withMode(String mode) {
        return new PlanStart(instruction, attachments, mode, testCommand, confirmSteps, workDoneToken);
    }

    public PlanStart withTestCommand(String testCommand) {
        return new PlanStart(instruction, attachments, mode, testCommand, confirmSteps, workDoneToken);
    }

    public PlanStart withConfirmSteps(Boolean confirmSteps) {
        return new PlanStart(instruction, attachments, mode, testCommand, confirmSteps, workDoneToken);
    }

    public PlanStart withWorkDoneToken(Either<String, Integer> workDoneToken) {
        return new PlanStart(instruction, attachments, mode, testCommand, confirmSteps, workDoneToken);
    }
}
