#!/usr/bin/env bash
# jobscripts/cpu.slurm on a throw-away Slurm: USR1 before the time limit stops the run with 85, the job requeues itself and finishes.
#   test_cpu_job.sh PROGRAM        exit 77: skipped, no Slurm here
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
PARTITA=$(realpath "$1")
export PARTITA
folder=$(mktemp -d "${TMPDIR:-/tmp}/partita-slurm.XXXXXX")
run=$folder/run
status=$run/run.status.json
thin=100000 warmup=1000

for tool in munged slurmctld slurmd sbatch; do
  command -v "$tool" >/dev/null || { echo "skipped: no $tool (Debian: apt-get install slurm-wlm munge)"; exit 77; }
done

fail() {
  echo "FAILED: $*"
  tail -n 50 "$folder"/*.log "$folder"/log/*.log 2>/dev/null || true
  exit 1
}

# wait_for SECONDS WHAT COMMAND...
wait_for() {
  local end=$((SECONDS + $1))
  until "${@:3}"; do
    ((SECONDS < end)) || fail "no $2 within $1 s"
    [[ -z ${job:-} ]] || ! has_failed || fail "the job failed before: $2"
    sleep 0.5
  done
}

recorded() { sed -n "s/.*\"$1\": *\"\{0,1\}\([^\",}]*\).*/\1/p" "$status" 2>/dev/null; }
has_exit_code() { [[ $(recorded exit_code) == "$1" ]]; }
job_state() { squeue -h -j "$job" -o %T 2>/dev/null; }
has_failed() { [[ $(scontrol show job "$job") =~ JobState=(FAILED|CANCELLED|TIMEOUT) ]]; }
is_pending() { [[ $(job_state) == PENDING ]]; }
is_pending_and_its_steps_are_gone() { is_pending && ! compgen -G "$folder/spool/*/stepd.slurm.pmix.$job.*" >/dev/null; }
is_completed() { [[ $(scontrol show job "$job") =~ JobState=COMPLETED ]]; }

write_deck() {
  cat >"$folder/deck.toml" <<DECK
title = "A job in two parts"
[run]
task = "sample"
seed = 1
output = "$run"
[model]
type = "double_well"
dimension = 1
[sampler]
type = "mala"
chains = 256
step_size = 0.02
warmup = $warmup
thin = $thin
steps = $1
DECK
}

trap '"$here/cluster.sh" stop "$folder"; sleep 1; rm -rf "$folder"' EXIT
"$here/cluster.sh" start "$folder"
export SLURM_CONF=$folder/slurm.conf
export OMPI_MCA_btl=tcp,self  # a fake node's ranks must not meet in the host's shared memory

# More steps than the time limit leaves room for: the signal is due 30 s after the start, a minute earlier or later by Slurm's own clock.
write_deck $((warmup + thin * 100000))
job=$(sbatch --parsable --time=2 --signal=USR1@90 --chdir="$folder" --output="$folder/job.log" "$here/../../jobscripts/cpu.slurm" deck.toml)
wait_for 115 "exit code 85" has_exit_code 85
[[ $(recorded reason) =~ (USR1|$(kill -l USR1)) ]] || fail "stopped for another reason than USR1: $(recorded reason)"
step=$(recorded step)
((step > 0)) || fail "stopped before the first step"

# The rest in a job that is long enough. Slurm would let it wait for two minutes; without them the first part's steps must have gone.
wait_for 60 "requeued job" is_pending_and_its_steps_are_gone
write_deck $((warmup + thin * (step / thin + 20)))
scontrol update jobid="$job" TimeLimit=10 StartTime=now
wait_for 100 "end of the second part" is_completed
details=$(scontrol show job "$job")
[[ $details =~ ExitCode=0:0 && $details =~ Restarts=1 ]] || fail "unexpected end: $details"
[[ $(recorded status) == "done" ]] || fail "the run's status is $(recorded status)"
(($(recorded step) > step)) || fail "no progress after the restart"
echo "stopped by USR1 at step $step, requeued, done at step $(recorded step)"
