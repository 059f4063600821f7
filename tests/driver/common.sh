# What the end-to-end tests share. Called with PARTITA (the program), MPIEXEC and INPUTS in the environment; works in a folder of its own.
set -euo pipefail
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_rmaps_base_oversubscribe=1 OMPI_MCA_orte_execute_quiet=1
export PARTITA_CHECK_COLLECTIVES=1  # ranks compare what they call
seal=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)/seal.py
work=$(mktemp -d)
trap 'jobs -p | xargs -r kill 2>/dev/null; wait; rm -rf "$work"' EXIT  # a failing test leaves no program running
cd "$work"

die() { printf 'FAILED: %s\n' "$*" >&2; exit 1; }

# on RANKS ARGUMENTS...: the program on that many ranks; its output goes to the file `output`.
on() {
  local ranks=$1
  shift
  if ((ranks == 1)); then "$PARTITA" "$@" >output 2>&1; else "$MPIEXEC" -n "$ranks" --oversubscribe "$PARTITA" "$@" >output 2>&1; fi
}

# expect CODE WORDS ARGUMENTS...: one rank of the program ends with this exit code and says these words.
expect() {
  local code=$1 words=$2 got=0
  shift 2
  on 1 "$@" || got=$?
  ((got == code)) || { cat output >&2; die "exit code $got instead of $code: partita $*"; }
  grep -qF -- "$words" output || { cat output >&2; die "no '$words' in the output of: partita $*"; }
}

# start RANKS ARGUMENTS...: in the background, as process $pid; its ranks are the processes that `rank_processes` prints.
start() {
  started_ranks=$1
  : >output  # a wait for words of this run must not find those of the last
  # Bash lets its background programs ignore INT.
  if (($1 == 1)); then (trap - INT; exec "$PARTITA" "${@:2}") >>output 2>&1 &
  else "$MPIEXEC" -n "$1" --oversubscribe "$PARTITA" "${@:2}" >>output 2>&1 &
  fi
  pid=$!
}
rank_processes() { if ((started_ranks == 1)); then echo "$pid"; else pgrep -P "$pid"; fi; }
runs() { kill -0 "$pid" 2>/dev/null; }
wait_for_chains() {
  local end=$((SECONDS + 60))
  until grep -q "chains \(of dimension\|in\) " output; do
    { runs && ((SECONDS < end)); } || { cat output >&2; die "no chains within a minute"; }
    sleep 0.05
  done
}
# The exit code of the started program into $code.
finish() { code=0; wait "$pid" || code=$?; }

# same A B OBJECT...: the HDF5 datasets have the same shape and bits (NaN equals NaN). h5diff calls datasets of different shapes equal.
same() {
  local a=$1 b=$2 object
  shift 2
  for object in "$@"; do
    [[ $(shape "$a" "$object") == "$(shape "$b" "$object")" ]] || die "$object has another shape: $a $b"
    h5diff -q "$a" "$b" "$object" || die "$object differs: $a $b"
  done
}
shape() { h5ls "$1$2" | grep -o '{.*}' || die "$1 has no $2"; }

same_samples() {
  local part=samples/part-000000.h5 object
  for object in $(h5ls -r "$1/$part" | awk '$2 == "Dataset" {print $1}'); do same "$1/$part" "$2/$part" "$object"; done
}
metrics() { sed -n '/"metrics"/,/}/p' "$1/summary.json"; }
# metric RUN NAME: its value, null where it is not known.
metric() { sed -n "/\"metrics\"/,/}/s/^ *\"$2\": \([^,]*\),\{0,1\}$/\1/p" "$1/summary.json"; }
# numbers FILE DATASET: one a line.
numbers() { h5dump -A 0 -m %.9g -d "$2" "$1" | sed -n '/DATA {/,/^ *}/s/^ *([0-9,]*): //p' | tr ',' '\n' | tr -d ' ' | sed '/^$/d'; }
newest_checkpoint() { ls "$1"/checkpoints/step-*.h5 | tail -n 1; }
status_of() { grep -o '"exit_code": [0-9]*' "$1/run.status.json" | grep -o '[0-9]*$'; }

small_gaussian=("$INPUTS/gaussian.toml" --set sampler.chains=200 --set sampler.tile_width=16 --set sampler.steps=400 --set sampler.warmup=100 --set sampler.thin=20)
small_well=("$INPUTS/double_well.toml" --set sampler.chains=500 --set sampler.tile_width=64 --set sampler.steps=400 --set sampler.warmup=200 --set sampler.thin=20)
small_moons=("$INPUTS/two_moons.toml" --set 'model.layers=[2, 16, 16, 1]' --set train.batch=64 --set objective.chains=128 --set sampler.tile_width=16
  --set train.updates=200 --set objective.sampler_steps=5 --set data.points=2000 --set estimator.0.points=100 --set estimator.0.splits=2
  --set estimator.0.sampler_steps=10 --set run.reproducible=true)
small_flow=("$INPUTS/nice_double_well.toml" --set model.couplings=3 --set 'model.hidden=[8]' --set train.batch=64 --set train.updates=200 --set objective.tile_width=16
  --set estimator.0.samples=2000 --set run.reproducible=true)
small_score=("$INPUTS/score_2d_denoising.toml" --set 'model.layers=[2, 16, 16, 1]' --set train.batch=64 --set train.updates=200 --set objective.tile_width=16
  --set data.points=2000 --set run.reproducible=true)
small_hee=("$INPUTS/hee_2d.toml" --set train.batch=64 --set data.points=64 --set train.updates=200 --set sampler.tile_width=16 --set run.reproducible=true)
small_images=("$INPUTS/hee_2d_generate.toml" --set generator.samples=200 --set generator.tile_width=16 --set generator.type=hee_joint --set generator.duration=20
  --set generator.average_over=5 --set sampler.type=hee_langevin --set sampler.step_size=0.05 --set estimator.0.points=100 --set estimator.0.splits=2 --set checkpoint.every="50 steps")
small_bars=("$INPUTS/rbm_bars.toml" --set data.size=5 --set model.visible=25 --set train.batch=48 --set objective.chains=96 --set objective.chains_per_update=96
  --set sampler.tile_width=16 --set train.updates=200 --set run.reproducible=true)
