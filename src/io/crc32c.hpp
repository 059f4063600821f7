// CRC-32C (Castagnoli, reflected polynomial 0x82F63B78) of memory and of files.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

#include "comm/communicator.hpp"
#include "io/files.hpp"

namespace partita {

constexpr std::uint64_t stripe_bytes = std::uint64_t{64} << 20;

// `before` is the checksum of the bytes that precede these. Uses the SSE 4.2 instruction where the build has it, else a table.
std::uint32_t crc32c(void const* data, std::size_t bytes, std::uint32_t before = 0);
std::uint32_t crc32c_by_table(void const* data, std::size_t bytes, std::uint32_t before = 0);

// Collective: one checksum for each stripe of the file, in order, the same on every rank; the ranks share the work.
std::vector<std::uint32_t> stripe_checksums(Path const&, Communicator const&);

}  // namespace partita
