#!/usr/bin/env bash
# What a user gets wrong, and what the program says: what, where, why, what to do; the exit code tells who has to act.
source "$(dirname "$0")/common.sh"
printf '[run]\ntask = "sample"\noutput = "x"\n[model]\ntype = "double_wall"\n[sampler]\ntype = "ula"\nstep_size = -1\nchians = 3\n' >bad.toml
expect 2 "bad.toml:5:8" run bad.toml
grep -qF "double_well" output || die "no did-you-mean"
grep -qF "bad.toml:8:13" output || die "not all errors at once"
grep -qF "chains" output || die "no did-you-mean of the key"
[[ ! -e x ]] || die "a bad deck left files"
expect 2 "missing.toml" run missing.toml
expect 2 "--help" frobnicate
expect 2 "a step below 2" run "${small_gaussian[@]}" --set run.output=unstable --set sampler.step_size=2.5 --set model.diagonal=[1.0]
expect 5 "is not finite at step" run "${small_well[@]}" --set run.output=diverges --set sampler.type=ula --set sampler.step_size=3
[[ $(status_of diverges) == 5 ]] || die "run.status.json does not say 5"
expect 3 "nowhere.gz" run "$INPUTS/quickstart.toml" --set run.output=data --set data.path=nowhere.gz
touch file
expect 4 "file" run "${small_gaussian[@]}" --set run.output=file/run
expect 3 "no run to continue" run "${small_gaussian[@]}" --set run.output=none --restart required
expect 0 "results are in" run "${small_gaussian[@]}" --set run.output=twice
expect 2 "--overwrite" run "${small_gaussian[@]}" --set run.output=twice
expect 0 "nothing to do" run "${small_gaussian[@]}" --set run.output=twice --restart auto
expect 2 "sampler.step_size" run "${small_gaussian[@]}" --set run.output=twice --restart auto --set sampler.step_size=0.05
expect 0 "results are in" run "${small_gaussian[@]}" --set run.output=twice --overwrite
expect 3 "does not exist" info nothing.h5
expect 0 "posterior/x" info twice/samples.h5
expect 0 "runs/gaussian" info --output "$INPUTS/gaussian.toml"
expect 0 "mueller_brown" list models
for deck in "$INPUTS"/*.toml; do
  [[ $deck == */reference.toml ]] || expect 0 "total" check "$deck"
done
"$PARTITA" reference | diff - "$INPUTS/reference.toml" || die "inputs/reference.toml is not what 'partita reference' prints: renew it"
echo "errors say what to do"
