#!/usr/bin/env bash
# Killed at any moment and restarted until done, a run ends with the bits of one that was never interrupted.
source "$(dirname "$0")/common.sh"

# compare A B: everything a run leaves but times and dates.
compare() {
  same_samples "$1" "$2"
  local series
  for series in $(h5ls "$1/history.h5" | awk '{print $1}'); do same "$1/history.h5" "$2/history.h5" "/$series"; done
  [[ $(metrics "$1") == "$(metrics "$2")" ]] || die "metrics differ: $1 $2"
}

# kill_and_continue NAME DECK...: on two ranks, both or one of them killed four times soon after a new checkpoint ($every), then to the end.
every="20 steps"
kill_and_continue() {
  local name=$1 before victims kills=0
  shift
  while ((kills < 4)); do
    before=$(newest_checkpoint "$name" 2>/dev/null || true)
    start 2 run "$@" --set run.output="$name" --set checkpoint.every="\"$every\"" --restart auto
    while runs && [[ $(newest_checkpoint "$name" 2>/dev/null || true) == "$before" ]]; do sleep 0.01; done
    sleep "0.0$((RANDOM % 10))"
    mapfile -t victims < <(rank_processes)
    ((kills % 2 == 0)) || victims=("${victims[@]:0:1}")
    kill -KILL "${victims[@]}" 2>/dev/null || true
    finish
    ((code)) || break
    ((code == 137)) || { cat output; die "exit code $code instead of 137 of a killed run"; }
    kills=$((kills + 1))
  done
  ((kills > 0)) || die "$name was never killed"
  on 2 run "$@" --set run.output="$name" --restart auto || { cat output; die "$name does not continue"; }
  echo "$name: killed $kills times"
}

longer=(--set sampler.steps=3000 --set sampler.thin=100)
on 2 run "${small_well[@]}" "${longer[@]}" --set run.output=well || { cat output; die "well"; }
kill_and_continue well_killed "${small_well[@]}" "${longer[@]}"
compare well well_killed

# After the warm-up, from checkpoints between two draws: counts since the last draw go on, and the step size stays.
on 2 run "${small_well[@]}" "${longer[@]}" --set output.history_every=1 --set run.output=settled || { cat output; die "settled"; }
numbers settled/history.h5 /step_size >step_sizes # of steps 0, 1, ..
(($(head -n 201 step_sizes | sort -u | wc -l) > 5)) || die "the step size does not adapt in the warm-up"
(($(tail -n +202 step_sizes | sort -u | wc -l) == 1)) || die "the step size still adapts after the warm-up"
# Of the 100 proposals between two draws a whole number is accepted.
numbers settled/samples/part-000000.h5 /sample_stats/acceptance_rate | awk '{ d = 100 * $1 - int(100 * $1 + 0.5); if (d > 1e-3 || -d > 1e-3) exit 1 }' ||
  die "the acceptance rate of a draw is not of the proposals since the last one"
on 2 run "${small_well[@]}" "${longer[@]}" --set output.history_every=1 --set sampler.steps=303 --set run.output=settled_killed || { cat output; die "settled_killed"; }
every="7 steps"
kill_and_continue settled_killed "${small_well[@]}" "${longer[@]}" --set output.history_every=1
every="20 steps"
compare settled settled_killed

on 2 run "${small_moons[@]}" --set run.output=moons || { cat output; die "moons"; }
kill_and_continue moons_killed "${small_moons[@]}"
compare moons moons_killed
same "$(newest_checkpoint moons)" "$(newest_checkpoint moons_killed)" /model/parameters /optimizer/square /replay/0001/x

on 2 run "${small_bars[@]}" --set train.updates=2000 --set run.output=bars || { cat output; die "rbm"; }
kill_and_continue bars_killed "${small_bars[@]}" --set train.updates=2000
compare bars bars_killed
same "$(newest_checkpoint bars)" "$(newest_checkpoint bars_killed)" /model/parameters /optimizer/velocity /objective/offsets /replay/0001/x

on 2 run "${small_hee[@]}" --set run.output=hee || { cat output; die "hee"; }
kill_and_continue hee_killed "${small_hee[@]}"
same "$(newest_checkpoint hee)" "$(newest_checkpoint hee_killed)" /model/parameters /optimizer/square /chains/layer2/x /chains/layer1/adaptation
on 2 run "${small_images[@]}" --set run.output=images --set model.from=hee || { cat output; die "hee generation"; }
kill_and_continue images_killed "${small_images[@]}" --set model.from=hee
compare images images_killed

on 2 run "${small_flow[@]}" --set train.updates=2000 --set run.output=flow || { cat output; die "flow"; }
kill_and_continue flow_killed "${small_flow[@]}" --set train.updates=2000
same "$(newest_checkpoint flow)" "$(newest_checkpoint flow_killed)" /model/parameters /optimizer/square
[[ $(metrics flow) == "$(metrics flow_killed)" ]] || die "metrics differ: flow flow_killed"

