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
sed '/^target_acceptance/d' "$INPUTS/double_well.toml" >unadjusted.toml
expect 5 "is not finite at step" run unadjusted.toml "${small_well[@]:1}" --set run.output=diverges --set sampler.type=ula --set sampler.step_size=3
[[ $(status_of diverges) == 5 ]] || die "run.status.json does not say 5"
expect 2 "sampler.type = \"hee_langevin\" cannot move model.type = \"gaussian\"; use \"ula\"" check "${small_gaussian[@]}" --set sampler.type=hee_langevin
expect 2 "needs a linear-Gaussian hee" run "$INPUTS/hee_hessian.toml" --set run.output=hessian --set model.activation=tanh
expect 2 "is not a multiple of objective.steps_per_update" run "${small_hee[@]}" --set run.output=steps --set objective.steps_per_batch=7
expect 3 "no such directory" run "$INPUTS/hee_cifar10.toml" --set run.output=cifar
expect 2 "nothing to couple" run "${small_flow[@]}" --set run.output=affine --set model.latent_dimension=1
expect 2 "set model.dimension to that" run "${small_flow[@]}" --set run.output=dimension --set target.dimension=2
sed '/^\[target\]/,/^$/d' "$INPUTS/nice_double_well.toml" >no_target.toml
expect 2 "needs a [target]" run no_target.toml
sed '/^\[data\]/,/^$/d' "$INPUTS/two_moons.toml" >no_data.toml
expect 2 "needs a [data] section" run no_data.toml
# Without annealing the flow collapses to one well, and says so.
expect 0 "THE FLOW MISSES MODES" run "${small_flow[@]}" --set run.output=collapsed --set objective.beta_start=1 --set optimizer.learning_rate=0.02 --set train.updates=1000 --set estimator.0.samples=20000
expect 3 "nowhere.gz" run "$INPUTS/quickstart.toml" --set run.output=data --set data.path=nowhere.gz
expect 2 "1 error in the deck, 1 error in the files that the deck names" check "$INPUTS/quickstart.toml" --set optimizer.learning_rat=1 --set data.path=nowhere.gz
expect 2 "1 error in the deck, 1 error in the files" run "$INPUTS/quickstart.toml" --set run.output=data --set sampler.type=gibs --set data.path=nowhere.gz
expect 2 "a lattice of more than" check "$INPUTS/ising_2d.toml" --set model.rows=1000000 --set model.columns=1000000
touch file
expect 4 "file" run "${small_gaussian[@]}" --set run.output=file/run
expect 3 "no run to continue" run "${small_gaussian[@]}" --set run.output=none --restart required
expect 0 "results are in" run "${small_gaussian[@]}" --set run.output=twice
expect 2 "--overwrite" run "${small_gaussian[@]}" --set run.output=twice
expect 0 "nothing to do" run "${small_gaussian[@]}" --set run.output=twice --restart auto
expect 2 "sampler.step_size" run "${small_gaussian[@]}" --set run.output=twice --restart auto --set sampler.step_size=0.05
expect 0 "results are in" run "${small_gaussian[@]}" --set run.output=twice --overwrite
# A refusal takes nothing away: a deck, or files that it names, that --overwrite would replace a finished run by; a run that is shortened.
expect 0 "results are in" run "${small_bars[@]}" --set run.output=bars --set train.updates=20
expect 3 "nowhere" run "${small_bars[@]}" --set run.output=bars --overwrite --set train.updates=20 --set model.from=nowhere
expect 0 "nothing to do" run "${small_bars[@]}" --set run.output=bars --set train.updates=20 --restart auto
expect 2 "is at step 400 already" run "${small_gaussian[@]}" --set run.output=twice --restart auto --set sampler.steps=200
[[ $(status_of twice) == 0 ]] || die "a refused run changed the status of a finished one"
expect 0 "nothing to do" run "${small_gaussian[@]}" --set run.output=twice --restart auto
# A key that another key leaves unused, and a run that keeps nothing.
expect 2 "model.matrix is used only with precision = \"dense\"" check "${small_gaussian[@]}" --set 'model.matrix=[2.0]'
expect 2 "keeps no draw" check "${small_gaussian[@]}" --set sampler.thin=500
# A directory that cannot be made, found by check; a machine that no memory holds is only counted.
expect 4 "is not a directory" check "${small_gaussian[@]}" --set run.output=file/run
expect 2 "a name in the path of the run directory" check "${small_gaussian[@]}" --set "run.output=$(printf 'a%.0s' {1..300})"
expect 0 "GiB" check "${small_bars[@]}" --set model.hidden=200000000
# Estimators count what they hold, and refuse sizes for which no run could end.
expect 0 "TiB" check "$INPUTS/hopfield_capacity.toml" --set estimator.0.units=1000000
expect 2 "above 0 and at most 10" check "$INPUTS/hopfield_capacity.toml" --set 'estimator.0.loads=[1e12]'
expect 2 "whose eigenvalues it finds for up to 20000" check "$INPUTS/hee_hessian.toml" --set estimator.0.units=1000000
expect 2 "compares all pairs of up to 4096 coordinates" check "${small_gaussian[@]}" --set model.dimension=4097
cat >grid.toml <<'END'
[run]
task = "estimate"
output = "grid"
[model]
type = "double_well"
dimension = 2
[[estimator]]
type = "energy_grid"
points = 1000000
END
expect 2 "grid.toml:9:10: estimator.points = 1000000 along each of 2 coordinates" check grid.toml
expect 0 "MiB" check grid.toml --set estimator.0.points=3000
# A tempered Gaussian is compared with T H^-1, and a sampler whose covariance is not known with that of the target.
for sampler in mala mclmc; do
  on 1 run "${small_gaussian[@]}" --overwrite --set run.output=tempered --set sampler.type=$sampler --set sampler.temperature=2 --set sampler.chains=500 \
    --set sampler.steps=1500 --set sampler.warmup=1000 --set sampler.thin=500 --set sampler.step_size=0.1 || { cat output; die "no tempered run"; }
  z=$(metric tempered covariance_z_max)
  awk -v z="$z" 'BEGIN {exit !(z < 7)}' || die "covariance_z_max = $z at temperature 2 with $sampler"
