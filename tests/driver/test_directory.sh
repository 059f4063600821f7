#!/usr/bin/env bash
# A directory belongs to its run: nothing of others in it is replaced, removed or followed, no finished result is lost without --overwrite,
# its status is true at every moment, and what is damaged in it is found before the work. FAILING_CALLS: see its source.
source "$(dirname "$0")/common.sh"
status_is() { [[ $("$PARTITA" info "$1" | sed -n 's/^ *"status": "\(.*\)",$/\1/p') == "$2" ]] || { "$PARTITA" info "$1"; die "the status of $1 is not '$2'"; }; }
draws() { h5ls "$1/samples.h5/posterior/x" | sed 's/.*{[0-9]*, \([0-9]*\),.*/\1/'; }
# untouched FILE...: those that were written as "mine" still are.
untouched() { local f; for f; do [[ $(<"$f") == mine ]] || die "$f was touched"; done; }
flip() { python3 -c 'import sys; f = open(sys.argv[1], "r+b"); f.seek(int(sys.argv[2]), 2 if int(sys.argv[2]) < 0 else 0); b = f.read(1); f.seek(-1, 1); f.write(bytes([b[0] ^ 1]))' "$1" "$2"; }
parts=(--set output.draws_per_part=5)

# --- whose directory it is -------------------------------------------------------------------------------------------------------------
foreign=(exp/notes.txt exp/samples/measured.csv exp/samples/part-1.h5 exp/checkpoints/thesis.tex exp/checkpoints/step-99999999999999999999.h5
  exp/estimates/mine.h5 exp/run.log.1 exp/notes.writing-guide.txt)
mkdir -p exp/samples exp/checkpoints exp/estimates
for f in "${foreign[@]}"; do echo mine >"$f"; done
expect 0 "results are in" run "${small_gaussian[@]}" --set run.output=exp --overwrite
expect 0 "results are in" run "${small_gaussian[@]}" --set run.output=exp --overwrite
expect 0 "results are in" run "${small_gaussian[@]}" --set run.output=exp --set sampler.steps=500 --restart auto
untouched "${foreign[@]}"
for name in deck.toml samples/part-000000.h5 checkpoints/step-0000000000100.h5 run.lock run.status.json summary.json history.h5 estimates/energy_grid.h5; do
  mkdir -p "theirs/$(dirname $name)"
  echo mine >theirs/$name
  for how in "--restart auto" --overwrite ""; do
    expect 2 "theirs/$name" run "${small_gaussian[@]}" --set run.output=theirs $how
    untouched theirs/$name
  done
  rm -r theirs
done
expect 2 "control characters" run "${small_gaussian[@]}" --set 'run.output="a\nb"'

# --- links -----------------------------------------------------------------------------------------------------------------------------
echo mine >victim
mkdir linked
ln -s "$work/victim" linked/run.lock
expect 2 "run.lock" run "${small_gaussian[@]}" --set run.output=linked
rm linked/run.lock
expect 0 "results are in" run "${small_gaussian[@]}" --set run.output=linked
for name in deck.toml run.log run.status.json summary.json history.h5 history.manifest samples.h5 run.lock run.lock.alive samples/part-000000.h5 \
  samples/part-000000.manifest history.earlier.h5 checkpoints/step-0000000000500.h5 checkpoints/step-0000000000500.manifest; do
  cp -r linked again
  ln -sf "$work/victim" again/$name
  on 1 run "${small_gaussian[@]}" --set run.output=again --set sampler.steps=500 --restart auto || true
  on 1 run "${small_gaussian[@]}" --set run.output=again --overwrite || true
  untouched victim
  rm -r again
done
mkdir disk
ln -s disk to_disk
expect 0 "results are in" run "${small_gaussian[@]}" --set run.output=to_disk/run
[[ -f disk/run/summary.json ]] || die "a linked directory is not used"

# --- paths -----------------------------------------------------------------------------------------------------------------------------
long=$(printf 'x%.0s' {1..200})
on 1 run "${small_gaussian[@]}" --set run.output="$work/$long/$long" || { cat output; die "a path of 400 characters"; }
expect 0 "nothing to do" run "${small_gaussian[@]}" --set run.output="$work/$long/$long" --restart auto
expect 2 "choose a shorter run.output" run "${small_gaussian[@]}" --set run.output="$long$long"
expect 2 "choose a shorter run.output" run "${small_gaussian[@]}" --set run.output="$(printf "$long/%.0s" {1..21})"

