#!/usr/bin/env bash
# Signals and the wall-clock limit stop a run with a checkpoint and exit code 85, one at a time in a directory.
source "$(dirname "$0")/common.sh"
long=("${small_well[@]}" --set sampler.steps=100000000 --set sampler.thin=1000000)
for signal in TERM INT USR1; do
  (trap - INT; exec "$PARTITA" run "${long[@]}" --set run.output=$signal) >output 2>&1 &
  pid=$!
  for _ in $(seq 100); do grep -q "chains of dimension" output && break; sleep 0.1; done
  if [[ $signal == TERM ]]; then
    code=0
    "$PARTITA" run "${long[@]}" --set run.output=$signal --restart auto >second 2>&1 || code=$?
    ((code == 6)) || { cat second; die "a second run in the same directory ended with $code instead of 6"; }
  fi
  kill -$signal $pid
  code=0
  wait $pid || code=$?
  ((code == 85)) || { cat output; die "exit code $code instead of 85 after SIG$signal"; }
  [[ $(status_of $signal) == 85 ]] || die "run.status.json does not say 85"
  newest_checkpoint $signal >/dev/null
done
# Two ranks, the signal to one of them.
"$MPIEXEC" -n 2 --oversubscribe "$PARTITA" run "${long[@]}" --set run.output=one_rank >output 2>&1 &
pid=$!
for _ in $(seq 100); do grep -q "chains of dimension" output && break; sleep 0.1; done
kill -USR1 "$(pgrep -f "^$PARTITA.*run.output=one_rank" | tail -n 1)"
wait $pid || true
[[ $(status_of one_rank) == 85 ]] || { cat output; die "a signal to one rank did not stop all"; }
expect 85 "wall-clock limit" run "${long[@]}" --set run.output=walltime --walltime 2s
echo "stopped runs can be continued"