done
grep -q 'against T H^-1' tempered/summary.json || die "mclmc is compared with a covariance of its own"
# One point cannot be compared with another: the run ends well, and the distance is not known.
expect 0 "fewer than two points" run "${small_moons[@]}" --set run.output=one --set train.batch=1 --set objective.chains=1 --set train.updates=5 --set estimator.0.points=2
[[ $(metric one energy_distance) == null ]] || die "a distance of one point is known"
network=(--set model.type=score_mlp --set 'model.layers=[2, 16, 2]')
expect 2 "accepts and rejects by an energy, and there is none in model.type = \"score_mlp\"" check "$INPUTS/score_2d_langevin.toml" "${network[@]}" --set sampler.type=mala
expect 2 "learns an energy, and there is none in" check "$INPUTS/two_moons.toml" "${network[@]}"
sed '/^\[objective\]/,/^$/c [objective]\ntype = "exact_score_matching"\n' "$INPUTS/two_moons.toml" >sampler.toml
expect 2 "has no use for a [sampler]" check sampler.toml
expect 2 "objective.sigma is missing" run "${small_score[@]}" --set run.output=no_sigma --set model.noise_levels=0
expect 3 "does not exist" info nothing.h5
expect 0 "posterior/x" info twice/samples.h5
expect 0 "runs/gaussian" info --output "$INPUTS/gaussian.toml"
expect 0 "mueller_brown" list models
# All that is wrong is said at once, in the deck and in the files that it names; the exit code is 3 where the files alone are wrong.
cat >files.toml <<'END'
[run]
task = "train"
output = "files"
[data]
type = "csv"
path = "nowhere.csv"
[model]
type = "mlp"
layers = [2, 8, 1]
from = "nowhere"
[objective]
type = "persistent_cd"
chains = 97
[sampler]
type = "ula"
step_size = 0.01
[train]
batch = 16
END
expect 2 "files.toml:6:8: nowhere.csv: no such file" check files.toml
for found in 'files.toml:10:8: model.from = "nowhere" does not exist' 'files.toml:13:10: objective.chains = 97 is not a multiple of train.batch = 16' \
  '1 error in the deck, 2 errors in the files that the deck names'; do
  grep -qF "$found" output || die "check does not say: $found"
done
expect 3 "2 errors in the files that the deck names" check files.toml --set objective.chains=96
expect 0 "total" check files.toml --set objective.chains=96 --without-files
expect 3 "2 errors in the files that the deck names" run files.toml --set objective.chains=96
[[ $(status_of files) == 3 ]] || die "run.status.json does not say that files are wrong"
printf '1,2,3\n4,5,6\n' >nowhere.csv
expect 2 "the data have 3 numbers per item" check files.toml --set objective.chains=96 --set train.batch=2 --set 'model.from=""'

# What a clamp leaves free counts, and what is wrong with several blocks is said once.
cat >clamped.toml <<'END'
[run]
task = "sample"
output = "clamped"
[model]
type = "double_well"
dimension = 3
[clamp]
units = [0, 1]
values = [1.0]
[sampler]
type = "mclmc"
chains = 16
steps = 20
warmup = 10
thin = 1
END
expect 2 "clamped.toml:11:8: sampler.type: mclmc and mams rotate a direction" check clamped.toml
expect 2 "1 error in the deck" check clamped.toml --set clamp.units=[0,2]
expect 0 "results are in" run clamped.toml --set clamp.units=[0,0]
expect 2 "keeps only the start of the training" check "$INPUTS/rbm_bars.toml" --set sampler.type=trajectory_tempering --set sampler.rungs=1

# What computes nothing starts no MPI: it works where MPI cannot start, and alone speaks for several processes.
without_mpi=(env OMPI_MCA_pml=nothing OMPI_MCA_btl=nothing)
for command in "check $INPUTS/gaussian.toml" "list" "reference" "info twice" "--help" "--version"; do
  "${without_mpi[@]}" "$PARTITA" $command >output 2>&1 || { cat output; die "$command where MPI cannot start"; }
done
! "${without_mpi[@]}" "$PARTITA" run "$INPUTS/gaussian.toml" --set run.output=no_mpi >output 2>&1 || die "a run without MPI"
expect 0 "memory on all 6 ranks together" check "$INPUTS/gaussian.toml" --ranks 6
[[ $($MPIEXEC -n 3 "$PARTITA" check "$INPUTS/gaussian.toml" | grep -c "memory on all 3 ranks together") == 1 ]] || die "a check on three ranks"

for deck in "$INPUTS"/*.toml; do
  [[ $deck != */reference.toml ]] || continue
  expect 0 "total" check "$deck" --without-files
  ! grep -q "is now called" output || { cat output; die "$deck has a former name"; }
done
"$PARTITA" reference | diff - "$INPUTS/reference.toml" || die "inputs/reference.toml is not what 'partita reference' prints: renew it"
echo "errors say what to do"
