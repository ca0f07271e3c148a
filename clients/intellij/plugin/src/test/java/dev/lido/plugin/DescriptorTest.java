package dev.lido.plugin;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Stream;
import javax.xml.parsers.DocumentBuilderFactory;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.w3c.dom.Document;
import org.w3c.dom.Element;
import org.w3c.dom.NodeList;

/** plugin.xml by the rules of JetBrains' Plugin Verifier that concern its structure, as far as they can be read. */
class DescriptorTest {
    private static final Path OUTPUT = Path.of("target/classes");
    /** Attributes and elements that name a class of the plugin. */
    private static final Set<String> CLASSES =
            Set.of("class", "implementation", "implementationClass", "serviceImplementation", "factoryClass", "instance");
    /** Extension points that the platform can add and take away while it runs (their declarations are dynamic). */
    private static final Set<String> DYNAMIC = Set.of(
            "applicationService", "projectService", "postStartupActivity", "inline.completion.provider", "toolWindow",
            "statusBarWidgetFactory", "applicationConfigurable", "notificationGroup", "intentionAction");

    private static Document descriptor;

    @BeforeAll
    static void read() throws Exception {
        try (InputStream in = Files.newInputStream(OUTPUT.resolve("META-INF/plugin.xml"))) {
            descriptor = DocumentBuilderFactory.newInstance().newDocumentBuilder().parse(in);
        }
    }

    private static List<Element> elements(String name) {
        NodeList found = descriptor.getElementsByTagName(name);
        List<Element> elements = new ArrayList<>();
        for (int i = 0; i < found.getLength(); i++) elements.add((Element) found.item(i));
        return elements;
    }

    private static String text(String name) {
        return elements(name).get(0).getTextContent().strip();
    }

    @Test
    void everyClassThatItNamesIsInTheOutput() throws Exception {
        Set<String> named = new TreeSet<>();
        for (Element element : elements("*")) {
            for (String attribute : CLASSES) {
                if (element.hasAttribute(attribute)) named.add(element.getAttribute(attribute));
            }
            if (element.getTagName().equals("className")) named.add(element.getTextContent().strip());
        }
        assertTrue(named.size() > 15, named.toString());
        for (String name : named) {
            assertTrue(Files.exists(OUTPUT.resolve(name.replace('.', '/') + ".class")), name + " is not in the output");
            Class<?> type = Class.forName(name, false, DescriptorTest.class.getClassLoader());
            assertFalse(java.lang.reflect.Modifier.isAbstract(type.getModifiers()), name);
        }
    }

    @Test
    void everyActionExtendsTheOneClassAndNoneIsForgotten() throws Exception {
        Set<String> named = new HashSet<>();
        elements("action").forEach(action -> named.add(action.getAttribute("class")));
        for (Class<?> nested : LidoAction.class.getDeclaredClasses()) {
            if (!java.lang.reflect.Modifier.isAbstract(nested.getModifiers())) {
                assertTrue(named.contains(nested.getName()), nested + " stands in no menu");
            }
        }
    }

    @Test
    void theHeadKeepsTheVerifiersRules() {
        assertEquals("dev.lido", text("id"));
        String name = text("name");
        assertTrue(name.length() <= 30 && !name.toLowerCase().contains("plugin") && !name.contains("IntelliJ"), name);
        assertFalse(text("vendor").isEmpty());
        String description = text("description").replaceAll("<[^>]*>", " ").strip();
        assertTrue(description.length() >= 40 && description.substring(0, 40).matches("\\p{ASCII}*"), description);
        assertEquals("242", elements("idea-version").get(0).getAttribute("since-build"));
        assertFalse(elements("idea-version").get(0).hasAttribute("until-build"), "later versions are not locked out");
        assertEquals("com.intellij.modules.platform", text("depends"));
    }

    @Test
    void itCanBeUnloadedWithoutARestart() {
        assertFalse(descriptor.getDocumentElement().hasAttribute("require-restart"));
        assertEquals(0, elements("application-components").size() + elements("project-components").size());
        for (Element extensions : elements("extensions")) {
            for (var node = extensions.getFirstChild(); node != null; node = node.getNextSibling()) {
                if (node instanceof Element one) assertTrue(DYNAMIC.contains(one.getTagName()), one.getTagName());
            }
        }
    }

    @Test
    void idsAndShortcutsAreUnique() {
        Set<String> ids = new HashSet<>();
        Set<String> keys = new HashSet<>();
        for (Element action : elements("action")) {
            assertTrue(ids.add(action.getAttribute("id")), action.getAttribute("id"));
            assertFalse(action.getAttribute("text").isBlank() || action.getAttribute("description").isBlank());
        }
        for (Element key : elements("keyboard-shortcut")) {
            assertTrue(keys.add(key.getAttribute("first-keystroke") + " " + key.getAttribute("second-keystroke")));
            // Two strokes, the first of which is in no entry of the $default.xml that was read; see the README.
            assertEquals("control alt shift Y", key.getAttribute("first-keystroke"));
            assertFalse(key.getAttribute("second-keystroke").isEmpty());
        }
    }

    @Test
    void iconsAreThereForBothThemes() throws Exception {
        Set<String> icons = new TreeSet<>(Set.of("/META-INF/pluginIcon.svg", "/icons/lido.svg", "/icons/toolWindowLido.svg"));
        elements("*").stream().filter(one -> one.hasAttribute("icon")).forEach(one -> icons.add(one.getAttribute("icon")));
        for (String icon : icons) {
            for (String file : List.of(icon, icon.replace(".svg", "_dark.svg"))) {
                try (InputStream in = DescriptorTest.class.getResourceAsStream(file)) {
                    assertNotNull(in, file);
                    DocumentBuilderFactory.newInstance().newDocumentBuilder().parse(in);
                }
            }
        }
    }

    @Test
    void theIntentionIsDescribed() {
        for (Element intention : elements("intentionAction")) {
            String name = intention.getElementsByTagName("className").item(0).getTextContent().strip();
            String simple = name.substring(name.lastIndexOf('.') + 1);
            assertTrue(Files.exists(OUTPUT.resolve("intentionDescriptions/" + simple + "/description.html")));
        }
    }

    @Test
    void nothingOfThePlatformIsInTheOutput() throws Exception {
        try (Stream<Path> files = Files.walk(OUTPUT)) {
            assertEquals(List.of(), files.filter(path -> path.startsWith(OUTPUT.resolve("com"))).toList());
        }
    }
}
