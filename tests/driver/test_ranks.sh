#!/usr/bin/env bash
# The same bits on 1, 2 and 3 ranks: samples of two decks, and the parameters after 200 training updates of five others.
source "$(dirname "$0")/common.sh"
cat >masses.toml <<'END'
[run]
task = "sample"
output = "masses"
[model]
type = "gaussian"
dimension = 6
diagonal = [1, 0.01]
[sampler]
type = "hmc"
adapt_mass = true
step_size = 0.5
leapfrog_steps = 3
chains = 200
tile_width = 16
steps = 400
warmup = 200
thin = 20
[[estimator]]
type = "moments"
END
for ranks in 1 2 3; do
  on "$ranks" run masses.toml --set run.output=masses$ranks || { cat output; die "hmc with masses on $ranks ranks"; }
  on "$ranks" run "${small_gaussian[@]}" --set run.output=gaussian$ranks || { cat output; die "gaussian on $ranks ranks"; }
  on "$ranks" run "${small_well[@]}" --set run.output=well$ranks || { cat output; die "double well on $ranks ranks"; }
  on "$ranks" run "${small_moons[@]}" --set run.output=moons$ranks || { cat output; die "two moons on $ranks ranks"; }
  on "$ranks" run "${small_score[@]}" --set run.output=score$ranks || { cat output; die "score matching on $ranks ranks"; }
  on "$ranks" run "${small_flow[@]}" --set run.output=flow$ranks || { cat output; die "flow on $ranks ranks"; }
  on "$ranks" run "${small_bars[@]}" --set run.output=bars$ranks || { cat output; die "rbm on $ranks ranks"; }
  on "$ranks" run "${small_hee[@]}" --set run.output=hee$ranks || { cat output; die "hee on $ranks ranks"; }
  on "$ranks" run "${small_images[@]}" --set run.output=images$ranks --set model.from=hee1 || { cat output; die "hee generation on $ranks ranks"; }
done
for ranks in 2 3; do
  for run in masses gaussian well moons bars images flow; do
    [[ $run == flow ]] || same_samples ${run}1 $run$ranks
    [[ $(metrics ${run}1) == "$(metrics $run$ranks)" ]] || die "metrics of $run differ on $ranks ranks"
  done
  same "$(newest_checkpoint score1)" "$(newest_checkpoint score$ranks)" /model/parameters /optimizer/mean /average/parameters /objective/losses
  same "$(newest_checkpoint hee1)" "$(newest_checkpoint hee$ranks)" /model/parameters /optimizer/mean /chains/layer1/x
  same "$(newest_checkpoint bars1)" "$(newest_checkpoint bars$ranks)" /model/parameters /optimizer/velocity /objective/offsets /replay/0001/x
  same "$(newest_checkpoint moons1)" "$(newest_checkpoint moons$ranks)" /model/parameters /optimizer/mean /average/parameters
  same "$(newest_checkpoint flow1)" "$(newest_checkpoint flow$ranks)" /model/parameters /optimizer/mean /average/parameters
  same flow1/estimates/flow_histogram.h5 flow$ranks/estimates/flow_histogram.h5 /density_direct /density_weighted
done

# One chain is one chain: 15 others fill up its tile, some of which become non-finite from such wide starts; they must not affect the run.
for chains in 1 16; do
  printf '[run]\ntask = "sample"\n[model]\ntype = "double_well"\n[sampler]\ntype = "ula"\nstep_size = 0.02\nsteps = 200\nwarmup = 100\nthin = 10\n' >wide.toml
  code=0
  on 1 run wide.toml --set run.output=wide$chains --set sampler.chains=$chains --set sampler.initial_scale=3 || code=$?
  ((code == (chains == 1 ? 0 : 5))) || { cat output; die "$chains chains from wide starts: exit code $code"; }
  on 1 run wide.toml --set run.output=near$chains --set sampler.chains=$chains || { cat output; die "$chains chains"; }
done
first_chain() { h5dump -A 0 -m %.9g -d /posterior/x -s 0,0,0 -c 1,10,1 "$1/samples/part-000000.h5" | grep '^ *('; }
[[ $(first_chain near1) == "$(first_chain near16)" ]] || die "a chain on its own is not chain 0 of many"
echo "same bits on 1, 2 and 3 ranks"
