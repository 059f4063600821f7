#!/usr/bin/env bash
# Chains that hold some units: what they show, the law of the others, any number of ranks, and what is refused.
source "$(dirname "$0")/common.sh"

# Whether a metric is a number to within 5 of its standard errors.
near() {
  awk -v x="$(metric "$1" "$2")" -v e="$(metric "$1" "$2_error")" -v want="$3" \
    'BEGIN { d = x - want; exit !(d < 5 * e && -d < 5 * e) }' || die "$1: $2 is $(metric "$1" "$2") +- $(metric "$1" "$2_error"), not $3"
}

# A Gaussian with precision J and J mean = g: given x_0 = 1.5 the others have J_oo mean = g_o - 1.5 J_o0.
cat >gaussian.toml <<'END'
[run]
task = "sample"
seed = 3
output = "gibbs"
[model]
type = "gaussian_mrf"
precision = [2, 0.5, -0.4, 0.5, 1.5, 0.3, -0.4, 0.3, 1]
potential = [1, -0.5, 0.2]
[sampler]
type = "gibbs"
chains = 2000
tile_width = 64
steps = 220
warmup = 20
thin = 20
[clamp]
units = [0, 0]
values = [1.5]
[[estimator]]
type = "moments"
END
expect 0 "results are in" run gaussian.toml
for type in mala hmc; do expect 0 "results are in" run gaussian.toml --set run.output=$type --set sampler.type=$type --set sampler.step_size=0.2; done
for run in gibbs mala hmc; do
  [[ $(metric $run mean_0) == 1.5 && $(metric $run variance_0) == 0 ]] || die "$run: unit 0 does not stay at 1.5"
  near $run mean_1 -1.056737589 # (-1.25 - 0.24) / 1.41
  near $run mean_2 1.117021277  # (0.375 + 1.2) / 1.41
  near $run variance_1 0.709219858
done
expect 0 "results are in" run gaussian.toml --set run.output=others --set clamp.complement=true --set clamp.units=[1,2] # all but 1 and 2 is 0
same_samples gibbs others
on 2 run gaussian.toml --set run.output=two_ranks || die "two ranks: $(cat output)"
same_samples gibbs two_ranks

# A machine with parameters as they start, of which the law is a sum over its 8 states.
for i in $(seq 40); do echo "$((i % 2)),$((i / 2 % 2)),$((i / 4 % 2))"; done >items.csv
cat >rbm.toml <<'END'
[run]
task = "train"
seed = 5
output = "machine"
[data]
type = "csv"
path = "items.csv"
test_fraction = 0.25
[model]
type = "rbm"
visible = 3
hidden = 2
initial_scale = 1.5
[sampler]
type = "gibbs"
[objective]
type = "persistent_cd"
chains = 16
[train]
batch = 16
updates = 0
END
expect 0 "results are in" run rbm.toml
sed -e 's/"train"/"sample"/' -e 's/"machine"/"held"/' -e 's/type = "gibbs"/&\nchains = 4000\ntile_width = 64\nsteps = 120\nwarmup = 20\nthin = 10/' \
  -e '/^\[objective\]/,$d' -e 's/initial_scale = 1.5/from = "machine"/' rbm.toml >held.toml
printf '[clamp]\nunits = [0, 0]\nvalues = [1]\n[[estimator]]\ntype = "moments"\n' >>held.toml
expect 0 "results are in" run held.toml
# p(v | v_0 = 1) ~ exp(a'v) prod_j (1 + exp(b_j + (W'v)_j)); parameters are W row by row, a, b.
numbers "$(newest_checkpoint machine)" /estimate/parameters >parameters
read -r first second < <(awk '{ p[NR - 1] = $1 } END {
  for (s = 0; s < 4; s++) {
    v[0] = 1; v[1] = s % 2; v[2] = int(s / 2); log_p = 0
    for (i = 0; i < 3; i++) log_p += p[6 + i] * v[i]
    for (j = 0; j < 2; j++) { f = p[9 + j]; for (i = 0; i < 3; i++) f += p[2 * i + j] * v[i]; log_p += log(1 + exp(f)) }
    z += exp(log_p); m1 += v[1] * exp(log_p); m2 += v[2] * exp(log_p)
  }
  print m1 / z, m2 / z }' parameters)
[[ $(metric held mean_0) == 1 ]] || die "unit 0 does not stay at 1"
near held mean_1 "$first"
near held mean_2 "$second"

# Items of the data, each shown by every third chain; Langevin samplers of real units keep them, too.
sed '/^values/c items = 3' held.toml >items.toml
expect 0 "results are in" run items.toml --set run.output=items
sed -e 's/^from = .*/visible_units = "gaussian"/' -e 's/^units = .*/units = [1, 2]/' items.toml >real.toml
expect 0 "results are in" run real.toml --set run.output=real_gibbs
for type in ula langevin_gibbs; do
  expect 0 "results are in" run real.toml --set run.output=real_$type --set sampler.type=$type --set sampler.step_size=0.1
done
for run in items real_gibbs real_ula real_langevin_gibbs; do
  numbers $run/samples/part-000000.h5 /posterior/x | awk -v unit=$([[ $run == items ]] && echo 0 || echo 1) '
    (NR - 1) % 3 == unit { item = int((NR - 1) / 30) % 3; if (!(item in shown)) shown[item] = $1; if ($1 != shown[item] || ($1 != 0 && $1 != 1)) exit 1 }' ||
    die "$run: chains do not show the items"
done

