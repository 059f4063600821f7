#!/usr/bin/env bash
# What is known to be wrong with a result is said at its end and in summary.json, and what is not known is null.
source "$(dirname "$0")/common.sh"

is() { [[ $(metric "$1" "$2") == "$3" ]] || die "$1: $2 is $(metric "$1" "$2"), not $3"; }
warns() { sed -n '/"warnings"/,/\]/p' "$1/summary.json" | grep -qF -- "$2" || die "no '$2' among the warnings of $1"; }
faultless() { grep -q '"warnings": \[\]' "$1/summary.json" || die "$1 has warnings: $(sed -n '/"warnings"/,$p' "$1/summary.json")"; }
near() {
  awk -v x="$(metric "$1" "$2")" -v e="$(metric "$1" "$2_error")" -v want="$3" \
    'BEGIN { d = x - want; exit !(x != "null" && d < 4 * e && -d < 4 * e) }' || die "$1: $2 is $(metric "$1" "$2") +- $(metric "$1" "$2_error"), not $3"
}

# A chain set that never moves: every proposal diverges.
cat >still.toml <<'END'
[run]
task = "sample"
output = "still"
[model]
type = "gaussian"
dimension = 2
[sampler]
type = "hmc"
chains = 64
step_size = 1e6
target_acceptance = 0
steps = 300
warmup = 100
thin = 10
initial = "zero"
initial_centre = 3
END
cat >estimators.toml <<'END'
[[estimator]]
type = "moments"
[[estimator]]
type = "convergence"
END
cat still.toml estimators.toml >asked.toml

expect 0 "verdict: 4 warnings" run asked.toml
for name in rhat ess_bulk ess_tail mean_0_error variance_1_error mean_energy_error; do is still $name null; done
is still mean_0 3
warns still "64 of 64 chains rejected"
warns still "64 of 64 chains had proposals"
warns still "rhat: not known"
warns still "mean_0: its error is not known, nor are those of 4 more"
# The verdict does not wait to be asked for.
expect 0 "rhat: not known" run still.toml --overwrite
warns still "64 of 64 chains rejected"

# The same where they stand at different places: the spread between chains that never moved is no error.
on 1 run asked.toml --overwrite --set sampler.initial=normal
for name in rhat ess_bulk mean_0_error variance_1_error; do is still $name null; done
warns still "no chain moves"

# Too few draws, and none.
expect 0 "rhat: not known" run asked.toml --overwrite --set sampler.step_size=0.5 --set sampler.steps=130
is still rhat null
is still ess_bulk null
expect 0 "rhat: not known" run asked.toml --overwrite --set sampler.step_size=0.5 --set sampler.chains=1 --set sampler.steps=110
is still variance_0 null
expect 2 "keeps no draw" check still.toml --set sampler.step_size=0.5 --set sampler.steps=105

# Chains that were not run for long enough: an R-hat, and a small effective sample size.
cat >well.toml <<'END'
[run]
task = "sample"
output = "well"
seed = 1
[model]
type = "double_well"
dimension = 1
[sampler]
type = "mala"
chains = 4096
tile_width = 256
step_size = 0.05
steps = 2000
warmup = 1000
thin = 10
[[estimator]]
type = "moments"
[[estimator]]
type = "convergence"
END
expect 0 "is above 1.01" run well.toml --overwrite --set sampler.warmup=10 --set sampler.steps=210 --set sampler.step_size=0.001 --set sampler.target_acceptance=0
expect 0 "fewer than the 400" run still.toml --overwrite --set sampler.step_size=0.5 --set sampler.chains=2 --set sampler.thin=1

# Chains that start far out, where the step is far too long: the warm-up brings them in; with a fixed step they are found whatever thin is,
# on any number of ranks and after a restart. Exact variance 0.505730.
on 1 run well.toml --overwrite
near well variance 0.505730
! grep -q "stuck" <(sed -n '/"warnings"/,$p' well/summary.json | grep rejected) || die "chains are stuck after an adapting warm-up"
fixed=(run well.toml --overwrite --set sampler.target_acceptance=0)
for thin in 10 50 99 1000; do
  on 1 "${fixed[@]}" --set sampler.thin=$thin
  stuck=$(grep -o '[0-9]* of 4096 chains rejected at least [0-9]* proposals' well/summary.json) || die "no stuck chains at sampler.thin = $thin"
  [[ ${of_other_thin:=$stuck} == "$stuck" ]] || die "at sampler.thin = $thin $stuck, and $of_other_thin at another"
