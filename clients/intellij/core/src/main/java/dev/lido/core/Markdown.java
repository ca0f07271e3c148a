package dev.lido.core;

import java.util.List;
import org.commonmark.parser.Parser;
import org.commonmark.renderer.html.HtmlRenderer;

/** A model's Markdown as HTML for a Swing pane. HTML in it is shown as text, and only web links are kept. */
public final class Markdown {
    private static final Parser PARSER = Parser.builder().build();
    private static final HtmlRenderer RENDERER = HtmlRenderer.builder()
            .escapeHtml(true)
            .sanitizeUrls(true)
            // A picture would be fetched from wherever the model says.
            .nodeRendererFactory(context -> new org.commonmark.renderer.NodeRenderer() {
                @Override
                public java.util.Set<Class<? extends org.commonmark.node.Node>> getNodeTypes() {
                    return java.util.Set.of(org.commonmark.node.Image.class);
                }

                @Override
                public void render(org.commonmark.node.Node node) {
                    context.getWriter().text(((org.commonmark.node.Image) node).getDestination());
                }
            })
            .build();

    private Markdown() {}

    /** Also of a text that is still growing: an open code fence counts as closed. */
    public static String html(String text) {
        return RENDERER.render(PARSER.parse(text));
    }

    /** The notes of an answer as a list. */
    public static String notes(List<String> notes) {
        StringBuilder list = new StringBuilder();
        for (String note : notes) list.append("- ").append(note.replace("\n", " ")).append('\n');
        return html(list.toString());
    }
}
