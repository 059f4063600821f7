#!/usr/bin/env bash
# A published machine against published numbers: its free energies, and with the argument "log_z" its log Z by the published schedule.
# Skipped (exit code 77) unless DATA, PARTITA_TEST_DATA of the build, holds the machine and the data.
for file in binarized_mnist.h5 rbm_cd25_500.h5; do
  [[ -e $DATA/$file ]] || { echo "skipped: there is no $file in $DATA (see inputs/estimate_published_rbm.toml; set PARTITA_TEST_DATA)"; exit 77; }
done
source "$(dirname "$0")/common.sh"
deck=("$INPUTS/estimate_published_rbm.toml" --set data.path="$DATA/binarized_mnist.h5" --set model.from="$DATA/rbm_cd25_500.h5")

value() { metrics published | sed -n "s/.*\"$1\": \(.*\),\{0,1\}$/\1/p" | tr -d ,; }
# within WHAT VALUE WANTED TOLERANCE
within() {
  awk -v x="$2" -v want="$3" -v tolerance="$4" 'BEGIN { off = x - want; exit !(x != "" && off <= tolerance && off >= -tolerance) }' ||
    { metrics published >&2; die "$1 is $2, not $3 within $4"; }
}
near() { within "$1" "$(value "$1")" "$2" "$3"; }  # of a metric of the run

if [[ ${1:-} != log_z ]]; then
  sed '/^\[\[estimator\]\]/,$d' "${deck[0]}" >energies.toml
  printf '[[estimator]]\ntype = "free_energy_gap"\n' >>energies.toml
  on 2 run energies.toml "${deck[@]:1}" --set run.output=published || { cat output; die "free energies"; }
  near mean_negative_free_energy_train 368.1723 0.001
  near mean_negative_free_energy_test 364.9259 0.001
  near free_energy_gap -3.2464 0.002
  expect 3 "found float64 (784, 500), but the rbm of this deck takes" run energies.toml "${deck[@]:1}" --set run.output=wrong --set model.hidden=400
  expect 3 'no dataset "weight" or "W"' run energies.toml "${deck[@]:1}" --set run.output=other --set model.from="$DATA/binarized_mnist.h5"
  echo "the published machine's free energies are those of its authors"
  exit
fi

# The errors of log Z by 100 chains are about 0.1 from either side and 0.06 by Bennett's ratio; the published likelihoods are rounded, and
# rest on a log Z of their own.
on 2 run "${deck[@]}" --set run.output=published || { cat output; die "log Z"; }
near log_z_forward 451.24 0.3
near log_z_bar 451.24 0.3
for split in "test -86.1" "train -82.9"; do
  read -r name published <<<"$split"
  within "log likelihood of $name" "$(awk -v f="$(value mean_negative_free_energy_$name)" -v z="$(value log_z_bar)" 'BEGIN { print f - z }')" "$published" 0.3
  # As printed, with the lower end of the bracket.
  within log_likelihood_${name}_optimistic "$(value log_likelihood_${name}_optimistic)" \
    "$(awk -v f="$(value mean_negative_free_energy_$name)" -v z="$(value log_z_lower)" 'BEGIN { printf "%.10g", f - z }')" 1e-6
done
near converged 1 0
# With too few temperatures a few chains carry the sums: what agrees by chance is not said to have converged.
on 2 run "${deck[@]}" --set run.output=published --overwrite --set estimator.0.temperatures=1000 || { cat output; die "1,000 temperatures"; }
near log_z_forward 450.16 1.4
[[ $(value converged) != 1 ]] || die "log Z by 1,000 temperatures is said to have converged"
grep -qE 'UNKNOWN whether log Z has converged|log Z has NOT CONVERGED' output || die 'no warning'
echo "the published machine's log Z is that of its authors"
