#!/usr/bin/env python3
"""Checks the rules of docs/architecture.md that a compiler does not, or nvcc alone: which folder may include which, who may use MPI, where
kernels may be, and that every header compiles by itself. And asks clang-tidy, with the checks in .clang-tidy, where it is installed.

  test_structure.py includes
  test_structure.py kernels
  test_structure.py headers BUILD_FOLDER [--share S]   S: the fraction of files that are compiled, all by default
  test_structure.py tidy BUILD_FOLDER [--share S]
"""
import argparse
import concurrent.futures
import json
import os
import random
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[2] / "src"
INCLUDE = re.compile(r'^\s*#\s*include\s+(?:"([^"]+)"|<([^>]+)>)', re.M)


def files(*extensions):
    return sorted(f for f in SOURCE.rglob("*") if f.suffix in extensions)


def dependencies():
    """Folder -> the folders it may include: those on its link line, and theirs."""
    folders = [f.name for f in SOURCE.iterdir() if f.is_dir()]
    links = {f: set(re.findall(r"\bpartita_(\w+)", (SOURCE / f / "CMakeLists.txt").read_text())) & set(folders) for f in folders}

    def reached(folder):
        found, new = set(), {folder}
        while new:
            found |= new
            new = set().union(*(links[f] for f in new)) - found
        return found

    return {f: reached(f) for f in folders}


def check_includes():
    allowed = dependencies()
    problems = []
    for file in files(".hpp", ".cpp"):
        folder, name = file.parent.name, file.relative_to(SOURCE)
        if folder == SOURCE.name:  # main.cpp
            continue
        includes = INCLUDE.findall(file.read_text())
        own = file.with_suffix(".hpp")
        if file.suffix == ".cpp" and own.exists() and includes[0][0] != str(own.relative_to(SOURCE)):
            problems.append(f"{name}: its own header is not its first include")
        for quoted, system in includes:
            used = quoted.split("/")[0]
            if "/" in quoted and used in allowed and used not in allowed[folder]:
                problems.append(f"{name}: includes {quoted}, but src/{folder}/CMakeLists.txt does not link {used}")
            if system in ("mpi.h", "nccl.h") and folder != "comm":
                problems.append(f"{name}: includes {system}; only src/comm uses MPI and NCCL")
    return problems


CLASS = re.compile(r"\b(class|struct)\s+(\w+)(?:\s+final)?\s*(?::[^:;(){}][^;(){}]*)?$")
DEFINITION = re.compile(r"\b(\w+)::(\w+)\s*\([^;]*$")
MEMBER = re.compile(r"\b(\w+)\s*\(")