# A shorter run made longer is the longer run, also on another number of ranks.
on 1 run "${small_gaussian[@]}" --set run.output=grown --set sampler.steps=250 || { cat output; die "short run"; }
on 3 run "${small_gaussian[@]}" --set run.output=grown --restart required || { cat output; die "longer run"; }
on 2 run "${small_gaussian[@]}" --set run.output=whole || { cat output; die "whole run"; }
compare whole grown

# A checkpoint that says it is of another processor is refused, unless its bits are not asked for.
cat >relabel.py <<'END'
import sys
checkpoint, machine = sys.argv[1], sys.argv[2].encode()
data = open(checkpoint, "rb").read()
assert machine in data
data = data.replace(machine, machine[::-1])
open(checkpoint, "wb").write(data)
END
on 1 run "${small_gaussian[@]}" --set run.output=elsewhere --set sampler.steps=250 || { cat output; die "elsewhere"; }
machine=$(h5dump -a /machine "$(newest_checkpoint elsewhere)" | sed -n 's/^ *(0): "\(.*\)"$/\1/p')
python3 relabel.py "$(newest_checkpoint elsewhere)" "$machine"
python3 "$seal" "$(newest_checkpoint elsewhere)"
expect 2 "the bits would differ; continue with --allow-different-machine" run "${small_gaussian[@]}" --set run.output=elsewhere --restart auto
expect 0 "results are in" run "${small_gaussian[@]}" --set run.output=elsewhere --restart auto --allow-different-machine
compare whole elsewhere

# The newest checkpoint damaged: the one before takes over, loudly.
on 1 run "${small_gaussian[@]}" --set run.output=damaged --set 'checkpoint.every="100 steps"' || { cat output; die "run"; }
printf 'x' | dd of="$(newest_checkpoint damaged)" bs=1 seek=3000 conv=notrunc status=none
on 1 run "${small_gaussian[@]}" --set run.output=damaged --set sampler.steps=420 --restart auto || { cat output; die "damaged"; }
grep -q "warning" output || { cat output; die "no warning about the damaged checkpoint"; }

# --- a run of an earlier version, whose decks have a former name of a key ---
cat >of_earlier_version.py <<'END'
# of_earlier_version.py RUN: its recorded decks as they were when train.average_decay was called train.average.
import glob, re, sys
from seal import crc32c, seal
run = sys.argv[1]
for file in [run + "/deck.toml", *glob.glob(run + "/checkpoints/*.h5")]:
    data = open(file, "rb").read()
    present, former = b"average_decay = 0.999\n", b"average = 0.999      \n"
    if former in data:
        continue  # a checkpoint from before the restart
    assert data.count(present) == 1
    open(file, "wb").write(data.replace(present, former))
    if file.endswith(".h5"):
        seal(file)
status = open(run + "/run.status.json").read()
deck_hash = crc32c(open(run + "/deck.toml", "rb").read())
open(run + "/run.status.json", "w").write(re.sub(r'"deck_hash": "[0-9a-f]*"', f'"deck_hash": "{deck_hash}"', status))
END
as_of_earlier_version() { PYTHONPATH=$(dirname "$seal") python3 of_earlier_version.py "$1"; }
sed 's/^average_decay = /average = /' "${small_moons[0]}" >former.toml
line=$(grep -n '^average = ' former.toml | cut -d: -f1)
renamed="train.average is now called train.average_decay: write average_decay"
expect 0 "former.toml:$line:1: $renamed" check former.toml --without-files
expect 0 "--set: $renamed" check "${small_moons[@]}" --set train.average=0.9 --without-files
sed "${line}a average_decay = 0.5" former.toml >both.toml
twice="train.average: the former name of train.average_decay, which is given too (both.toml:$((line + 1)):1); remove average"
expect 2 "both.toml:$line:1: $twice" check both.toml --without-files
planned=(--set train.schedule_updates=200)  # so that 100 updates are the first half of the 200
on 1 run "${small_moons[@]}" "${planned[@]}" --set train.updates=100 --set run.output=earlier || { cat output; die "earlier"; }
as_of_earlier_version earlier
expect 0 "former.toml:$line:1: $renamed" run former.toml "${small_moons[@]:1}" "${planned[@]}" --set run.output=earlier --restart auto
compare moons earlier
as_of_earlier_version earlier
expect 0 "is done: nothing to do" run "${small_moons[@]}" "${planned[@]}" --set run.output=earlier --restart auto
expect 2 'train.average_decay: 0.999 in the run, 0.5 in the deck (--set)' run "${small_moons[@]}" "${planned[@]}" --set run.output=earlier --restart auto --set train.average=0.5
echo "killed, restarted, lengthened, damaged and earlier runs end with the same bits"