# --- finished results ------------------------------------------------------------------------------------------------------------------
expect 0 "results are in" run "${small_gaussian[@]}" "${parts[@]}" --set run.output=done --set 'checkpoint.every="100 steps"'
cp -r done kept
rm done/checkpoints/*
before=$(ls -i done done/samples)
sed 's/^seed = .*/seed = 7/' "$INPUTS/double_well.toml" >other.toml
for deck in "${small_gaussian[*]} --set sampler.steps=800" "other.toml"; do
  expect 2 "--overwrite" run $deck --set run.output=done --restart auto
  expect 3 "holds no checkpoint" run $deck --set run.output=done --restart required
done
expect 2 "another run" run "${small_gaussian[@]}" --set run.output=done --restart kept
mv done/deck.toml done/run.status.json .
expect 2 "no status that tells how it ended" run "${small_gaussian[@]}" --set run.output=done --restart auto
mv deck.toml run.status.json done
[[ $(ls -i done done/samples) == "$before" ]] || die "the results of a finished run were touched"
expect 2 "would be removed" run "${small_gaussian[@]}" "${parts[@]}" --set run.output=kept --restart "$(ls kept/checkpoints/step-*.h5 | head -n 1)"
# What is refused leaves a finished run as it was, and the way to its results stays closed.
every100=("${small_gaussian[@]}" --set 'checkpoint.every="100 steps"' --set run.output=stays)
on 1 run "${every100[@]}" || die "stays"
before=$(cat stays/run.status.json stays/deck.toml)
expect 2 "is at step 400 already" run "${every100[@]}" --set sampler.steps=300 --restart auto
expect 2 "has no parameters" run "${every100[@]}" --set model.from=x.h5 --restart auto
[[ $(cat stays/run.status.json stays/deck.toml) == "$before" ]] || die "a refused restart changed a finished run"
expect 2 "would be removed" run "${every100[@]}" --set sampler.steps=350 --restart stays/checkpoints/step-0000000000300.h5
expect 3 "a checkpoint with its manifest or the directory of a run" run "${every100[@]}" --restart stays/samples.h5
expect 0 "nothing to do" run "${every100[@]}" --restart auto
# Done is what has its samples: those of the checkpoint are written again, others are missed.
cp -r stays complete
rm stays/samples/part-000000.h5
expect 0 "0 parts and 1 manifests, though the run in stays is done" run "${every100[@]}" --restart auto
same_samples stays complete
expect 0 "nothing to do" run "${every100[@]}" --restart auto
cp -r kept gap
rm gap/samples/part-000000.*
before=$(ls -i gap/samples gap/samples.h5; cat gap/run.status.json)
expect 3 "restore the file and its manifest from a copy" run "${small_gaussian[@]}" "${parts[@]}" --set run.output=gap --set 'checkpoint.every="100 steps"' --restart auto
[[ $(ls -i gap/samples gap/samples.h5; cat gap/run.status.json) == "$before" ]] || die "a refused restart took something from a finished run"
# Its own deck is a deck, and mistakes that were found before anything was made leave nothing in the way.
expect 0 "nothing to do" run stays/deck.toml --restart auto
expect 2 "has no parameters" run "${small_gaussian[@]}" --set run.output=mistaken --set model.from=x.h5
expect 0 "results are in" run "${small_gaussian[@]}" --set run.output=mistaken
expect 2 "must be at least 1 s" run "${small_gaussian[@]}" --set run.output=limit --walltime 0s

expect 0 "results are in" run "${small_gaussian[@]}" --set run.output=exp2
expect 2 "another run" run "${small_gaussian[@]}" --set run.output=exp2 --restart "$(newest_checkpoint kept)"
printf '[run]\ntask = "estimate"\noutput = "estimate"\n[model]\ntype = "gaussian"\ndimension = 2\n[[estimator]]\ntype = "energy_grid"\n' >estimate.toml
expect 0 "results are in" run estimate.toml
expect 0 "nothing to do" run estimate.toml --restart auto
before=$(ls -i estimate estimate/estimates)
expect 2 "--overwrite" run "${small_gaussian[@]}" --set run.output=estimate --restart auto
[[ $(ls -i estimate estimate/estimates) == "$before" ]] || die "the results of an estimate were touched"