def scopes(text):
    """Yields what stands in the text: ("declared", class, member, access) and ("kernel", class, function, access), access "" where the
    class itself is elsewhere."""
    text = re.sub(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"', "", text, flags=re.S)
    ended = None  # the function whose braces have just been closed: those of an initialiser, if it goes on
    stack, before = [], ""  # of (class, access) in a class, (class, function, access) in a function, () in anything else
    for token in re.split(r"([{};]|\b(?:public|protected|private):(?!:)|\bKOKKOS_LAMBDA\b)", text):
        here = stack[-1] if stack else ()
        if token == "{":
            of_class, defined, member = CLASS.search(before), DEFINITION.search(before), MEMBER.search(before)
            if ended and before.lstrip()[:1] in ("", ",", ")"):
                stack.append(ended)
            elif of_class:
                stack.append((of_class[2], "private" if of_class[1] == "class" else "public"))
            elif len(here) == 2 and member:
                yield "declared", here[0], member[1], here[1]
                stack.append((here[0], member[1], here[1]))
            elif defined and not any(len(s) == 3 for s in stack):
                stack.append((defined[1], defined[2], ""))
            else:
                stack.append(())
            before = ""
        elif token == "}":
            closed = stack.pop() if stack else ()
            ended = closed if len(closed) == 3 else None
            before = ""
        elif token == ";":
            ended = None
            member = MEMBER.search(before)
            if len(here) == 2 and member:
                yield "declared", here[0], member[1], here[1]
            before = ""
        elif token.endswith(":") and token[:-1] in ("public", "protected", "private"):
            if len(here) == 2:
                stack[-1] = (here[0], token[:-1])
            before = ""
        elif token == "KOKKOS_LAMBDA":
            inside = [s for s in stack if len(s) == 3]
            if inside:
                yield "kernel", *inside[-1]
        else:
            before += token


def check_kernels():
    """nvcc refuses a kernel in a constructor, and in a member function that is not public. And what depends on __CUDA_ARCH__ differs between the host and the
    device, so that a kernel's arguments would be shifted."""
    found = {file.relative_to(SOURCE): list(scopes(file.read_text())) for file in files(".hpp", ".cpp")}
    hidden = {(c, f) for places in found.values() for kind, c, f, access in places if kind == "declared" and access != "public"}
    kernels = [(name, c, f) for name, places in found.items() for kind, c, f, _ in places if kind == "kernel"]
    print(f"{len(kernels)} kernels in member functions")
    problems = [f"{name}: {c}::{f} holds a kernel and is not public" for name, c, f in sorted(set(kernels)) if (c, f) in hidden]
    problems += [f"{name}: a constructor of {c} holds a kernel" for name, c, f in sorted(set(kernels)) if c == f]
    for file in files(".hpp", ".cpp"):
        if "__CUDA_ARCH__" in file.read_text():
            problems.append(f"{file.relative_to(SOURCE)}: uses __CUDA_ARCH__")
    return problems


# Of GCC, and not of clang; what the compiler itself warns of is seen when the program is built.
GCC_ONLY = re.compile(r"-mmove-max=.*|-mstore-max=.*|-W.*|.*cmake_pch.*")


def database(build):
    """Source file -> the words of its command, without precompiled headers, and the folder it is called in."""
    commands = {}
    for entry in json.loads((build / "compile_commands.json").read_text()):
        words, kept = shlex.split(entry["command"]), []
        while words:
            word = words.pop(0)
            if word == "-include":
                words.pop(0)
            elif "ccache" not in word and "cmake_pch" not in word and word != "-Winvalid-pch":
                kept.append(word)
        commands[Path(entry["file"])] = (kept, entry["directory"])
    return commands


def some(items, share):
    return random.Random(len(items)).sample(items, max(1, round(share * len(items))))


def each(check, items):
    with concurrent.futures.ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        return [problem for problem in pool.map(check, items) if problem]


def check_headers(build, share):
    # The flags of a file that uses all libraries.
    words, directory = database(build)[SOURCE / "driver" / "run.cpp"]
    words = words[:words.index("-o")]  # what follows are the outputs and inputs
    headers = some(files(".hpp"), share)

    def compiles(header):
        text = f'#include "{header}"\n' * 2  # twice: a header without include guard fails
        done = subprocess.run(words + ["-O0", "-Werror", "-fsyntax-only", "-x", "c++", "-"],
                              input=text, cwd=directory, capture_output=True, text=True)
        return None if done.returncode == 0 else f"{header.relative_to(SOURCE)} does not compile alone:\n{done.stderr}"

    problems = each(compiles, headers)
    print(f"{len(headers)} headers compiled, {len(problems)} do not compile alone")
    return problems


def check_tidy(build, share):
    program = shutil.which("clang-tidy-16")
    if not program:
        print("clang-tidy-16 is not installed")
        sys.exit(77)
    commands = database(build)
    sources = some([f for f in files(".cpp") if f in commands], share)
    with tempfile.TemporaryDirectory() as folder:
        clean = [{"file": str(f), "directory": commands[f][1], "arguments": [w for w in commands[f][0] if not GCC_ONLY.fullmatch(w)] + ["-w"]}
                 for f in sources]
        Path(folder, "compile_commands.json").write_text(json.dumps(clean))

        def tidy(source):
            done = subprocess.run([program, "-p", folder, "--quiet", source], capture_output=True, text=True)
            return None if done.returncode == 0 else done.stdout

        problems = each(tidy, sources)
    print(f"{len(sources)} files, {len(problems)} with warnings")
    return problems


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    kinds = parser.add_subparsers(dest="kind", required=True)
    kinds.add_parser("includes")
    kinds.add_parser("kernels")
    for kind in ("headers", "tidy"):
        compiled = kinds.add_parser(kind)
        compiled.add_argument("build", type=Path)
        compiled.add_argument("--share", type=float, default=1)
    a = parser.parse_args()
    if a.kind in ("includes", "kernels"):
        problems = {"includes": check_includes, "kernels": check_kernels}[a.kind]()
    else:
        problems = {"headers": check_headers, "tidy": check_tidy}[a.kind](a.build, a.share)
    print("\n".join(problems))
    return 1 if problems else 0


sys.exit(main())
