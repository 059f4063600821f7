#!/usr/bin/env python3
"""Everything compiles and links for NVIDIA GPUs: no unit takes more than 4 GB of memory, no kernel more than 32 kB of arguments.

cuda_compile.py SOURCE BUILD [--target T]: configures BUILD and makes target T in it (all, if left out), as `cmake --preset cuda` would, with the
Kokkos of the environment variable Kokkos_ROOT, for the architecture of PARTITA_CUDA_ARCH (sm_90). No GPU is needed. Exits with 77 where
there is no CUDA toolkit or no Kokkos built with CUDA. The table of all units is BUILD/units.txt.
"""
import argparse
import os
import re
import shutil
import struct
import subprocess
import sys
from pathlib import Path

most_memory = 4e9  # bytes
skipped = 77

# The launcher of the compiler: appends seconds of processor time, kilobytes and the object's name to a file.
launcher = """#!/usr/bin/env python3
import fcntl, resource, subprocess, sys
code = subprocess.run(sys.argv[1:]).returncode
used = resource.getrusage(resource.RUSAGE_CHILDREN)
objects = [word for word in sys.argv if word.endswith(".o")]
if objects and code == 0:
    with open({table!r}, "a") as table:
        fcntl.flock(table, fcntl.LOCK_EX)
        table.write(f"{{used.ru_utime + used.ru_stime:.1f}} {{used.ru_maxrss}} {{objects[-1]}}\\n")
sys.exit(code)
"""


def skip(why: str) -> None:
    print(f"SKIPPED: {why}")
    sys.exit(skipped)


def kokkos_with_cuda() -> Path:
    root = Path(os.environ.get("Kokkos_ROOT") or skip("Kokkos_ROOT does not name a Kokkos built with CUDA"))
    headers = list(root.glob("include/**/KokkosCore_config.h"))
    if not headers or not re.search(r"^#define KOKKOS_ENABLE_CUDA$", headers[0].read_text(), re.M):
        skip(f"the Kokkos in {root} (Kokkos_ROOT) is not built with CUDA")
    return root


def build(source: Path, folder: Path, target: str) -> None:
    root = kokkos_with_cuda()
    if not shutil.which("nvcc"):
        skip("there is no nvcc in PATH")
    folder.mkdir(parents=True, exist_ok=True)
    program = folder / "note_cost.py"
    program.write_text(launcher.format(table=str(folder / "costs.txt")))
    program.chmod(0o755)
    options = [f"-DCMAKE_CXX_COMPILER={root}/bin/nvcc_wrapper", f"-DCMAKE_CXX_FLAGS=-arch={os.environ.get('PARTITA_CUDA_ARCH', 'sm_90')}",
               f"-DKokkos_ROOT={root}", f"-DCMAKE_CXX_COMPILER_LAUNCHER={program}"]
    subprocess.run(["cmake", "--preset", "cuda", "-B", folder, *options], cwd=source, check=True)
    # Uncompressed, so that the attributes of kernels can be read without further tools.
    subprocess.run(["cmake", "--build", folder, "--target", target], env=os.environ | {"NVCC_APPEND_FLAGS": "--no-compress"}, check=True)


def units(folder: Path) -> list[tuple[float, float, str]]:
    """Processor seconds, bytes and name of each unit, the last time that it was compiled; the largest first."""
    found = {}
    for line in (folder / "costs.txt").read_text().splitlines():
        seconds, kilobytes, name = line.split(maxsplit=2)
        found[re.sub(r"CMakeFiles/\w+\.dir/|\.o$", "", name)] = (float(seconds), 1024 * float(kilobytes))
    return sorted(((*cost, name) for name, cost in found.items()), reverse=True, key=lambda unit: unit[1])


def sections(image: bytes):
    """Name and bytes of each section of the device code in a program: files in the ELF format inside its own, uncompressed."""
    at = image.find(b"\x7fELF\x02")
    while at >= 0:
        machine, = struct.unpack_from("<H", image, at + 18)
        if machine == 190:  # EM_CUDA
            table, = struct.unpack_from("<Q", image, at + 40)
            size, count, names = struct.unpack_from("<HHH", image, at + 58)
            headers = [struct.unpack_from("<IIQQQQ", image, at + table + i * size) for i in range(count)]
            for name, _, _, _, offset, length in headers:
                begin = at + headers[names][4] + name
                yield image[begin : image.index(b"\0", begin)].decode(), image[at + offset : at + offset + length]
        at = image.find(b"\x7fELF\x02", at + 4)


def arguments_of_kernels(program: Path) -> list[tuple[int, str]]:
    """Bytes of arguments and name of each kernel, the largest first: attributes EIATTR_PARAM_CBANK of the sections .nv.info.<kernel>."""
    found = []
    for section, attributes in sections(program.read_bytes()):
        if not section.startswith(".nv.info."):
            continue
        size = at = 0  # without arguments of its own the attribute is absent
        while at + 4 <= len(attributes):
            kind, attribute, length = struct.unpack_from("<BBH", attributes, at)
            if attribute == 0x0A:
                size = struct.unpack_from("<IHH", attributes, at + 4)[2]
            at += 4 + (length if kind == 4 else 0)  # a short value has its place in the head
        found.append((size, section.removeprefix(".nv.info.")))
    return sorted(found, reverse=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source", type=Path)
    parser.add_argument("build", type=Path)
    parser.add_argument("--target", default="all")
    options = parser.parse_args()
    build(options.source, options.build, options.target)
    table = units(options.build)
    lines = [f"{seconds:7.1f} s {size / 1e6:7.0f} MB  {name}" for seconds, size, name in table]
    (options.build / "units.txt").write_text("\n".join(lines) + "\n")
    print("\n".join([f"{len(table)} units, {sum(unit[0] for unit in table):.0f} s of processor time; those that take most memory:", *lines[:12]]))
    problems = [f"{name} takes {size / 1e9:.1f} GB to compile" for _, size, name in table if size > most_memory]
    kernels = arguments_of_kernels(options.build / "src" / "partita")
    # Kokkos hands over more than 512 bytes through constant memory, which waits for the kernel before, and more than 32 kB through memory.
    in_constant = sum("launch_constant_memory" in name for _, name in kernels)
    largest = kernels[0][0] if kernels else 0
    print(f"{len(kernels)} kernels, {in_constant} of them with arguments in constant memory; the largest of others: {largest} bytes")
    problems += [f"{name} has more than 32 kB of arguments" for _, name in kernels if "launch_global_memory" in name]
    if not kernels:
        problems.append("no kernel was found in the program")
    print("\n".join([f"{len(problems)} problems", *problems]))
    return len(problems) > 0


sys.exit(main())