# --- the status ------------------------------------------------------------------------------------------------------------------------
# A longer run that is killed as it begins, at each of its first files.
on 1 run "${small_gaussian[@]}" --set run.output=whole --set sampler.steps=800 || die "whole"
for file in run.status.json deck.toml; do
  expect 0 "results are in" run "${small_gaussian[@]}" --set run.output=longer
  ! FAIL_CALL=rename FAIL_PATH=$file FAIL_KILL=1 LD_PRELOAD=$FAILING_CALLS "$PARTITA" run "${small_gaussian[@]}" --set run.output=longer \
    --set sampler.steps=800 --restart auto >output 2>&1 || die "the longer run was not killed"
  [[ $file == run.status.json ]] || status_is longer died
  expect 0 "continuing from" run "${small_gaussian[@]}" --set run.output=longer --set sampler.steps=800 --restart auto
  [[ $(draws longer) == "$(draws whole)" ]] || die "$(draws longer) draws instead of $(draws whole)"
  rm -r longer
done
# The same at every seventh file that gets its name, from the first to the last, of a run with checkpoints, parts and history.
often=(--set 'checkpoint.every="100 steps"' "${parts[@]}")
on 1 run "${small_gaussian[@]}" "${often[@]}" --set run.output=shorter || die "shorter"
on 1 run "${small_gaussian[@]}" "${often[@]}" --set run.output=uninterrupted --set sampler.steps=600 || die "uninterrupted"
kills=0
for ((nth = 1;; nth += 7)); do
  cp -r shorter longer
  code=0
  FAIL_CALL=rename FAIL_PATH=longer/ FAIL_FROM=$nth FAIL_KILL=1 LD_PRELOAD=$FAILING_CALLS "$PARTITA" run "${small_gaussian[@]}" "${often[@]}" \
    --set run.output=longer --set sampler.steps=600 --restart auto >output 2>&1 || code=$?
  ((code == 137)) || break
  kills=$((kills + 1))
  on 1 run "${small_gaussian[@]}" "${often[@]}" --set run.output=longer --set sampler.steps=600 --restart auto || { cat output; die "killed at file $nth"; }
  same longer/samples.h5 uninterrupted/samples.h5 /posterior/x /sample_stats/energy
  for series in $(h5ls uninterrupted/history.h5 | awk '{print $1}'); do same longer/history.h5 uninterrupted/history.h5 "/$series"; done
  [[ $(metrics longer) == "$(metrics uninterrupted)" ]] || die "metrics differ after a kill at file $nth"
  [[ -z $(find longer -name '*.writing-*') ]] || die "temporaries stay after a kill at file $nth"
  rm -r longer
done
((code == 0 && kills > 3)) || { cat output; die "exit code $code after $kills kills"; }
rm -r longer

start 1 run "${small_well[@]}" --set sampler.steps=100000000 --set sampler.thin=1000000 --set run.output=killed --set 'checkpoint.every="1000 steps"'
wait_for_chains
end=$((SECONDS + 60))
until (($(sed -n 's/.*"step": \([0-9]*\),/\1/p' killed/run.status.json) >= 2000)); do
  ((SECONDS < end)) || die "the status does not tell the step of the newest checkpoint"
  sleep 0.1
done
status_is killed running
grep -q '"exit_code": null' killed/run.status.json || die "a run that goes on has an exit code"
kill -KILL "$pid"
finish
status_is killed died
# Words of others in it do not make a status.
python3 - "$work/killed" <<'END'
import json, sys
path = sys.argv[1] + "/run.status.json"
status = json.load(open(path))
status["reason"] = 'an error that quotes "status": "done", and so on'
json.dump(status, open(path, "w"))
END
expect 85 "continuing from" run "${small_well[@]}" --set sampler.steps=100000000 --set sampler.thin=1000000 --set run.output=killed --restart auto --walltime 2s
# Whatever bytes a message quotes.
sed '/^\[data\]/,/^$/c [data]\ntype = "csv"\npath = "bytes.csv"\n' "$INPUTS/two_moons.toml" >bytes.toml
printf '1,2\n3,caf\xe9\x1b[2J\n' >bytes.csv
expect 3 'caf\xe9\x1b[2J' run bytes.toml --set run.output=bytes --set data.test_fraction=0.5
python3 -c 'import json; assert "caf\ufffd\x1b[2J" in json.load(open("bytes/run.status.json", encoding="utf-8"))["reason"]' || die "the status is no JSON"
sed '1s/.*/title = "x\\u001b[2J\\nerror: rank 3 died"/' "$INPUTS/gaussian.toml" >title.toml
expect 0 'x\x1b[2J\nerror: rank 3 died' run title.toml "${small_gaussian[@]:1}" --set run.output=title
! LC_ALL=C grep -q $'\x1b\|^error' title/run.log output || die "a title reaches the terminal or begins a line"