# Weights of one parametrisation are not taken for those of the other.
sed -e 's/^initial_scale.*/visible_units = "gaussian"/' rbm.toml >gaussian_rbm.toml
expect 0 "results are in" run gaussian_rbm.toml --set run.output=machine_B
expect 0 "results are in" run real.toml --set run.output=same --set model.from=machine_B
expect 3 "its weights are scaled differently from those of model.parametrisation = \"A\"" run real.toml --set run.output=other --set model.from=machine_B \
  --set model.parametrisation=A

# A Hopfield network has signs: items of 0 and 1 are shown as -1 and 1, constants are these.
cat >hopfield.toml <<'END'
[run]
task = "sample"
seed = 5
output = "signs"
[data]
type = "csv"
path = "items.csv"
test_fraction = 0.25
[model]
type = "hopfield"
units = 3
[sampler]
type = "gibbs"
chains = 30
steps = 20
warmup = 10
thin = 1
[clamp]
units = [0, 1]
END
expect 0 "results are in" run hopfield.toml
expect 0 "results are in" run items.toml --set run.output=zeros_and_ones --set clamp.units=[0,1] --set clamp.items=0 --set sampler.chains=30 \
  --set sampler.steps=20 --set sampler.warmup=10 --set sampler.thin=1
paste -d' ' <(numbers signs/samples/part-000000.h5 /posterior/x) <(numbers zeros_and_ones/samples/part-000000.h5 /posterior/x) |
  awk 'NR % 3 != 0 { n++; shown[$1]++; if ($1 != 2 * $2 - 1) exit 1 } END { exit !(n == 600 && shown[-1] > 0 && shown[1] > 0) }' ||
  die "a Hopfield network does not hold its items as -1 and 1"
expect 0 "results are in" run hopfield.toml --set run.output=minus --set clamp.values=[-1]
[[ $(numbers minus/samples/part-000000.h5 /posterior/x | awk 'NR % 3 != 0' | sort -u) == -1 ]] || die "held units are not -1"
expect 2 "clamp.values has 0, but the units of this model are -1 or 1" run hopfield.toml --set run.output=zero --set clamp.values=[0]
expect 2 "clamp.values has 0.5, but the units of this model are 0 or 1" run held.toml --set run.output=half --set clamp.values=[0.5]
sed 's/1/0.25/g' items.csv >grey.csv
expect 3 "grey.csv: row 0, entry 0 is 0.25" run items.toml --set run.output=grey --set data.path=grey.csv

# Colour images, a rectangle of all channels: two items of 2 x 2 pixels of 3 channels, of which pixel (0, 1) has the units 3, 4 and 5.
echo "1 1 1 1 0 1 0 0 0 0 0 0  0 0 0 0 1 1 1 1 1 1 1 1" >colours.txt
h5import colours.txt -d 2,12 -p items -t TEXTFP -s 32 -o colours.h5 >/dev/null
cat >colours.toml <<'END'
[run]
task = "sample"
output = "colours"
[data]
type = "hdf5"
path = "colours.h5"
dataset = "items"
shape = [2, 2, 3]
[model]
type = "rbm"
visible = 12
hidden = 1
[sampler]
type = "gibbs"
chains = 20
steps = 20
warmup = 10
thin = 1
[clamp]
rows = [0, 0]
columns = [1, 1]
split = "train"
END
expect 0 "results are in" run colours.toml
numbers colours/samples/part-000000.h5 /posterior/x | awk '
  { unit = (NR - 1) % 12; item = int((NR - 1) / 120) % 2; if (unit >= 3 && unit <= 5) { if ($1 != (item ? unit != 3 : unit != 4)) exit 1 } else on[unit] += $1 }
  END { if (NR != 2400) exit 1; for (u = 0; u < 12; u++) if ((u < 3 || u > 5) && (on[u] < 50 || on[u] > 150)) exit 1 }' || # of 200 fair coins
  die "chains do not hold the three channels of a pixel, or others too"

# What is refused.
expect 2 "the visible units of this model are 0 to 2" run gaussian.toml --set run.output=bad --set clamp.units=[2,3]
expect 2 "they are pairs of a first and a last unit" run gaussian.toml --set run.output=bad1 --set clamp.units=[1]
expect 2 "holds no unit" run gaussian.toml --set run.output=bad2 --set clamp.units=[]
expect 2 "holds all 3 units" run gaussian.toml --set run.output=bad3 --set clamp.units=[0,2]
expect 2 "clamp.values has 2 numbers, but 1 units are held" run gaussian.toml --set run.output=bad4 --set clamp.values=[1,2]
expect 2 "there is no [data] of images" run gaussian.toml --set run.output=bad5 --set clamp.rows=[0,1]
grep -v '^values' gaussian.toml >no_data.toml
expect 2 "there is none; add it, or give clamp.values" check no_data.toml
expect 2 "has 10 test items; use at most that many" run items.toml --set run.output=bad6 --set clamp.items=11
expect 2 "has no such items" run items.toml --set run.output=bad7 --set clamp.split=validation
expect 2 "the model has 4 visible units; they must agree" run real.toml --set run.output=bad8 --set model.visible=4
expect 2 "sampler.type = \"ula\" cannot move model.type = \"rbm\"" check held.toml --set sampler.type=ula --set sampler.step_size=0.1
expect 2 "sampler.type = \"langevin_gibbs\" cannot move model.type = \"rbm\"" check held.toml --set sampler.type=langevin_gibbs --set sampler.step_size=0.1
echo "chains hold what they are given"
