#!/usr/bin/env bash
# What only a GPU can show, in under ten minutes and without a network, from two built trees of the same precision:
#
#   tests/gpu.sh build-cuda build [RESULTS]     # GPU, CPU, folder for gpu.txt and logs (default: .)
#
# Unit tests on the GPU; samples and parameters beside those of the CPU; checkpoints from the CPU to the GPU and back; NCCL on one rank; steps
# a second of five decks. Exits with 1 if anything but the speeds is wrong.
set -uo pipefail
gpu=$(realpath "${1:?the build for GPUs}")
cpu=$(realpath "${2:?the build for CPUs}")
results=$(realpath "${3:-.}")
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
export INPUTS=$root/inputs MPIEXEC=${MPIEXEC:-mpirun}
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
wrong=0
begin=$SECONDS

report() { printf '%5d s  %-52s %s\n' $((SECONDS - begin)) "$1" "$2" | tee -a "$results/gpu.txt"; }
# part NAME COMMAND...: its output goes to RESULTS/NAME.log.
part() {
  local name=$1
  shift
  if "$@" >"$results/$name.log" 2>&1; then report "$name" ok; else report "$name" "FAILED (see $name.log)"; wrong=1; fi
}

unit_tests() { ctest --test-dir "$gpu" -L '^unit$' -j 1 --timeout 240 --output-on-failure; }

# The same deck on both: the chains draw the same random integers, so that they stay together but for roundings while they are short.
agree() {
  local name=$1 dataset=$2 delta=$3 file
  shift 3
  "$cpu/src/partita" run "$@" --set run.output="$name.cpu" --overwrite &&
    "$gpu/src/partita" run "$@" --set run.output="$name.gpu" --overwrite || return 1
  file=samples/part-000000.h5
  [[ -f $name.cpu/$file ]] || file=checkpoints/$(basename "$(ls "$name.cpu"/checkpoints/step-*.h5 | tail -n 1)")
  h5diff --delta="$delta" "$name.cpu/$file" "$name.gpu/$file" "$dataset"
}
agreement() {
  agree gaussian /posterior/x 1e-4 "$INPUTS/gaussian.toml" --set sampler.chains=1000 --set sampler.steps=20 --set sampler.warmup=10 --set sampler.thin=10 &&
    agree moons /model/parameters 1e-3 "$INPUTS/two_moons.toml" --set data.points=2000 --set train.updates=3 --set estimator.0.points=100 --set estimator.0.splits=2
}
nccl_on_one_rank() { "$MPIEXEC" -n 1 "$gpu/src/partita" run "$INPUTS/rbm_bars.toml" --set train.updates=50 --set run.output=nccl; }
restarts() { PARTITA=$gpu/src/partita HOST_PARTITA=$cpu/src/partita bash "$root/tests/driver/test_device_restart.sh"; }

# speed NAME GOAL KEY N DECK...: steps or updates a second, from the times of runs of N and 2 N of them: what happens once does not count.
speed() {
  local name=$1 goal=$2 key=$3 n=$4 seconds=() steps one_draw
  shift 4
  for steps in "$n" $((2 * n)); do
    one_draw=()
    [[ $key != sampler.steps ]] || one_draw=(--set "sampler.thin=$steps")
    timeout 60 "$gpu/src/partita" run "$@" --set "$key=$steps" "${one_draw[@]}" --set run.output=speed --overwrite >"$results/$name.log" 2>&1 || break
    seconds+=("$(sed -n 's/.*"wall_seconds": \([0-9.e+]*\).*/\1/p' speed/summary.json)")
  done
  if ((${#seconds[@]} == 2)); then
    report "speed of $name" "$(awk -v n="$n" -v a="${seconds[0]}" -v b="${seconds[1]}" 'BEGIN {printf "%.4g", n / (b - a)}') steps/s (goal: $goal)"
  else
    report "speed of $name" "unknown: see $name.log"
  fi
}
deck() { printf '%b' "$2" >"$1.toml"; echo "$1.toml"; }
speeds() {
  local quiet='[output]\nhistory_every = 1000000\nprogress = "1h"\n[checkpoint]\nevery = "1h"\n'
  local sampling="[run]\ntask = \"sample\"\noutput = \"speed\"\n$quiet[model]\n" thin='thin = 100\nwarmup = 0\nsteps = 100\n'
  speed langevin_128_128_1 40000 sampler.steps 20000 "$(deck langevin "$sampling"'type = "mlp"\nlayers = [2, 128, 128, 1]\n[sampler]\ntype = "ula"\nstep_size = 0.001\nchains = 1024\n'"$thin")"
  speed gaussian_ula none sampler.steps 2000 "$(deck ula "$sampling"'type = "gaussian"\ndimension = 32\n[sampler]\ntype = "ula"\nstep_size = 0.1\nchains = 1048576\n'"$thin")"
  speed ising none sampler.steps 200 "$(deck ising "$sampling"'type = "ising_lattice"\nrows = 256\ncolumns = 256\ncoupling = 0.44\n[sampler]\ntype = "gibbs"\nchains = 1024\n'"$thin")"
  speed rbm_16k none sampler.steps 100 "$(deck rbm "$sampling"'type = "rbm"\nvisible = 16384\nhidden = 16384\ninitial_scale = 0.01\n[sampler]\ntype = "gibbs"\nchains = 8192\n'"$thin")"
  speed hee_fashion_mnist "4000 (a tenth of the steps of the dynamics)" train.updates 500 "$INPUTS/hee_fashion_mnist.toml" --set train.batch=512 --set output.history_every=1000000
}

: >"$results/gpu.txt"
"$gpu/src/partita" --version >"$results/version.txt"
part unit_tests unit_tests
part agreement agreement
part restarts restarts
part nccl_on_one_rank nccl_on_one_rank
speeds
exit $wrong
