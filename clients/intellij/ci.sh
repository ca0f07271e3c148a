#!/usr/bin/env bash
# The JVM side from clean, by Maven: (a) the core against the real server, (b) the plugin on Debian's platform jars,
# (c) its descriptor and the declarations. Needs .venv of the checkout and, once, the network for Maven Central.
set -euo pipefail
cd "$(dirname "$0")"

packages="libintellij-core-java libintellij-platform-api-java libintellij-platform-impl-java
  libintellij-extensions-java libintellij-utils-java libintellij-jps-model-java libjdom2-intellij-java
  libtrove-intellij-java libpicocontainer1-java libstreamex-java libguava-java"

missing=""
command -v mvn >/dev/null || missing="maven"
for package in $packages; do
  dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing="$missing $package"
done
if [ -n "$missing" ]; then
  if [ "$(id -u)" != 0 ]; then
    echo "Install first: apt-get install --no-install-recommends$missing" >&2
    exit 1
  fi
  apt-get update -qq
  # shellcheck disable=SC2086
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing openjdk-17-jdk-headless >/dev/null
fi

rm -rf core/target api-signatures/target plugin/target
mvn -B -ntp -q test "$@" || {
  # Maven says little with -q; what the tests printed stands in their reports.
  grep -h -A15 "<<< " */target/surefire-reports/*.txt
  exit 1
}
../../.venv/bin/python - <<'PY'
import glob, xml.etree.ElementTree as tree
suites = [tree.parse(name).getroot() for name in glob.glob("*/target/surefire-reports/TEST-*.xml")]
count = {key: sum(int(suite.get(key)) for suite in suites) for key in ("tests", "failures", "errors", "skipped")}
print("JVM: Tests run: {tests}, Failures: {failures}, Errors: {errors}, Skipped: {skipped}".format(**count))
assert count["tests"] > 40, "too few tests ran"
PY
