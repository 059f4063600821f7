#!/usr/bin/env bash
# Every stop can go on: among estimators, longer than planned, from another run's checkpoint with other keys, after a divergence.
source "$(dirname "$0")/common.sh"
bars=("${small_bars[@]}" --set train.updates=60)
warns() { sed -n '/"warnings"/,/\]/p' "$1/summary.json" | grep -qF -- "$2" || die "no '$2' among the warnings of $1"; }
within() { awk -v x="$1" -v most="$2" 'BEGIN { exit !(x < most) }' || die "$3 took $1 s"; }

# --- a signal, or the end of the time, while estimators compute ---
cat >slow.toml <<'END'
[run]
task = "estimate"
output = "slow"
[model]
type = "ising_lattice"
rows = 30
columns = 30
coupling = 0.3
[data]
type = "csv"
path = "spins.csv"
[[estimator]]
type = "pseudo_likelihood"
[[estimator]]
type = "ais"
chains = 64
temperatures = 10000000
END
for ((i = 0; i < 30; i++)); do seq -s, 900 | sed "s/[0-9]*/$((i % 2))/g"; done >spins.csv
wait_for() {
  local end=$((SECONDS + 60))
  until grep -q "$1" output; do { runs && ((SECONDS < end)); } || { cat output >&2; die "no '$1' within a minute"; }; sleep 0.05; done
}
for ranks in 1 3; do
  for signal in TERM USR1 INT; do
    start $ranks run slow.toml --overwrite
    wait_for "annealed importance sampling"
    before=$(date +%s.%N)
    kill -$signal "$(rank_processes | tail -n 1)"
    finish
    within "$(awk -v a="$before" -v b="$(date +%s.%N)" 'BEGIN { print b - a }')" 10 "the answer to SIG$signal on $ranks ranks"
    ((code == 85)) || { cat output >&2; die "exit code $code after SIG$signal among estimators on $ranks ranks"; }
    [[ $(status_of slow) == 85 ]] || die "the status after SIG$signal among estimators on $ranks ranks"
    grep -q '"status": "stopped early"' slow/run.status.json || die "no early stop in the status"
  done
done
expect 85 "found before the run was stopped" run slow.toml --restart auto --walltime 4s
grep -q "wall-clock limit in phase estimators" slow/run.status.json || die "the reason of a stop by the time limit"
# Once more would change nothing: a job that is put back into the queue each time must end.
expect 2 "would end here for ever" run slow.toml --restart auto --walltime 4s
expect 2 "would end here for ever" run slow.toml --restart auto --walltime 4s
[[ $(status_of slow) == 2 ]] || die "the status of a limit that is too short for ever"
# What was found before the stop is found, to the bit, and the rest is computed.
on 1 run slow.toml --set run.output=whole --set estimator.1.temperatures=40000
start 1 run slow.toml --set run.output=pieces --set estimator.1.temperatures=40000
wait_for "annealed importance sampling"
kill -TERM $pid
finish
((code == 85)) || die "exit code $code: the annealing is too short to be stopped"
expect 0 "pseudo_likelihood: found before the run was stopped" run slow.toml --set run.output=pieces --restart auto --set estimator.1.temperatures=40000
[[ $(metrics whole) == "$(metrics pieces)" ]] || die "other metrics after a stop among estimators"
[[ ! -e pieces/estimators.finished.json ]] || die "finished estimators stay in a finished run"

# Of a training: its last step's checkpoint and what it found go on.
tail_of_training=("${bars[@]}" --set estimator.0.type=ais --set estimator.0.chains=64 --set estimator.0.temperatures=2000000 --set run.output=trained)
start 1 run "${tail_of_training[@]}"
wait_for "annealed importance sampling"
kill -USR1 $pid
finish
((code == 85)) || { cat output; die "exit code $code after a signal among the estimators of a training"; }
expect 85 "continuing from" run "${tail_of_training[@]}" --restart auto --walltime 3s

