#!/usr/bin/env bash
# What goes in: data that a model's units can show, the same files after a restart, digits that matter, and files that are anything.
source "$(dirname "$0")/common.sh"

# ---- A model's precondition on its data ----

for i in $(seq 40); do
  echo "$((i % 2)),$((i / 2 % 2)),$((i / 4 % 2)),$((i % 2))"
done >binary.csv
sed 's/0/-1/g' binary.csv >signs.csv
sed 's/1/255/g' binary.csv >bytes.csv
sed 's/1/0.25/g' binary.csv >grey.csv
{ head -n 3 binary.csv; echo "0,1,7,1"; tail -n 36 binary.csv; } >one_wrong.csv
cat >rbm.toml <<'END'
[run]
task = "train"
seed = 1
output = "rbm"
[data]
type = "csv"
path = "binary.csv"
[model]
type = "rbm"
visible = 4
hidden = 4
[objective]
type = "persistent_cd"
chains = 8
[sampler]
type = "gibbs"
[optimizer]
type = "sgd"
learning_rate = 0.1
[train]
batch = 8
updates = 20
average_decay = 0
[[estimator]]
type = "exact_log_z"
END
sed -e 's/^type = "rbm"/type = "boltzmann_machine"/' rbm.toml >boltzmann_machine.toml
sed -e 's/^type = "rbm"/type = "deep_belief_network"\nlayers = [4, 4, 3]/' -e '/^visible/d' -e '/^hidden/d' -e 's/persistent_cd/greedy_cd/' -e '/^\[\[est/,$d' rbm.toml >dbn.toml
sed -e '/^\[sampler\]/,/^type/d' -e '/^\[objective\]/,/^chains/c [objective]\ntype = "exact_likelihood"' rbm.toml >exact.toml
sed -e 's/^type = "rbm"/type = "boltzmann_machine"/' -e '/^hidden/d' -e 's/exact_likelihood/pseudo_likelihood/' exact.toml >pseudo.toml
sed -e 's/"train"/"estimate"/' -e '/^\[objective\]/,/^average/d' rbm.toml >estimate.toml
sed -e 's/"train"/"sample"/' -e '/^\[objective\]/,/^average/d' rbm.toml >sample.toml
printf '[sampler]\ntype = "gibbs"\nchains = 40\nsteps = 20\nwarmup = 10\nthin = 5\n' >>sample.toml
sed -e 's/^type = "rbm"/type = "hopfield"\nunits = 4/' -e '/^visible/d' -e '/^hidden/d' sample.toml | sed '/^\[\[est/,/^type/d' >hopfield.toml
for deck in rbm boltzmann_machine dbn exact pseudo estimate sample; do
  expect 0 "results are in" run $deck.toml --set run.output=$deck.binary
  expect 3 "signs.csv: row 0, entry 1 is -1 (" run $deck.toml --set run.output=$deck.signs --set data.path=signs.csv
  grep -qF 'data.scaling = "affine", scale = 0.5 and offset = 0.5' output || die "no advice for -1 and 1"
  expect 3 "one_wrong.csv: row 3, entry 2 is 7 (1 of 160 entries are neither 0 nor 1)" run $deck.toml --set run.output=$deck.wrong --set data.path=one_wrong.csv
  expect 3 "bytes.csv: row 0, entry 0 is 255" run $deck.toml --set run.output=$deck.bytes --set data.path=bytes.csv
  grep -qF 'data.scaling = "unit"' output || die "no advice for bytes"
  expect 3 "values between 0 and 1 are probabilities: set data.binarize" run $deck.toml --set run.output=$deck.grey --set data.path=grey.csv
  expect 0 "results are in" run $deck.toml --set run.output=$deck.drawn --set data.path=grey.csv --set data.binarize=stochastic
  expect 0 "results are in" run $deck.toml --set run.output=$deck.affine --set data.path=signs.csv --set data.scaling=affine --set data.scale=0.5 --set data.offset=0.5
