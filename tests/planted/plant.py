#!/usr/bin/env python3
"""Plants the errors of errors.py in a copy of the sources, all in one build, and runs the tests with each of them.

    tests/planted/plant.py BUILD_FOLDER                 # an hour or two; --jobs 8 builds faster
    tests/planted/plant.py BUILD_FOLDER --only 3,107    # some of them
    tests/planted/plant.py BUILD_FOLDER --markdown      # the table of docs/testing.md from the results so far
    tests/planted/plant.py BUILD_FOLDER --places        # only whether the source still has the places

Planted places read `planted(N) ? wrong : right`, and the environment variable PARTITA_PLANTED chooses N, so one build serves all.
Exit code 1 where fewer than 85 % of either group are seen.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import errors

WANTED = 0.85
SWITCH = """\
#pragma once
#include <cstdlib>
namespace partita {
inline int const planted_error = [] {
  char const* const number = std::getenv("PARTITA_PLANTED");
  return number ? std::atoi(number) : 0;
}();
inline bool planted(int n) { return planted_error == n; }
}  // namespace partita
"""

# Numbers stay as they are when errors are added at the end of a group.
GROUPS = {"errors that were not seen once": (1, errors.survivors), "further errors": (101, errors.further)}
NUMBERED = {first + i: e for first, group in GROUPS.values() for i, e in enumerate(group)}


def place(number, error):
    """The piece of the source to replace, and what takes its place."""
    if error.right.endswith(";"):
        planted = f"if (partita::planted({number})) {{ {error.wrong} }} else {{ {error.right} }}"
    else:
        planted = f"(partita::planted({number}) ? ({error.wrong}) : ({error.right}))"
    around = error.at or error.right
    if around.count(error.right) != 1:
        sys.exit(f'error {number}, "{error.name}": its expression stands {around.count(error.right)} times in `at`')
    return around, around.replace(error.right, planted)


def planted_sources(root):
    """Text of each file with errors; places are looked for in the source as it stands."""
    texts = {}
    for number, error in NUMBERED.items():
        original = (root / error.file).read_text()
        around, planted = place(number, error)
        if original.count(around) != 1:
            sys.exit(f'error {number}, "{error.name}": its place stands {original.count(around)} times in {error.file}; mend errors.py')
        text = texts.get(error.file, original)
        if text.count(around) != 1:
            sys.exit(f'error {number}, "{error.name}" overlaps with another one in {error.file}')
        texts[error.file] = text.replace(around, planted)
    return texts


def write_changed(path, content):
    """Leaves a file alone that is as it should be, so that it is not compiled again."""
    if path.exists() and path.read_bytes() == content:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def copy_tree(root, to):
    texts = planted_sources(root)
    tracked = subprocess.run(["git", "ls-files", "-z"], cwd=root, check=True, stdout=subprocess.PIPE).stdout.decode().split("\0")
    for name in filter(None, tracked):
        source = root / name
        if source.is_file():
            write_changed(to / name, texts[name].encode() if name in texts else source.read_bytes())
            (to / name).chmod(source.stat().st_mode)


def build(root, folder, jobs):
    source, binary, switch = folder / "source", folder / "build", folder / "planted.hpp"
    copy_tree(root, source)
    write_changed(switch, SWITCH.encode())
    subprocess.run(["cmake", "-S", source, "-B", binary, "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Release", "-DPARTITA_BENCHMARKS=OFF",
                    f"-DCMAKE_CXX_FLAGS=-include {switch}"], check=True)
    subprocess.run(["cmake", "--build", binary, "-j", str(jobs)], check=True)


class Tests:
    """ctest's tests, run one by one; "name:FILTER" is a part of a GoogleTest programme."""

    def __init__(self, binary):
        shown = subprocess.run(["ctest", "--show-only=json-v1"], cwd=binary, check=True, stdout=subprocess.PIPE).stdout
        self.known = {t["name"]: t for t in json.loads(shown)["tests"]}
        self.seconds = {}  # without an error

    def command(self, test):
        name, _, suites = test.partition(":")
        if name not in self.known:
            sys.exit(f"errors.py names the test {name}, which ctest does not know")
        command = list(self.known[name]["command"])
        if any(Path(word).name.startswith("test_") and not Path(word).suffix for word in command):  # not a script
            command.append("--gtest_fail_fast")
        return command + ([f"--gtest_filter={suites}"] if suites else [])

    def run(self, test, number, limit):
        """"passed", "failed" or "out of time", with the output."""
        properties = {p["name"]: p["value"] for p in self.known[test.partition(":")[0]]["properties"]}
        environment = dict(os.environ, PARTITA_PLANTED=str(number), GTEST_COLOR="no")
        environment.update(line.split("=", 1) for line in properties.get("ENVIRONMENT", []))
        process = subprocess.Popen(self.command(test), cwd=properties["WORKING_DIRECTORY"], env=environment, start_new_session=True,
                                   stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        try:
            output, _ = process.communicate(timeout=limit)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            output, _ = process.communicate()
            return "out of time", output
        skipped = process.returncode == properties.get("SKIP_RETURN_CODE", 0)
        return "passed" if skipped else "failed", output

    def check_without_error(self, tests):
        for test in tests:
            start = time.monotonic()
            outcome, output = self.run(test, 0, 1800)
            self.seconds[test] = time.monotonic() - start
            if outcome != "passed" or b" 0 tests from 0 test" in output:
                sys.exit(f"{output.decode(errors='replace')[-4000:]}\n{test} {outcome} without an error planted, or holds no test")
            print(f"without an error: {test} passes in {self.seconds[test]:.0f} s", flush=True)

    def sees(self, number, error):
        """The first test that sees the error, with what failed in it; or nothing."""
        for test in error.tests:
            outcome, output = self.run(test, number, 60 + 5 * self.seconds[test])
            if outcome != "passed":
                return describe(test, outcome, output.decode(errors="replace"))
        return ""


def describe(test, outcome, output):
    name = test.partition(":")[0]
    failed = [line.split("]", 1)[1].split(",")[0].split(" (")[0].strip() for line in output.splitlines() if line.startswith("[  FAILED  ]")]
    named = [f for f in failed if "." in f]
    return f"{name}: {named[0] if named else outcome}" if named or outcome != "failed" else name


def report(results):
    """Prints what was seen; True where that is enough."""
    enough = True
    for title, (first, group) in GROUPS.items():
        tried = [n for n in range(first, first + len(group)) if n in results]
        print(f"\n{title}")
        for n in tried:
            print(f"  {n:>3}  {NUMBERED[n].name:<70}  {NUMBERED[n].file:<48}  {results[n] or 'NOT SEEN'}")
        seen = sum(bool(results[n]) for n in tried)
        if tried:
            print(f"  {seen} of {len(tried)} seen ({100 * seen / len(tried):.0f} %)")
            enough = enough and seen >= WANTED * len(tried)
    return enough


def markdown(results):
    for title, (first, group) in GROUPS.items():
        tried = [n for n in range(first, first + len(group)) if n in results]
        seen = sum(bool(results[n]) for n in tried)
        print(f"\n### {title[0].upper()}{title[1:]}: {seen} of {len(tried)} seen\n\n| | planted | in | seen by |\n|---|---|---|---|")
        for n in tried:
            print(f"| {n} | {NUMBERED[n].name} | {NUMBERED[n].file.removeprefix('src/')} | {results[n] or '**not seen**'} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where to build, and where results.json is kept")
    parser.add_argument("--only", help="numbers of errors, 3,107 say")
    parser.add_argument("--build-only", action="store_true")
    parser.add_argument("--places", action="store_true", help="look for the places in the source, and build nothing")
    parser.add_argument("--markdown", action="store_true", help="print the table of docs/testing.md and run nothing")
    parser.add_argument("--jobs", type=int, default=2, help="of the build")
    a = parser.parse_args()
    root = Path(__file__).resolve().parents[2]
    if a.places:
        return print(f"{len(NUMBERED)} places in {len(planted_sources(root))} files")
    folder, kept = a.folder.resolve(), a.folder.resolve() / "results.json"
    results = {int(n): seen for n, seen in json.loads(kept.read_text()).items()} if kept.exists() else {}
    if a.markdown:
        return markdown(results)
    build(root, folder, a.jobs)
    if a.build_only:
        return None
    wanted = [int(n) for n in a.only.split(",")] if a.only else list(NUMBERED)
    tests = Tests(folder / "build")
    tests.check_without_error(dict.fromkeys(t for n in wanted for t in NUMBERED[n].tests))
    tried = {}
    for n in wanted:
        tried[n] = results[n] = tests.sees(n, NUMBERED[n])
        kept.write_text(json.dumps(results, indent=1))
        print(f"{n}: {NUMBERED[n].name}: {results[n] or 'NOT SEEN'}", flush=True)
    return 0 if report(tried) else 1


if __name__ == "__main__":
    sys.exit(main())
