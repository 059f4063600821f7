#!/usr/bin/env bash
# What a run trained is what `model.from` gives: for every family of models the estimates at the end of its training equal those of an
# estimate with the parameters from that run, to the last bit where nothing is drawn anew.
source "$(dirname "$0")/common.sh"

# trained_and_read NAME ESTIMATOR-LINES <<< the rest of the deck: trains into NAME-trained, estimates from it in NAME-read.
trained_and_read() {
  local name=$1 estimator=$2
  cat >model_and_data
  { printf '[run]\ntask = "train"\noutput = "%s-trained"\n' "$name"; cat model_and_data; printf '%s\n' "$estimator"; } >train.toml
  { printf '[run]\ntask = "estimate"\noutput = "%s-read"\n' "$name"
    awk '/^\[/ { skip = /^\[(objective|sampler|optimizer|train)\]/ } !skip { print } /^\[model\]/ { print "from = \"'"$name"'-trained\"" }' model_and_data
    printf '%s\n' "$estimator"; } >read.toml
  on 1 run train.toml || { cat train.toml output; die "training of $name"; }
  on 1 run read.toml || { cat read.toml output; die "estimate of $name"; }
}
# Each metric of the estimate has the same digits at the end of the training.
same_metrics() {
  local name=$1 line count=0
  while read -r line; do
    grep -qF "${line%,}" "$name-trained/summary.json" || die "$name: $line after reading, $(grep -F "${line%%:*}" "$name-trained/summary.json") in training"
    count=$((count + 1))
  done < <(metrics "$name-read" | grep '": *-*[0-9]')
  ((count > 0)) || die "$name has no metrics to compare"
}

two_dimensional='[data]
type = "two_moons"
points = 1000
[train]
batch = 50
updates = 60
average_decay = 0'
grid='[[estimator]]
type = "score_grid"
lowest = [-2, -2]
highest = [2, 2]
points = 8'
# Scores, with a noise for all epochs, one an epoch, and levels that the network is conditioned on; energies likewise.
for outputs in 2 1; do
  type=$([[ $outputs == 2 ]] && echo score_mlp || echo mlp)
  for noise in 'sigma = [0.3]' 'sigma = [0.6, 0.3, 0.1]' levels; do
    name="$type-${noise//[^a-z0-9]/}"
    {
      printf '%s\n[model]\ntype = "%s"\nlayers = [2, 12, %s]\nquadratic = 0.2\n' "$two_dimensional" "$type" "$outputs"
      if [[ $noise == levels ]]; then printf 'noise_levels = 3\nnoise_lowest = 0.2\n[objective]\ntype = "denoising_score_matching"\n'
      else printf '[objective]\ntype = "denoising_score_matching"\n%s\n' "$noise"; fi
    } | trained_and_read "$name" "$grid"
    same "$name-trained/estimates/score_grid.h5" "$name-read/estimates/score_grid.h5" /score
  done
done

# Machines: exact likelihoods, free energies, ratings, and a belief network's bounds.
bars='[data]
type = "bars_and_stripes"
[sampler]
type = "gibbs"
[optimizer]
type = "sgd"
learning_rate = 0.1
[train]
batch = 14
updates = 40
average_decay = 0'
persistent='[objective]
type = "persistent_cd"
chains = 28'
machine() {  # NAME MODEL OBJECTIVE ESTIMATOR
  printf '%s\n[model]\n%s\n%s\n' "$bars" "$2" "$3" | trained_and_read "$1" "[[estimator]]
type = \"$4\""
}
machine rbm $'type = "rbm"\nvisible = 9\nhidden = 4' "$persistent" exact_log_z
same_metrics rbm
machine boltzmann_machine $'type = "boltzmann_machine"\nvisible = 9\nhidden = 4' "$persistent" exact_log_z
same_metrics boltzmann_machine
machine gaussian_rbm $'type = "rbm"\nvisible = 9\nhidden = 4\nvisible_units = "gaussian"\nlearn_variance = true' "$persistent" free_energy_gap
same_metrics gaussian_rbm
machine belief_network $'type = "deep_belief_network"\nlayers = [9, 6, 5]' "${persistent/persistent_cd/greedy_cd}" dbn_likelihood
same_metrics belief_network

printf '[data]\ntype = "eight_gaussians"\npoints = 200\n[model]\ntype = "hee"\nwidths = [2, 3, 2]\n[objective]\ntype = "hee_local"
[sampler]\ntype = "hee_langevin"\nstep_size = 0.02\n[train]\nbatch = 50\nupdates = 40\naverage_decay = 0\n' |
  trained_and_read hee $'[[estimator]]\ntype = "log_likelihood"'
same_metrics hee
printf '[model]\ntype = "nice"\ndimension = 2\nlatent_dimension = 4\ncouplings = 3\nhidden = [8]\nmasks = "random"\nscale = "lu"\n[target]\ntype = "double_well"\ndimension = 2
[objective]\ntype = "reverse_kl"\n[train]\nbatch = 64\nupdates = 40\naverage_decay = 0\n' |
  trained_and_read nice $'[[estimator]]\ntype = "flow"\nsamples = 2000'
same_metrics nice
awk 'BEGIN { srand(1); print "user,item,rating"; for (u = 0; u < 60; u++) for (i = 0; i < 12; i++) if (rand() < 0.6) print u "," i "," 1 + int(5 * rand()) }' >ratings.csv
printf '[data]\ntype = "ratings"\npath = "ratings.csv"\n[model]\ntype = "softmax_rbm"\nitems = 12\nhidden = 4\n[objective]\ntype = "contrastive_divergence"
sampler_steps = 1\n[sampler]\ntype = "gibbs"\n[train]\nbatch = 20\nupdates = 40\naverage_decay = 0\n' | trained_and_read ratings $'[[estimator]]\ntype = "ratings"'
same_metrics ratings
same ratings-trained/estimates/ratings.h5 ratings-read/estimates/ratings.h5 /prediction

# Parameters mean nothing in another model, though there may be as many of them: refused at the key that differs. How they start does not matter.
on 1 check read.toml >/dev/null || die "the last deck that reads"
exact='[[estimator]]
type = "exact_log_z"'
reads() { printf '[run]\ntask = "estimate"\noutput = "other"\n[model]\nfrom = "%s"\n%s\n%s\n' "$1" "$2" "${3:-$exact}" >other.toml; }
reads rbm-trained $'type = "rbm"\nvisible = 4\nhidden = 9'
expect 2 "other.toml:7:11: model.visible = 4, but the parameters of model.from were learnt with 9 (rbm-trained/checkpoints" check other.toml
expect 2 "model.hidden = 9, but the parameters" run other.toml
reads rbm-trained $'type = "hee"\nwidths = [9, 4]' $'[[estimator]]\ntype = "hee_hessian"\nlayers = [1]'
expect 2 'model.type = "hee", but the parameters of model.from were learnt with "rbm"' check other.toml
reads mlp-levels-trained $'type = "mlp"\nlayers = [2, 12, 1]\nquadratic = 0.2\nnoise_levels = 3\nnoise_lowest = 0.2\nactivation = "tanh"' "$grid"
expect 2 'model.activation = "tanh", but the parameters' check other.toml
reads rbm-trained $'type = "rbm"\nvisible = 9\nhidden = 4\ninitial_scale = 0.5'
expect 0 "results are in" run other.toml
