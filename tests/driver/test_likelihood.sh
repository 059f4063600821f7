#!/usr/bin/env bash
# Likelihoods of machines: the same bits on 1, 2 and 3 ranks, exact ones beside annealed ones, parameters from a file of arrays.
source "$(dirname "$0")/common.sh"
cat >deck.toml <<'END'
[run]
task = "estimate"
output = "x"
[data]
type = "bars_and_stripes"
size = 5
copies = 10
validation_fraction = 0.2
test_fraction = 0.2
[model]
type = "rbm"
visible = 25
hidden = 10
initial_scale = 1
[[estimator]]
type = "ais"
temperatures = 200
chains = 200
rungs = 6
warmup = 40
[[estimator]]
type = "pseudo_likelihood"
END
large=(--set model.hidden=30 --set data.size=6 --set model.visible=36)  # beyond enumeration
for ranks in 1 2 3; do
  on "$ranks" run deck.toml --set run.output=exact$ranks || { cat output; die "exact starts on $ranks ranks"; }
  on "$ranks" run deck.toml --set run.output=tempered$ranks "${large[@]}" || { cat output; die "tempered starts on $ranks ranks"; }
done
for kind in exact tempered; do
  for ranks in 2 3; do
    [[ $(metrics ${kind}1) == "$(metrics $kind$ranks)" ]] || die "metrics of $kind starts differ on $ranks ranks"
    same ${kind}1/estimates/log_likelihood.h5 $kind$ranks/estimates/log_likelihood.h5 /beta /log_weight_forward /log_weight_reverse
  done
done
for name in log_z_exact log_z_forward log_z_lower log_z_upper log_z_bar_error log_likelihood_train_exact log_likelihood_test_optimistic log_likelihood_validation_conservative \
  mean_negative_free_energy_test free_energy_gap log_pseudo_likelihood_test; do
  metrics exact1 | grep -q "\"$name\"" || die "no metric $name"
done
# log p = -F - log Z with both ends of log Z.
for split in train validation test; do
  for end in lower:optimistic upper:conservative; do
    awk -v f="$(metric tempered1 mean_negative_free_energy_$split)" -v z="$(metric tempered1 "log_z_${end%:*}")" \
      -v p="$(metric tempered1 "log_likelihood_${split}_${end#*:}")" 'BEGIN { d = f - z - p; exit !(p < 0 && d < 1e-9 && -d < 1e-9) }' ||
      die "log_likelihood_${split}_${end#*:} is not by log_z_${end%:*}"
  done
done
! metrics tempered1 | grep -q exact || die "exact numbers of a machine that cannot be enumerated"

[[ $(metrics exact1 | grep log_z_exact) == "$(on 1 run deck.toml --set run.output=again --set estimator.0.temperatures=100; metrics again | grep log_z_exact)" ]] ||
  die "log Z by enumeration depends on the annealing"
on 1 run deck.toml --set run.output=coarse --set estimator.0.temperatures=2 --set model.initial_scale=4 || { cat output; die "coarse"; }
grep -q "log Z has NOT CONVERGED" output || die "no warning of an interval wider than a nat"
# Without data nothing tells whether both directions miss the same mode.
sed '/^\[data\]/,/^test_fraction/d; /pseudo_likelihood/d' deck.toml | sed '$d' >blind.toml
on 1 run blind.toml --set run.output=blind --set model.hidden=30 --set model.visible=36 || { cat output; die "without data"; }
metrics blind | grep -q '"converged": null' || die "log Z is said to have converged, or not, where nothing tells"
metrics blind | grep -q '"log_z_upper": null' || die "an upper end of log Z without starts that are independent of the path"
grep -q 'it is UNKNOWN whether log Z has converged' output || die "no warning without data"
sed '/^temperatures/d' deck.toml >schedule.toml
sed '/^type = "ais"/,/^warmup/c type = "exact_log_z"' deck.toml >exact.toml
expect 0 "log_likelihood_test_exact" run exact.toml --set run.output=enumerated
expect 2 "at most 25 binary units are possible" run exact.toml "${large[@]}" --set run.output=large
expect 2 "visible units of [model]" run deck.toml --set run.output=narrow --set model.visible=24
expect 2 "stretch 1 goes from 0.5 to 0.4" run schedule.toml --set run.output=falling --set 'estimator.0.schedule_ends=[0.5, 0.4, 1]'
expect 2 "schedule_ends" run deck.toml --set run.output=both --set 'estimator.0.schedule_ends=[1]'

# Parameters from a file of arrays: all zero, so that Z = 2^35; W of another shape, and without b.
zeros() { for ((i = 0; i < $1; i++)); do echo 0; done >"$1.txt"; }
zeros 250; zeros 25; zeros 10
arrays() { h5import 250.txt -d "$2" -p W -t TEXTFP -s 64 25.txt -d 25 -p visible_bias -t TEXTFP -s 32 10.txt -d 10 -p "$3" -t TEXTFP -s 32 -o "$1" >/dev/null; }
arrays zeros.h5 25,10 b; arrays transposed.h5 10,25 b; arrays incomplete.h5 25,10 c
expect 0 "log_z_exact                              24.26015" run exact.toml --set run.output=zeros --set model.from=zeros.h5
expect 3 "transposed.h5: W: found float64 (10, 25), but the rbm of this deck takes" run exact.toml --set run.output=transposed --set model.from=transposed.h5
expect 3 'incomplete.h5: no dataset "hidden_bias" or "b"' run exact.toml --set run.output=incomplete --set model.from=incomplete.h5
expect 3 'model.from = "nowhere.h5" does not exist' run deck.toml --set run.output=nowhere --set model.from=nowhere.h5
echo "likelihoods are what enumeration says"
