// A stand-in for libnccl and the calls of libcudart beside it, for processes of one host: the operations go through shared memory, and
// proceed when their state is asked for, as NCCL's go on by themselves. Each process has a GPU of its own; with NCCL_DOUBLE_ONE_GPU in the
// environment all share one, with NCCL_DOUBLE_NO_GPU there is none.
#pragma once
#include <string>

namespace nccl_double {

// What this rank's library does wrong.
struct Trouble {
  int after_calls = -1;      // operations that go well before it; negative: all do
  bool error_while = false;  // the operation after them is taken up, and fails while it runs
  bool refuses = false;      // it is not taken up
  bool gpu_fails = false;    // the stream reports an error
};
void expect(Trouble);
// How often ncclCommAbort has been called.
int aborts();
// Operations that were enqueued, in order: "all-reduce 5", "send 3 to 1", "receive 3 from 0".
std::string calls();

}  // namespace nccl_double
