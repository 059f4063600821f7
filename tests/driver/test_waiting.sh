#!/usr/bin/env bash
# No rank waits for one that never comes: a stopped rank, a killed rank, ranks that were started differently, and a limit that slow work
# does not reach.
source "$(dirname "$0")/common.sh"
long=("${small_well[@]}" --set sampler.steps=100000000 --set sampler.thin=1000000 --set run.watchdog=4s --set 'checkpoint.every="200000 steps"')

# A stopped rank, whichever: the others end the job and say whom they missed.
for ((r = 0; r < 3; r++)); do
  start 3 run "${long[@]}" --set run.output=stopped$r
  wait_for_chains
  sleep 1
  kill -STOP "$(rank_processes | sed -n $((r + 1))p)"
  SECONDS=0
  finish
  ((code == 7 && SECONDS < 30)) || { cat output; die "exit code $code after $SECONDS s with rank $r stopped"; }
  [[ $(status_of stopped$r) == 7 ]] || die "the status does not say 7"
  grep -q "rank $r on [^ ]* does not answer" stopped$r/run.status.json || { cat stopped$r/run.status.json; die "rank $r is not named"; }
  grep -q 'last collective calls of this rank' output || die "no collective calls are shown"
done
on 3 run "${small_well[@]}" --set sampler.steps=400000 --set sampler.thin=20000 --set run.output=suspended || { cat output; die "the quiet run"; }

# A job that is suspended as a whole and continued is not ended.
start 3 run "${small_well[@]}" --set sampler.steps=400000 --set sampler.thin=20000 --set run.watchdog=2s --set run.output=continued
wait_for_chains
mapfile -t ranks < <(rank_processes)
kill -STOP "${ranks[@]}"
sleep 6
kill -CONT "${ranks[@]}"
finish
((code == 0)) || { cat output; die "a suspended job ended with $code"; }
same_samples suspended continued

# A killed rank: the launcher ends the job, and the directory says that the run died.
start 3 run "${long[@]}" --set run.output=killed
wait_for_chains
sleep 1
kill -KILL "$(rank_processes | sed -n 2p)"
finish
((code == 137)) || { cat output; die "exit code $code after a rank was killed"; }
grep -q '"status": "died"' killed/run.status.json || { cat killed/run.status.json; die "the status does not say that the run died"; }
on 3 run "${long[@]}" --set run.output=killed --restart auto --walltime 2s && die "no early stop" || [[ $(status_of killed) == 85 ]] || die "it does not go on"

# apart ARGUMENTS...: rank 1 is started with these arguments more; all ranks end with 2.
apart() {
  code=0
  timeout 30 "$MPIEXEC" --oversubscribe -n 1 "$PARTITA" run "${small_well[@]}" --set run.output=apart : -n 1 "$PARTITA" run "${small_well[@]}" --set run.output=apart "$@" \
    >output 2>&1 || code=$?
  ((code == 2)) || { cat output; die "exit code $code of ranks that differ by $*"; }
  grep -q 'rank 1 was started with' output || { cat output; die "the difference is not named: $*"; }
}
apart --set run.seed=2
apart --set sampler.step_size=-1
apart --no-such-option
apart --walltime 1s
[[ ! -e apart/deck.toml ]] || die "ranks that differ began a run"
echo "no rank waits for one that never comes"
