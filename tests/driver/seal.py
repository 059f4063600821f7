#!/usr/bin/env python3
"""seal.py FILE: the manifest of an HDF5 file gets the checksum of what the file holds now; seal.py MANIFEST: a manifest without any, whole."""
import sys

table = []
for c in range(256):
    for _ in range(8):
        c = c >> 1 ^ (0x82F63B78 if c & 1 else 0)
    table.append(c)


def crc32c(content):
    c = 0xFFFFFFFF
    for byte in content:
        c = c >> 8 ^ table[(c ^ byte) & 0xFF]
    return f"{c ^ 0xFFFFFFFF:08x}"


def seal(file):
    manifest = file.replace(".h5", ".manifest")
    lines = [line for line in open(manifest) if not line.startswith(("crc32c", "manifest_crc32c"))]
    if file != manifest:
        lines.append(f"crc32c {crc32c(open(file, 'rb').read())}\n")
    open(manifest, "w").write("".join(lines) + f"manifest_crc32c {crc32c(''.join(lines).encode())}\n")


if __name__ == "__main__":
    seal(sys.argv[1])