# --- longer than planned ---
# With a constant learning rate and explicit intervals the longer run; otherwise a refusal that says how to go on, which works.
constant=("${bars[@]}" --set optimizer.schedule=constant --set output.history_every=7)
on 1 run "${constant[@]}" --set run.output=long --set train.updates=120
on 1 run "${constant[@]}" --set run.output=longer
on 1 run "${constant[@]}" --set run.output=longer --restart auto --set train.updates=120
same "$(newest_checkpoint long)" "$(newest_checkpoint longer)" /model/parameters
for schedule in linear cosine; do
  scheduled=("${bars[@]}" --set optimizer.schedule=$schedule --set run.output=$schedule)
  on 1 run "${scheduled[@]}"
  expect 2 "train.schedule_updates = 60 goes on with their last values" run "${scheduled[@]}" --restart auto --set train.updates=120
  expect 0 "step 60 of 90" run "${scheduled[@]}" --restart auto --set train.updates=90 --set train.schedule_updates=60
  planned=("${bars[@]}" --set optimizer.schedule=$schedule --set train.schedule_updates=120)
  on 1 run "${planned[@]}" --set run.output=planned.$schedule
  on 1 run "${planned[@]}" --set run.output=planned.$schedule --restart auto --set train.updates=120
  on 1 run "${planned[@]}" --set run.output=whole.$schedule --set train.updates=120
  same "$(newest_checkpoint whole.$schedule)" "$(newest_checkpoint planned.$schedule)" /model/parameters
done
on 1 run "${small_flow[@]}" --set run.output=flow --set train.updates=20
expect 2 "train.schedule_updates = 20" run "${small_flow[@]}" --set run.output=flow --restart auto --set train.updates=40
# Rows of the history go on at their interval.
on 1 run "${small_well[@]}" --set run.output=rows --set sampler.steps=1000
on 1 run "${small_well[@]}" --set run.output=rows --set sampler.steps=4000 --restart auto
numbers rows/history.h5 /step | awk 'NR > 1 && $1 - before != 2 { exit 1 } { before = $1 }' || die "rows of a lengthened run at another interval"

# What is drawn can be read at any time: a run that stopped before a part was full, and one that goes on from there.
draws_of() { numbers "$1/samples.h5" /posterior/draw | wc -l; }
drawn=("${small_well[@]}" --set run.output=drawn)
on 1 run "${drawn[@]}"
finished=$(draws_of drawn)
for signal in KILL TERM; do
  start 1 run "${drawn[@]}" --restart auto --set sampler.steps=40000000
  wait_for "continuing from"
  kill -$signal $pid
  finish
  (($(draws_of drawn) >= finished)) || die "a run that goes on and is ended by SIG$signal hides its draws"
done
(($(draws_of drawn) > finished)) || die "a run that stopped hides its last draws"

# --- forks: another run's checkpoint, other keys, another directory ---
on 1 run "${constant[@]}" --set run.output=origin
from=$(newest_checkpoint origin)
expect 0 "a fork of" run "${constant[@]}" --restart "$from" --set run.output=fork --set train.updates=120
same "$(newest_checkpoint long)" "$(newest_checkpoint fork)" /model/parameters  # nothing changed: the same bits
for change in optimizer.learning_rate=0.01 run.seed=7 objective.sampler_steps=3 optimizer.type=adam; do
  expect 0 "differs from" run "${constant[@]}" --restart "$from" --set run.output=fork.$change --set train.updates=120 --set $change
  ! h5diff -q "$(newest_checkpoint long)" "$(newest_checkpoint fork.$change)" /model/parameters || die "a fork with $change learns the same"
done
on 3 run "${constant[@]}" --restart "$from" --set run.output=fork.ranks --set train.updates=120
same "$(newest_checkpoint long)" "$(newest_checkpoint fork.ranks)" /model/parameters
expect 2 "a run that begins there has nothing to do" run "${constant[@]}" --restart "$from" --set run.output=fork.idle
expect 2 "is a checkpoint of another run" run "${constant[@]}" --restart "$from" --set run.output=fork --set train.updates=150
expect 0 "continuing from" run "${constant[@]}" --restart auto --set run.output=fork --set train.updates=150
grep -q "\"fork_of\": \".*$(basename "$from")" fork/run.status.json || die "the status does not tell what a run is a fork of"
# A fork that is stopped before its first checkpoint begins again as a fork, never from step 0.
start 1 run "${constant[@]}" --restart "$from" --set run.output=fork.stopped --set train.updates=120 --set data.copies=20000
until [[ -e fork.stopped/run.status.json ]]; do sleep 0.01; done
kill -KILL $pid
finish
if [[ -z $(ls fork.stopped/checkpoints) ]]; then
  expect 2 "begin it again with --restart" run "${constant[@]}" --restart auto --set run.output=fork.stopped --set train.updates=120 --set data.copies=20000
  expect 0 "a fork of" run "${constant[@]}" --restart "$from" --set run.output=fork.stopped --set train.updates=120 --set data.copies=20000