done
# The advice gives what data of 0 and 1 give, and no discrete model has a likelihood above 1.
[[ $(metrics rbm.binary) == "$(metrics rbm.affine)" ]] || die "scaled data of -1 and 1 give other results than data of 0 and 1"
awk -v x="$(metric rbm.affine log_likelihood_train_exact)" 'BEGIN { exit !(x < 0) }' || die "log-likelihood $(metric rbm.affine log_likelihood_train_exact)"
expect 3 "one_wrong.csv: row 3, entry 2 is 7" run rbm.toml --set run.output=test --set data.test_path=one_wrong.csv # named by its own rows
sed '/^path/d' rbm.toml >generated.toml
expect 2 "two_moons: row 0, entry 0 is " run generated.toml --set run.output=generated --set data.type=two_moons --set model.visible=2
# Generated data are of the deck: what is wrong with them is found without files too, and no file is blamed.
for how in "" --without-files; do
  # shellcheck disable=SC2086
  expect 2 "two_moons: row 0, entry 0 is " check generated.toml $how --set run.output=generated --set data.type=two_moons --set model.visible=2
  # shellcheck disable=SC2086
  expect 2 "two_moons: 5 training items are fewer than train.batch = 64" check "$INPUTS/two_moons.toml" $how --set train.batch=64 --set data.limit=5
  grep -qF "1 error in the deck" output || die "files are blamed: $(cat output)"
done
# A problem is shown at the key that names what is wrong.
sed -e '/^path = /a test_path = "test.csv"' rbm.toml >tested.toml
printf '0,1\n' >narrow.csv
sed '1s/1/nan/' binary.csv >undefined.csv
: >empty.csv
for test in nowhere narrow undefined empty one_wrong; do
  sed "s/test\.csv/$test.csv/" tested.toml >shown.toml
  expect 3 "shown.toml:8:13: data.test_path: $test.csv: " check shown.toml --set run.output=shown
done
sed -e '/^path = /a validation_fraction = 0.5\ntest_fraction = 0.5' rbm.toml >parts.toml
expect 2 "parts.toml:8:23: data.validation_fraction = 0.5 and data.test_fraction = 0.5 leave no training item" check parts.toml --set run.output=parts
for ranks in 0 -1 x 99999999999; do
  expect 2 "--ranks: must be the number of MPI ranks of the run, a whole number from 1 to 1000000, not $ranks" check rbm.toml "--ranks=$ranks"
done
if on 3 run rbm.toml --set run.output=ranks --set data.path=signs.csv; then die "three ranks take -1"; fi
grep -qF "signs.csv: row 0, entry 1 is -1" output || die "$(cat output)"
# Units of signs take both, and are the same then; nothing between.
expect 0 "results are in" run hopfield.toml --set run.output=of_bits
expect 0 "results are in" run hopfield.toml --set run.output=of_signs --set data.path=signs.csv
same_samples of_bits of_signs
expect 3 "values between 0 and 1 are probabilities" run hopfield.toml --set run.output=of_greys --set data.path=grey.csv
expect 3 "one_wrong.csv: row 3, entry 2 is 7" run hopfield.toml --set run.output=of_wrong --set data.path=one_wrong.csv
# Points whose energies are asked for.
tr ',\n' '  ' <signs.csv >points.txt
h5import points.txt -d 40,4 -p points -t TEXTFP -s 32 -o points.h5 >/dev/null
sed -e '/^\[data\]/,/^path/c [input]\npath = "points.h5"\ndataset = "points"' -e 's/exact_log_z/energies/' estimate.toml >points.toml
expect 3 "points.h5: points: point 0, entry 1 is -1, but the units of this model are 0 or 1" run points.toml --set run.output=points
expect 3 "points.h5: points: point 0, entry 1 is -1, but the units of this model are 0 or 1" check points.toml --set run.output=points