# --- damage ----------------------------------------------------------------------------------------------------------------------------
every=(--set 'checkpoint.every="100 steps"' "${parts[@]}")
on 1 run "${small_gaussian[@]}" "${every[@]}" --set run.output=reference --set sampler.steps=600 || die "reference"
on 1 run "${small_gaussian[@]}" "${every[@]}" --set run.output=damaged || die "damaged"
more() { "$PARTITA" run "${small_gaussian[@]}" "${every[@]}" --set run.output="$1" --set sampler.steps=600 --restart auto >output 2>&1; }
same_history() { for series in $(h5ls "$1/history.h5" | awk '{print $1}'); do same "$1/history.h5" "$2/history.h5" "/$series"; done; }
cp -r damaged again
more again || die "the undamaged run does not go on"
same_history again reference
rm -r again
for damage in "flip history.h5 700" "flip history.h5 -200" "rm history.h5" "truncate -s 1000 history.h5" "rm history.manifest" "flip history.manifest 20" \
  "truncate -s 0 history.h5 history.earlier.h5" "rm history.h5 history.earlier.h5" "rm history.earlier.h5"; do
  cp -r damaged again
  (cd again && $damage)
  more again || { cat output; die "a run does not go on after: $damage"; }
  [[ $damage == "rm history.earlier.h5" ]] || grep -q "^warning: .*history" output || { cat output; die "no warning after: $damage"; }
  [[ $damage == *" history.earlier.h5" ]] || same_history again reference
  same again/samples.h5 reference/samples.h5 /posterior/x
  rm -r again
done
for damage in "flip samples/part-000001.h5 300" "flip samples/part-000000.h5 -50" "rm samples/part-000002.h5" "rm samples/part-000000.manifest" \
  "truncate -s 100 samples/part-000001.h5" "python3 $seal samples/part-000001.manifest"; do
  cp -r damaged again
  (cd again && $damage)
  code=0
  more again || code=$?
  ((code == 3)) || { cat output; die "exit code $code instead of 3 after: $damage"; }
  grep -q "samples/part-00000.*its draws are lost" output || { cat output; die "the part is not named after: $damage"; }
  ! grep -q "^step " output || { cat output; die "found after the work: $damage"; }
  rm -r again
done
cp -r damaged again
python3 "$seal" "$(newest_checkpoint again | sed 's/h5$/manifest/')"
more again || { cat output; die "a checkpoint whose manifest has no checksums"; }
grep -q "skipping the checkpoint" output || die "a manifest without checksums was believed"
same again/samples.h5 reference/samples.h5 /posterior/x

# A checkpoint of a version that sampled differently: the value of the attribute stands 48 bytes after its name.
cp -r damaged again2
for checkpoint in again2/checkpoints/step-*.h5; do
  python3 -c 'import sys; f = open(sys.argv[1], "r+b"); b = f.read(); f.seek(b.index(b"sampling_version") + 48); assert f.read(1) != b"\x00"; f.seek(-1, 1); f.write(b"\x00")' "$checkpoint"
  python3 "$seal" "$checkpoint"
done
code=0
more again2 || code=$?
((code == 3)) || { cat output; die "exit code $code instead of 3 of a checkpoint of another sampling version"; }
grep -q "sampling version is 0" output || { cat output; die "the sampling versions are not named"; }
[[ $(status_of again2) == 0 ]] || die "a refused restart changed the status"

# --- two writers -----------------------------------------------------------------------------------------------------------------------
export NO_LOCKS=1 LD_PRELOAD=$FAILING_CALLS
two=(run "${small_well[@]}" --set sampler.steps=100000000 --set sampler.thin=1000000 --set 'checkpoint.every="2s"' --set run.output=two --restart auto)
"$PARTITA" "${two[@]}" >first 2>&1 &
first=$!
until newest_checkpoint two >/dev/null 2>&1; do sleep 0.1; done
kill -STOP $first
"$PARTITA" "${two[@]}" >second 2>&1 &
second=$!
until grep -q "continuing from" second; do kill -0 $second 2>/dev/null || { cat second; die "the second run ended"; }; sleep 0.2; done
unset LD_PRELOAD
kill -CONT $first
code=0; wait $first || code=$?
((code == 6)) || { cat first; die "exit code $code instead of 6 of the run that lost its lock"; }
grep -q "lost the lock" first || { cat first; die "it does not say why"; }
status_is two running
kill -TERM $second
code=0; wait $second || code=$?
((code == 85)) || { cat second; die "exit code $code instead of 85 of the run that has the lock"; }
[[ $(status_of two) == 85 ]] || die "the status is not that of the run that has the lock"
echo "a directory belongs to its run"