fi
expect 2 'that run has task "train" and model.type = "rbm", this deck "sample" and "double_well"' run "${small_well[@]}" --restart "$from" --set run.output=fork.kind
expect 2 "model.hidden" run "${constant[@]}" --restart "$from" --set run.output=fork.shape --set model.hidden=9 --set train.updates=120
grep -q "^error: .*a fork keeps the sizes" output || die "a fork of other sizes is not refused for them"
on 1 run "${small_well[@]}" --set run.output=chains
expect 0 "a fork of" run "${small_well[@]}" --restart "$(newest_checkpoint chains)" --set run.output=chains.fork --set sampler.steps=800 --set sampler.step_size=0.02
[[ $(numbers chains.fork/samples.h5 /posterior/draw | head -n 1) == 420 ]] || die "draws of a fork begin elsewhere than behind its start"
expect 0 "continuing from" run "${small_well[@]}" --restart auto --set run.output=chains.fork --set sampler.steps=900 --set sampler.step_size=0.02

# --- divergence: the checkpoints that stay are sane, the advice works as printed, a training may go back by itself ---
wild=("${bars[@]}" --set optimizer.type=sgd --set optimizer.schedule=constant)
expect 5 "the norm of the parameters grew to" run "${wild[@]}" --set run.output=wild --set optimizer.learning_rate=1e30 --set 'checkpoint.every="1 steps"'
[[ -z $(ls wild/checkpoints) ]] || die "a checkpoint of parameters that ran away"
# A training that diverges when its rate is raised on the way: with the printed command it goes on from its last sane state.
expect 0 "results are in" run "${wild[@]}" --set run.output=calm --set optimizer.learning_rate=0.05
expect 5 "to go on from the checkpoint of step 60" run "${wild[@]}" --set run.output=raised --restart "$(newest_checkpoint calm)" --set optimizer.learning_rate=1e4 \
  --set train.updates=90 --set 'checkpoint.every="5 steps"' --set optimizer.clip_norm=0
command=$(grep '^  partita run' output | sed 's/^ *partita/"$PARTITA"/; s/learning_rate=[0-9.e+]*$/learning_rate=0.05/')
eval "$command" >output 2>&1 || { cat output >&2; die "the printed advice does not work: $command"; }
grep -q "results are in raised.fork" output || die "the printed advice goes elsewhere"
# By itself: back to a checkpoint with half the rate, recorded in history and summary; not for ever; the same bits on any number of ranks and
# after a stop.
back=("${wild[@]}" --set train.on_divergence=rollback --set optimizer.learning_rate=1e3 --set 'checkpoint.every="10 steps"' --set output.history_every=1)
expect 0 "going back to step 0 with half the learning rate" run "${back[@]}" --set run.output=back
warns back "the training diverged 1 time"
[[ $(numbers back/history.h5 /learning_rate | tail -n 1) == 500 && $(numbers back/history.h5 /rollbacks | tail -n 1) == 1 ]] || die "the history does not tell of the way back"
on 3 run "${back[@]}" --set run.output=back.3
same "$(newest_checkpoint back)" "$(newest_checkpoint back.3)" /model/parameters
on 1 run "${back[@]}" --set run.output=back.pieces --set train.updates=30
on 1 run "${back[@]}" --set run.output=back.pieces --restart auto
same "$(newest_checkpoint back)" "$(newest_checkpoint back.pieces)" /model/parameters
expect 5 "exceeded objective.divergence_bound" run "${wild[@]}" --set run.output=hopeless --set train.on_divergence=rollback --set train.rollbacks=2 --set optimizer.learning_rate=1e30
(($(grep -c "going back" output) == 2)) || die "not two ways back"

# --- chains that are no longer finite: reported with the last finite energy, or restarted and counted ---
cat >far.toml <<'END'
[run]
task = "sample"
output = "far"
[model]
type = "double_well"
dimension = 1
[sampler]
type = "ula"
chains = 500
tile_width = 64
step_size = 0.1
steps = 400
warmup = 200
thin = 20
END
far=(far.toml)
expect 5 "(last finite mean energy " run "${far[@]}" --set run.output=far
! grep -q "energy \(nan\|inf\|-nan\))" output || die "the last finite energy is not finite"
expect 0 "times a chain was no longer finite and was restarted" run "${far[@]}" --set run.output=anew --set sampler.on_nonfinite=reinitialize
on 3 run "${far[@]}" --set run.output=anew.3 --set sampler.on_nonfinite=reinitialize
same_samples anew anew.3
echo "every stop goes on"
