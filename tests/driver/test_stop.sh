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
# Models that are made of matrix products, stopped in the middle, on one rank by each signal and on two by one, and continued to the bits
# of a quiet run.
# stopped NAME OBJECTS DECK...
stopped() {
  local name=$1 objects=$2 signal ranks pause=0.4
  shift 2
  on 1 run "$@" --set run.output="$name" || { cat output; die "$name"; }
  for ranks in 1 2; do
    for signal in USR1 TERM INT; do
      ((ranks == 1)) || [[ $signal == TERM ]] || continue
      start "$ranks" run "$@" --set run.output="$name.again"
      wait_for_chains
      sleep $pause
      pause=$(awk -v p=$pause 'BEGIN { print p * 1.3 }')
      kill -$signal "$(rank_processes | tail -n 1)"
      finish
      [[ $(status_of "$name.again") == 85 ]] || { cat output "$name.again/run.status.json"; die "$name on $ranks ranks: $code after SIG$signal"; }
      on "$ranks" run "$@" --set run.output="$name.again" --restart required || { cat output; die "$name does not go on"; }
      same "$(newest_checkpoint "$name")" "$(newest_checkpoint "$name.again")" $objects
      [[ $(metrics "$name") == "$(metrics "$name.again")" ]] || die "metrics of $name differ after SIG$signal on $ranks ranks"
      rm -r "$name.again"
    done
  done
}
parameters="/model/parameters /estimate/parameters"
stopped rbm "$parameters /replay/0000/x" "$INPUTS/quickstart.toml" --set data.limit=2000 --set model.hidden=100 --set train.updates=1000 --set run.reproducible=true
stopped mlp "$parameters" "${small_moons[@]}" --set 'model.layers=[2, 128, 128, 1]' --set train.batch=256 --set objective.chains=512 --set train.updates=1000

# Two ranks, the signal to one of them.
start 2 run "${long[@]}" --set run.output=one_rank
wait_for_chains
kill -USR1 "$(rank_processes | tail -n 1)"
finish
[[ $(status_of one_rank) == 85 ]] || { cat output; die "a signal to one rank did not stop all"; }
# USR1 to mpirun reaches the ranks and they stop in order. TERM and INT to it kill them a second later: the directory says how it ended, and
# the run goes on from a checkpoint.
for signal in USR1 TERM INT; do
  (trap - INT; exec "$MPIEXEC" -n 2 --oversubscribe "$PARTITA" run "${long[@]}" --set run.output=mpirun_$signal --set 'checkpoint.every="1000 steps"') >output 2>&1 &
  pid=$!
  wait_for_chains
  sleep 1
  kill -$signal $pid
  finish
  ((code != 0)) || { cat output; die "mpirun ends with 0 after SIG$signal"; }
  [[ $signal != USR1 || $(status_of mpirun_USR1) == 85 ]] || { cat output; die "USR1 to mpirun did not stop the ranks in order"; }
  grep -q '"status": "\(died\|stopped early\)"' mpirun_$signal/run.status.json || { cat mpirun_$signal/run.status.json; die "the status after SIG$signal to mpirun"; }
  expect 85 "continuing from" run "${long[@]}" --set run.output=mpirun_$signal --restart required --walltime 2s
done
# Half of a limit is kept for the last checkpoint (three times the longest one, 30 s at least, but not more than that half).
expect 85 "wall-clock limit" run "${long[@]}" --set run.output=walltime --walltime 12s
awk -v seconds="$(sed -n 's/.*"wall_seconds": \([0-9.]*\).*/\1/p' walltime/summary.json)" 'BEGIN { exit !(seconds > 5 && seconds < 11.5) }' ||
  die "a limit of 12 s was used up to $(grep wall_seconds walltime/summary.json)"
echo "stopped runs can be continued"
