#!/usr/bin/env bash
# Signals and the wall-clock limit stop a run with a checkpoint and exit code 85, one at a time in a directory.
source "$(dirname "$0")/common.sh"
long=("${small_well[@]}" --set sampler.steps=100000000 --set sampler.thin=1000000)
for signal in TERM INT USR1; do
  start 1 run "${long[@]}" --set run.output=$signal
  wait_for_chains
  if [[ $signal == TERM ]]; then
    code=0
    "$PARTITA" run "${long[@]}" --set run.output=$signal --restart auto >second 2>&1 || code=$?
    ((code == 6)) || { cat second; die "a second run in the same directory ended with $code instead of 6"; }
  fi
  kill -$signal $pid
  finish
  ((code == 85)) || { cat output; die "exit code $code instead of 85 after SIG$signal"; }
  [[ $(status_of $signal) == 85 ]] || die "run.status.json does not say 85"
  newest_checkpoint $signal >/dev/null
done
# Two ranks, the signal to one of them.
start 2 run "${long[@]}" --set run.output=one_rank
wait_for_chains
kill -USR1 "$(rank_processes | tail -n 1)"
finish
[[ $(status_of one_rank) == 85 ]] || { cat output; die "a signal to one rank did not stop all"; }
expect 85 "wall-clock limit" run "${long[@]}" --set run.output=walltime --walltime 2s
echo "stopped runs can be continued"
