// What this program was built from, with what, and for which machine.
#pragma once
#include <string>

namespace partita {

std::string version();       // "0.1.0"
std::string code_version();  // "0.1.0 (git 0123456789ab, modified)"; "git unknown" where the sources were no git checkout
// One aligned "name  value" a line: version, compiler, flags, Real, instruction set, libraries.
std::string build_configuration();
// What besides the program decides a chain's bits: the instruction set compiled for, the one that oneDNN's products use here, the GPU
// model. With CUDA after the Environment has started.
std::string machine_identity();

}  // namespace partita