done
on 1 "${fixed[@]}" --set run.output=one
on 3 "${fixed[@]}" --set run.output=three
[[ $(sed -n '/"metrics"/,$p' one/summary.json) == "$(sed -n '/"metrics"/,$p' three/summary.json)" ]] || die "another verdict on three ranks"
on 1 "${fixed[@]}" --set run.output=whole --set sampler.steps=1500
on 1 "${fixed[@]}" --set run.output=pieces --set sampler.steps=1200
on 2 run well.toml --restart auto --set sampler.target_acceptance=0 --set run.output=pieces --set sampler.steps=1500
[[ $(sed -n '/"metrics"/,$p' whole/summary.json) == "$(sed -n '/"metrics"/,$p' pieces/summary.json)" ]] || die "another verdict after a restart"

# Rungs of a ladder start apart, so that swaps free a chain that starts in a tail.
on 1 run well.toml --set run.output=ladder --set sampler.type=replica_exchange --set sampler.moves=mala --set sampler.rungs=5 --set sampler.lowest_beta=0.1 \
  --set sampler.chains=512 --set sampler.steps=4000 --set sampler.warmup=1500 --set sampler.thin=5 --set run.seed=3
near ladder variance 0.505730
faultless ladder

# One chain has errors, from its effective sample size.
on 1 run well.toml --set run.output=single --set sampler.chains=1 --set sampler.steps=60000 --set sampler.initial_scale=0.1
[[ $(metric single mean_error) != null ]] || die "a single chain without an error"

# Energies of which single precision knows no tenths: accepting is decided by rounding.
cat >cold.toml <<'END'
[run]
task = "sample"
output = "cold"
[model]
type = "mueller_brown"
temperature = 1e-4
[sampler]
type = "mala"
chains = 64
step_size = 1e-8
steps = 200
warmup = 100
thin = 10
initial_scale = 0.001
END
expect 0 "where single precision has an error of" run cold.toml
expect 0 "verdict:" run cold.toml --overwrite --set model.temperature=10 --set sampler.step_size=0.001
! sed -n '/"warnings"/,$p' cold/summary.json | grep -q "single precision" || die "small energies are called too large"

# Training whose chains do not have the energies of the data, and one that is on its way.
cat >bars.toml <<'END'
[run]
task = "train"
output = "bars"
[data]
type = "bars_and_stripes"
copies = 40
[model]
type = "rbm"
visible = 9
hidden = 8
[objective]
type = "contrastive_divergence"
sampler_steps = 1
[sampler]
type = "gibbs"
[optimizer]
type = "sgd"
learning_rate = 0.05
[train]
batch = 128
updates = 600
END
on 1 run bars.toml
faultless bars
on 1 run bars.toml --overwrite --set train.updates=60 --set model.initial_scale=3
warns bars "energy_gap, the mean energy of the data less that of the chains, is "
warns bars "energy_gap, the mean energy of the data less that of the chains, still drifts"

# Steps that no energy as narrow as the data can take: they are halved until the chains are stable, and the training comes to its end. The
# same after a restart.
cat >moons.toml <<'END'
[run]
task = "train"
output = "moons"
reproducible = true
[data]
type = "two_moons"
points = 5000
[model]
type = "mlp"
layers = [2, 16, 16, 1]
[objective]
type = "persistent_cd"
chains = 512
[sampler]
type = "ula"
step_size = 0.1
[train]
batch = 128
updates = 2000
[output]
history_every = 10
END
on 1 run moons.toml
warns moons "sampler.step_size was halved from 0.1 to "
on 1 run moons.toml --set run.output=moons_in_pieces --set train.updates=1100
on 2 run moons.toml --set run.output=moons_in_pieces --restart auto
[[ $(sed -n '/"metrics"/,$p' moons/summary.json) == "$(sed -n '/"metrics"/,$p' moons_in_pieces/summary.json)" ]] || die "another verdict of a training after a restart"
same moons/history.h5 moons_in_pieces/history.h5 /energy_gap /gradient_step

# A ladder that never swapped did nothing, and its swap rates are not known.
on 1 run well.toml --set run.output=idle --set sampler.type=replica_exchange --set sampler.moves=mala --set sampler.rungs=3 --set sampler.lowest_beta=0.3 \
  --set sampler.swap_every=5000 --set sampler.chains=64 --set sampler.steps=1200
is idle swap_rate_lowest null
warns idle "two rungs never tried to swap"

# Chains of a flow that accepted nothing are the flow's; what none of few samples could miss is not covered.
cat >flow_model.toml <<'END'
[model]
type = "nice"
dimension = 1
latent_dimension = 2
hidden = [4]
[target]
type = "double_well"
END
{ printf '[run]\ntask = "generate"\noutput = "flow"\n'; cat flow_model.toml; printf '[generator]\ntype = "flow_metropolis"\nsteps = 2\nsamples = 100\n'; } >flow.toml
on 1 run flow.toml
warns flow "chains accepted none of 2 proposals"
{
  printf '[run]\ntask = "train"\noutput = "coverage"\n'
  cat flow_model.toml
  printf '[objective]\ntype = "reverse_kl"\n[train]\nbatch = 16\nupdates = 3\n[[estimator]]\ntype = "flow"\nsamples = 5\n'
} >coverage.toml
on 1 run coverage.toml
is coverage coverage null
warns coverage "coverage: not known"
[[ $(metric coverage kl_bound_error_degrees_of_freedom) == 4 ]] || die "an error from five samples without its degrees of freedom"

