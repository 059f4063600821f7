#!/usr/bin/env bash
# Numbers of training runs that follow from others: learning rates by the schedule of each machine, the best parameters over restarts, and
# the error of a ratio; and networks of an estimator that are independent.
source "$(dirname "$0")/common.sh"

# A belief network's machines have their schedule each: 20 updates from 0.1 down.
cat >network.toml <<'END'
[run]
task = "train"
output = "network"
[data]
type = "bars_and_stripes"
[model]
type = "deep_belief_network"
layers = [9, 6, 5]
[objective]
type = "greedy_cd"
chains = 28
[sampler]
type = "gibbs"
[optimizer]
type = "sgd"
learning_rate = 0.1
schedule = "linear"
[train]
batch = 14
updates = 40
[output]
history_every = 1
END
expect 0 "results are in" run network.toml
numbers network/history.h5 /learning_rate | awk '{ d = $1 - 0.1 * (1 - (NR - 1) % 20 / 20); if (d > 1e-8 || -d > 1e-8) exit 1 } END { exit NR != 40 }' ||
  die "learning rates of a belief network: $(numbers network/history.h5 /learning_rate | tr '\n' ' ')"

# The parameters that came nearest to the validation items stay the best after a restart: they are of before the stop at update 130.
expect 2 'train.keep_best = "validation" compares validation items with the chains of the training, and objective.type = "denoising_score_matching" has none' \
  check "$INPUTS/score_2d_denoising.toml" --set data.validation_fraction=0.2 --set train.keep_best=validation
best=("${small_moons[@]}" --set data.validation_fraction=0.2 --set train.keep_best=validation --set train.validate_every=10
  --set train.validation_points=100 --set train.average_decay=0 --set optimizer.warmup_updates=0 --set optimizer.learning_rate=0.01
  --set optimizer.schedule=constant --set output.history_every=10)
on 1 run "${best[@]}" --set train.updates=160 --set run.output=best || { cat output; die "best"; }
numbers best/history.h5 /validation_distance | awk 'NR == 1 || $1 < least { least = $1; at = NR } END { exit !(NR == 16 && at < 13) }' ||
  die "the best parameters are of after the restart, and this test shows nothing"
on 1 run "${best[@]}" --set train.updates=130 --set run.output=best_again || { cat output; die "best, stopped"; }
on 1 run "${best[@]}" --set train.updates=160 --set run.output=best_again --restart required || { cat output; die "best, continued"; }
same "$(newest_checkpoint best)" "$(newest_checkpoint best_again)" /estimate/parameters /model/parameters
[[ $(metrics best) == "$(metrics best_again)" ]] || die "metrics of the best parameters differ after a restart"

# The ratio of two estimates has the errors of both.
on 1 run "${small_moons[@]}" --set run.output=moons || { cat output; die "moons"; }
awk -v d="$(metric moons energy_distance)" -v de="$(metric moons energy_distance_error)" -v m="$(metric moons energy_distance_data)" \
  -v me="$(metric moons energy_distance_data_error)" -v r="$(metric moons energy_distance_ratio)" -v re="$(metric moons energy_distance_ratio_error)" \
  'BEGIN { off = re / (r * sqrt((de / d) ^ 2 + (me / m) ^ 2)) - 1; exit !(de > 0 && me > 0 && r > 0 && off < 1e-9 && -off < 1e-9) }' ||
  die "the error of energy_distance_ratio is not that of its parts: $(metrics moons)"

# Networks of each load are new ones: two loads of the same number of patterns have different overlaps.
printf '[run]\ntask = "estimate"\noutput = "recall"\n[[estimator]]\ntype = "hopfield_capacity"\nunits = 200\nloads = [0.14, 0.142]\nnetworks = 2\nsweeps = 5\n' >recall.toml
expect 0 "results are in" run recall.toml
[[ $(metric recall overlap_load_0.140) != "$(metric recall overlap_load_0.142)" ]] || die "networks of two loads are the same"
echo "learning follows its schedule, and errors their parts"