# Numbers that are none.
printf '0 1 0 1\n0 NaN 0 1\n' >nan.txt
h5import nan.txt -d 2,4 -p points -t TEXTFP -s 32 -o nan.h5 >/dev/null
expect 3 "nan.h5: points: point 1, entry 1 is nan" run points.toml --set run.output=not_finite --set input.path=nan.h5
expect 3 "nan.h5: points: point 1, entry 1 is nan" check points.toml --set run.output=not_finite --set input.path=nan.h5
printf 'no\nnumbers\n' >words.txt
h5import words.txt -d 2 -p points -t STR -o words.h5 >/dev/null
expect 3 "words.h5: points: found text (2), wanted numbers" check points.toml --set run.output=not_finite --set input.path=words.h5
expect 3 "; it is of another format, or damaged: name an HDF5 file" check points.toml --set run.output=not_finite --set input.path=words.txt
printf '0 1 0 1 0 1 0 1 0 1 0 1 0 1e300 0 1\n' >weight.txt
printf '0 0 0 0\n' >bias.txt
h5import weight.txt -d 4,4 -p W -t TEXTFP -s 64 bias.txt -d 4 -p a -t TEXTFP -s 64 bias.txt -d 4 -p b -t TEXTFP -s 64 -o weights.h5 >/dev/null
expect 3 "weights.h5: W: entry 13 is inf; parameters must be finite" run estimate.toml --set run.output=too_large --set model.from=weights.h5

# ---- The same inputs after a restart ----

