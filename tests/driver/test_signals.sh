#!/usr/bin/env bash
# Signals do not touch a computation: with a foreign handler that runs every millisecond, a run of each family of models has the bits of the
# quiet run. FOREIGN_HANDLER: the library that installs the handler; REPEATS: runs of each family.
source "$(dirname "$0")/common.sh"
repeats=${REPEATS:-2}
small_hopfield=("$INPUTS/hopfield_capacity.toml" --set estimator.0.units=400 --set estimator.0.sweeps=5 --set "estimator.0.report_sweeps=[20]")

# unmoved NAME OBJECTS DECK...: OBJECTS of the newest checkpoint, or none, and the metrics are the same with and without the handler.
unmoved() {
  local name=$1 objects=$2 i
  shift 2
  on 1 run "$@" --set run.output="$name" || { cat output; die "$name"; }
  for ((i = 1; i <= repeats; i++)); do
    LD_PRELOAD=$FOREIGN_HANDLER on 1 run "$@" --set run.output="$name.$i" || { cat output; die "$name with a foreign handler"; }
    [[ $(metrics "$name") == "$(metrics "$name.$i")" ]] || die "a foreign handler changed the metrics of $name"
    [[ -z $objects ]] || same "$(newest_checkpoint "$name")" "$(newest_checkpoint "$name.$i")" $objects
    rm -r "$name.$i"
  done
}
parameters="/model/parameters /estimate/parameters"
unmoved rbm "$parameters /replay/0000/x" "$INPUTS/quickstart.toml" --set train.updates=300 --set output.samples_every=0
unmoved mlp "$parameters" "${small_moons[@]}" --set 'model.layers=[2, 128, 128, 1]' --set train.batch=256 --set objective.chains=512
unmoved score "$parameters" "${small_score[@]}" --set 'model.layers=[2, 128, 128, 1]'
unmoved nice "$parameters" "${small_flow[@]}" --set 'model.hidden=[64, 64]'
unmoved hee "$parameters" "${small_hee[@]}"
unmoved hopfield "" "${small_hopfield[@]}"
echo "signals touch no computation"
