package dev.lido.core;

import dev.lido.generated.CodeBlock;
import java.util.List;
import java.util.Set;
import org.commonmark.node.FencedCodeBlock;
import org.commonmark.node.Image;
import org.commonmark.node.Node;
import org.commonmark.parser.Parser;
import org.commonmark.renderer.NodeRenderer;
import org.commonmark.renderer.html.HtmlNodeRendererContext;
import org.commonmark.renderer.html.HtmlRenderer;
import org.commonmark.renderer.html.HtmlWriter;

/** A model's Markdown as HTML for a Swing pane. HTML in it is shown as text, and only web links are kept. */
public final class Markdown {
    private static final Parser PARSER = Parser.builder().build();

    private Markdown() {}

    /** Also of a text that is still growing: an open code fence counts as closed. */
    public static String html(String text) {
        return html(text, List.of());
    }

    /** Those of {@code blocks} have links below: {@code lido:copy/N}, {@code insert}, {@code apply}, N their index. */
    static String html(String text, List<CodeBlock> blocks) {
        return HtmlRenderer.builder()
                .escapeHtml(true)
                .sanitizeUrls(true)
                .nodeRendererFactory(context -> new Renderer(context, blocks))
                .build()
                .render(PARSER.parse(text));
    }

    /** Text as it is, with its lines. */
    static String plain(String text) {
        return "<p>" + escape(text).replace("\n", "<br>") + "</p>";
    }

    static String notes(List<String> notes) {
        StringBuilder html = new StringBuilder();
        for (String note : notes) html.append("<p><i>").append(escape(note)).append("</i></p>");
        return html.toString();
    }

    /** Text as HTML. */
    public static String escape(String text) {
        return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\"", "&quot;");
    }

    private static final class Renderer implements NodeRenderer {
        private final HtmlWriter html;
        private final List<CodeBlock> blocks;
        private int next;

        Renderer(HtmlNodeRendererContext context, List<CodeBlock> blocks) {
            this.html = context.getWriter();
            this.blocks = blocks;
        }

        @Override
        public Set<Class<? extends Node>> getNodeTypes() {
            return Set.of(Image.class, FencedCodeBlock.class);
        }

        @Override
        public void render(Node node) {
            if (node instanceof Image image) {
                // A picture would be fetched from wherever the model says.
                html.text(image.getDestination());
            } else if (node instanceof FencedCodeBlock block) {
                html.line();
                html.raw("<pre><code>" + escape(block.getLiteral()) + "</code></pre>");
                for (int i = next; i < blocks.size(); i++) {
                    if (!blocks.get(i).text().equals(block.getLiteral())) continue;
                    html.raw(("<p><a href=\"lido:apply/%1$d\">Apply</a> · <a href=\"lido:insert/%1$d\">Insert</a> · "
                                    + "<a href=\"lido:copy/%1$d\">Copy</a></p>")
                            .formatted(i));
                    next = i + 1;
                    break;
                }
                html.line();
            }
        }
    }
}
