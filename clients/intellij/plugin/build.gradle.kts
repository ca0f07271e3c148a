// What is installed is made here; it needs JetBrains' repositories and Gradle's plugin portal.
//
//     gradle :plugin:buildPlugin :plugin:verifyPlugin     and :plugin:runIde to try it
//
// A wheel of the server in ../../../dist comes along where there is one (`pip wheel --no-deps -w dist .`).

import org.jetbrains.intellij.platform.gradle.TestFrameworkType

plugins {
    java
    id("org.jetbrains.kotlin.jvm") version "1.9.25"
    id("org.jetbrains.intellij.platform") version "2.10.4"
}

version = "0.1.0"

repositories {
    mavenCentral()
    intellijPlatform {
        defaultRepositories()
    }
}

dependencies {
    implementation(project(":core"))
    testImplementation("junit:junit:4.13.2")
    intellijPlatform {
        intellijIdeaCommunity("2024.2.5")
        pluginVerifier()
        testFramework(TestFrameworkType.Platform)
    }
}

java {
    toolchain {
        languageVersion = JavaLanguageVersion.of(21)
    }
}

kotlin {
    compilerOptions {
        allWarningsAsErrors = true
        freeCompilerArgs.add("-Xjvm-default=all")
    }
}

sourceSets {
    test {
        // src/test is for the Maven build, which has no IDE.
        java.setSrcDirs(listOf("src/ideTest/java"))
    }
}

val wheel = rootDir.resolve("../../dist").listFiles { file -> file.extension == "whl" }?.maxByOrNull { it.lastModified() }

val buildProperties by tasks.registering(WriteProperties::class) {
    destinationFile = layout.buildDirectory.file("generated/lido-build.properties")
    property("version", version)
    property("server", wheel?.nameWithoutExtension?.split("-")?.get(1) ?: "none")
    property("wheel", wheel?.name ?: "")
}

tasks.processResources {
    from(buildProperties)
    wheel?.let { from(it) { into("server") } }
}

intellijPlatform {
    pluginConfiguration {
        ideaVersion {
            sinceBuild = "242"
            untilBuild = provider { null }
        }
    }
    pluginVerification {
        ides {
            recommended()
        }
    }
}