# What a verdict does not look at is said: the bias of steps without an acceptance test, and chains that hold different units.
sed '/^target_acceptance/d' still.toml >ula.toml
on 1 run ula.toml --overwrite --set run.output=unadjusted --set sampler.type=ula --set sampler.step_size=0.5 --set sampler.steps=5000
faultless unadjusted
grep -q "the sampler has no acceptance test" unadjusted/summary.json || die "nothing said of the bias of ula"
sed -e '/^\[objective\]/,$d' -e 's/"train"/"sample"/' bars.toml >held.toml
cat >>held.toml <<'END'
[sampler]
type = "gibbs"
chains = 64
steps = 400
warmup = 100
thin = 10
[clamp]
units = [0, 2]
items = 8
split = "train"
END
on 1 run held.toml --set run.output=held
faultless held
grep -q "which R-hat would compare" held/summary.json || die "nothing said of the convergence of chains that hold different units"

# Training chains that accept nothing stand at the data, where energy_gap is 0.
sed '/^chains = 512/d' moons.toml >cd.toml
on 1 run cd.toml --overwrite --set run.output=frozen --set objective.type=contrastive_divergence --set sampler.type=mala --set sampler.step_size=1e9 --set train.updates=50
warns frozen "the chains accepted no proposal"

# Data, and the rates that the annealing starts from, in the lesser of two modes: log Z without the other one has not converged. The energy of all
# spins up is lower by 7.2 than that of all down, where the data are.
for ((i = 0; i < 40; i++)); do echo "0$(printf ',0%.0s' {1..35})"; done >down.csv
cat >lattice.toml <<'END'
[run]
task = "estimate"
output = "lattice"
[data]
type = "csv"
path = "down.csv"
[model]
type = "ising_lattice"
rows = 6
columns = 6
coupling = 1.0
field = 0.1
[[estimator]]
type = "ais"
temperatures = 500
chains = 100
warmup = 50
END
on 1 run lattice.toml
is lattice converged 0
warns lattice "a mode that the others miss"

# Numbers beside exact ones that they are many errors from: spins that have not forgotten their start, a covariance of chains that hardly moved.
cat >spins.toml <<'END'
[run]
task = "sample"
output = "spins"
[model]
type = "ising_lattice"
rows = 12
columns = 8
coupling = 0.6
[sampler]
type = "gibbs"
chains = 512
steps = 40
warmup = 0
thin = 4
[[estimator]]
type = "magnetisation"
END
on 1 run spins.toml
warns spins "energy_per_spin: it is "
sed -e 's/^target_acceptance.*/&\ninitial_scale = 0.5/; s/"hmc"/"mala"/; s/^initial = .*//; s/1e6/1e-3/' still.toml >slow.toml
printf '[[estimator]]\ntype = "covariance"\nreference = "exact"\n' >>slow.toml
on 1 run slow.toml --overwrite --set run.output=slow
warns slow "covariance_z_max: an entry of the covariance is "

# Spins start independent in the field, not by a bias that stands for their neighbours: half of the chains in either well, which R-hat sees.
on 1 run spins.toml --overwrite --set model.coupling=1.5 --set model.rows=4 --set model.columns=4 --set sampler.steps=400 --set sampler.warmup=100
warns spins "is above 1.01"
near spins magnetisation 0

# Both directions agree, but the errors at the bracket's ends leave it wide.
cat >wide.toml <<'END'
[run]
task = "estimate"
output = "wide"
seed = 1
[model]
type = "ising_lattice"
rows = 4
columns = 4
coupling = 0.3
field = 0.1
[[estimator]]
type = "ais"
temperatures = 6
chains = 30
END
on 1 run wide.toml
is wide converged 1
warns wide "nats wide"

# A flow that is narrower than its target has weights that a few samples carry.
sed 's/"double_well"/"gaussian"\ndimension = 1\ndiagonal = [0.01]/' flow_model.toml >narrow.toml
printf '[run]\ntask = "generate"\noutput = "narrow"\nseed = 1\n[generator]\ntype = "flow"\nsamples = 2000\n' >>narrow.toml
on 1 run narrow.toml
warns narrow "PARETO k"

# Samples of which single precision hides the digits, and those of a file whose chains had not converged.
on 1 run asked.toml --overwrite --set run.output=far --set model.mean=[1e7] --set sampler.initial_centre=1e7 --set sampler.step_size=0.5
warns far "single precision has steps of 1"
printf '[run]\ntask = "estimate"\noutput = "again"\n[input]\npath = "slow"\n[[estimator]]\ntype = "moments"\n' >again.toml
on 1 run again.toml
warns again "is above 1.01"