cp binary.csv data.csv
head -n 10 binary.csv >held_out.csv
restarted=(run rbm.toml --set run.output=kept --set data.path=data.csv --set data.test_path=held_out.csv --set checkpoint.every="5 steps")
expect 0 "results are in" "${restarted[@]}"
checksums() { (cd "$1" && md5sum checkpoints/* history.h5); }
checksums kept >before
tac binary.csv >data.csv
expect 3 "data.rows: now data.csv (contents " "${restarted[@]}" --restart auto --set train.updates=40
grep -qE 'now data.csv \(contents [0-9a-f]{16}\), before data.csv \(contents [0-9a-f]{16}\)' output || die "not both hashes"
grep -qF "model.from" output || die "no way to go on with other data"
[[ $(checksums kept) == "$(cat before)" ]] || die "a refused restart changed the run"
cp binary.csv data.csv
sed -i '1s/.*/1,1,1,1/' held_out.csv
expect 3 "data.test_rows: now held_out.csv (contents " "${restarted[@]}" --restart auto --set train.updates=40
head -n 10 binary.csv >held_out.csv
expect 3 "nothing (contents nothing), before held_out.csv" "${restarted[@]}" --restart auto --set train.updates=40 --set 'data.test_path=""'
expect 2 "data.scaling" "${restarted[@]}" --restart auto --set train.updates=40 --set data.scaling=unit
# Another name, another way to write the same numbers, packed: the same contents, and the bits of a run that never stopped.
mkdir elsewhere
sed 's/1/1.0e0/g' binary.csv | gzip >elsewhere/moved.csv.gz
rm data.csv
expect 0 "results are in" "${restarted[@]}" --restart auto --set train.updates=40 --set data.path=./elsewhere/moved.csv.gz
expect 0 "results are in" run rbm.toml --set run.output=whole --set data.test_path=held_out.csv --set train.updates=40
same "$(newest_checkpoint kept)" "$(newest_checkpoint whole)" /model/parameters /optimizer/velocity
[[ $(metrics kept) == "$(metrics whole)" ]] || die "metrics of a run whose data moved"
# Parameters of another run: a longer training of it is another input.
from=(run sample.toml --set model.from=machine --set run.output=drawn --set checkpoint.every="5 steps")
expect 0 "results are in" run rbm.toml --set run.output=machine
manifest=$(ls machine/checkpoints/*.manifest | tail -n 1)
expect 3 "is the manifest of a checkpoint; name the checkpoint beside it, ${manifest%.manifest}.h5" check sample.toml --set model.from="$manifest"
expect 0 "results are in" "${from[@]}"
expect 0 "results are in" run rbm.toml --set run.output=machine --restart auto --set train.updates=60
expect 3 "model.from: machine/checkpoints" "${from[@]}" --restart auto --set sampler.steps=40
expect 0 "results are in" "${from[@]}" --restart auto --set sampler.steps=40 --set model.from="$(ls machine/checkpoints/step-*20.h5)"

# ---- Digits ----

for i in $(seq 64); do echo "$i,$((100000000 + i * 37 % 64)).$((i % 10))"; done >large.csv
cat >large.toml <<'END'
[run]
task = "train"
output = "large"
[data]
type = "csv"
path = "large.csv"
scaling = "standardize"
[model]
type = "mlp"
layers = [2, 4, 1]
quadratic = 1.0
[objective]
type = "denoising_score_matching"
sigma = [0.1]
[train]
batch = 16
updates = 2
[[estimator]]
type = "observed_data"
END
expect 0 "results are in" run large.toml
numbers large/estimates/observed_data.h5 /observed_data/x | awk 'NR % 2 == 0 { n++; s += $1; q += $1 * $1; seen[$1] } END { for (v in seen) k++; exit !(n == 64 && k == 64 && s * s < 1e-6 && q > 63.9 && q < 64.1) }' ||
  die "a column of large numbers is not standardized"

# What scaling does not change is held in single precision: what that costs is said, and what it cannot hold is refused after scaling alone.
digits=(run large.toml --overwrite --set data.path=digits.csv)
for i in $(seq 64); do echo "$i,$((1000000000 + i % 7)).00$((i % 10))"; done >digits.csv
expect 0 "single precision moves 1 of 2 entries" "${digits[@]}" --set data.scaling=none
grep -q "verdict: 1 warning" output || die "the verdict does not tell of lost digits"
expect 0 "verdict: nothing" "${digits[@]}"
for i in $(seq 64); do echo "$i,$((i % 7))e200"; done >digits.csv
expect 3 'digits.csv: row 0, entry 1 is 1e+200, beyond' "${digits[@]}" --set data.scaling=none
expect 0 "verdict: nothing" "${digits[@]}"
sed -i 's/e200/e-200/' digits.csv
expect 0 "single precision moves 1 of 2 entries" "${digits[@]}" --set data.scaling=none
expect 0 "verdict: nothing" "${digits[@]}"
sed 's/^\[data\]/[input]/; /^type = "csv"/d; /^scaling/,/^updates/d; s/train/estimate/; s/observed_data/moments/; s/large.csv/digits.h5/' large.toml >points.toml
sed '/^path/a dataset = "x"' -i points.toml
sed 's/,/ /' digits.csv >digits.txt
h5import digits.txt -d 64,2 -p x -t TEXTFP -s 64 -o digits.h5 >/dev/null
expect 0 "digits.h5: x: single precision moves 1 of 2 entries" run points.toml --overwrite
on 3 run points.toml --overwrite || die "points of 8 bytes on three ranks"
grep -q "single precision moves 1 of 2 entries" output || die "lost digits on three ranks"
# Points whose energies overflow.
printf '[model]\ntype = "gaussian"\n' >>points.toml
seq 64 | sed 's/.*/& &e30/' >digits.far
rm digits.h5
h5import digits.far -d 64,2 -p x -t TEXTFP -s 64 -o digits.h5 >/dev/null
expect 5 "the energy of point 0 is inf" run points.toml --overwrite

# ---- Lines that are no rows ----

lines=(run large.toml --overwrite --set data.path=lines.csv --set train.batch=4)
{ echo "# two columns"; seq 8 | sed 's/.*/&,&.5/'; } >lines.csv
for header in true false; do expect 0 "verdict: nothing" "${lines[@]}" --set data.header=$header; done
sed -i 1d lines.csv
expect 0 "lines.csv:1: a row of numbers, skipped" "${lines[@]}" --set data.header=true
grep -q "verdict: 1 warning" output || die "the verdict does not tell of a row that was left out"
sed 's/,/;/; s/\./,/' lines.csv >commas.csv
expect 3 "write numbers with decimal points" "${lines[@]}" --set data.path=commas.csv

# ---- Files that are anything ----

printf '\xff\xfe0\0,\0001\0\n\0' >wide.csv
expect 3 "wide.csv: UTF-16 text; save it as UTF-8" run rbm.toml --set run.output=bad --overwrite --set data.path=wide.csv
printf '0\0,\0001\0\n\0' >wider.csv
expect 3 "wider.csv: binary, or UTF-16 text" run rbm.toml --set run.output=bad --overwrite --set data.path=wider.csv
expect 3 'points.h5: an HDF5 file; set data.type = "hdf5"' run rbm.toml --set run.output=bad --overwrite --set data.path=points.h5
mkfifo pipe.csv
for path in pipe.csv /dev/zero; do
  expect 3 "$path: is a pipe, a socket or a device" run rbm.toml --set run.output=bad --overwrite --set data.path=$path
  for type in idx 'hdf5 --set data.dataset=x' ratings; do
    # shellcheck disable=SC2086
    sed 's/^type = "csv"/type = "idx"/' rbm.toml >typed.toml
    expect 3 "$path: is a pipe, a socket or a device" run typed.toml --set run.output=bad --overwrite --set data.path=$path --set data.type=$type
  done
  expect 3 "$path: is a pipe, a socket or a device" info $path
  expect 3 "$path" run sample.toml --set run.output=bad --overwrite --set model.from=$path
done
expect 3 "a directory; name a file" run rbm.toml --set run.output=bad --overwrite --set data.path=elsewhere
expect 0 "1,100000037.1" info large.csv
expect 0 "not a run of Partita" info elsewhere
expect 0 '"status": "done"' info drawn/summary.json
expect 0 "posterior/x" info drawn/samples/part-000000.h5
echo "no_key = 1" >bad.toml
expect 3 "unknown key" info bad.toml
# HDF5 crashes on some damaged files: here the sizes of the texts of attributes are wrong.
cp drawn/samples/part-000000.h5 damaged.h5
heap=$(grep -abo GCOL damaged.h5 | head -n 1 | cut -d: -f1)
printf '\xff\xff\xff\xff\xff\xff\xff\x7f' | dd of=damaged.h5 bs=1 seek=$((heap + 24)) conv=notrunc status=none
expect 3 "damaged.h5" info damaged.h5
# What is no deck is not explained line by line, and a command that only looks ends at the first signal.
seq 300000 | sed 's/.*/k&=1/' >long.toml
SECONDS=0
expect 3 "and more: is this a deck?" info long.toml
((SECONDS < 20)) || die "info took $SECONDS s to find that a file is no deck"
[[ ! -r /proc/kmsg ]] || expect 3 "/proc/kmsg" info /proc/kmsg
for bytes in 0 1 100 3000; do
  head -c $bytes drawn/samples/part-000000.h5 >cut.h5
  expect 3 "cut.h5" info cut.h5
done
# ---- More than there is ----

for size in sampler.chains=4611686018427387904 sampler.tile_width=4611686018427387904 sampler.steps=4611686018427387904; do
  for command in check run; do expect 2 "must be at" $command "${small_well[@]}" --set run.output=sizes --set $size; done
done
for size in 'layers=[2,4611686018427387904,1]' 'layers=[2,536870912,1]'; do
  expect 2 "entry 2 must be at most 268435456" check "$INPUTS/two_moons.toml" --set "model.$size"
done
# Large products are more than a machine has, and no more than can be counted: exit code 4, with the bytes wanted and free.
out_of_memory() { # ARGUMENTS...
  expect 4 "out of memory: " "$@"
  grep -qE "out of memory: [0-9.e+]+ .?i?B requested at once, [0-9.]+ .?i?B free" output || die "no bytes wanted and free: $(cat output)"
}
sed '/^\[\[estimator\]\]/,$d' "$INPUTS/double_well.toml" >wide.toml
wide_well=(wide.toml "${small_well[@]:1}")
out_of_memory run "${wide_well[@]}" --set run.output=chains --set sampler.chains=65536 --set model.dimension=67108863
expect 2 "are a multiple of 2^32" run "${wide_well[@]}" --set run.output=wrapped --set sampler.chains=65536 --set model.dimension=67108864
[[ $(status_of chains) == 4 ]] || die "run.status.json does not say 4"
out_of_memory run "$INPUTS/two_moons.toml" --set run.output=layers --set "model.layers=[2,268435456,268435456,1]"
# `check` says what a run needs without taking any of it.
for how in "" --without-files; do
  expect 0 " TiB" check "$INPUTS/two_moons.toml" $how --set "model.layers=[2,268435456,268435456,1]"
done
sed '/^\[\[estimator\]\]/,$d' "$INPUTS/rbm_bars.toml" >wide_bars.toml
out_of_memory run wide_bars.toml "${small_bars[@]:1}" --set run.output=hidden --set model.hidden=33554432 --set model.visible=33554432
# A limit, and data on the way.
(
  ulimit -d 1500000
  out_of_memory run "${small_moons[@]}" --set run.output=many_points --set data.points=200000000
)
echo "what goes in is what was promised"
