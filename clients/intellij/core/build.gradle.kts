plugins {
    `java-library`
}

repositories {
    mavenCentral()
}

dependencies {
    api("org.eclipse.lsp4j:org.eclipse.lsp4j:1.0.0")
    implementation("org.commonmark:commonmark:0.27.0")
    testImplementation("org.junit.jupiter:junit-jupiter:5.13.4")
    testRuntimeOnly("org.junit.platform:junit-platform-launcher")
}

tasks.compileJava {
    options.release = 17
}

tasks.test {
    useJUnitPlatform()
    systemProperty("lido.checkout", rootDir.resolve("../..").path)
}
